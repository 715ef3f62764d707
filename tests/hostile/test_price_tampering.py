"""Everything that a client could try to pay less, be more or see more: refused with the right status, and nothing has changed.

The database is read before and after each attempt, so "nothing has changed" is seen and not believed.
"""

import contextlib
import json
import sqlite3

import pytest
from caller import PASSWORD, Caller, admin, customer, new_email, new_key

TABLES = ["items", "orders", "order_lines", "accounts", "limen_credentials", "limen_keys"]


def everything(shop):
    with contextlib.closing(sqlite3.connect(f"file:{shop.database_path}?mode=ro", uri=True)) as db:
        return {table: db.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in TABLES}


@contextlib.contextmanager
def nothing_changes(shop):
    before = everything(shop)
    yield
    assert everything(shop) == before


@pytest.fixture(scope="module")
def buyer(shop):
    return customer(shop)


@pytest.fixture(scope="module")
def keeper(shop):
    return admin(shop)


def body(line="", root=""):
    """A checkout as text, with more in its line or at its root."""
    return '{"lines":[{"itemId":"sku_bowl","quantity":1' + line + "}]" + root + "}"


def quantity(text):
    return '{"lines":[{"itemId":"sku_bowl","quantity":' + text + "}]}"


CHECKOUTS = {
    "a price in a line": (body(line=',"price":1'), 422, ("/lines/0/price", "additionalProperties")),
    "a unitPrice in a line": (body(line=',"unitPrice":1'), 422, ("/lines/0/unitPrice", "additionalProperties")),
    "a lineTotal in a line": (body(line=',"lineTotal":1'), 422, ("/lines/0/lineTotal", "additionalProperties")),
    "a name in a line": (body(line=',"name":"cheap"'), 422, ("/lines/0/name", "additionalProperties")),
    "a price": (body(root=',"price":1'), 422, ("/price", "additionalProperties")),
    "a total": (body(root=',"total":1'), 422, ("/total", "additionalProperties")),
    "a total of nothing": (body(root=',"total":0'), 422, ("/total", "additionalProperties")),
    "a currency": (body(root=',"currency":"XXX"'), 422, ("/currency", "additionalProperties")),
    "a state": (body(root=',"state":"paid"'), 422, ("/state", "additionalProperties")),
    "a discount": (body(root=',"discount":-100'), 422, ("/discount", "additionalProperties")),
    "an id": (body(root=',"id":"ord_mine"'), 422, ("/id", "additionalProperties")),
    "another's account": (body(root=',"customerId":"acc_admin"'), 422, ("/customerId", "additionalProperties")),
    "a prototype": (body(root=',"__proto__":{"total":1}'), 422, ("/__proto__", "additionalProperties")),
    "a total, escaped": (body(root=',"\\u0074otal":1'), 422, ("/total", "additionalProperties")),
    "a negative quantity": (quantity("-1"), 422, ("/lines/0/quantity", "minimum")),
    "a quantity of nothing": (quantity("0"), 422, ("/lines/0/quantity", "minimum")),
    "a quantity of minus nothing": (quantity("-0"), 422, ("/lines/0/quantity", "minimum")),
    "a large quantity": (quantity("100"), 422, ("/lines/0/quantity", "maximum")),
    "a quantity past 32 bits": (quantity("4294967297"), 422, ("/lines/0/quantity", "maximum")),
    "a quantity past 64 bits": (quantity("18446744073709551617"), 422, ("/lines/0/quantity", "maximum")),
    "a fractional quantity": (quantity("1.5"), 422, ("/lines/0/quantity", "type")),
    "a very small quantity": (quantity("1e-9"), 422, ("/lines/0/quantity", "type")),
    "a quantity as text": (quantity('"1"'), 422, ("/lines/0/quantity", "type")),
    "a quantity as a list": (quantity("[1]"), 422, ("/lines/0/quantity", "type")),
    "a quantity that is true": (quantity("true"), 422, ("/lines/0/quantity", "type")),
    "a quantity that is null": (quantity("null"), 422, ("/lines/0/quantity", "type")),
    "a quantity past double": (quantity("1e400"), 400, None),
    "a quantity that is no number": (quantity("NaN"), 400, None),
    "a quantity that is infinite": (quantity("Infinity"), 400, None),
    "a quantity in hexadecimal": (quantity("0x10"), 400, None),
    "a quantity with a leading zero": (quantity("01"), 400, None),
    "a quantity with a plus": (quantity("+1"), 400, None),
    "a member twice": (body(line=',"quantity":2'), 400, None),
    "a member twice, escaped": (body(line=',"quantit\\u0079":2'), 400, None),
    "the lines twice": ('{"lines":[{"itemId":"sku_bowl","quantity":1}],"lines":[]}', 400, None),
    "no lines": ('{"lines":[]}', 422, ("/lines", "minItems")),
    "too many lines": (json.dumps({"lines": [{"itemId": "sku_bowl", "quantity": 1}] * 51}), 422, ("/lines", "maxItems")),
    "lines as an object": ('{"lines":{"0":{"itemId":"sku_bowl","quantity":1}}}', 422, ("/lines", "type")),
    "a line without an item": ('{"lines":[{"quantity":1}]}', 422, ("/lines/0/itemId", "required")),
    "an item that is no id": ('{"lines":[{"itemId":"\' OR 1=1 --","quantity":1}]}', 422, ("/lines/0/itemId", "pattern")),
    "an id with a NUL": ('{"lines":[{"itemId":"sku_bowl\\u0000","quantity":1}]}', 422, ("/lines/0/itemId", "pattern")),
    "an id with a line end": ('{"lines":[{"itemId":"sku_bowl\\n","quantity":1}]}', 422, ("/lines/0/itemId", "pattern")),
    "half a surrogate": ('{"lines":[{"itemId":"\\ud800","quantity":1}]}', 400, None),
    "an unknown item": ('{"lines":[{"itemId":"sku_nothing","quantity":1}]}', 404, None),
    "more than there is": ('{"lines":[{"itemId":"sku_vase","quantity":99}]}', 409, None),
    "more than there is, in two lines": (
        '{"lines":[{"itemId":"sku_vase","quantity":2},{"itemId":"sku_vase","quantity":2}]}', 409, None),
    "one that is there and one that is not": (
        '{"lines":[{"itemId":"sku_bowl","quantity":1},{"itemId":"sku_vase","quantity":99}]}', 409, None),
    "two documents": (body() + body(), 400, None),
    "nothing": ("", 400, None),
    "a comment": ("/* free */" + body(), 400, None),
    "a trailing comma": ('{"lines":[{"itemId":"sku_bowl","quantity":1,}]}', 400, None),
    "a byte order mark": ("\ufeff" + body(), 400, None),
    "deep nesting": ('{"lines":' + "[" * 5000 + "]" * 5000 + "}", 400, None),
    "bytes that are no UTF-8": (b'{"lines":[{"itemId":"\xff","quantity":1}]}', 400, None),
}  # fmt: skip


@pytest.mark.parametrize("name", CHECKOUTS)
def test_a_checkout_is_refused_and_nothing_changes(shop, buyer, name):
    sent, status, fault = CHECKOUTS[name]
    with nothing_changes(shop):
        answer = buyer.post("/api/checkout", raw=sent, key=new_key())
    assert answer.status == status, answer
    assert answer.fields["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    if fault is not None:
        pointer, rule = fault
        known = answer.pointers()
        assert fault in known or (rule == "required" and (pointer.rsplit("/", 1)[0], rule) in known), answer


def test_the_price_is_the_items_whatever_a_client_says(shop, buyer):
    price = buyer.get("/api/items/sku_bowl").json()["price"]
    answer = buyer.checkout("sku_bowl", 3)
    assert answer.status == 201
    assert answer.json()["total"] == 3 * price
    assert answer.json()["lines"][0]["unitPrice"] == price


# ---- who one is --------------------------------------------------------------------------------------------------
ACCOUNTS = {
    "roles": {"roles": ["admin"]},
    "a role": {"role": "admin"},
    "an id": {"id": "acc_admin"},
    "that one is an admin": {"isAdmin": True},
    "a hash": {"passwordHash": "x"},
}


@pytest.mark.parametrize("name", ACCOUNTS)
def test_an_account_cannot_give_itself(shop, name):
    wanted = {"email": new_email(), "password": PASSWORD, "name": "Mallory"}
    with nothing_changes(shop):
        answer = Caller(shop).post("/api/accounts", wanted | ACCOUNTS[name])
    assert answer.status == 422, answer
    assert {pointer for pointer, _ in answer.pointers()} == {"/" + next(iter(ACCOUNTS[name]))}


def test_a_new_account_is_a_customer_and_no_more(shop, buyer):
    assert buyer.get("/api/me").json()["roles"] == ["customer"]


# ---- what is another's -------------------------------------------------------------------------------------------
def test_another_customers_order_does_not_exist(shop, buyer):
    order = buyer.checkout().json()["id"]
    assert buyer.get(f"/api/orders/{order}").status == 200
    stranger = customer(shop)
    with nothing_changes(shop):
        answer = stranger.get(f"/api/orders/{order}")
    assert answer.status == 404
    assert stranger.get("/api/orders").json()["orders"] == []
    unknown = stranger.get("/api/orders/ord_" + "0" * 27)
    assert (unknown.status, unknown.body) == (404, answer.body)


def test_another_customers_key_says_nothing(shop, buyer):
    key = new_key()
    mine = buyer.checkout(key=key)
    stranger = customer(shop)
    theirs = stranger.checkout(key=key)
    assert mine.status == theirs.status == 201
    assert mine.json()["id"] != theirs.json()["id"]


# ---- the shopkeeper's --------------------------------------------------------------------------------------------
ADMIN_CALLS = [
    ("GET", "/api/admin/orders", None),
    ("PATCH", "/api/admin/items/sku_bowl", {"price": 1}),
    ("POST", "/api/admin/items",
     {"id": "sku_mine", "name": "Mine", "description": "mine", "price": 1, "currency": "EUR", "stock": 1}),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "value"), ADMIN_CALLS)
def test_the_shopkeepers_doors_are_closed_to_others(shop, buyer, method, path, value):
    with nothing_changes(shop):
        assert Caller(shop).call(method, path, value).status == 401
        assert buyer.call(method, path, value).status == 403
        assert buyer.call(method, path, value, fields={"X-Role": "admin", "X-Forwarded-User": "admin"}).status == 403


@pytest.mark.parametrize("price", ["0", "-1", "100000001", "1.5", "1e400", '"1"', "null", "true"])
def test_even_the_shopkeeper_sets_no_price_that_is_none(shop, keeper, price):
    with nothing_changes(shop):
        answer = keeper.call("PATCH", "/api/admin/items/sku_bowl", raw='{"price":' + price + "}")
    assert answer.status == (400 if price == "1e400" else 422), answer


def test_a_changed_price_holds_from_the_next_order_on(shop, buyer, keeper):
    old = buyer.checkout("sku_jug")
    assert keeper.call("PATCH", "/api/admin/items/sku_jug", {"price": 3111}).status == 200
    new = buyer.checkout("sku_jug")
    assert new.json()["total"] == 3111
    again = buyer.get(f"/api/orders/{old.json()['id']}").json()
    assert again["total"] == old.json()["total"] == 2900


# ---- where the boundary is easiest to miss -----------------------------------------------------------------------
def test_what_is_sent_in_the_query_or_a_header_is_no_price(shop, buyer):
    with nothing_changes(shop):
        answer = buyer.post("/api/checkout?price=1", {"lines": [{"itemId": "sku_bowl", "quantity": 1}]}, key=new_key())
    assert answer.status == 422
    order = buyer.call("POST", "/api/checkout", {"lines": [{"itemId": "sku_bowl", "quantity": 1}]}, key=new_key(),
                       fields={"X-Price": "1", "X-HTTP-Method-Override": "GET"})  # fmt: skip
    assert order.status == 201 and order.json()["total"] == 3200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/xml", "text/json"])
def test_another_media_type_is_not_read(shop, buyer, kind):
    with nothing_changes(shop):
        answer = buyer.post("/api/checkout", raw=body(), key=new_key(), fields={"Content-Type": kind})
    assert answer.status == 415
