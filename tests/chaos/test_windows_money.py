"""The windows between a committed order and its money: whatever dies there, the order is paid once, or given up with nothing taken.

The one idea: the provider's stand-in acts, and its answer is held on its way, dropped, or told by other ways first, while something is
killed or sleeps past its lease. In the end the provider is asked what it has captured.
"""

import contextlib
import signal
import time

import pytest
from limen_chaos.process import send, wait_for
from limen_chaos.wire import State
from stage import DATABASES, LOOK_S, REACHED_S, Stage, shape_on

ROLES = ["outbound", "data", "worker", "all"]
OWN_TO_POSTGRES = ["backend", "postgres"]
LEASE_S = 15


@pytest.fixture(scope="module")
def stages(tmp_path_factory):
    made = {}

    def on(database):
        if database not in made:
            made[database] = Stage(tmp_path_factory.mktemp("money") / "run", shape_on(database), has_provider=True)
        return made[database]

    yield on
    for stage in made.values():
        stage.close()


@pytest.fixture(params=DATABASES)
def stage(request, stages):
    it = stages(request.param)
    yield it
    it.topology.provider.behave()
    it.cut("provider", State.WHOLE)


def victims(*names, databases=DATABASES):
    """Each of them on each database that has it."""
    cases = [(database, victim) for database in databases for victim in names if database == "postgres" or victim not in OWN_TO_POSTGRES]
    return pytest.mark.parametrize(("stage", "victim"), cases, indirect=["stage"])


def kill(stage, victim, order):
    """Whoever had leased the charge may have died with it: what it had is free when its lease has run out."""
    stage.kill(victim)
    stage.revive()
    stage.let_lease_run_out(order)


# ---- before the answer -----------------------------------------------------------------------------------------------------


@victims(*ROLES, "provider", *OWN_TO_POSTGRES)
def test_dies_after_the_commit_and_before_the_effect(stage, victim):
    stage.cut("provider", State.REFUSED)
    order = stage.place()
    assert stage.charges_of(order) == []
    kill(stage, victim, order)
    stage.cut("provider", State.WHOLE)
    stage.assert_settled(order)


@victims(*ROLES, "provider", *OWN_TO_POSTGRES)
def test_dies_when_the_provider_has_acted_and_nobody_has_its_answer(stage, victim):
    order = stage.place_unanswered()
    kill(stage, victim, order)
    stage.cut("provider", State.WHOLE)
    stage.assert_settled(order)


@pytest.mark.parametrize("behaviour", [{"drop": 2}, {"drop_early": 2}, {"fail": 2}, {"fail_late": 2}], ids=str)
def test_the_provider_gives_no_answer(stage, behaviour):
    stage.topology.provider.behave(**behaviour, webhook_times=0)
    stage.assert_settled(stage.place())


# ---- after it --------------------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def nothing_is_recorded(stage):
    """SQLite's writer waits; what is said to PostgreSQL is lost on its way."""
    if not stage.topology.postgres:
        with stage.held("the writer's lock"):
            yield
        return
    stage.cut("database", State.SILENT)
    try:
        yield
    finally:
        stage.loop.call_soon_threadsafe(stage.topology.wires[0, "database"].reset)
        stage.cut("database", State.WHOLE)


@victims(*ROLES, *OWN_TO_POSTGRES)
def test_dies_when_it_was_answered_and_is_not_recorded(stage, victim):
    """The data role has the answer in its hands, and cannot write it down."""
    wire = stage.topology.wires[0, "provider"]
    order, before = stage.place_unanswered(), wire.answered
    with nothing_is_recorded(stage):
        stage.cut("provider", State.WHOLE)
        assert wait_for(lambda: wire.answered > before), "the provider has never answered"
        time.sleep(LOOK_S)  # it goes on from the outbound role to the data role
        assert stage.effect_of(order)[1:3] == ("sent", 0)
        stage.kill(victim)
    stage.revive()
    stage.let_lease_run_out(order)
    stage.assert_settled(order)


@victims("worker", "data", "all", *OWN_TO_POSTGRES)
def test_dies_when_it_is_recorded_and_the_app_has_not_heard(stage, victim):
    """The worker that is to hear of it sleeps."""
    order = stage.place_unanswered()
    workers = stage.replica.roles("worker")
    assert send(workers, signal.SIGSTOP) == 1
    try:
        stage.cut("provider", State.WHOLE)
        assert wait_for(lambda: stage.effect_of(order)[1] == "answered", REACHED_S), stage.effect_of(order)
        assert stage.state_of(order) == "placed" and len(stage.charges_of(order)) == 1
        kill(stage, victim, order)
    finally:
        send(workers, signal.SIGCONT)
    stage.assert_settled(order)


@victims("worker", "data", "all", *OWN_TO_POSTGRES, databases=["postgres"])
def test_dies_while_the_app_marks_the_order_as_paid(stage, victim):
    """What the app does with an answer, and that it has done it, are one commit. (SQLite's one lock would stop what comes before.)"""
    order = stage.place_unanswered()
    with stage.held(f"SELECT 1 FROM orders WHERE id = '{order}' FOR UPDATE") as is_reached:
        stage.cut("provider", State.WHOLE)
        assert is_reached(), "nobody wants to mark the order"
        assert stage.effect_of(order)[1] == "answered" and len(stage.charges_of(order)) == 1
        stage.kill(victim)
    stage.revive()
    stage.let_lease_run_out(order)
    stage.assert_settled(order)


@pytest.mark.parametrize(
    "behaviour",
    [
        {"webhook_times": 2},
        {"webhook_times": 2, "webhook_early": True},
        {"processing": 1, "webhook_delay_ms": {"payment_intent.processing": 1500, "*": 0}},
        {"processing": 1, "webhook_times": 0},
    ],
    ids=["twice", "before the answer", "out of order", "never"],
)
def test_the_provider_tells_by_other_ways(stage, behaviour):
    stage.topology.provider.behave(**behaviour)
    stage.assert_settled(stage.place())


# ---- nothing is taken ------------------------------------------------------------------------------------------------------


def test_what_was_declined_is_given_up_and_back_on_the_shelf(stage):
    stage.topology.provider.behave(decline=1)
    stage.assert_settled(stage.place(), "payment_failed")


def test_what_is_declined_later_is_given_up_as_well(stage):
    stage.topology.provider.behave(processing=1, settle_declines=True)
    stage.assert_settled(stage.place(), "payment_failed")


# ---- leases, by the clock --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", ["postgres"], indirect=True)
def test_what_a_dead_owner_had_is_free_when_its_lease_has_run_out_and_not_before(stage):
    order = stage.place_unanswered()
    lease_until = stage.effect_of(order)[3]
    stage.kill("data")
    stage.cut("provider", State.WHOLE)
    stage.assert_settled(order)
    assert time.time() > lease_until / 1000000


@pytest.mark.parametrize("stage", ["sqlite"], indirect=True)
def test_the_owner_sleeps_past_its_lease_and_wakes(stage):
    roles = ["data", "outbound"]
    order = stage.place_unanswered()
    asleep = [pid for role in roles for pid in stage.replica.roles(role)]
    assert send(asleep, signal.SIGSTOP) == len(roles)
    try:
        stage.cut("provider", State.WHOLE)
        time.sleep(LEASE_S + 2)
    finally:
        send(asleep, signal.SIGCONT)
    stage.assert_settled(order)
