"""The checker of the chaos tests is held against databases in which something is wrong: one who never finds anything checks nothing."""

import asyncio
import contextlib
import dataclasses
import json
import shutil
import sqlite3

import ledger
import pytest
from client import Client
from server import Server


@dataclasses.dataclass
class Scene:
    database: str
    answers: list
    stock_before: dict

    @property
    def books(self):
        return ledger.books_of_sqlite(self.database)


async def two_orders(server):
    client = Client(server.host, server.port)
    account = await client.sign_up("grace@example.com")
    answers = []
    for i in range(2):
        wanted = {"lines": [{"itemId": "sku_bowl", "quantity": 2}, {"itemId": "sku_vase", "quantity": 1}]}
        answer = await client.call("POST", "/api/checkout", wanted, key=f"key-{i}")
        assert answer.status == 201, answer.body
        answers.append(ledger.Answer(account, f"key-{i}", answer.body))
    client.close()
    return answers


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    server = Server(tmp_path_factory.mktemp("sound"), flags=["--limit-scale", "1000"]).start()
    stock_before = ledger.stock_of(server.database_path)
    answers = asyncio.run(two_orders(server))
    assert server.stop() == 0
    assert not server.database_path.with_name("shop.db-wal").exists(), "a clean stop folds the log into the file"
    return Scene(server.database_path, answers, stock_before)


def test_a_sound_database_has_no_fault(sound):
    assert ledger.faults(sound.books, sound.answers, sound.stock_before) == []


FIRST = "(SELECT min(id) FROM orders)"
KEY_COLUMNS = "fingerprint, status, reply, created_at"
VIOLATIONS = {
    "a lost order": (
        f"DELETE FROM order_lines WHERE order_id = {FIRST}; DELETE FROM orders WHERE id = {FIRST}",
        "was answered with 201 and is not in the database",
    ),
    "two orders for one key": (
        f"INSERT INTO orders (id, customer_id, state, currency, placed_at) SELECT 'ord_twice', customer_id, state, currency, placed_at FROM orders WHERE id = {FIRST};"
        f"INSERT INTO order_lines SELECT 'ord_twice', item_id, name, unit_price, quantity FROM order_lines WHERE order_id = {FIRST};"
        "UPDATE items SET stock = stock - 2 WHERE id = 'sku_bowl'; UPDATE items SET stock = stock - 1 WHERE id = 'sku_vase'",
        "ord_twice is there without a key",
    ),
    "stock taken twice": ("UPDATE items SET stock = stock - 1 WHERE id = 'sku_bowl'", "sku_bowl: 64 before, 4 sold"),
    "stock not taken": ("UPDATE items SET stock = stock + 1 WHERE id = 'sku_bowl'", "sku_bowl: 64 before, 4 sold"),
    "another price": (f"UPDATE order_lines SET unit_price = 1 WHERE order_id = {FIRST}", "has other lines than its answer"),
    "another owner": (f"UPDATE orders SET customer_id = 'acc_admin' WHERE id = {FIRST}", "belongs to acc_admin"),
    "an order without lines": (f"DELETE FROM order_lines WHERE order_id = {FIRST}", "has no lines"),
    "a reply without its order": (
        f"DELETE FROM order_lines WHERE order_id = {FIRST}; DELETE FROM orders WHERE id = {FIRST}",
        "key key-0 has the reply of order",
    ),
    "one order under two keys": (
        f"INSERT INTO limen_keys (principal, key, {KEY_COLUMNS}) SELECT principal, 'key-9', {KEY_COLUMNS} FROM limen_keys WHERE key = 'key-0'",
        "stands under two keys",
    ),
    "lines of nobody's": (f"DELETE FROM orders WHERE id = {FIRST}", "a foreign key leads nowhere"),
    "a forgotten key": ("DELETE FROM limen_keys WHERE key = 'key-0'", "is there without a key"),
    "a stored refusal": ("UPDATE limen_keys SET status = 409 WHERE key = 'key-0'", "has a stored reply 409"),
    "a key of another": ("UPDATE limen_keys SET principal = 'acc_admin' WHERE key = 'key-0'", "key-0 of acc_admin has an order of"),
}


def damaged(sound, folder, change):
    """A copy in which `change` was made, past the guards that the database itself has against it."""
    database = folder / "shop.db"
    shutil.copy(sound.database, database)
    with contextlib.closing(sqlite3.connect(database)) as db:
        guards = [row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'trigger'")]
        drops = "".join(f"DROP TRIGGER {name};" for name in guards)
        db.executescript("PRAGMA ignore_check_constraints = ON;" + drops + change)
    return database


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_violation_is_found(sound, tmp_path, name):
    change, words = VIOLATIONS[name]
    database = damaged(sound, tmp_path, change)
    found = ledger.faults(ledger.books_of_sqlite(database), sound.answers, sound.stock_before)
    assert any(words in fault for fault in found), found


def test_another_total_than_was_answered_is_found(sound):
    body = json.loads(sound.answers[0].body)
    forged = dataclasses.replace(sound.answers[0], body=json.dumps({**body, "total": body["total"] + 1}).encode())
    found = ledger.faults(sound.books, [forged, sound.answers[1]], sound.stock_before)
    assert any("has another total than its answer" in fault for fault in found), found


def test_a_damaged_file_is_found(sound, tmp_path):
    database = damaged(sound, tmp_path, "PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE name = 'limen_outbox_due'")
    assert "the database file is damaged" in ledger.faults(ledger.books_of_sqlite(database), sound.answers, sound.stock_before)


def test_negative_stock_is_found(sound, tmp_path):
    database = damaged(sound, tmp_path, "UPDATE items SET stock = -1 WHERE id = 'sku_vase'")
    assert any("sku_vase has a stock of -1" in fault for fault in ledger.faults(ledger.books_of_sqlite(database), sound.answers, sound.stock_before))


def test_two_replies_for_one_key_are_found(sound):
    forged = ledger.Answer(sound.answers[0].account, sound.answers[0].key, sound.answers[1].body)
    found = ledger.faults(sound.books, [*sound.answers, forged], sound.stock_before)
    assert "key key-0 was answered with two different replies" in found


def test_one_order_under_two_keys_is_found(sound):
    forged = ledger.Answer(sound.answers[0].account, "key-9", sound.answers[0].body)
    found = ledger.faults(sound.books, [*sound.answers, forged], sound.stock_before)
    assert any("was answered under two keys" in fault for fault in found)


# ---- money: books that nobody need run a server for --------------------------------------------------------------------
LINES = [("sku_bowl", "Stoneware bowl", 3200, 2)]


REFUND = ("acc_admin", "refund-1", 202, json.dumps({"id": "ord_1"}))


def order_in(state):
    return ledger.Order("acc_grace", state, "EUR", list(LINES))


def paid_books(state="paid", stock=62, more_keys=()):
    reply = json.dumps({"id": "ord_1"})
    return ledger.Books({"sku_bowl": stock}, {"ord_1": order_in(state)}, [("acc_grace", "key-1", 201, reply), *more_keys])


def charge(number=1, order="ord_1", amount=6400, refunded=0, currency="eur"):
    return {"id": f"ch_{number}", "amount": amount, "currency": currency, "amount_refunded": refunded, "metadata": {"order_id": order}}


def money_faults(books, charges):
    return ledger.faults(books, [], {"sku_bowl": 64}, charges)


@pytest.mark.parametrize(
    ("books", "charges"),
    [
        (paid_books(), [charge()]),
        (paid_books("refunded"), [charge(refunded=6400)]),
        (paid_books("refunded", more_keys=[REFUND]), [charge(refunded=6400)]),
        (paid_books("payment_failed", stock=64), []),
        (paid_books("payment_failed", stock=64), [charge(refunded=6400)]),
        (paid_books(), [charge(), charge(2, "ord_unknown", 5000, refunded=5000)]),  # without an order, and given back
    ],
)
def test_sound_money_has_no_fault(books, charges):
    assert money_faults(books, charges) == []


MONEY_VIOLATIONS = {
    "captured twice": (paid_books(), [charge(), charge(2)], "ord_1 was captured twice, ch_1 and ch_2"),
    "captured twice, once given back": (paid_books(), [charge(), charge(2, refunded=6400)], "captured twice"),
    "another amount": (paid_books(), [charge(amount=6300)], "ord_1 costs 6400, and 6300 was captured"),
    "another currency": (paid_books(), [charge(currency="jpy")], "ord_1 costs EUR, and jpy was captured"),
    "paid without a capture": (paid_books(), [], "ord_1 is paid, and nothing was captured"),
    "refunded without a capture": (paid_books("refunded"), [], "ord_1 is refunded, and nothing was captured"),
    "money without an order": (paid_books(), [charge(), charge(2, "ord_gone")], "ch_2 took 6400 for order ord_gone"),
    "money without a name": (paid_books(), [charge(), charge(2, None)], "ch_2 took 6400 for order None"),
    "refunded on paper": (paid_books("refunded"), [charge(refunded=6000)], "ord_1 is refunded, and 400 was kept"),
    "a refund of nothing": (
        paid_books(more_keys=[("acc_admin", "refund-2", 202, json.dumps({"id": "ord_gone"}))]), [charge()],
        "order ord_gone was to be refunded under key refund-2, and is not there",
    ),
    "promised and not refunded": (paid_books(more_keys=[REFUND]), [charge()], "was to be refunded under key refund-1, and is paid"),
    "refunded in secret": (paid_books(), [charge(refunded=6400)], "ord_1 is paid, and 6400 was given back"),
    "failed and captured": (paid_books("payment_failed", 64), [charge()], "ord_1 is payment_failed, and 6400 was kept"),
    "failed, stock kept": (paid_books("payment_failed", 62), [], "sku_bowl: 64 before, 0 sold, 62 left"),
    "stuck before the effect": (paid_books("placed"), [], "ord_1 is still placed"),
    "stuck after the capture": (paid_books("paying"), [charge()], "ord_1 is still paying"),
}


@pytest.mark.parametrize("name", MONEY_VIOLATIONS)
def test_each_violation_of_money_is_found(name):
    books, charges, words = MONEY_VIOLATIONS[name]
    found = money_faults(books, charges)
    assert any(words in fault for fault in found), found
