"""What must hold in the shop's books after anything: each answered order is there once, no key has two, stock and money add up.

The one idea: the checker is told what clients saw (`Answer`s), reads what the database has (`Books`) and what the payment provider
has captured, and says every difference in words, so that it can itself be tested by seeding differences.
"""

import contextlib
import dataclasses
import json
import os
import sqlite3
import subprocess

#: Orders in these states wait for something; at the end of a run, past the bound for recovery, none may.
UNDER_WAY = {"placed", "paying"}


@dataclasses.dataclass
class Answer:
    """A 201 that a client saw: under which key, for which account, and the bytes."""

    account: str
    key: str
    body: bytes


@dataclasses.dataclass
class Order:
    customer: str
    state: str
    currency: str
    lines: list = dataclasses.field(default_factory=list)  # [(item, name, price, quantity)]

    @property
    def total(self):
        return sum(price * quantity for _, _, price, quantity in self.lines)


@dataclasses.dataclass
class Books:
    stock: dict  # {item: pieces}
    orders: dict  # {id: Order}
    keys: list  # [(principal, key, status, reply)]
    damage: list = dataclasses.field(default_factory=list)  # what the database says of itself


# ---- reading ----------------------------------------------------------------------------------------------------------


def read(path):
    """The database to look into; a context manager that closes it, because an open reader keeps the log from being folded in."""
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def sqlite_rows(path):
    """A function that runs a statement and gives its rows."""

    def rows(statement):
        with read(path) as db:
            return [tuple(row) for row in db.execute(statement)]

    return rows


def postgres_rows(url, psql="psql"):
    """The same for PostgreSQL, by way of psql: rows come as JSON objects, one a line. Limen's own tables are in a schema of theirs."""
    env = {**os.environ, "PGOPTIONS": "-c search_path=public,limen"}

    def rows(statement):
        said = subprocess.run(
            [psql, "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", f"SELECT to_json(t) FROM ({statement}) t"],
            capture_output=True, text=True, timeout=60, env=env,
        )  # fmt: skip
        if said.returncode != 0:
            raise RuntimeError(said.stderr.strip())
        return [tuple(json.loads(line).values()) for line in said.stdout.splitlines()]

    return rows


def stock_of(path):
    return dict(sqlite_rows(path)("SELECT id, stock FROM items"))


def books_of(rows, reply="reply"):
    """`reply` is how the stored reply is written as text in this database's SQL."""
    orders = {row[0]: Order(*row[1:]) for row in rows("SELECT id, customer_id, state, currency FROM orders")}
    for order, *line in rows("SELECT order_id, item_id, name, unit_price, quantity FROM order_lines ORDER BY order_id, item_id"):
        orders.setdefault(order, Order("nobody", "missing", "")).lines.append(tuple(line))
    keys = rows(f"SELECT principal, key, status, {reply} AS reply FROM limen_keys")
    return Books(dict(rows("SELECT id, stock FROM items")), orders, keys)


def books_of_sqlite(path):
    books = books_of(sqlite_rows(path))
    with read(path) as db:
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            books.damage.append("the database file is damaged")
        if db.execute("PRAGMA foreign_key_check").fetchone() is not None:
            books.damage.append("a foreign key leads nowhere")
    return books


# ---- what must hold ---------------------------------------------------------------------------------------------------


def _lines_of(body):
    return sorted((line["itemId"], line["name"], line["unitPrice"], line["quantity"]) for line in body["lines"])


def _faults_of_answers(answers, orders):
    """What was acknowledged is there as it was told, once."""
    bodies = {}
    for answer in answers:
        first = bodies.setdefault((answer.account, answer.key), answer.body)
        if first != answer.body:
            yield f"key {answer.key} was answered with two different replies"
    seen = {}
    for (account, key), text in bodies.items():
        body = json.loads(text)
        order = body["id"]
        if order in seen:
            yield f"order {order} was answered under two keys, {seen[order]} and {key}"
        seen[order] = key
        if order not in orders:
            yield f"order {order} was answered with 201 and is not in the database"
        elif orders[order].customer != account:
            yield f"order {order} belongs to {orders[order].customer}, not to {account}"
        elif sorted(orders[order].lines) != _lines_of(body):
            yield f"order {order} has other lines than its answer"
        elif orders[order].total != body["total"]:
            yield f"order {order} has another total than its answer"


def _faults_of_keys(keys, orders):
    """Every order was made under a key, so stored replies and orders must match one to one; a promised refund (202) is one."""
    named = {}
    for principal, key, status, reply in keys:
        if status == 202:
            order = json.loads(reply)["id"]
            if order not in orders or orders[order].state != "refunded":
                yield f"order {order} was to be refunded under key {key}, and is {orders[order].state if order in orders else 'not there'}"
            continue
        if status != 201:
            yield f"key {key} has a stored reply {status}: only what committed may be stored"
            continue
        order = json.loads(reply)["id"]
        if order in named:
            yield f"order {order} stands under two keys"
        named[order] = key
        if order not in orders:
            yield f"key {key} has the reply of order {order}, which is not there"
        elif orders[order].customer != principal:
            yield f"key {key} of {principal} has an order of {orders[order].customer}"
    for order in orders.keys() - named.keys():
        yield f"order {order} is there without a key: its retry would order again"


def _faults_of_stock(books, stock_before):
    """What is gone from the shelves has been sold; an order that could not be paid has given back what it had taken."""
    sold = {}
    for order, it in books.orders.items():
        if not it.lines:
            yield f"order {order} has no lines"
        for item, _, _, quantity in it.lines if it.state != "payment_failed" else ():
            sold[item] = sold.get(item, 0) + quantity
    for item, stock in books.stock.items():
        if stock < 0:
            yield f"{item} has a stock of {stock}"
        if stock_before[item] - sold.get(item, 0) != stock:
            yield f"{item}: {stock_before[item]} before, {sold.get(item, 0)} sold, {stock} left"


def _faults_of_money(orders, charges):
    """At most one capture an order, of its total; and no money without an order that is paid, or was refunded."""
    captured = {}
    for charge in charges:
        order, kept = charge["metadata"].get("order_id"), charge["amount"] - charge["amount_refunded"]
        if order in captured:
            yield f"order {order} was captured twice, {captured[order]['id']} and {charge['id']}"
        captured[order] = charge
        if order not in orders:
            if kept > 0:
                yield f"{charge['id']} took {kept} for order {order}, which is not there"
            continue
        it = orders[order]
        if charge["amount"] != it.total:
            yield f"order {order} costs {it.total}, and {charge['amount']} was captured"
        if charge["currency"].upper() != it.currency:
            yield f"order {order} costs {it.currency}, and {charge['currency']} was captured"
        if it.state == "paid" and kept < charge["amount"]:
            yield f"order {order} is paid, and {charge['amount_refunded']} was given back"
        # What was taken for an order that was given up meanwhile goes back.
        if it.state in ("refunded", "payment_failed") and kept > 0:
            yield f"order {order} is {it.state}, and {kept} was kept"
    for order, it in orders.items():
        if it.state in ("paid", "refunded") and order not in captured:
            yield f"order {order} is {it.state}, and nothing was captured"


def _faults_of_rest(orders):
    for order, it in orders.items():
        if it.state in UNDER_WAY:
            yield f"order {order} is still {it.state}"


def faults(books, answers, stock_before, charges=None):
    """Every invariant that does not hold, in words. `stock_before` is from before the first order; `charges` is all that the payment
    provider has captured, once everything has come to rest, or None where nobody pays."""
    found = list(_faults_of_answers(answers, books.orders))
    found += _faults_of_keys(books.keys, books.orders)
    found += _faults_of_stock(books, stock_before)
    if charges is not None:
        found += _faults_of_money(books.orders, charges)
        found += _faults_of_rest(books.orders)
    return found + books.damage
