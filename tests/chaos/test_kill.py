"""Customers order while workers and the data role are killed, and every key ends as one order or none.

Whoever gets no answer, or a 503, comes again with the same key, as the shop's page does.
"""

import asyncio
import collections
import os
import random
import signal
import time

import ledger
from client import Client, Gone
from server import ADMIN_EMAIL

CLIENTS = 200
ACCOUNTS = 20
SECONDS = int(os.environ.get("CHAOS_SECONDS", "30"))
WORKER_EVERY_S = 0.1
DATA_EVERY_S = 2.0
SOLD_OUT = "sku_vase"  # three of them: most who want one are told 409
ITEMS = ["sku_apron", "sku_bowl", "sku_candles", "sku_pencils", "sku_teapot", SOLD_OUT]


class Run:
    """What happened: what clients saw, and how often what was done."""

    def __init__(self, server, random_source):
        self.server, self.random = server, random_source
        self.until = time.monotonic() + SECONDS
        self.answers = []
        self.counts = collections.Counter()
        self.surprises = []

    @property
    def goes_on(self):
        return time.monotonic() < self.until


def basket(source):
    wanted = source.sample(ITEMS, source.randint(1, 3))
    return {"lines": [{"itemId": item, "quantity": source.randint(1, 3)} for item in wanted]}


async def order(run, client, account, key, wanted):
    """Comes again until there is an answer that is one."""
    while True:
        try:
            answer = await client.call("POST", "/api/checkout", wanted, key=key)
        except Gone:
            run.counts["gone"] += 1
            await asyncio.sleep(run.random.uniform(0.005, 0.05))
            continue
        run.counts[answer.status] += 1
        if answer.status == 503:
            await asyncio.sleep(run.random.uniform(0.01, 0.1))
            continue
        if answer.status == 201:
            run.answers.append(ledger.Answer(account, key, answer.body))
        elif answer.status != 409 or b"not enough in stock" not in answer.body:
            run.surprises.append(f"{answer.status} {answer.body[:200]!r}")
        return answer


async def customer(run, number, account, cookie):
    first, second = (Client(run.server.host, run.server.port, cookie) for _ in range(2))
    mine = 0
    while run.goes_on:
        key, wanted = f"customer-{number}-order-{mine}", basket(run.random)
        mine += 1
        if run.random.random() < 0.2:  # the button is pressed twice
            await asyncio.gather(*(order(run, client, account, key, wanted) for client in (first, second)))
        else:
            await order(run, first, account, key, wanted)
        if run.random.random() < 0.2:  # and once more, later
            await order(run, second, account, key, wanted)
    first.close()
    second.close()


async def killer(run, role, every_s):
    """Keeps to its timetable: a turn that came late does not delay the ones after it."""
    due = time.monotonic()
    while run.goes_on:
        due += every_s
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        pids = run.server.roles(role)
        if pids:
            try:
                os.kill(run.random.choice(pids), signal.SIGKILL)
                run.counts[f"{role}s killed"] += 1
            except ProcessLookupError:
                pass


async def accounts_of(server, count):
    made = []
    for i in range(count):
        client = Client(server.host, server.port)
        account = await client.sign_up(f"customer{i}@example.com")
        client.close()
        made.append((account, client.cookie))
    return made


async def fill_the_shelves(server):
    admin = Client(server.host, server.port)
    await admin.sign_in(ADMIN_EMAIL, server.admin_password)
    for item in ITEMS:
        if item != SOLD_OUT:
            answer = await admin.call("PATCH", f"/api/admin/items/{item}", {"stock": 1000000})
            assert answer.status == 200, answer.body
    admin.close()


async def rush(run, accounts):
    customers = [customer(run, i, *accounts[i % len(accounts)]) for i in range(CLIENTS)]
    killers = [killer(run, "worker", WORKER_EVERY_S), killer(run, "data", DATA_EVERY_S)]
    await asyncio.wait_for(asyncio.gather(*customers, *killers), SECONDS + 60)


def test_each_key_is_one_order_or_none_while_roles_are_killed(make_shop, record_property):
    server = make_shop(workers=3, flags=["--limit-scale", "100000"])
    accounts = asyncio.run(accounts_of(server, ACCOUNTS))
    asyncio.run(fill_the_shelves(server))
    stock_before = ledger.stock_of(server.database_path)
    seed = int(os.environ.get("CHAOS_SEED", time.time_ns() % 1000000))
    run = Run(server, random.Random(seed))
    asyncio.run(rush(run, accounts))

    keys = len({(answer.account, answer.key) for answer in run.answers})
    figures = ", ".join(f"{name}: {count}" for name, count in sorted(run.counts.items(), key=str))
    print(f"seed {seed}: {keys} orders in {SECONDS} s; {figures}")
    record_property("figures", figures)
    assert server.stop() == 0
    assert run.surprises == []
    assert ledger.faults(server.database_path, run.answers, stock_before) == []
    # A run in which little happened shows little.
    assert run.counts["workers killed"] >= SECONDS / WORKER_EVERY_S * 0.7
    assert run.counts["datas killed"] >= SECONDS / DATA_EVERY_S * 0.5
    assert run.counts["gone"] >= 100 and run.counts[409] >= 1
    assert keys >= SECONDS * 20
