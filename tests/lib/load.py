"""Customers who come again and again, each over a connection that it keeps as long as it is kept; every request must be answered, and well."""

import asyncio
import collections
import time

from caller import new_key
from client import Client, Gone

BASKET = {"lines": [{"itemId": "sku_pencils", "quantity": 1}]}
CALLS = [("GET", "/api/items", None, 200), ("GET", "/api/me", None, 200), ("POST", "/api/checkout", BASKET, 201)]


async def sign_up(host, port, count, name, at_once=8):
    """Makes accounts; returns their cookies."""
    cookies, numbers = [], iter(range(count))

    async def some():
        for number in numbers:
            client = Client(host, port)
            await client.sign_up(f"{name}-{number}@example.com")
            cookies.append(client.cookie)
            client.close()

    await asyncio.gather(*(some() for _ in range(at_once)))
    return cookies


class Load:
    """`await load.stop()` after `load.start(clients)`; then `faults` is empty or tells what was wrong."""

    def __init__(self, host, port, cookies, calls=CALLS):
        self.host, self.port, self.cookies, self.calls = host, port, cookies, calls
        self.seconds = []  # that answers took
        self.seen = collections.Counter()
        self.faults, self.tasks = [], []
        self.goes_on = True

    @property
    def answered(self):
        return sum(self.seen.values())

    def start(self, clients):
        self.tasks = [asyncio.create_task(self._client(number)) for number in range(clients)]

    async def stop(self):
        self.goes_on = False
        await asyncio.wait_for(asyncio.gather(*self.tasks), 60)

    async def _client(self, number):
        client, turn = Client(self.host, self.port, self.cookies[number % len(self.cookies)]), number
        while self.goes_on:
            method, path, body, expected = self.calls[turn % len(self.calls)]
            turn += 1
            begun = time.monotonic()
            try:
                answer = await client.call(method, path, body, key=new_key() if body else None)
            except Gone:
                self.faults.append(f"{method} {path}: no answer")
                continue
            self.seconds.append(time.monotonic() - begun)
            self.seen[method, path, answer.status] += 1
            if answer.status != expected and not (answer.status == 409 and b"not enough in stock" in answer.body):
                self.faults.append(f"{method} {path}: {answer.status} {answer.body[:200]!r}")
        client.close()

    def say(self):
        return f"{len(self.faults)} of {self.answered}: {self.faults[:5]}"
