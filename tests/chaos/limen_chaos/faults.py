"""What can go wrong, by name: how often, for how long, where it makes sense, and how it is done and undone.

The one idea: a fault is one coroutine that does it, waits for as long as it lasts and undoes it in its `finally`, so that a run which
ends early leaves nothing stopped, cut or down. It returns what it has hit, or None when there was nothing to hit.
"""

import asyncio
import dataclasses
import signal

from limen_chaos.process import send


@dataclasses.dataclass(frozen=True)
class Kind:
    act: object  # async (topology, fault) -> str | None
    every_s: float
    least_s: float = 0.0
    most_s: float = 0.0
    is_possible: object = lambda topology: True
    counts_as: str = "kills"  # in the figures: kills, stops, cuts, restarts, behaviours


def _replica(topology, fault):
    return topology.replicas[fault.target % len(topology.replicas)]


def _one_of(pids, topology, fault):
    return pids[fault.target // len(topology.replicas) % len(pids)] if pids else None


def kill_role(role):
    async def act(topology, fault):
        replica = _replica(topology, fault)
        pid = _one_of(replica.roles(role), topology, fault)
        return f"{replica.name} {pid}" if pid and send([pid], signal.SIGKILL) else None

    return act


def stop_role(role):
    """Stopped, and awake again later: whoever took over meanwhile must not be disturbed by it."""

    async def act(topology, fault):
        replica = _replica(topology, fault)
        pid = _one_of(replica.roles(role), topology, fault)
        if pid is None or not send([pid], signal.SIGSTOP):
            return None
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            send([pid], signal.SIGCONT)
        return f"{replica.name} {pid}"

    return act


async def kill_replica(topology, fault):
    replica = _replica(topology, fault)
    async with topology.lock_of(replica):
        replica.kill()
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            await asyncio.to_thread(replica.start)
    return replica.name


async def restart_replica(topology, fault):
    replica = _replica(topology, fault)
    async with topology.lock_of(replica):
        try:
            await asyncio.to_thread(replica.stop)
        finally:
            await asyncio.to_thread(replica.start)
    return replica.name


async def stop_replica(topology, fault):
    """All of it at once, as a machine that is suspended."""
    replica = _replica(topology, fault)
    async with topology.lock_of(replica):
        replica.signal_tree(signal.SIGSTOP)
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            replica.signal_tree(signal.SIGCONT)
    return replica.name


KINDS = {
    "kill worker": Kind(kill_role("worker"), 0.5),
    "kill data": Kind(kill_role("data"), 2.0),
    "kill operator": Kind(kill_role("operator"), 10.0),
    "stop worker": Kind(stop_role("worker"), 5.0, 0.2, 2.0, counts_as="stops"),
    "stop data": Kind(stop_role("data"), 5.0, 0.2, 3.0, counts_as="stops"),
    "kill replica": Kind(kill_replica, 8.0, 0.0, 1.0),
    "restart replica": Kind(restart_replica, 15.0, counts_as="restarts"),
    "stop replica": Kind(stop_replica, 12.0, 0.5, 4.0, counts_as="stops"),
}


def kinds_for(topology, rates):
    """The kinds that this topology can suffer, as the plan wants them; `rates` overrules how often: {name: seconds}."""
    unknown = rates.keys() - KINDS.keys()
    if unknown:
        raise ValueError(f"there is no fault '{min(unknown)}'; there are: {', '.join(KINDS)}")
    return {
        name: (rates.get(name, kind.every_s), kind.least_s, kind.most_s)
        for name, kind in KINDS.items()
        if kind.is_possible(topology)
    }
