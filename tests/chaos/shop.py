"""The shop under chaos: customers order, press the button twice and come again later; the books must agree with what they were told.

    limen chaos build/shop --workload tests/chaos/shop.py --minutes 30
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

import asyncio  # noqa: E402
import json  # noqa: E402

import client as shop_client  # noqa: E402
import ledger  # noqa: E402
from limen_chaos import Workload  # noqa: E402
from limen_chaos.postgres import PLACES  # noqa: E402
from limen_chaos.process import find_program  # noqa: E402
from limen_chaos.provider import Provider  # noqa: E402

ADMIN, ADMIN_EMAIL = "acc_admin", "admin@shop.example"
SOLD_OUT = "sku_vase"  # three of them: most who want one are told 409
# As few as let many customers want the same thing at the same time, whose orders then wait for one another.
ITEMS = ["sku_apron", "sku_basket", "sku_bowl", "sku_candles", "sku_jug", "sku_kettle", "sku_lamp", "sku_pencils", "sku_teapot"]
REFUND_PAUSE_S = (0.1, 0.6)
TWICE, LATER = 0.1, 0.1  # how often the button is pressed twice, and once more later
WANTED_IN_VAIN = 0.05  # how often something is in the basket of which there is too little


def basket(source):
    wanted = source.sample(ITEMS, source.randint(1, 3))
    if source.random() < WANTED_IN_VAIN:
        wanted.append(SOLD_OUT)
    return {"lines": [{"itemId": item, "quantity": source.randint(1, 3)} for item in wanted]}


class Shop(Workload):
    clients = 60
    accounts = 20
    flags = ("--limit-scale", "100000", "--connections-per-address", "4096")
    recovery_s = 180.0  # a lease of 15 s runs out, and then the pause before the next attempt, which grows as attempts fail
    haproxy = ROOT / "deploy" / "haproxy.cfg"
    signed_in = ("GET", "/api/me")

    async def prepare(self, run):
        for number in range(self.accounts):
            customer = shop_client.Client(*run.topology.entries()[0])
            account = await customer.sign_up(f"customer{number}@example.com")
            run.principals[account] = customer.fields
            customer.close()
        self.customers, self.placed = list(run.principals), []
        await self.fill_the_shelves(run)
        self.stock_before = dict(self.rows(run)("SELECT id, stock FROM items"))

    async def fill_the_shelves(self, run):
        password = next(filter(None, (replica.find_in_log(r"admin password: ([^\s\"]+)") for replica in run.topology.replicas)))
        admin = shop_client.Client(*run.topology.entries()[0])
        await admin.sign_in(ADMIN_EMAIL, password)
        for item in ITEMS:
            answer = await admin.call("PATCH", f"/api/admin/items/{item}", {"stock": 1000000})
            assert answer.status == 200, answer.body
        run.principals[ADMIN] = admin.fields
        admin.close()

    async def customer(self, run, number):
        if number == 0 and run.topology.provider:
            return await self.shopkeeper(run)
        source = run.random(f"customer {number}")
        who = self.customers[number % len(self.customers)]
        fields = run.principals[who]
        first, second = run.client(number, fields), run.client(number + 1, fields)
        mine = 0
        while run.goes_on:
            key, wanted = f"customer-{number}-order-{mine}", basket(source)
            mine += 1
            pressed = [first, second] if source.random() < TWICE else [first]
            await asyncio.gather(*(self.order(run, it, who, key, wanted) for it in pressed))
            if source.random() < LATER:
                await self.order(run, second, who, key, wanted)
        first.close()
        second.close()

    async def order(self, run, client, who, key, wanted):
        answer = await run.ask(client, who, "POST", "/api/checkout", wanted, key)
        if answer is not None and answer.status == 201:
            self.placed.append(answer.json()["id"])
        elif answer is not None:
            sold_out = answer.status == 409 and b"not enough in stock" in answer.body
            if not sold_out:
                run.surprises.append(f"a checkout was answered with {answer.status} {answer.body[:200]!r}")

    async def shopkeeper(self, run):
        """Refunds one order after another; those that are not paid (yet) are refused."""
        source, client = run.random("shopkeeper"), run.client(0, run.principals[ADMIN])
        while run.goes_on:
            await asyncio.sleep(source.uniform(*REFUND_PAUSE_S))
            if self.placed:
                order = source.choice(self.placed)
                answer = await run.ask(client, ADMIN, "POST", f"/api/admin/orders/{order}/refund", None, f"refund-{order}")
                if answer is not None and answer.status not in (202, 409):
                    run.surprises.append(f"a refund was answered with {answer.status} {answer.body[:200]!r}")
        client.close()

    # ---- money -----------------------------------------------------------------------------------------------------
    def provider(self, folder):
        return Provider(ROOT / "apps" / "payments-sandbox" / "payments-sandbox", folder, self.flags_for, "/api/webhooks/payments")

    @staticmethod
    def flags_for(port, provider):
        return ["--effect-target", f"payments=http://127.0.0.1:{port}", "--fetch-private", "127.0.0.1",
                "--secret", f"payments=@{provider.api_key_path}", "--secret", f"payment-events=@{provider.secret_path}"]  # fmt: skip

    def unsettled(self, run):
        """Orders that wait for the provider, and refunds: also those that were promised and of which the books may know nothing. To
        ask for one of these again, as is done afterwards with every key, would make good what was lost."""
        if run.topology.provider is None:
            return 0
        rows = self.rows(run)
        waiting = rows(
            "SELECT orders.id FROM orders JOIN payments ON order_id = orders.id"
            " WHERE state IN ('placed', 'paying') OR (state = 'paid' AND refund_id IS NOT NULL)"
        )
        refunded = rows("SELECT id FROM orders WHERE state = 'refunded'")
        promised = {(json.loads(it.body)["id"],) for it in run.history.acknowledged().values() if it.status == 202}
        return len({*waiting, *promised.difference(refunded)})

    # ---- the books -------------------------------------------------------------------------------------------------
    def rows(self, run):
        if run.topology.postgres:
            return ledger.postgres_rows(run.topology.postgres.primary.url("app"), find_program("psql", *PLACES))
        return ledger.sqlite_rows(run.topology.sqlite_path)

    def books(self, run):
        if run.topology.postgres:
            return ledger.books_of(self.rows(run), "convert_from(reply, 'UTF8')")
        return ledger.books_of_sqlite(run.topology.sqlite_path)

    def check(self, run):
        acknowledged = run.history.acknowledged()
        answers = [ledger.Answer(who, key, it.body) for (who, key), it in acknowledged.items() if it.path == "/api/checkout"]
        charges = run.topology.provider.charges() if run.topology.provider else None
        return ledger.faults(self.books(run), answers, self.stock_before, charges)
