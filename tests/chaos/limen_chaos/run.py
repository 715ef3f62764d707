"""One run: a topology, clients that ask, faults by the timetable; then peace, and what must hold.

The one idea: a run is a function of its seed and the machine's moods. The timetable and what clients want come from the seed, so a
broken invariant can be hunted with the same one; when things meet is the machine's.
"""

import asyncio
import collections
import concurrent.futures
import dataclasses
import json
import random
import time

from limen_chaos import faults, history
from limen_chaos.client import Client, Gone
from limen_chaos.plan import plan

PREPARE_S = 120.0
PATIENCE_S = 10.0  # of a client that gets no answer
REPLAYERS = 20
WAITERS = 40


@dataclasses.dataclass
class Figures:
    seed: object
    acknowledged: int = 0
    attempts: int = 0
    unanswered: int = 0
    refused_for_now: int = 0
    hits: dict = dataclasses.field(default_factory=dict)  # {"kills": …, "stops": …}
    by_kind: dict = dataclasses.field(default_factory=dict)
    recovery_s: float = 0.0
    broken: list = dataclasses.field(default_factory=list)


class Run:
    """What a workload is given."""

    def __init__(self, workload, topology, seed, seconds):
        self.workload, self.topology, self.seed, self.seconds = workload, topology, seed, seconds
        self.history = history.History(topology.folder / "history.jsonl")
        self.events = open(topology.folder / "events.jsonl", "a", buffering=1, encoding="utf-8")
        self.until = None
        self.hits, self.by_kind = collections.Counter(), collections.Counter()
        self.surprises = []  # what the workload or a fault says of itself
        self.principals = {}  # {who: fields}, for whoever must still be signed in at the end

    # ---- for workloads ---------------------------------------------------------------------------------------------
    @property
    def goes_on(self):
        return self.until is None or time.monotonic() < self.until

    def random(self, name):
        """A stream of this name's own."""
        return random.Random(f"{self.seed} {name}")

    def client(self, number=0, fields=()):
        entries = self.topology.entries()
        return Client(*entries[number % len(entries)], fields)

    async def ask(self, client, who, method, path, value=None, key=None):
        """Comes again until there is a definite answer, and writes down each. `who` names the principal, or is None.
        None when there is no answer even past the bound for recovery."""
        pause, deadline = 0.01, None
        while True:
            attempt, answer = await self.ask_once(client, who, method, path, value, key)
            if attempt.is_definite:
                return answer
            if not self.goes_on:
                deadline = deadline or time.monotonic() + self.recovery_left()
                if time.monotonic() > deadline:
                    return None
            await asyncio.sleep(random.uniform(0, pause))
            pause = min(2 * pause, 0.5)

    async def ask_once(self, client, who, method, path, value=None, key=None):
        began = self.history.now()
        try:
            answer = await client.call(method, path, value, key, seconds=PATIENCE_S)
        except Gone:
            answer = None
            self._move(client)
        return self.history.add(who, key, method, path, began, answer, value), answer

    def recovery_left(self):
        return self.until + self.topology.longest_s + self.workload.recovery_s - time.monotonic()

    def _move(self, client):
        """To another copy, where clients know of several."""
        entries = self.topology.entries()
        if len(entries) > 1:
            client.host, client.port = random.choice(entries)

    # ---- the course of it ------------------------------------------------------------------------------------------
    async def go(self):
        """Everything but starting and stopping the topology. Gives the figures."""
        figures = Figures(self.seed)
        await asyncio.wait_for(self.workload.prepare(self), PREPARE_S)
        self.history.begin()
        self.until = time.monotonic() + self.seconds
        timetable = plan(self.seed, self.seconds, faults.kinds_for(self.topology, self.workload.rates))
        self.topology.longest_s = max((fault.lasts_s for fault in timetable), default=0.0)
        customers = [asyncio.create_task(self.workload.customer(self, number)) for number in range(self.workload.clients)]
        await self._suffer(timetable)
        await self.topology.heal()
        healed = time.monotonic()
        self.surprises += await _outcomes(customers, "a client")
        await self._settle(healed + self.workload.recovery_s)
        figures.recovery_s = time.monotonic() - healed
        await self._replay()
        await self._everybody_is_signed_in()
        self.surprises += await self.topology.stop_replicas()
        self._fill_in(figures)
        figures.broken = history.faults(self.history) + await asyncio.to_thread(self._check) + self.surprises
        self.history.close()
        self.events.close()
        return figures

    def _check(self):
        return list(self.workload.check(self))

    async def _suffer(self, timetable):
        began = time.monotonic()
        tasks = []
        for fault in timetable:
            await asyncio.sleep(max(0.0, began + fault.at_s - time.monotonic()))
            tasks.append(asyncio.create_task(self._one(fault)))
        await asyncio.sleep(max(0.0, began + self.seconds - time.monotonic()))
        self.surprises += await _outcomes(tasks, "a fault")

    async def _one(self, fault):
        kind = faults.KINDS[fault.kind]
        hit = await kind.act(self.topology, fault)
        line = {"at": self.history.now(), "planned": fault.at_s, "kind": fault.kind, "lasts_s": fault.lasts_s, "hit": hit}
        self.events.write(json.dumps(line) + "\n")
        if hit is not None:
            self.hits[kind.counts_as] += 1
            self.by_kind[fault.kind] += 1

    async def _settle(self, deadline):
        while True:
            left = await asyncio.to_thread(self.workload.unsettled, self)
            if left == 0:
                return
            if time.monotonic() > deadline:
                self.surprises.append(f"{left} still under way {self.workload.recovery_s:.0f} s after the last fault was over")
                return
            await asyncio.sleep(0.1)

    async def _replay(self):
        """Each acknowledged key once more: the answers join the history, which is checked."""
        waiting = list(self.history.acknowledged().items())

        async def replayer(number):
            clients = {}
            while waiting:
                (who, key), attempt = waiting.pop()
                client = clients.setdefault(who, self.client(number, self.principals.get(who, ())))
                if await self.ask(client, who, attempt.method, attempt.path, attempt.value, key) is None:
                    self.surprises.append(f"key {key} was acknowledged, and its replay gets no answer")
            for client in clients.values():
                client.close()

        await asyncio.gather(*(replayer(number) for number in range(REPLAYERS)))

    async def _everybody_is_signed_in(self):
        if self.workload.signed_in is None:
            return
        for who, fields in self.principals.items():
            client = self.client(0, fields)
            answer = await self.ask(client, who, *self.workload.signed_in)
            if answer is None or answer.status >= 300:
                self.surprises.append(f"{who} is no longer signed in: {answer.status if answer else 'no answer'}")
            client.close()

    def _fill_in(self, figures):
        attempts = self.history.attempts
        figures.acknowledged = len(self.history.acknowledged())
        figures.attempts = len(attempts)
        figures.unanswered = sum(attempt.status is None for attempt in attempts)
        figures.refused_for_now = sum(attempt.status in history.COME_AGAIN for attempt in attempts)
        figures.hits, figures.by_kind = dict(self.hits), dict(self.by_kind)


async def _outcomes(tasks, what):
    """Waits for all; gives what was raised."""
    results = await asyncio.gather(*tasks, return_exceptions=True)
    return [f"{what} failed: {result!r}" for result in results if isinstance(result, BaseException)]


async def _one_run(workload, topology, seed, seconds):
    # Starting and stopping is waited for in threads: no fault may have to wait until another is over.
    asyncio.get_running_loop().set_default_executor(concurrent.futures.ThreadPoolExecutor(WAITERS))
    try:
        await topology.start()
        return await Run(workload, topology, seed, seconds).go()
    finally:
        topology.stop_all()


def one_run(workload, topology, seed, seconds):
    """Starts the topology, runs, and ends everything whatever happens."""
    return asyncio.run(_one_run(workload, topology, seed, seconds))
