"""What runs: replicas of the app and what they stand on, each piece on loopback and each optional.

The one idea: between any two that speak with each other there is a wire of the harness's: between each replica and each thing that
it stands on, so that one replica may lose what the others still have; between the balancer and each replica; between the primary and
its standby. Everything is started in an order in which each piece finds what it needs, and `stop_all` ends everything,
whatever state it is in, because the last thing that a run may leave behind is a process.
"""

import asyncio
import dataclasses
import pathlib

from limen_chaos import postgres
from limen_chaos.haproxy import Haproxy
from limen_chaos.redis import Redis
from limen_chaos.replica import Replica
from limen_chaos.wire import State, Wire


@dataclasses.dataclass
class Shape:
    """What to start."""

    binary: pathlib.Path
    replicas: int = 1
    workers: int = 2
    flags: tuple = ()  # more of `run`
    has_postgres: bool = False
    has_standby: bool = False
    has_redis: bool = False
    haproxy: pathlib.Path | None = None  # the configuration of a balancer in front


class Topology:
    def __init__(self, shape, folder, provider=None):
        self.shape, self.folder, self.provider = shape, pathlib.Path(folder), provider
        self.replicas, self.locks, self.wires, self.replication, self.longest_s = [], {}, {}, None, 0.0
        self.postgres = postgres.Cluster(self.folder, shape.has_standby) if shape.has_postgres else None
        self.redis = Redis(self.folder) if shape.has_redis else None
        self.haproxy = Haproxy(shape.haproxy, self.folder) if shape.haproxy else None
        # A folder of its own: started by root, the server hands it over to the data role.
        self.sqlite_path = None if shape.has_postgres else self.folder / "var" / "app.db"

    # ---- life ------------------------------------------------------------------------------------------------------
    async def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for number in range(self.shape.replicas):
            await self._lay_wires(number)
            self.replicas.append(Replica(number, self.shape.binary, self.folder, self.flags_of(number)))
        if self.shape.has_standby:
            self.replication = await Wire("the standby's", self.postgres.primary.port).start()
            self.postgres.replication_port = self.replication.port
        if self.provider:
            self.provider.send_events_to(self.entries()[0][1])
        if self.haproxy:
            await self._lay_wires_of_balancer()
        # The first replica applies the migrations and says the first account's password; then the others may come together.
        first, *others = self.replicas
        for part in [*self.foundations(), first]:
            await asyncio.to_thread(part.start)
        await asyncio.gather(*(asyncio.to_thread(part.start) for part in [*others, *self.balancers()]))

    def foundations(self):
        return [part for part in (self.postgres, self.redis, self.provider) if part is not None]

    def balancers(self):
        return [self.haproxy] if self.haproxy else []

    def ports(self):
        """{what a replica stands on: its port now}"""
        found = {}
        if self.postgres:
            found["database"] = self.postgres.primary.port
        if self.redis:
            found["redis"] = self.redis.port
        if self.provider:
            found["provider"] = self.provider.port
        return found

    async def _lay_wires(self, number):
        for name, port in self.ports().items():
            self.wires[number, name] = await Wire(f"{name} of replica{number}", port).start()

    async def _lay_wires_of_balancer(self):
        for it in self.replicas:
            self.wires[it.number, "clients"] = await Wire(f"clients of {it.name}", it.port).start()
            self.wires[it.number, "health"] = await Wire(f"health of {it.name}", it.operator_port).start()
        self.haproxy.lead_to((it.name, self.wire_port(it.number, "clients"), self.wire_port(it.number, "health")) for it in self.replicas)

    def wire_port(self, number, name):
        return self.wires[number, name].port

    def flags_of(self, number):
        database = f"sqlite:{self.sqlite_path}"
        if self.postgres:
            database = self.postgres.url_for_app(self.wire_port(number, "database"))
        flags = ["--database", database, "--workers", self.shape.workers, *self.shape.flags]
        if self.redis:
            flags += ["--redis", f"redis://127.0.0.1:{self.wire_port(number, 'redis')}"]
        if self.provider:
            flags += self.provider.flags_of_app(self.wire_port(number, "provider"))
        if self.haproxy:
            flags += ["--trusted-proxy", "127.0.0.1/32"]
        return flags

    def entries(self):
        """The addresses at which clients may come in."""
        return [("127.0.0.1", part.port) for part in self.balancers() or self.replicas]

    def lock_of(self, part):
        """Whoever takes a part down holds this until it is up again."""
        return self.locks.setdefault(part, asyncio.Lock())

    def follow_primary(self):
        """After a failover: the replicas' wires lead to whoever is primary now, and so does the new standby's."""
        for (_, name), wire in self.wires.items():
            if name == "database":
                wire.lead_to(self.postgres.primary.port)
        self.replication.lead_to(self.postgres.primary.port)

    def all_wires(self):
        return [*self.wires.values(), *([self.replication] if self.replication else [])]

    async def heal(self):
        """Everything is whole and up again, and may be asked."""
        for wire in self.all_wires():
            wire.become(State.WHOLE)
        if self.postgres:
            async with self.lock_of(self.postgres):
                await asyncio.to_thread(self.postgres.wait_ready)
        if self.provider:
            await asyncio.to_thread(self.provider.behave)
        for replica in self.replicas:
            async with self.lock_of(replica):
                await asyncio.to_thread(replica.wait_ready if replica.is_running else replica.start)

    async def stop_replicas(self):
        """As an operator does; gives what was wrong with it."""
        stopped = await asyncio.gather(*(asyncio.to_thread(replica.stop) for replica in self.replicas))
        return [fault for replica, faults in zip(self.replicas, stopped) for fault in (*faults, *replica.faults())]

    def stop_all(self):
        for part in [*self.balancers(), *self.replicas, *self.foundations()]:
            part.kill()
        for wire in self.all_wires():
            wire.close()
