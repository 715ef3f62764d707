"""A topology on which a test takes one step after the other: a checkout, a lock that stops it, somebody who dies.

The one idea: the topology's loop runs in a thread of its own, so the test's own code is plain and in order, and every wait in it is bounded.
"""

import asyncio
import json
import signal
import threading

from limen_chaos.process import send
from limen_chaos.run import Run
from limen_chaos.topology import Topology
from shop import Shop

WANTED = {"lines": [{"itemId": "sku_bowl", "quantity": 2}, {"itemId": "sku_candles", "quantity": 1}]}
PATIENCE_S = 60


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

    def orders(self):
        return self.shop.rows(self.run)("SELECT count(*) AS n FROM orders")[0][0]

    def has_key(self, key):
        return self.shop.rows(self.run)(f"SELECT count(*) AS n FROM limen_keys WHERE key = '{key}'")[0][0] == 1

    def assert_one_order(self, key, before):
        """The key was acknowledged, is acknowledged again with the same bytes, and is one order; and the books are sound."""
        self.wait(self.order(key))
        assert self.run.surprises == []
        assert self.orders() == before + 1 and self.has_key(key)
        answers = self.run.history.keyed()[self.who, key]
        assert sum(attempt.is_acknowledged for attempt in answers) >= 2
        assert self.shop.check(self.run) == []

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
