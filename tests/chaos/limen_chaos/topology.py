"""What runs: replicas of the app and what they stand on, each piece on loopback and each optional.

The one idea: everything is started in an order in which each piece finds what it needs, and `stop_all` ends everything, whatever
state it is in, because the last thing that a run may leave behind is a process.
"""

import asyncio
import dataclasses
import pathlib

from limen_chaos.process import Broken
from limen_chaos.replica import Replica


@dataclasses.dataclass
class Shape:
    """What to start."""

    binary: pathlib.Path
    replicas: int = 1
    workers: int = 2
    flags: tuple = ()  # more of `run`


class Topology:
    def __init__(self, shape, folder):
        self.shape, self.folder = shape, pathlib.Path(folder)
        self.replicas, self.locks, self.longest_s = [], {}, 0.0
        # A folder of its own: started by root, the server hands it over to the data role.
        self.sqlite_path = self.folder / "var" / "app.db"
        self.database = f"sqlite:{self.sqlite_path}"

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        if self.shape.replicas > 1:
            raise Broken("several replicas need a database that they can share; SQLite is one server's own")
        for number in range(self.shape.replicas):
            self.replicas.append(Replica(number, self.shape.binary, self.folder, self.flags_of(number)))
        for replica in self.replicas:
            replica.start()

    def flags_of(self, _number):
        return ["--database", self.database, "--workers", self.shape.workers, *self.shape.flags]

    def entries(self):
        """The addresses at which clients may come in."""
        return [("127.0.0.1", replica.port) for replica in self.replicas]

    def lock_of(self, part):
        """Whoever takes a part down holds this until it is up again."""
        return self.locks.setdefault(id(part), asyncio.Lock())

    async def heal(self):
        """Everything is up again, and may be asked."""
        for replica in self.replicas:
            async with self.lock_of(replica):
                if not replica.is_running:
                    await asyncio.to_thread(replica.start)
                else:
                    await asyncio.to_thread(replica.wait_ready, replica.is_ready)

    def stop_replicas(self):
        """As an operator does; gives what was wrong with it."""
        return [fault for replica in self.replicas for fault in (*replica.stop(), *replica.faults())]

    def stop_all(self):
        for replica in self.replicas:
            replica.kill()
