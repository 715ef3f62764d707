"""The windows in which a process can die while somebody checks out, one by one and on purpose: whatever dies there, the key is one order.

The one idea: a batch is stopped at a chosen statement from outside, by a lock that the harness holds in the database. While it waits
there, something is killed; then the lock is given back. A commit whose reply nobody gets is made by stopping the worker, or
by a wire that lets no answer through. Each test sees that its window was hit before it kills.
"""

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sqlite3
import time

import altered
import ledger
import pytest
from limen_chaos.postgres import PLACES
from limen_chaos.process import send, wait_for
from limen_chaos.topology import Shape
from limen_chaos.wire import State
from server import build_dir
from shop import Shop
from stage import WANTED, Stage

TRIES = 8

# ---- where a batch is stopped -------------------------------------------------------------------------------------------


@contextlib.contextmanager
def held_by_sqlite(stage, _point):
    """The writer's lock: nothing can be written."""
    with contextlib.closing(sqlite3.connect(stage.topology.sqlite_path, isolation_level=None, timeout=20)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield lambda: time.sleep(0.3) or True  # who waits for this lock cannot be seen from outside
        db.execute("ROLLBACK")


LOCKS = {
    "before the key": "LOCK TABLE limen.limen_keys IN SHARE ROW EXCLUSIVE MODE",
    "between key and work": "LOCK TABLE orders IN SHARE ROW EXCLUSIVE MODE",
    "inside the work": "SELECT 1 FROM items WHERE id = 'sku_bowl' FOR UPDATE",
    "at the last statement": "LOCK TABLE order_lines IN SHARE ROW EXCLUSIVE MODE",
}


@contextlib.contextmanager
def held_by_postgres(stage, point):
    server = stage.topology.postgres.primary
    session = server.session("app", user="postgres")
    session.say("BEGIN")
    session.say(LOCKS[point])
    waiting = "SELECT count(*) > 0 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'app'"
    try:
        yield lambda: wait_for(lambda: server.ask(waiting) == "t", 20)
    finally:
        session.wait()


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory):
    folder = tmp_path_factory.mktemp("windows")
    stage = Stage(folder / "run", Shape(build_dir() / "shop", workers=1, flags=Shop.flags))
    yield stage
    stage.close()


@pytest.fixture(scope="module")
def on_postgres(tmp_path_factory):
    if not any(shutil.which("initdb", path=place) for place in PLACES):
        pytest.skip("PostgreSQL is not installed")
    has_redis = shutil.which("redis-server") is not None
    shape = Shape(build_dir() / "shop", workers=1, flags=Shop.flags, has_postgres=True, has_redis=has_redis)
    stage = Stage(tmp_path_factory.mktemp("windows") / "run", shape)
    yield stage
    stage.close()


def dies_at(stage, hold, point, victim):
    key, before = stage.new_key(), stage.orders()
    with hold(stage, point) as is_there:
        order = stage.order(key)
        assert is_there(), "the batch has not come to the place where it should be stopped"
        stage.kill(victim)
    stage.revive()
    stage.wait(order)
    stage.assert_one_order(key, before)


@pytest.mark.parametrize("victim", ["worker", "data", "all"])
def test_dies_before_the_key_on_sqlite(on_sqlite, victim):
    dies_at(on_sqlite, held_by_sqlite, "before the key", victim)


@pytest.mark.parametrize("victim", ["worker", "data", "all", "backend", "postgres"])
@pytest.mark.parametrize("point", LOCKS)
def test_dies_in_the_transaction_on_postgres(on_postgres, point, victim):
    dies_at(on_postgres, held_by_postgres, point, victim)


def test_redis_is_lost_between_limiter_and_transaction(on_postgres):
    """Whoever was let in is served; whoever comes again waits until it is known who they are."""
    if on_postgres.topology.redis is None:
        pytest.skip("Redis is not installed")
    dies_at(on_postgres, held_by_postgres, "inside the work", "redis")


# ---- committed, and nobody was told --------------------------------------------------------------------------------------


def committed_untold(stage, hold, point, victim, then=lambda: None):
    """The worker is stopped while its batch waits; the batch commits; then the victim dies with the reply."""
    for _ in range(TRIES):
        key, before = stage.new_key(), stage.orders()
        with hold(stage, point) as is_there:
            order = stage.order(key)
            assert is_there()
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
    committed_untold(on_sqlite, held_by_sqlite, "before the key", victim)


@pytest.mark.parametrize("victim", ["worker", "data", "all", "postgres"])
def test_committed_and_the_reply_is_lost_on_postgres(on_postgres, victim):
    committed_untold(on_postgres, held_by_postgres, "at the last statement", victim)


def test_committed_by_one_version_and_retried_at_the_next(on_sqlite, tmp_path):
    """The contract may have changed since: the reply is the stored one, not what the new version would say."""
    contract = altered.CONTRACT.read_bytes()
    contract = altered.replaced(contract, b"info:", b"version: 1.0.0", b"version: 2.0.0")
    contract = altered.replaced(contract, b"CheckoutLine:", b"maximum: 99 }", b"maximum: 98 }")
    old, new = on_sqlite.replica.command[0], altered.app_with(contract, tmp_path)
    try:
        committed_untold(on_sqlite, held_by_sqlite, "before the key", "all", then=lambda: on_sqlite.replica.command.__setitem__(0, str(new)))
        assert on_sqlite.replica.roles("worker") and os.path.samefile(f"/proc/{on_sqlite.replica.pid}/exe", new)
    finally:
        on_sqlite.replica.kill()
        on_sqlite.replica.command[0] = old
        on_sqlite.revive()


@pytest.mark.parametrize("victim", [None, "worker", "data", "all", "backend", "postgres"])
def test_commit_was_sent_and_its_outcome_is_unknown(on_postgres, victim):
    stage = on_postgres
    key, before, wire = stage.new_key(), stage.orders(), stage.topology.wires[0, "database"]
    with held_by_postgres(stage, "at the last statement") as is_there:
        order = stage.order(key)
        assert is_there()
        stage.loop.call_soon_threadsafe(wire.become, State.DEAF)
        assert wait_for(lambda: wire.state is State.DEAF)
    try:
        assert wait_for(lambda: stage.has_key(key), 20), "the batch was never committed"
        if victim:
            stage.kill(victim)
    finally:
        stage.loop.call_soon_threadsafe(wire.reset)
        stage.loop.call_soon_threadsafe(wire.become, State.WHOLE)
    stage.revive()
    stage.wait(order)
    stage.assert_one_order(key, before)
    assert ledger.faults(stage.shop.books(stage.run), [], stage.shop.stock_before) == []


def test_the_reply_ends_in_the_middle(on_sqlite):
    """Half an answer is none: whoever got it comes again, and gets all of it."""
    stage, key = on_sqlite, on_sqlite.new_key()
    before = stage.orders()

    async def half():
        client = stage.run.client(0, stage.fields)
        reader, writer = await asyncio.open_connection(client.host, client.port)
        body = json.dumps(WANTED).encode()
        head = [f"{name}: {value}" for name, value in [*stage.fields, ("Idempotency-Key", key)]]
        head += [f"Content-Length: {len(body)}", "Content-Type: application/json", "Host: localhost", "", ""]
        writer.write("\r\n".join(["POST /api/checkout HTTP/1.1", *head]).encode() + body)
        begun = await reader.readexactly(40)
        writer.transport.abort()
        return begun

    assert stage.wait(stage.do(half())).startswith(b"HTTP/1.1 201 ")
    stage.wait(stage.order(key))
    stage.assert_one_order(key, before)
