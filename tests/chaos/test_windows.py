"""The windows in which a process can die while somebody checks out, one by one and on purpose: whatever dies there, the key is one order.

The one idea: a batch is stopped at a chosen statement from outside, by a lock that the harness holds in the database. While it waits
there, something is killed; then the lock is given back. A commit whose reply nobody gets is made by stopping the worker, by a wire
that lets no answer through, or by a worker that stops in the middle of the reply. Each test sees that its window was hit before it kills.
"""

import json
import mmap
import os
import shutil
import signal
import socket
import struct

import altered
import ledger
import pytest
from apps import build_app
from limen_chaos.client import request_bytes
from limen_chaos.process import send, wait_for
from limen_chaos.wire import State
from server import ROOT
from stage import DATABASES, WANTED, Stage, shape_on

TRIES, REACHED_S = 8, 20
POINTS = {
    "between limiter and transaction": "LOCK TABLE items IN ACCESS EXCLUSIVE MODE",
    "before the key": "LOCK TABLE limen.limen_keys IN SHARE ROW EXCLUSIVE MODE",
    "between key and work": "LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE",
    "inside the work": "SELECT 1 FROM items WHERE id = 'sku_bowl' FOR UPDATE",
    "at the last statement": "LOCK TABLE order_lines IN SHARE ROW EXCLUSIVE MODE",
}
LAST = POINTS["at the last statement"]


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory):
    stage = Stage(tmp_path_factory.mktemp("windows") / "run", shape_on("sqlite"))
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory):
    has_redis = shutil.which("redis-server") is not None
    stage = Stage(tmp_path_factory.mktemp("windows") / "run", shape_on("postgres", has_redis=has_redis))
    yield stage
    stage.close()


# ---- nothing is committed yet ---------------------------------------------------------------------------------------------


def dies_at(stage, point, victim):
    key, before = stage.new_key(), stage.orders()
    with stage.held(POINTS[point]) as is_reached:
        order = stage.order(key)
        assert is_reached() and not stage.has_key(key), "the order has not come to the place where it should be stopped"
        stage.kill(victim)
    stage.revive()
    stage.wait(order)
    stage.assert_one_order(key, before)


@pytest.mark.parametrize("victim", ["worker", "data", "all"])
def test_dies_before_the_key_on_sqlite(on_sqlite, victim):
    dies_at(on_sqlite, "before the key", victim)


@pytest.mark.parametrize("victim", ["worker", "data", "all", "backend", "postgres"])
@pytest.mark.parametrize("point", POINTS)
def test_dies_before_the_commit_on_postgres(on_postgres, point, victim):
    dies_at(on_postgres, point, victim)


@pytest.mark.parametrize("point", ["between limiter and transaction", "inside the work"])
def test_redis_is_lost_once_the_limiter_has_been_passed(on_postgres, point):
    """Whoever was let in is served; whoever comes again waits until it is known who they are."""
    if on_postgres.topology.redis is None:
        pytest.skip("Redis is not installed")
    dies_at(on_postgres, point, "redis")


# ---- committed, and nobody was told --------------------------------------------------------------------------------------


def committed_untold(stage, victim, then=lambda: None):
    """The worker is stopped while its batch waits; the batch commits; then the victim dies with the reply."""
    for _ in range(TRIES):
        key, before = stage.new_key(), stage.orders()
        with stage.held(LAST) as is_reached:
            order = stage.order(key)
            assert is_reached()
            workers = stage.replica.roles("worker")
            assert send(workers, signal.SIGSTOP) == 1
        if wait_for(lambda: stage.has_key(key), 5):
            break
        send(workers, signal.SIGCONT)  # it was stopped before it had sent its batch
        stage.wait(order)
    try:
        assert stage.has_key(key), "the batch was never committed"
        assert not order.done()
        stage.kill(victim)
        then()
    finally:
        send(workers, signal.SIGCONT)
    stage.revive()
    stage.wait(order)
    stage.assert_one_order(key, before)


@pytest.mark.parametrize("victim", ["worker", "data", "all"])
def test_committed_and_the_reply_is_lost_on_sqlite(on_sqlite, victim):
    committed_untold(on_sqlite, victim)


@pytest.mark.parametrize("victim", ["worker", "data", "all", "postgres"])
def test_committed_and_the_reply_is_lost_on_postgres(on_postgres, victim):
    committed_untold(on_postgres, victim)


def test_committed_by_one_version_and_retried_at_the_next(on_sqlite, tmp_path):
    """The contract may have changed since: the reply is the stored one, not what the new version would say."""
    old, new = on_sqlite.replica.command[0], altered.next_version(tmp_path)
    try:
        committed_untold(on_sqlite, "all", then=lambda: on_sqlite.replica.command.__setitem__(0, str(new)))
        assert on_sqlite.replica.roles("worker") and os.path.samefile(f"/proc/{on_sqlite.replica.pid}/exe", new)
    finally:
        on_sqlite.replica.kill()
        on_sqlite.replica.command[0] = old
        on_sqlite.revive()


@pytest.mark.parametrize("victim", [None, "worker", "data", "all", "backend", "postgres"])
def test_commit_was_sent_and_its_outcome_is_unknown(on_postgres, victim):
    stage = on_postgres
    key, before, wire = stage.new_key(), stage.orders(), stage.topology.wires[0, "database"]
    with stage.held(LAST) as is_reached:
        order = stage.order(key)
        assert is_reached()
        stage.cut("database", State.DEAF)
    try:
        assert wait_for(lambda: stage.has_key(key), REACHED_S), "the batch was never committed"
        if victim:
            stage.kill(victim)
    finally:
        stage.loop.call_soon_threadsafe(wire.reset)
        stage.cut("database", State.WHOLE)
    stage.revive()
    stage.wait(order)
    stage.assert_one_order(key, before)
    assert ledger.faults(stage.shop.books(stage.run), [], stage.shop.stock_before) == []


# ---- in the middle of the reply ------------------------------------------------------------------------------------------


class KillPoint:
    """struct point of tests/lib/kill_point.c."""

    def __init__(self, folder):
        folder.mkdir(parents=True)
        path = folder / "kill-point"
        path.write_bytes(bytes(16))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), 16)

    def arm(self):
        struct.pack_into("=qq", self.memory, 0, 1, 0)

    @property
    def is_reached(self):
        return struct.unpack_from("=q", self.memory, 8)[0] == 1


@pytest.fixture(scope="module")
def halting_shop(tmp_path_factory):
    """A shop whose worker can be told to stop when a part of a reply has left."""
    more = ["-D_GNU_SOURCE", ROOT / "tests" / "lib" / "kill_point.c", "-Wl,--wrap=send", "-Wl,--wrap=sendmsg"]
    return build_app("shop", ROOT / "apps" / "shop", tmp_path_factory.mktemp("halting"), more=more)


@pytest.fixture(scope="module", params=DATABASES)
def halting(request, halting_shop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows") / "run"
    point = KillPoint(folder)
    stage = Stage(folder, shape_on(request.param, binary=halting_shop))
    yield stage, point
    stage.close()


def send_order(stage, key):
    """A connection on which a reply will come."""
    connection = socket.create_connection(("127.0.0.1", stage.replica.port), timeout=REACHED_S)
    fields = [*stage.fields, ("Idempotency-Key", key)]
    connection.sendall(request_bytes("POST", "/api/checkout", "localhost", json.dumps(WANTED).encode(), fields))
    return connection


def read_to_the_end(connection):
    with connection:
        pieces = []
        while piece := connection.recv(65536):
            pieces.append(piece)
        return b"".join(pieces)


@pytest.mark.parametrize("victim", ["worker", "data", "all"])
def test_dies_in_the_middle_of_the_reply(halting, victim):
    """Half an answer is none: whoever got it comes again, and gets all of it."""
    stage, point = halting
    key, before = stage.new_key(), stage.orders()
    point.arm()
    connection = send_order(stage, key)
    assert wait_for(lambda: point.is_reached, REACHED_S), "no part of a reply has left"
    assert stage.has_key(key), "a reply was begun before the order was committed"
    stage.kill(victim)
    if victim == "data":
        stage.kill("worker")  # it would stay where it is
    assert read_to_the_end(connection) == b"HTTP/1.1 201 Created\r\n"
    stage.revive()
    stage.wait(stage.order(key))
    stage.assert_one_order(key, before)


def test_leaves_in_the_middle_of_the_reply(on_sqlite):
    """The client does, this time."""
    stage, key = on_sqlite, on_sqlite.new_key()
    before = stage.orders()
    with send_order(stage, key) as connection:
        assert connection.recv(13).startswith(b"HTTP/1.1 201 ")
    stage.wait(stage.order(key))
    stage.assert_one_order(key, before)


def test_the_checker_sees_on_postgres_what_is_wrong(on_postgres):
    """On SQLite: test_ledger.py."""
    stage = on_postgres
    order = stage.place()
    for wrong, right, words in [
        ("UPDATE items SET stock = stock - 1 WHERE id = 'sku_bowl'", "UPDATE items SET stock = stock + 1 WHERE id = 'sku_bowl'", "sku_bowl: "),
        (f"UPDATE orders SET state = 'payment_failed' WHERE id = '{order}'", f"UPDATE orders SET state = 'placed' WHERE id = '{order}'", " sold, "),
    ]:
        assert stage.shop.check(stage.run) == []
        stage.change(wrong)
        found = stage.shop.check(stage.run)
        assert any(words in fault for fault in found), found
        stage.change(right)
    assert stage.shop.check(stage.run) == []
