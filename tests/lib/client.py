"""A client of the shop that speaks HTTP over one socket at a time and can be driven by the hundred (asyncio).

The one idea: an answer is either whole or `Gone`. Half an answer is none, so a caller that sees `Gone` knows no more than that the
connection ended, which is what a client in the world would know.
"""

import asyncio
import json


class Gone(Exception):
    """The connection could not be made, or ended before the answer was whole."""


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
            name, _, value = line.partition(": ")
            fields[name.lower()] = value
        body = await reader.readexactly(int(fields.get("content-length", "0")))
    except (OSError, asyncio.IncompleteReadError) as error:
        raise Gone from error
    return Answer(int(head[0].split()[1]), fields, body)


class Client:
    """One connection, opened when needed and again after it was lost."""

    def __init__(self, host, port, cookie=None):
        self.host, self.port, self.cookie = host, port, cookie
        self.reader = self.writer = None

    async def call(self, method, path, value=None, key=None, seconds=20):
        fields = [] if self.cookie is None else [("Cookie", f"__Host-session={self.cookie}")]
        if key is not None:
            fields.append(("Idempotency-Key", key))
        body = None if value is None else json.dumps(value).encode()
        try:
            if self.writer is None:
                self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
            self.writer.write(request_bytes(method, path, f"{self.host}:{self.port}", body, fields))
            await self.writer.drain()
            answer = await asyncio.wait_for(read_answer(self.reader), seconds)
        except (OSError, Gone) as error:
            self.close()
            raise Gone from error
        if answer.fields.get("connection") == "close":
            self.close()
        return answer

    async def sign_up(self, email, password="four plain words here", name="A Customer"):
        """Makes an account, and is it from now on. Returns its id."""
        answer = await self.call("POST", "/api/accounts", {"email": email, "password": password, "name": name})
        assert answer.status == 201, answer.body
        self._keep_cookie(answer)
        return answer.json()["id"]

    async def sign_in(self, email, password):
        answer = await self.call("POST", "/api/sessions", {"email": email, "password": password})
        assert answer.status == 201, answer.body
        self._keep_cookie(answer)

    def _keep_cookie(self, answer):
        self.cookie = answer.fields["set-cookie"].split(";")[0].split("=", 1)[1]

    def close(self):
        if self.writer is not None:
            self.writer.close()
        self.reader = self.writer = None
