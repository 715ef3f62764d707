"""The windows between two servers on one PostgreSQL: one takes over what the other had, two versions are told the same key.

The one idea: of two servers one is put to sleep, or is of the next version, while a row that both want is held; so who comes first is
the test's to say.
"""

import contextlib
import json
import signal

import altered
import pytest
from limen_chaos.process import send, wait_for
from limen_chaos.wire import State
from stage import REACHED_S, SETTLED_S, WANTED, Stage, shape_on

OLD, NEW = 0, 1


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """The second server is of another version of the contract."""
    it = Stage(tmp_path_factory.mktemp("two") / "run", shape_on("postgres", replicas=2), has_provider=True)
    try:
        newer = it.topology.replicas[NEW]
        assert newer.stop() == []
        newer.command[0] = str(altered.next_version(tmp_path_factory.mktemp("next-version")))
        newer.start()
        yield it
    finally:
        it.close()


@contextlib.contextmanager
def asleep(stage, number, *roles):
    """Until the block ends."""
    pids = [pid for role in roles for pid in stage.topology.replicas[number].roles(role)]
    assert send(pids, signal.SIGSTOP) == len(roles)
    try:
        yield
    finally:
        send(pids, signal.SIGCONT)


# ---- leases ----------------------------------------------------------------------------------------------------------------


def fence_of(stage, order):
    return stage.shop.rows(stage.run)(f"SELECT fence FROM limen_outbox WHERE key = 'charge/{order}'")[0][0]


def count_in_log(stage, number, words):
    return stage.topology.replicas[number].log_path.read_text(errors="replace").count(words)


def test_who_sleeps_past_its_lease_finds_that_another_has_done_it(stage):
    """The one that wakes has the provider's answer in its hands, and may not write it down: the other is asking with the same key."""
    overtaken = count_in_log(stage, OLD, "an effect was taken over by another")
    with asleep(stage, NEW, "data"):
        order = stage.place_unanswered()
        first = fence_of(stage, order)
        sleep = contextlib.ExitStack()
        sleep.enter_context(asleep(stage, OLD, "data"))
        stage.cut("provider", State.WHOLE)
    with sleep:
        stage.topology.provider.behave(late_ms=3000, webhook_times=0)
        stage.let_lease_run_out(order)
        assert wait_for(lambda: fence_of(stage, order) > first, REACHED_S), "nobody has taken it over"
    assert wait_for(lambda: count_in_log(stage, OLD, "an effect was taken over by another") > overtaken, SETTLED_S)
    stage.assert_settled(order)


def test_who_sleeps_while_the_app_hears_finds_that_another_has_heard(stage):
    """The worker that wakes marks the order as paid once more: with an older fence, so nothing comes of it."""
    with asleep(stage, NEW, "data"):
        order = stage.place_unanswered()
        sleep = contextlib.ExitStack()
        sleep.enter_context(asleep(stage, OLD, "worker"))
        stage.cut("provider", State.WHOLE)
        assert wait_for(lambda: stage.effect_of(order)[1] == "answered", REACHED_S), stage.effect_of(order)
    with sleep:
        assert stage.state_of(order) == "placed"
        stage.let_lease_run_out(order)
        stage.assert_settled(order)
    stage.assert_settled(order)
    stage.topology.provider.behave()


# ---- two versions of the contract --------------------------------------------------------------------------------------------


def ask(stage, number, key, wanted):
    """A future: what this server answers, once it has a definite answer."""
    replica = stage.topology.replicas[number]
    client = stage.run.client(number, stage.fields)
    client.host, client.port = "127.0.0.1", replica.port
    return stage.do(stage.run.ask(client, stage.who, "POST", "/api/checkout", wanted, key))


def test_the_versions_differ(stage):
    """In how many of one item may be ordered."""
    many = {"lines": [{"itemId": "sku_pencils", "quantity": 99}]}
    answers = [stage.wait(ask(stage, number, stage.new_key(), many)).status for number in (OLD, NEW)]
    assert answers == [201, 422]


@pytest.mark.parametrize("victim", [None, "worker", "data"])
@pytest.mark.parametrize("first", [OLD, NEW], ids=["the old first", "the new first"])
def test_two_versions_are_told_one_key_at_the_same_time(stage, first, victim):
    """They wait for each other in the database, and give the same bytes; also when the first dies."""
    key, before = stage.new_key(), stage.orders()
    with stage.held("LOCK TABLE order_lines IN SHARE ROW EXCLUSIVE MODE") as is_reached:
        one = ask(stage, first, key, WANTED)
        assert is_reached(1)
        other = ask(stage, 1 - first, key, WANTED)
        assert is_reached(2), "the second does not wait for the first"
        if victim:
            assert send(stage.topology.replicas[first].roles(victim), signal.SIGKILL) == 1
    answers = [stage.wait(it) for it in (one, other)]
    assert {it.status for it in answers} == {201} and answers[0].body == answers[1].body
    stage.assert_one_order(key, before)
    stage.assert_settled(json.loads(answers[0].body)["id"])
