"""A topology on which a test takes one step after the other: a checkout, a lock that stops it, somebody who dies.

The one idea: the topology's loop runs in a thread of its own, so the test's own code is plain and in order, and every wait in it is bounded.
"""

import asyncio
import contextlib
import json
import shutil
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
from limen_chaos.postgres import PLACES
from limen_chaos.process import send, wait_for
from limen_chaos.run import Run
from limen_chaos.topology import Shape, Topology
from limen_chaos.wire import State
from server import build_dir
from shop import ADMIN, Shop

WANTED = {"lines": [{"itemId": "sku_bowl", "quantity": 2}, {"itemId": "sku_candles", "quantity": 1}]}
PATIENCE_S, REACHED_S, SETTLED_S = 60, 20, 60
LOOK_S = 0.3  # so long is waited where it cannot be seen that somebody waits
DATABASES = ["sqlite", "postgres"]


def shape_on(database, **more):
    """One worker of the shop on this database."""
    if database == "postgres" and not any(shutil.which("initdb", path=place) for place in PLACES):
        pytest.skip("PostgreSQL is not installed")
    return Shape(**{"binary": build_dir() / "shop", "workers": 1, "flags": Shop.flags, "has_postgres": database == "postgres", **more})


class Stage:
    """A topology whose loop runs in a thread of its own, so that a test may take one step after the other."""

    def __init__(self, folder, shape, has_provider=False):
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.shop, self.keys = Shop(), 0
        self.shop.accounts = 1
        self.topology = Topology(shape, folder, self.shop.provider(folder / "provider") if has_provider else None)
        try:
            self.wait(self.do(self.topology.start()))
            self.run = self.wait(self.do(self._prepare()))
        except BaseException:
            self.close()
            raise
        (self.who,) = self.shop.customers
        self.fields = self.run.principals[self.who]

    async def _prepare(self):
        run = Run(self.shop, self.topology, seed=1, seconds=0)
        await self.shop.prepare(run)
        return run

    def do(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def wait(self, future):
        return future.result(timeout=PATIENCE_S)

    async def _end_tasks(self):
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def close(self):
        self.topology.stop_all()
        self.wait(self.do(self._end_tasks()))
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(timeout=10)

    @property
    def replica(self):
        return self.topology.replicas[0]

    # ---- a checkout ------------------------------------------------------------------------------------------------
    def new_key(self):
        self.keys += 1
        return f"window-{self.keys}"

    def order(self, key, wanted=WANTED):
        """Comes again until there is an answer; a future."""
        return self.do(self.shop.order(self.run, self.run.client(0, self.fields), self.who, key, wanted))

    def place(self, wanted=WANTED):
        """An order that was acknowledged; its id."""
        key = self.new_key()
        self.wait(self.order(key, wanted))
        return json.loads(self.run.history.acknowledged()[self.who, key].body)["id"]

    def state_of(self, order):
        return self.shop.rows(self.run)(f"SELECT state FROM orders WHERE id = '{order}'")[0][0]

    def charges_of(self, order):
        return [charge for charge in self.topology.provider.charges() if charge["metadata"].get("order_id") == order]

    def assert_settled(self, order, state="paid"):
        """It comes to this state, and the provider has taken its money once, or not at all."""
        assert wait_for(lambda: self.state_of(order) == state, SETTLED_S), f"{order} is {self.state_of(order)}"
        assert len(self.charges_of(order)) == (1 if state == "paid" else 0)
        self.assert_sound()

    def assert_sound(self):
        """The books, once no order is on its way any more: a charge that comes between two looks is no fault."""
        assert wait_for(lambda: self.shop.unsettled(self.run) == 0, SETTLED_S), "an order does not come to rest"
        found = self.run.surprises + self.shop.check(self.run)
        assert found == [], found

    def add_item(self, item):
        admin = self.run.client(0, self.run.principals[ADMIN])
        assert self.wait(self.do(admin.call("POST", "/api/admin/items", item))).status == 201
        self.shop.stock_before[item["id"]] = item["stock"]

    def orders(self):
        return self.shop.rows(self.run)("SELECT count(*) AS n FROM orders")[0][0]

    def has_key(self, key):
        return self.shop.rows(self.run)(f"SELECT count(*) AS n FROM limen_keys WHERE key = '{key}'")[0][0] == 1

    def assert_one_order(self, key, before):
        """The key was acknowledged, is acknowledged again with the same bytes, and is one order; and the books are sound."""
        self.wait(self.order(key))
        assert self.orders() == before + 1 and self.has_key(key)
        answers = self.run.history.keyed()[self.who, key]
        assert sum(attempt.is_acknowledged for attempt in answers) >= 2
        self.assert_sound()

    # ---- the database, past the shop ---------------------------------------------------------------------------------
    def change(self, statement):
        """By somebody who may do anything; `statement` changes one row, and names Limen's own tables without their schema."""
        if self.topology.postgres:
            sql = f"SET search_path = public, limen; {statement} RETURNING 'changed'"
            assert wait_for(lambda: self.topology.postgres.primary.ask(sql, "app") == "changed", REACHED_S), statement
            return
        with contextlib.closing(sqlite3.connect(self.topology.sqlite_path, timeout=REACHED_S)) as db:
            assert db.execute(statement).rowcount == 1
            db.commit()

    @contextlib.contextmanager
    def held(self, statement):
        """A session of the harness's own keeps what the statement locks; on SQLite, where there is one lock, the writer's. Gives
        a function that waits until so many wait for it, and tells whether they do."""
        if not self.topology.postgres:
            with contextlib.closing(sqlite3.connect(self.topology.sqlite_path, isolation_level=None, timeout=REACHED_S)) as db:
                db.execute("BEGIN IMMEDIATE")
                yield lambda _count=1: time.sleep(LOOK_S) or True  # who waits for this lock cannot be seen from outside
                db.execute("ROLLBACK")
            return
        server = self.topology.postgres.primary
        session = server.session("app", user="postgres")
        session.say("BEGIN")
        session.say(statement)
        waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = 'app'"
        try:
            yield lambda count=1: wait_for(lambda: int(server.ask(waiting) or 0) >= count, REACHED_S)
        finally:
            session.wait()

    def let_lease_run_out(self, order):
        """As if fifteen seconds had passed since the order's charge was leased."""
        self.change(f"UPDATE limen_outbox SET lease_until = 0 WHERE key = 'charge/{order}'")

    def effect_of(self, order):
        """(id, state, outcome, lease_until) of the order's charge."""
        return self.shop.rows(self.run)(f"SELECT id, state, outcome, lease_until FROM limen_outbox WHERE key = 'charge/{order}'")[0]

    def effects(self, *words):
        """What `shop effects` does, as an operator calls it."""
        database = f"sqlite:{self.topology.sqlite_path}"
        if self.topology.postgres:
            database = self.topology.postgres.url_for_app(self.topology.postgres.primary.port)
        return subprocess.run([self.replica.command[0], "effects", *words, "--database", database], capture_output=True, text=True,
                              env={"ASAN_OPTIONS": "detect_leaks=0"}, timeout=30)  # fmt: skip

    # ---- ways that are cut -------------------------------------------------------------------------------------------
    def cut(self, name, state, number=0):
        wire = self.topology.wires[number, name]
        self.loop.call_soon_threadsafe(wire.become, state)
        assert wait_for(lambda: wire.state is state)

    def place_unpaid(self):
        """An order for whose charge the provider is not asked before the way to it is whole."""
        self.cut("provider", State.SILENT)
        return self.place()

    def place_unanswered(self):
        """An order that the provider has captured; what it answers is held until the way from it is whole."""
        self.topology.provider.behave(webhook_times=0)
        self.cut("provider", State.DEAF)
        order = self.place()
        assert wait_for(lambda: self.charges_of(order), REACHED_S), "the provider was never asked"
        assert self.state_of(order) == "placed"
        return order

    # ---- who dies --------------------------------------------------------------------------------------------------
    def kill(self, victim):
        if victim == "all":
            self.replica.kill()  # and `revive` once nothing is held: a server that starts looks at every table
        elif victim == "backend":
            assert self.topology.postgres.kill_backend(0) is not None
        elif victim == "postgres":
            self.topology.postgres.crash_restart()
        elif victim in ("redis", "provider"):
            getattr(self.topology, victim).kill()
        else:
            assert send(self.replica.roles(victim), signal.SIGKILL) >= 1

    def revive(self):
        for part in (self.topology.redis, self.topology.provider, self.replica):
            if part is not None and not part.is_running:
                self.wait(self.do(asyncio.to_thread(part.start)))
