"""A way between two parts that can be cut: a TCP proxy of the harness's own, one for each replica and what it stands on.

The one idea: a cut is what a network does, not what a process does. `refused`: connections are reset and new ones, too. `silent`: bytes
are held in both directions and nobody is told. `deaf`: what is asked goes through, and no answer comes back, which is how an outcome
becomes unknown. Bytes that were held are delivered when the wire is whole again, unless their connection has ended meanwhile.
"""

import asyncio
import contextlib
import enum
import socket
import struct

CHUNK_BYTES = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER 0: close() sends a reset


class State(enum.Enum):
    WHOLE = "whole"
    REFUSED = "refused"
    SILENT = "silent"
    DEAF = "deaf"


class Wire:
    def __init__(self, name, port):
        """To this port on loopback."""
        self.name, self.target = name, port
        self.state, self.changed = State.WHOLE, asyncio.Event()
        self.server, self.port, self.writers = None, None, set()

    async def start(self):
        self.server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def close(self):
        if self.server is not None:
            self.server.close()
        self.reset()

    # ---- what can be done to it ------------------------------------------------------------------------------------
    def become(self, state):
        self.state = state
        self.changed.set()
        self.changed = asyncio.Event()
        if state is State.REFUSED:
            self.reset()

    def reset(self):
        """Ends every connection as a reset does, and holds none of its bytes any longer."""
        for writer in list(self.writers):
            _abort(writer)
        self.writers.clear()

    def lead_to(self, port):
        """From now on to another port: who was connected connects again."""
        self.target = port
        self.reset()

    # ---- connections -----------------------------------------------------------------------------------------------
    async def _accept(self, reader, writer):
        self.writers.add(writer)
        if self.state is State.REFUSED:
            return self._end(writer)
        while self.state is State.SILENT:
            await self.changed.wait()
        try:
            there_reader, there = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            return self._end(writer)
        self.writers.add(there)
        asked = asyncio.create_task(self._pump(reader, there, {State.WHOLE, State.DEAF}))
        answered = asyncio.create_task(self._pump(there_reader, writer, {State.WHOLE}))
        try:
            await asyncio.wait([asked, answered], return_when=asyncio.FIRST_EXCEPTION)
        except asyncio.CancelledError:
            pass  # the loop ends, and so does this; asyncio's server would say it as an error
        for task in (asked, answered):
            task.cancel()
        self._end(writer)
        self._end(there)

    async def _pump(self, reader, writer, passing):
        """Raises when the connection is broken; ends when one side has closed and the other has been told."""
        while data := await reader.read(CHUNK_BYTES):
            while self.state not in passing:
                await self.changed.wait()
            writer.write(data)
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.write_eof()
        # A process that dies closes both ways at once, and the other side answers by closing: half-open is not kept for long.
        await asyncio.sleep(1)
        raise ConnectionResetError

    def _end(self, writer):
        self.writers.discard(writer)
        _abort(writer)


def _abort(writer):
    sock = writer.get_extra_info("socket")
    with contextlib.suppress(OSError, AttributeError, ValueError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
