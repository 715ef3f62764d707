"""A way between two parts that can be cut: a TCP proxy of the harness's own, one for each replica and what it stands on.

The one idea: a cut is what a network does, not what a process does. `refused`: connections are reset and new ones, too. `silent`: bytes
are held in both directions and nobody is told. `deaf`: what is asked goes through, and no answer comes back, which is how an outcome
becomes unknown. Bytes that were held are delivered when the wire is whole again, unless their connection has ended meanwhile.
"""

import asyncio
import enum
import socket
import struct

HALF_OPEN_S = 1.0
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER 0: close() sends a reset


class State(enum.Enum):
    WHOLE = "whole"
    REFUSED = "refused"
    SILENT = "silent"
    DEAF = "deaf"


#: In which states bytes go on that came from whoever has connected, and from whom they lead to.
ASKED, ANSWERED = {State.WHOLE, State.DEAF}, {State.WHOLE}


class Wire:
    def __init__(self, name, port):
        """To this port on loopback."""
        self.name, self.target, self.state = name, port, State.WHOLE
        self.server, self.port, self.sides = None, None, set()
        self.answered = 0  # bytes that have gone on, from whom it leads to

    async def start(self):
        self.server = await asyncio.get_running_loop().create_server(lambda: _Side(self, ASKED), "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    def close(self):
        if self.server is not None:
            self.server.close()
        self.reset()

    # ---- what can be done to it ------------------------------------------------------------------------------------
    def become(self, state):
        self.state = state
        if state is State.REFUSED:
            self.reset()
        for side in list(self.sides):
            side.go_on()

    def reset(self):
        """Ends every connection as a reset does, and holds none of its bytes any longer."""
        for side in list(self.sides):
            side.abort()

    def lead_to(self, port):
        """From now on to another port: who was connected connects again."""
        self.target = port
        self.reset()


class _Side(asyncio.Protocol):
    """One end of a connection through the wire; what comes in here goes out at the other. `passing`: in which states it does."""

    def __init__(self, wire, passing, other=None):
        self.wire, self.passing, self.other = wire, passing, other
        self.transport, self.dialing, self.held, self.is_paused, self.has_ended = None, None, [], False, False

    def connection_made(self, transport):
        self.transport = transport
        self.wire.sides.add(self)
        if self.other is not None:
            return self._join()
        if self.wire.state is State.REFUSED:
            return self.abort()
        self.go_on()

    def _join(self):
        if self.other.transport.is_closing():
            return self.abort()
        self.other.other = self
        self.other.go_on()

    def data_received(self, data):
        if self.other is not None and not self.held and self.wire.state in self.passing:
            self._pass_on([data])
        else:
            self.held.append(data)
            self._pause(True)

    def go_on(self):
        """The wire or the other side is another than before: delivers what was held, where it may."""
        if self.other is None:
            return self._dial()
        if self.wire.state not in self.passing or self.transport.is_closing():
            return
        if self.held:
            self._pass_on(self.held)
            self.held.clear()
            self._pause(False)
        if self.has_ended:
            self._end_other()

    def _pass_on(self, pieces):
        self.other.transport.writelines(pieces)
        if self.passing is ANSWERED:
            self.wire.answered += sum(map(len, pieces))

    def _dial(self):
        if self.dialing is None and self.wire.state is not State.SILENT:
            making = asyncio.get_running_loop().create_connection(lambda: _Side(self.wire, ANSWERED, self), "127.0.0.1", self.wire.target)
            self.dialing = asyncio.get_running_loop().create_task(making)
            self.dialing.add_done_callback(self._dialed)

    def _dialed(self, dialing):
        if dialing.cancelled() or dialing.exception() is not None:
            self.abort()

    def _pause(self, is_paused):
        if is_paused != self.is_paused and not self.transport.is_closing():
            self.is_paused = is_paused
            (self.transport.pause_reading if is_paused else self.transport.resume_reading)()

    # ---- what goes out is more than is taken: no more is read at the other side ------------------------------------
    def pause_writing(self):
        if self.other is not None:
            self.other._pause(True)

    def resume_writing(self):
        if self.other is not None and not self.other.held:
            self.other._pause(False)

    # ---- ends ------------------------------------------------------------------------------------------------------
    def eof_received(self):
        self.has_ended = True
        if self.other is not None and not self.held:
            self._end_other()
        return True

    def _end_other(self):
        """A process that dies closes both ways at once, and the other side answers by closing: half-open is not kept for long."""
        self.has_ended = False  # it is told once
        if not self.other.transport.is_closing():
            self.other.transport.write_eof()
        asyncio.get_running_loop().call_later(HALF_OPEN_S, self.abort)

    def connection_lost(self, _error):
        self.abort()

    def abort(self):
        self.wire.sides.discard(self)
        if self.dialing is not None and not self.dialing.done():
            self.dialing.cancel()
        other, self.other = self.other, None
        _abort(self.transport)
        if other is not None:
            other.abort()


def _abort(transport):
    sock = transport.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    transport.abort()
