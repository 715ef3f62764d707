"""What can go wrong, by name: how often, for how long, where it makes sense, and how it is done and undone.

The one idea: a fault is one coroutine that does it, waits for as long as it lasts and undoes it in its `finally`, so that a run which
ends early leaves nothing stopped, cut or down. It returns what it has hit, or None when there was nothing to hit.
"""

import asyncio
import contextlib
import dataclasses
import json
import signal

from limen_chaos.process import send, wait_for
from limen_chaos.wire import State

CATCH_UP_S = 60.0  # of a standby that was just made, before the primary may be taken away
AWAKE_S = 0.5  # how long a primary is let be whose place was taken


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


async def reload_replica(topology, fault):
    """The next server takes over while this one finishes; whatever dies meanwhile."""
    replica = _replica(topology, fault)
    if replica.roles("worker"):  # before there are any, it may be no server yet
        send([replica.pid], signal.SIGHUP)
        return replica.name
    return None


async def _sleep(process, seconds):
    """All of it at once, as a machine that is suspended."""
    process.signal_tree(signal.SIGSTOP)
    try:
        await asyncio.sleep(seconds)
    finally:
        process.signal_tree(signal.SIGCONT)


async def stop_replica(topology, fault):
    replica = _replica(topology, fault)
    async with topology.lock_of(replica):
        await _sleep(replica, fault.lasts_s)
    return replica.name


# ---- the ways between them ------------------------------------------------------------------------------------------------


async def _cut(wires, topology, fault):
    """refused, silent, or deaf (what is asked is done, and no answer comes)."""
    if any(wire.state is not State.WHOLE for wire in wires):
        return None
    state = (State.REFUSED, State.SILENT, State.DEAF)[fault.target // len(topology.replicas) % 3]
    for wire in wires:
        wire.become(state)
    try:
        await asyncio.sleep(fault.lasts_s)
    finally:
        for wire in wires:
            if state is not State.REFUSED:
                wire.reset()  # what was held for so long is not delivered any more
            wire.become(State.WHOLE)
    return f"{', '.join(wire.name for wire in wires)} {state.value}"


def cut(*names):
    """Between one replica and these; without names, between it and everybody."""

    async def act(topology, fault):
        number = fault.target % len(topology.replicas)
        wires = [wire for (of, name), wire in topology.wires.items() if of == number and (name in names or not names)]
        return await _cut(wires, topology, fault)

    return act


async def cut_standby(topology, fault):
    """Nothing is committed meanwhile; and who takes over meanwhile has all that anybody was told."""
    return await _cut([topology.replication], topology, fault)


# ---- what replicas stand on ---------------------------------------------------------------------------------------------


@contextlib.asynccontextmanager
async def _part(topology, name):
    """For whoever takes it down: nobody else does meanwhile. Which server is the standby is only known then."""
    is_database = name in ("primary", "standby")
    async with topology.lock_of(topology.postgres if is_database else getattr(topology, name)):
        yield getattr(topology.postgres if is_database else topology, name)


def kill_part(name):
    async def act(topology, fault):
        async with _part(topology, name) as part:
            part.kill()
            try:
                await asyncio.sleep(fault.lasts_s)
            finally:
                await asyncio.to_thread(part.start)
        return part.name

    return act


def stop_part(name):
    async def act(topology, fault):
        async with _part(topology, name) as part:
            await _sleep(part, fault.lasts_s)
        return part.name

    return act


def restart_part(name):
    """As an operator does."""

    async def act(topology, _fault):
        async with _part(topology, name) as part:
            try:
                await asyncio.to_thread(part.terminate)
            finally:
                await asyncio.to_thread(part.start)
        return part.name

    return act


async def crash_postgres(topology, _fault):
    async with topology.lock_of(topology.postgres):
        await asyncio.to_thread(topology.postgres.crash_restart)
    return topology.postgres.primary.name


async def kill_backend(topology, fault):
    async with topology.lock_of(topology.postgres):
        pid = await asyncio.to_thread(topology.postgres.kill_backend, fault.target)
    return f"backend {pid}" if pid else None


async def fail_over(topology, fault):
    """Every other time the old primary was only asleep, and wakes when another has taken its place: nobody may believe it any more."""
    is_asleep = fault.target % 2 == 1
    async with topology.lock_of(topology.postgres):
        if not await asyncio.to_thread(wait_for, topology.postgres.can_fail_over, CATCH_UP_S, 0.1):
            return None  # the standby has not caught up: what it lacks would be lost
        await asyncio.to_thread(topology.postgres.fail_over, is_asleep)
        topology.follow_primary()
        if is_asleep:
            topology.postgres.standby.signal_tree(signal.SIGCONT)
            await asyncio.sleep(AWAKE_S)
        await asyncio.to_thread(topology.postgres.make_standby)
    return f"{topology.postgres.primary.name} is primary"


MISBEHAVIOURS = (
    {"slow_ms": 400},
    {"late_ms": 1500},
    {"decline": 0.5},
    {"fail": 0.7},
    {"fail_late": 0.5},
    {"drop": 0.7},
    {"drop_early": 0.5},
    {"processing": 0.8},
    {"processing": 0.8, "settle_declines": True},
    {"webhook_times": 2},
    {"webhook_times": 2, "webhook_early": True},
    {"webhook_times": 0},
    {"processing": 0.7, "webhook_delay_ms": {"payment_intent.processing": 1500, "*": 0}},
)


async def misbehave(topology, fault):
    behaviour = MISBEHAVIOURS[fault.target % len(MISBEHAVIOURS)]
    async with topology.lock_of("behaviour"):
        if not await asyncio.to_thread(lambda: topology.provider.behave(**behaviour)):
            return None
        try:
            await asyncio.sleep(fault.lasts_s)
        finally:
            await asyncio.to_thread(topology.provider.behave)
    return json.dumps(behaviour)


def _has(name):
    return lambda topology: getattr(topology, name) is not None


def _has_anybody(topology):
    return any((topology.postgres, topology.redis, topology.provider, topology.haproxy))


def _has_standby(topology):
    return topology.shape.has_standby


KINDS = {
    "kill worker": Kind(kill_role("worker"), 1.0),
    "kill data": Kind(kill_role("data"), 3.0),
    "kill operator": Kind(kill_role("operator"), 10.0),
    "stop worker": Kind(stop_role("worker"), 6.0, 0.2, 2.0, counts_as="stops"),
    "stop data": Kind(stop_role("data"), 8.0, 0.2, 3.0, counts_as="stops"),
    "kill replica": Kind(kill_replica, 10.0, 0.0, 1.0),
    "restart replica": Kind(restart_replica, 15.0, counts_as="restarts"),
    "reload replica": Kind(reload_replica, 10.0, counts_as="restarts"),
    "stop replica": Kind(stop_replica, 15.0, 0.5, 4.0, counts_as="stops"),
    "cut replica": Kind(cut(), 20.0, 0.5, 4.0, _has_anybody, "cuts"),
    "kill redis": Kind(kill_part("redis"), 10.0, 0.0, 1.0, _has("redis")),
    "stop redis": Kind(stop_part("redis"), 15.0, 0.2, 4.0, _has("redis"), "stops"),
    "restart redis": Kind(restart_part("redis"), 40.0, is_possible=_has("redis"), counts_as="restarts"),
    "cut redis": Kind(cut("redis"), 7.0, 0.3, 3.0, _has("redis"), "cuts"),
    "crash postgres": Kind(crash_postgres, 20.0, is_possible=_has("postgres")),
    "kill backend": Kind(kill_backend, 12.0, is_possible=_has("postgres")),
    "stop postgres": Kind(stop_part("primary"), 20.0, 0.2, 4.0, _has("postgres"), "stops"),
    "restart postgres": Kind(restart_part("primary"), 40.0, is_possible=_has("postgres"), counts_as="restarts"),
    "cut database": Kind(cut("database"), 8.0, 0.3, 3.0, _has("postgres"), "cuts"),
    "fail over": Kind(fail_over, 30.0, is_possible=_has_standby),
    "kill standby": Kind(kill_part("standby"), 30.0, 0.0, 1.0, _has_standby),
    "stop standby": Kind(stop_part("standby"), 25.0, 0.2, 4.0, _has_standby, "stops"),
    "cut standby": Kind(cut_standby, 15.0, 0.3, 3.0, _has_standby, "cuts"),
    "kill balancer": Kind(kill_part("haproxy"), 30.0, 0.0, 0.5, _has("haproxy")),
    "stop balancer": Kind(stop_part("haproxy"), 30.0, 0.2, 2.0, _has("haproxy"), "stops"),
    "cut balancer": Kind(cut("clients", "health"), 8.0, 0.3, 3.0, _has("haproxy"), "cuts"),
    "kill provider": Kind(kill_part("provider"), 9.0, 0.0, 1.0, _has("provider")),
    "stop provider": Kind(stop_part("provider"), 12.0, 0.2, 8.0, _has("provider"), "stops"),
    "restart provider": Kind(restart_part("provider"), 40.0, is_possible=_has("provider"), counts_as="restarts"),
    "cut provider": Kind(cut("provider"), 6.0, 0.3, 3.0, _has("provider"), "cuts"),
    "provider misbehaves": Kind(misbehave, 3.0, 1.0, 3.0, _has("provider"), "behaviours"),
    "kill outbound": Kind(kill_role("outbound"), 2.0, is_possible=_has("provider")),
    "stop outbound": Kind(stop_role("outbound"), 6.0, 0.2, 8.0, _has("provider"), "stops"),
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
