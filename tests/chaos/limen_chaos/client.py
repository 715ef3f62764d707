"""A client that speaks HTTP over one socket at a time and can be driven by the hundred (asyncio).

The one idea: an answer is either whole or `Gone`. Half an answer is none, so a caller that sees `Gone` knows no more than that the
connection ended, which is what a client in the world would know.
"""

import asyncio
import json


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


async def read_answer(reader):
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        fields = {}
        for line in head[1:-2]:
            name, _, value = line.partition(":")
            fields[name.lower()] = value.strip()
        # Without a length a body ends with the connection, so half of one cannot be told from all of it: such an answer is none.
        if "content-length" not in fields and not head[0].startswith("HTTP/1.1 204"):
            raise Gone("an answer without a length")
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    except (OSError, asyncio.IncompleteReadError) as error:
        raise Gone from error
    return Answer(int(head[0].split()[1]), fields, body)


class Client:
    """One connection, opened when needed and again after it was lost."""

    def __init__(self, host, port, fields=()):
        self.host, self.port, self.fields = host, port, list(fields)
        self.reader = self.writer = None

    async def call(self, method, path, value=None, key=None, seconds=20):
        fields = [*self.fields, *([("Idempotency-Key", key)] if key is not None else [])]
        body = None if value is None else json.dumps(value).encode()
        try:
            answer = await asyncio.wait_for(self._exchange(method, path, body, fields), seconds)
        except (OSError, Gone, asyncio.TimeoutError) as error:
            self.close()
            raise Gone from error
        if answer.fields.get("connection") == "close":
            self.close()
        return answer

    async def _exchange(self, method, path, body, fields):
        if self.writer is not None and self.reader.at_eof():
            self.close()  # it was closed between two requests, as it may be: nothing is lost
        if self.writer is None:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        self.writer.write(request_bytes(method, path, f"{self.host}:{self.port}", body, fields))
        await self.writer.drain()
        return await read_answer(self.reader)

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None
