"""What must hold in the shop's database after anything: each answered order is there once, no key has two, stock adds up.

The one idea: the checker is told what clients saw and reads what the database has, and says every difference in words, so
that it can itself be tested by seeding differences.
"""

import contextlib
import dataclasses
import json
import sqlite3


@dataclasses.dataclass
class Answer:
    """A 201 that a client saw: under which key, for which account, and the bytes."""

    account: str
    key: str
    body: bytes


def read(path):
    """The database to look into; a context manager that closes it, because an open reader keeps the log from being folded in."""
    return contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True))


def stock_of(path):
    with read(path) as db:
        return dict(db.execute("SELECT id, stock FROM items"))


def _orders(db):
    """{id: (customer, [(item, name, price, quantity)])}"""
    orders = {row[0]: (row[1], []) for row in db.execute("SELECT id, customer_id FROM orders")}
    lines = db.execute("SELECT order_id, item_id, name, unit_price, quantity FROM order_lines ORDER BY order_id, item_id")
    for order, *line in lines:
        orders[order][1].append(tuple(line))
    return orders


def _lines_of(body):
    return sorted((line["itemId"], line["name"], line["unitPrice"], line["quantity"]) for line in body["lines"])


def _faults_of_answers(answers, orders):
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
        elif orders[order][0] != account:
            yield f"order {order} belongs to {orders[order][0]}, not to {account}"
        elif sorted(orders[order][1]) != _lines_of(body):
            yield f"order {order} has other lines than its answer"
        elif sum(price * quantity for _, _, price, quantity in orders[order][1]) != body["total"]:
            yield f"order {order} has another total than its answer"


def _faults_of_keys(db, orders):
    """Every order was made under a key, so stored replies and orders must match one to one."""
    named = {}
    for principal, key, status, reply in db.execute("SELECT principal, key, status, reply FROM limen_keys"):
        if status != 201:
            yield f"key {key} has a stored reply {status}: only what committed may be stored"
            continue
        order = json.loads(reply)["id"]
        if order in named:
            yield f"order {order} stands under two keys"
        named[order] = key
        if order not in orders:
            yield f"key {key} has the reply of order {order}, which is not there"
        elif orders[order][0] != principal:
            yield f"key {key} of {principal} has an order of {orders[order][0]}"
    for order in orders.keys() - named.keys():
        yield f"order {order} is there without a key: its retry would order again"


def _faults_of_stock(db, orders, stock_before):
    sold = {}
    for order, (_, lines) in orders.items():
        if not lines:
            yield f"order {order} has no lines"
        for item, _, _, quantity in lines:
            sold[item] = sold.get(item, 0) + quantity
    for item, stock in db.execute("SELECT id, stock FROM items"):
        if stock < 0:
            yield f"{item} has a stock of {stock}"
        if stock_before[item] - sold.get(item, 0) != stock:
            yield f"{item}: {stock_before[item]} before, {sold.get(item, 0)} sold, {stock} left"


def faults(path, answers, stock_before):
    """Every invariant that does not hold, in words. `stock_before` is from before the first order."""
    with read(path) as db:
        orders = _orders(db)
        found = list(_faults_of_answers(answers, orders))
        found += _faults_of_keys(db, orders)
        found += _faults_of_stock(db, orders, stock_before)
        if db.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
            found.append("the database file is damaged")
        if db.execute("PRAGMA foreign_key_check").fetchone() is not None:
            found.append("a foreign key leads nowhere")
    return found
