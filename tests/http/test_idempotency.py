"""A key is one order: the same bytes again, whatever happened in between."""

import concurrent.futures
import os
import signal
import time

import pytest
from caller import PASSWORD, Caller, admin, customer, new_email, new_key


@pytest.fixture(scope="module")
def buyer(shop):
    return customer(shop)


def order_count(caller):
    return len(caller.get("/api/orders?limit=50").json()["orders"])


def test_a_retry_gets_the_same_bytes(shop):
    caller, key = customer(shop), new_key()
    first, second = caller.checkout(key=key), caller.checkout(key=key)
    third = Caller(shop, caller.cookie).checkout(key=f'"{key}"')  # a structured field: the same key
    assert first.status == second.status == third.status == 201
    assert first.body == second.body == third.body
    assert order_count(caller) == 1


def test_the_stored_reply_is_sent_even_when_nothing_is_left(shop):
    caller, key = customer(shop), new_key()
    first = caller.checkout("sku_stool", 14, key=key)
    assert first.status == 201
    assert caller.checkout("sku_stool", 1).status == 409
    assert caller.checkout("sku_stool", 14, key=key).body == first.body


def test_a_key_with_another_payload_is_refused(buyer):
    key = new_key()
    assert buyer.checkout("sku_bowl", 1, key=key).status == 201
    answer = buyer.checkout("sku_bowl", 2, key=key)
    assert answer.status == 422, answer
    assert "key" in answer.json()["detail"].lower()


@pytest.mark.parametrize("key", ["", " ", '""', '"', "a\tb", "ä", "x" * 256, '"a"b', "\x01"])
def test_a_key_that_is_none(shop, buyer, key):
    before = order_count(buyer)
    fields = {"Idempotency-Key": key.encode("latin-1", "replace")}
    answer = buyer.post("/api/checkout", {"lines": [{"itemId": "sku_bowl", "quantity": 1}]}, fields=fields)
    assert answer.status == 400, answer
    assert order_count(buyer) == before


def test_the_key_is_demanded(buyer):
    answer = buyer.post("/api/checkout", {"lines": [{"itemId": "sku_bowl", "quantity": 1}]})
    assert answer.status == 400 and "Idempotency-Key" in answer.json()["detail"]


@pytest.mark.parametrize("key", ["a-key", '"a-key"', "", "ä"])
def test_a_key_where_none_is_kept_is_refused(shop, key):
    """A balancer would repeat what carries one, and it would be done twice."""
    keeper, fields = admin(shop), {"Idempotency-Key": key.encode("latin-1")}
    name = keeper.get("/api/items/sku_bowl").json()["name"]
    for method, path, value in [
        ("PATCH", "/api/admin/items/sku_bowl", {"name": "A bowl of another name"}),
        ("POST", "/api/accounts", {"email": new_email(), "password": PASSWORD, "name": "A Customer"}),
    ]:
        answer = keeper.call(method, path, value, fields=fields)
        assert answer.status == 400 and "takes no Idempotency-Key" in answer.json()["detail"], answer
    assert keeper.get("/api/items/sku_bowl").json()["name"] == name


def test_a_key_says_nothing_new_of_what_may_come_twice_anyway(shop):
    buyer, fields = customer(shop), {"Idempotency-Key": "a-key"}
    assert buyer.get("/api/items", fields=fields).status == 200
    assert buyer.call("HEAD", "/api/items", fields=fields).status == 200
    assert buyer.call("DELETE", "/api/sessions/current", fields=fields).status == 204


def test_the_longest_key_is_one(buyer):
    assert buyer.checkout(key="x" * 255).status == 201


def test_a_refusal_is_not_stored(shop, buyer):
    key = new_key()
    assert buyer.checkout("sku_mirror", 99, key=key).status == 409
    assert buyer.checkout("sku_bowl", 1, key=key).status == 201


def test_two_at_the_same_time_are_one_order(shop):
    caller = customer(shop)
    for _ in range(10):
        key = new_key()
        callers = [Caller(shop, caller.cookie) for _ in range(8)]
        with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
            answers = list(pool.map(lambda one, key=key: one.checkout("sku_candles", key=key), callers))
        assert {answer.status for answer in answers} == {201}
        assert len({answer.body for answer in answers}) == 1
    assert order_count(caller) == 10


def test_the_reply_outlives_the_data_role_and_the_server(make_shop):
    server = make_shop(workers=1, flags=["--limit-scale", "1000"])
    caller, key = customer(server), new_key()
    first = caller.checkout(key=key)
    os.kill(server.roles("data")[0], signal.SIGKILL)
    for _ in range(200):
        again = caller.checkout(key=key)
        if again.status != 503:
            break
        time.sleep(0.02)
    assert again.body == first.body
    caller.close()
    server.kill()
    server.start()
    assert caller.checkout(key=key).body == first.body
    assert order_count(caller) == 1
