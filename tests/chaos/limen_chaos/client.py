"""A client that speaks HTTP over one socket at a time and can be driven by the hundred (asyncio).

The one idea: an answer is either whole or `Gone`. Half an answer is none, so a caller that sees `Gone` knows no more than that the
connection ended, which is what a client in the world would know.
"""

import asyncio
import json

HEAD_END = b"\r\n\r\n"


class Gone(Exception):
    """The connection could not be made, ended before the answer was whole, or stayed silent for too long."""


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def json(self):
        return json.loads(self.body)


def request_bytes(method, path, host, body=None, fields=()):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in fields)]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    return "\r\n".join([*lines, "", ""]).encode() + (body or b"")


def _head_of(data):
    """(status, fields, length of the body) of a head without its empty line."""
    lines = data.decode("latin-1").split("\r\n")
    fields = {}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        fields[name.lower()] = value.strip()
    # Without a length a body ends with the connection, so half of one cannot be told from all of it: such an answer is none.
    if "content-length" not in fields and not lines[0].startswith("HTTP/1.1 204"):
        raise Gone("an answer without a length")
    return int(lines[0].split()[1]), fields, int(fields.get("content-length", "0"))


async def read_answer(reader):
    try:
        status, fields, length = _head_of((await reader.readuntil(HEAD_END))[: -len(HEAD_END)])
        return Answer(status, fields, await reader.readexactly(length))
    except (OSError, asyncio.IncompleteReadError) as error:
        raise Gone from error


class _Line(asyncio.Protocol):
    """One connection on which one answer is waited for at a time. Not a pair of streams: by the hundred those cost more than what they
    ask of."""

    def __init__(self):
        self.transport, self.came, self.answer, self.is_over = None, b"", None, False

    def connection_made(self, transport):
        self.transport = transport

    def data_received(self, data):
        if self.answer is None or self.answer.done():
            return self._end()  # nobody has asked for this
        self.came += data
        end = self.came.find(HEAD_END)
        if end < 0:
            return
        try:
            status, fields, length = _head_of(self.came[:end])
        except Gone:
            return self._end()
        start = end + len(HEAD_END)
        if len(self.came) >= start + length:
            body, self.came = self.came[start : start + length], self.came[start + length :]
            self.answer.set_result(Answer(status, fields, body))

    def eof_received(self):
        self._end()

    def connection_lost(self, _error):
        self._end()

    def _end(self):
        self.is_over = True
        if self.answer is not None and not self.answer.done():
            self.answer.set_exception(Gone())

    async def ask(self, message, seconds):
        if self.is_over:
            raise Gone
        self.answer = asyncio.get_running_loop().create_future()
        self.transport.write(message)
        timer = asyncio.get_running_loop().call_later(seconds, self._end)
        try:
            return await self.answer
        finally:
            timer.cancel()


class Client:
    """One connection, opened when needed and again after it was lost."""

    def __init__(self, host, port, fields=()):
        self.host, self.port, self.fields, self.line = host, port, list(fields), None

    async def call(self, method, path, value=None, key=None, seconds=20):
        fields = [*self.fields, *([("Idempotency-Key", key)] if key is not None else [])]
        body = None if value is None else json.dumps(value).encode()
        message = request_bytes(method, path, f"{self.host}:{self.port}", body, fields)
        if self.line is not None and self.line.is_over:
            self.close()  # it was closed between two requests, as it may be: nothing is lost
        try:
            if self.line is None:
                making = asyncio.get_running_loop().create_connection(_Line, self.host, self.port)
                _, self.line = await asyncio.wait_for(making, seconds)
            answer = await self.line.ask(message, seconds)
        except (OSError, Gone, asyncio.TimeoutError) as error:
            self.close()
            raise Gone from error
        if answer.fields.get("connection") == "close":
            self.close()
        return answer

    def close(self):
        if self.line is not None:
            self.line.transport.close()
        self.line = None
