"""The same on PostgreSQL: an order is paid, fails, takes its time, is refunded; and whoever dies, money is taken once."""

import os
import signal

import pytest
from caller import Caller, admin, customer, new_key
from postgres import IS_INSTALLED, Postgres
from provider import PayingShop
from server import wait_for

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="PostgreSQL 15 is not installed")


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    with Postgres() as postgres, PayingShop(tmp_path_factory.mktemp("pays"), database=postgres.database("shop")) as it:
        yield it


def order_with(caller, method=None, quantity=1):
    body = {"lines": [{"itemId": "sku_bowl", "quantity": quantity}]} | ({"paymentMethod": method} if method else {})
    answer = caller.post("/api/checkout", body, key=new_key())
    assert answer.status == 201, answer
    return answer.json()["id"]


def becomes(caller, order, state, seconds=20):
    """Also while a part of the shop has just died."""
    return wait_for(lambda: caller.get(f"/api/orders/{order}").json().get("state") == state, seconds)


def test_orders_go_where_the_provider_says(shop):
    buyer, keeper = customer(shop), admin(shop)
    stock = buyer.get("/api/items/sku_bowl").json()["stock"]
    paid, declined = order_with(buyer), order_with(buyer, "pm_card_chargeDeclined", 2)
    assert becomes(buyer, paid, "paid") and becomes(buyer, declined, "payment_failed")
    assert buyer.get("/api/items/sku_bowl").json()["stock"] == stock - 1
    shop.provider.behave(settle_ms=1500)
    late = order_with(buyer, "pm_sandbox_processing")
    assert becomes(buyer, late, "paying") and becomes(buyer, late, "paid")
    assert keeper.post(f"/api/admin/orders/{paid}/refund", key=new_key()).status == 202
    assert becomes(buyer, paid, "refunded")
    assert [charge["amount_refunded"] for charge in shop.provider.charges(paid)] == [3200]
    assert shop.provider.charges(declined) == []


def test_whoever_dies_while_money_is_taken_it_is_taken_once(shop):
    buyer = customer(shop)
    for role in ("outbound", "data"):
        shop.provider.behave(late_ms=400, drop=1)
        orders = [order_with(buyer) for _ in range(3)]
        assert wait_for(lambda made=orders: shop.provider.charges(made[0]))
        for pid in shop.roles(role):
            os.kill(pid, signal.SIGKILL)
        shop.provider.behave()
        for order in orders:
            assert becomes(Caller(shop, buyer.cookie), order, "paid", 60)
            assert len(shop.provider.charges(order)) == 1
