"""The windows between a committed order and its money: whatever dies there, the order is paid once, or given up with nothing taken.

The one idea: the provider's stand-in acts and holds its answer, drops it, or tells it by other ways first, while something is killed or
sleeps past its lease. In the end the provider is asked what it has captured.
"""

import signal
import time

import pytest
from limen_chaos.process import send, wait_for
from limen_chaos.topology import Shape
from limen_chaos.wire import State
from server import build_dir
from shop import Shop
from stage import Stage

SETTLED_S = 60  # a lease of 15 s must run out first, and what comes after it takes its time


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    it = Stage(tmp_path_factory.mktemp("money") / "run", Shape(build_dir() / "shop", workers=1, flags=Shop.flags), has_provider=True)
    yield it
    it.close()


@pytest.fixture(autouse=True)
def behaves(stage):
    yield
    stage.topology.provider.behave()


def assert_settled(stage, order, state="paid"):
    assert wait_for(lambda: stage.state_of(order) == state, SETTLED_S), f"{order} is {stage.state_of(order)}"
    assert len(stage.charges_of(order)) == (1 if state == "paid" else 0)
    assert stage.run.surprises == [] and stage.shop.check(stage.run) == []


def cut(stage, state):
    wire = stage.topology.wires[0, "provider"]
    stage.loop.call_soon_threadsafe(wire.become, state)
    assert wait_for(lambda: wire.state is state)


def kill(stage, victim):
    stage.kill(victim)
    stage.revive()


@pytest.mark.parametrize("victim", ["outbound", "worker", "all", "provider"])
def test_dies_after_the_commit_and_before_the_effect(stage, victim):
    cut(stage, State.REFUSED)
    order = stage.place()
    assert stage.charges_of(order) == []
    kill(stage, victim)
    cut(stage, State.WHOLE)
    assert_settled(stage, order)


@pytest.mark.parametrize("victim", ["outbound", "data", "worker", "all", "provider"])
def test_dies_while_the_provider_has_acted_and_holds_its_answer(stage, victim):
    stage.topology.provider.behave(late_ms=2000, webhook_times=0)
    order = stage.place()
    assert wait_for(lambda: stage.charges_of(order)), "the provider was never asked"
    assert stage.state_of(order) != "paid"
    kill(stage, victim)
    stage.topology.provider.behave(webhook_times=0)
    assert_settled(stage, order)


@pytest.mark.parametrize("behaviour", [{"drop": 2}, {"drop_early": 2}, {"fail": 2}, {"fail_late": 2}], ids=str)
def test_the_provider_gives_no_answer(stage, behaviour):
    stage.topology.provider.behave(**behaviour, webhook_times=0)
    assert_settled(stage, stage.place())


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
    assert_settled(stage, stage.place())


def test_what_was_declined_is_given_up_and_back_on_the_shelf(stage):
    stage.topology.provider.behave(decline=1)
    assert_settled(stage, stage.place(), "payment_failed")


def test_what_is_declined_later_is_given_up_as_well(stage):
    stage.topology.provider.behave(processing=1, settle_declines=True)
    assert_settled(stage, stage.place(), "payment_failed")


def test_the_owner_sleeps_past_its_lease_and_wakes(stage):
    roles = ["data", "outbound"]
    stage.topology.provider.behave(late_ms=500)
    order = stage.place()
    assert wait_for(lambda: stage.charges_of(order))
    asleep = [pid for role in roles for pid in stage.replica.roles(role)]
    assert send(asleep, signal.SIGSTOP) == len(roles)
    try:
        time.sleep(17)
    finally:
        send(asleep, signal.SIGCONT)
    assert_settled(stage, order)
