"""The shop's orders are paid, fail or are refunded as the provider says, and whatever goes wrong money is taken once.

On SQLite; test_postgres_pays.py runs the same on PostgreSQL.
"""

import http.client
import json
import os
import signal
import subprocess
import time

import pytest
from caller import Caller, admin, customer, new_key
from provider import HOOK, PayingShop, tell
from server import Server, wait_for


@pytest.fixture(scope="module")
def new_database():
    """new_database() gives the URL of an empty one; None is SQLite's in the server's own folder."""
    return lambda: None


@pytest.fixture(scope="module")
def shop(new_database, tmp_path_factory):
    with PayingShop(tmp_path_factory.mktemp("pays"), database=new_database()) as it:
        yield it


@pytest.fixture(autouse=True)
def behaves(request):
    """What one test has told the provider is no matter of the next."""
    yield
    if "shop" in request.fixturenames:
        request.getfixturevalue("shop").provider.behave()


@pytest.fixture
def own_shop(new_database, tmp_path):
    with PayingShop(tmp_path, database=new_database()) as it:
        yield it


def order_with(caller, method=None, item="sku_bowl", quantity=1):
    body = {"lines": [{"itemId": item, "quantity": quantity}]}
    if method:
        body["paymentMethod"] = method
    answer = caller.post("/api/checkout", body, key=new_key())
    assert answer.status == 201, answer
    assert answer.json()["state"] == "placed"
    return answer.json()


def state_of(caller, order):
    """As the shop tells it; what it says instead when a part of it has just died."""
    try:
        answer = caller.get(f"/api/orders/{order['id']}")
    except (http.client.HTTPException, OSError):
        return "no answer"
    return answer.json()["state"] if answer.status == 200 else f"status {answer.status}"


def becomes(caller, order, state, seconds=20):
    assert wait_for(lambda: state_of(caller, order) == state, seconds), state_of(caller, order)


def stock_of(caller, item="sku_bowl"):
    return caller.get(f"/api/items/{item}").json()["stock"]


def stays(what, seconds=1.0):
    """True when it is so all the time."""
    return not wait_for(lambda: not what(), seconds)


# ---- paid ---------------------------------------------------------------------------------------------------------------


def test_an_order_is_paid_soon_after_it_was_placed(shop):
    buyer = customer(shop)
    order = order_with(buyer, quantity=2)
    becomes(buyer, order, "paid")
    (charge,) = shop.provider.charges(order["id"])
    assert (charge["amount"], charge["currency"], charge["amount_refunded"]) == (order["total"], "eur", 0)


def test_a_retried_checkout_is_charged_once(shop):
    buyer, key = customer(shop), new_key()
    first = buyer.checkout(key=key)
    becomes(buyer, first.json(), "paid")
    second = buyer.checkout(key=key)
    assert second.body == first.body  # `placed`, as it was told; the order itself tells more
    assert state_of(buyer, first.json()) == "paid"
    assert len(shop.provider.charges(first.json()["id"])) == 1


def test_a_bank_that_takes_its_time_is_waited_for(shop):
    shop.provider.behave(settle_ms=1500)
    buyer = customer(shop)
    order = order_with(buyer, "pm_sandbox_processing")
    becomes(buyer, order, "paying")
    assert shop.provider.charges(order["id"]) == []
    becomes(buyer, order, "paid")


def test_what_nobody_can_be_charged_for_is_no_order(shop):
    """It would hold its stock until an operator has looked at its charge."""
    buyer, keeper = customer(shop), admin(shop)
    items = {"sku_pin": (7, 1000), "sku_yacht": (33_333_333, 10), "sku_island": (100_000_000, 1)}
    for item, (price, stock) in items.items():
        new = {"id": item, "name": item, "description": "At its price.", "price": price, "currency": "EUR", "stock": stock}
        assert keeper.post("/api/admin/items", new).status == 201
    for item, quantity in [("sku_pin", 7), ("sku_yacht", 4), ("sku_island", 1)]:
        answer = buyer.post("/api/checkout", {"lines": [{"itemId": item, "quantity": quantity}]}, key=new_key())
        assert (answer.status, "999999.99" in answer.json().get("detail", "")) == (409, True), answer
        assert stock_of(buyer, item) == items[item][1]
    for item, quantity in [("sku_pin", 8), ("sku_yacht", 3)]:
        becomes(buyer, order_with(buyer, None, item, quantity), "paid")


# ---- declined ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["pm_card_chargeDeclined", "pm_sandbox_processingDeclined", "pm_of_nobody"])
def test_a_declined_order_gives_its_stock_back(shop, method):
    buyer = customer(shop)
    before = stock_of(buyer)
    order = order_with(buyer, method, quantity=3)
    becomes(buyer, order, "payment_failed")
    assert stock_of(buyer) == before
    assert shop.provider.charges(order["id"]) == []


def test_the_last_piece_can_be_sold_after_a_decline(shop):
    first, second = customer(shop), customer(shop)
    left = stock_of(first, "sku_stool")
    failed = order_with(first, "pm_card_chargeDeclined", "sku_stool", left)
    becomes(first, failed, "payment_failed")
    becomes(second, order_with(second, None, "sku_stool", left), "paid")


def test_a_declined_order_does_not_wait_for_room_in_the_stock(shop):
    buyer, keeper = customer(shop), admin(shop)
    order = order_with(buyer, "pm_sandbox_processingDeclined", "sku_clock")
    assert keeper.call("PATCH", "/api/admin/items/sku_clock", {"stock": 1000000}).status == 200
    becomes(buyer, order, "payment_failed")
    assert stock_of(buyer, "sku_clock") == 1000000


# ---- refunds -------------------------------------------------------------------------------------------------------------


def refund(caller, order, key=None):
    return caller.post(f"/api/admin/orders/{order['id']}/refund", key=key or new_key())


def test_a_refund_gives_all_of_it_back_once(shop):
    buyer, keeper, key = customer(shop), admin(shop), new_key()
    order = order_with(buyer)
    becomes(buyer, order, "paid")
    before = stock_of(buyer)
    answer = refund(keeper, order, key)
    assert answer.status == 202, answer
    assert (answer.json()["state"], answer.json()["refunding"]) == ("paid", True)
    becomes(buyer, order, "refunded")
    assert refund(keeper, order, key).body == answer.body
    assert refund(keeper, order).status == 409
    (charge,) = shop.provider.charges(order["id"])
    assert charge["amount_refunded"] == order["total"]
    assert "refunding" not in keeper.get(f"/api/admin/orders/{order['id']}").json()
    assert stock_of(buyer) == before  # what was sent is not back on its shelf


def test_only_the_shopkeeper_refunds_and_only_what_is_paid(shop):
    buyer, keeper = customer(shop), admin(shop)
    failed = order_with(buyer, "pm_card_chargeDeclined")
    becomes(buyer, failed, "payment_failed")
    assert refund(keeper, failed).status == 409
    assert refund(buyer, failed).status == 403
    assert refund(Caller(shop), failed).status == 401
    assert refund(keeper, {"id": "ord_" + "0" * 26}).status == 404
    assert keeper.post(f"/api/admin/orders/{failed['id']}/refund").status == 400  # without a key


def test_two_refunds_at_once_are_one(shop):
    buyer = customer(shop)
    order = order_with(buyer)
    becomes(buyer, order, "paid")
    statuses = sorted(refund(admin(shop), order).status for _ in range(3))
    assert statuses == [202, 409, 409]
    becomes(buyer, order, "refunded")


# ---- a provider that misbehaves --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fault", [{"drop": 2}, {"drop_early": 2}, {"fail": 2}, {"fail_late": 2}, {"late_ms": 1500}, {"slow_ms": 1500}])
def test_money_is_taken_once_whatever_becomes_of_the_answer(shop, fault):
    shop.provider.behave(**fault, webhook_times=0)
    buyer = customer(shop)
    order = order_with(buyer)
    becomes(buyer, order, "paid", 40)
    (charge,) = shop.provider.charges(order["id"])
    assert charge["amount"] == order["total"]


@pytest.mark.parametrize("told", [
    {"webhook_times": 2},
    {"webhook_times": 0},
    {"webhook_early": True, "webhook_times": 2, "late_ms": 300},
    {"webhook_delay_ms": {"payment_intent.created": 900, "*": 300}},
    {"processing": 1, "settle_ms": 200, "webhook_delay_ms": {"payment_intent.processing": 1500, "payment_intent.succeeded": 0}},
])  # fmt: skip
def test_events_come_as_they_like_and_lead_no_order_back(shop, told):
    shop.provider.behave(**told)
    buyer = customer(shop)
    order = order_with(buyer)
    becomes(buyer, order, "paid", 40)
    assert stays(lambda: state_of(buyer, order) == "paid", 2)
    assert len(shop.provider.charges(order["id"])) == 1


def test_a_provider_that_is_down_is_waited_for(own_shop):
    buyer = customer(own_shop)
    own_shop.provider.kill()
    order = order_with(buyer)
    assert stays(lambda: state_of(buyer, order) == "placed", 1.5)
    own_shop.provider.start()
    becomes(buyer, order, "paid", 60)
    assert len(own_shop.provider.charges(order["id"])) == 1


@pytest.mark.parametrize("role", ["outbound", "data", "worker"])
def test_whoever_dies_while_money_is_taken_it_is_taken_once(own_shop, role):
    own_shop.provider.behave(late_ms=400)
    buyer = customer(own_shop)
    orders = [order_with(buyer) for _ in range(3)]
    assert wait_for(lambda: own_shop.provider.charges())
    for pid in own_shop.roles(role):
        os.kill(pid, signal.SIGKILL)
    own_shop.provider.behave()
    for order in orders:
        becomes(Caller(own_shop, buyer.cookie), order, "paid", 60)
        assert len(own_shop.provider.charges(order["id"])) == 1


def test_orders_are_paid_after_everything_was_killed(own_shop):
    buyer = customer(own_shop)
    own_shop.provider.behave(slow_ms=700)
    order = order_with(buyer)
    Server.kill(own_shop)
    own_shop.provider.behave()
    Server.start(own_shop)
    becomes(Caller(own_shop, buyer.cookie), order, "paid", 60)
    assert len(own_shop.provider.charges(order["id"])) == 1


# ---- events that nobody has sent ------------------------------------------------------------------------------------------


def event_of(order, kind, payment="pi_of_nobody", event_id=None):
    return json.dumps({
        "id": event_id or f"evt_{new_key().replace('-', '')[:40]}", "object": "event", "type": kind,
        "data": {"object": {"id": payment, "object": "payment_intent", "metadata": {"order_id": order["id"]}}},
    }).encode()  # fmt: skip


def test_a_forged_event_is_refused_and_changes_nothing(shop):
    shop.provider.behave(settle_ms=60_000)
    buyer = customer(shop)
    order = order_with(buyer, "pm_sandbox_processing")
    body = event_of(order, "payment_intent.succeeded")
    assert tell(shop, body, secret="whsec_of_others").status == 401
    assert tell(shop, body, at=int(time.time()) - 301).status == 401
    assert Caller(shop).post(HOOK, raw=body).status == 401
    assert stays(lambda: state_of(buyer, order) != "paid", 1)


def test_an_event_is_a_hint_and_pays_nothing(shop):
    """Even one that is signed: the provider is asked, and says that it has no money yet."""
    shop.provider.behave(settle_ms=60_000)
    buyer = customer(shop)
    order = order_with(buyer, "pm_sandbox_processing")
    becomes(buyer, order, "paying")
    body = event_of(order, "payment_intent.succeeded")
    assert [tell(shop, body).status for _ in range(3)] == [204, 204, 204]
    assert stays(lambda: state_of(buyer, order) == "paying", 1)


def test_events_of_orders_that_are_not_there_are_taken_and_forgotten(shop):
    assert tell(shop, event_of({"id": "ord_" + "0" * 26}, "payment_intent.succeeded")).status == 204
    body = json.dumps({"id": "evt_else", "type": "customer.created", "data": {"object": {"id": "cus_1"}}}).encode()
    assert tell(shop, body).status == 204


@pytest.mark.parametrize("name", ["1234", "", "ord_" + "x" * 496, "ord-1 of another shop's, \u00e9"])
def test_events_of_others_who_share_the_account_are_taken_and_forgotten(shop, name):
    """The provider tells what nobody takes for three days, and then gives the endpoint up."""
    assert tell(shop, event_of({"id": name}, "payment_intent.succeeded")).status == 204
    assert tell(shop, event_of({"id": name}, "payment_intent.processing")).status == 204


# ---- what an operator has given up -------------------------------------------------------------------------------------------


def effects(server, *words):
    done = subprocess.run([server.binary, "effects", *words, "--database", server.database], capture_output=True, text=True,
                          env={"ASAN_OPTIONS": "detect_leaks=0"}, timeout=30)  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def order_that_cannot_be_charged(shop, buyer):
    button = {"id": "sku_button", "name": "Button", "description": "Of brass.", "price": 700, "currency": "EUR", "stock": 5}
    assert admin(shop).post("/api/admin/items", button).status in (201, 409)  # there is one already
    shop.provider.behave(refuse=1)
    order = order_with(buyer, item="sku_button")
    assert wait_for(lambda: order["id"] in effects(shop, "list", "--dead"))
    assert state_of(buyer, order) == "placed" and stock_of(buyer, "sku_button") == 4
    return order


def give_up(shop, buyer, order):
    effects(shop, "drop", effects(shop, "list", "--dead").split()[0])
    becomes(buyer, order, "payment_failed")
    assert stock_of(buyer, "sku_button") == 5


def pays_by_another_way(shop, order):
    shop.provider.behave(webhook_times=3)
    assert shop.provider.pay(order["id"], amount=700).status == 200


def assert_given_back(shop, buyer, order):
    assert wait_for(lambda: shop.provider.charges(order["id"])[0]["amount_refunded"] == 700, 20)
    assert state_of(buyer, order) == "payment_failed"
    assert wait_for(lambda: order["id"] not in effects(shop, "list"))


def test_a_payment_that_was_given_up_and_is_taken_after_all_is_given_back(shop):
    buyer = customer(shop)
    order = order_that_cannot_be_charged(shop, buyer)
    give_up(shop, buyer, order)
    pays_by_another_way(shop, order)
    assert_given_back(shop, buyer, order)


def test_a_payment_of_which_an_event_told_before_it_was_given_up_is_given_back(shop):
    buyer = customer(shop)
    order = order_that_cannot_be_charged(shop, buyer)
    shop.provider.behave(webhook_times=0)
    payment = shop.provider.pay(order["id"], amount=700).json()["id"]
    assert tell(shop, event_of(order, "payment_intent.succeeded", payment)).status == 204
    give_up(shop, buyer, order)
    assert_given_back(shop, buyer, order)


# ---- two payments of one order -------------------------------------------------------------------------------------------------
# The provider has forgotten the charge's key, and its search does not show what it did: it takes the money once more.


def refunded_of(shop, order):
    """Of each payment of the order, oldest first, whether it went back as a whole."""
    return [charge["amount_refunded"] == charge["amount"] for charge in shop.provider.charges(order["id"])]


def assert_one_is_kept(shop, order, expected):
    """And nothing is asked of the provider any more."""
    assert wait_for(lambda: refunded_of(shop, order) == expected, 20), shop.provider.charges(order["id"])
    assert wait_for(lambda: order["id"] not in effects(shop, "list") and "give_back" not in effects(shop, "list"))
    assert refunded_of(shop, order) == expected


def test_a_second_payment_of_a_paid_order_is_given_back(shop):
    buyer = customer(shop)
    order = order_with(buyer)
    becomes(buyer, order, "paid")
    shop.provider.behave(webhook_times=3)
    assert shop.provider.pay(order["id"], amount=order["total"]).status == 200
    assert_one_is_kept(shop, order, [False, True])
    assert state_of(buyer, order) == "paid"


def test_each_payment_too_many_is_given_back_once_however_often_it_is_told(shop):
    buyer = customer(shop)
    order = order_with(buyer)
    becomes(buyer, order, "paid")
    shop.provider.behave(webhook_times=0)
    payments = [shop.provider.pay(order["id"], amount=order["total"]).json()["id"] for _ in range(2)]
    for payment in payments:
        body = event_of(order, "payment_intent.succeeded", payment)
        assert [tell(shop, body).status for _ in range(3)] == [204, 204, 204]
        assert tell(shop, event_of(order, "payment_intent.succeeded", payment)).status == 204
    assert tell(shop, event_of(order, "payment_intent.succeeded", payments[0])).status == 409  # its effect's key is used
    assert_one_is_kept(shop, order, [False, True, True])
    assert state_of(buyer, order) == "paid"


def test_the_payment_that_paid_is_kept_whatever_is_told_of_it(shop):
    buyer = customer(shop)
    order = order_with(buyer)
    becomes(buyer, order, "paid")
    (charge,) = shop.provider.charges(order["id"])
    for _ in range(3):
        assert tell(shop, event_of(order, "payment_intent.succeeded", charge["payment_intent"])).status == 204
    assert_one_is_kept(shop, order, [False])


def test_a_second_payment_of_a_refunded_order_is_given_back(shop):
    buyer = customer(shop)
    order = order_with(buyer)
    becomes(buyer, order, "paid")
    assert refund(admin(shop), order).status == 202
    becomes(buyer, order, "refunded")
    assert shop.provider.pay(order["id"], amount=order["total"]).status == 200
    assert_one_is_kept(shop, order, [True, True])


def order_paid_behind_its_back(shop, buyer):
    """Its charge has no result yet, and an event has told of a payment."""
    order = order_that_cannot_be_charged(shop, buyer)
    shop.provider.behave(webhook_times=0)
    payment = shop.provider.pay(order["id"], amount=700).json()["id"]
    assert tell(shop, event_of(order, "payment_intent.succeeded", payment)).status == 204
    return order


def test_a_payment_that_was_told_before_another_one_paid_is_given_back(shop):
    buyer = customer(shop)
    order = order_paid_behind_its_back(shop, buyer)
    effects(shop, "retry", effects(shop, "list", "--dead").split()[0])
    becomes(buyer, order, "paid")
    assert_one_is_kept(shop, order, [True, False])
    stocked = {"stock": stock_of(buyer, "sku_button") + 1}
    assert admin(shop).call("PATCH", "/api/admin/items/sku_button", stocked).status == 200


def test_all_payments_of_an_order_that_is_given_up_are_given_back(shop):
    buyer = customer(shop)
    order = order_paid_behind_its_back(shop, buyer)
    second = shop.provider.pay(order["id"], amount=700).json()["id"]
    event = event_of(order, "payment_intent.succeeded", second)
    assert tell(shop, event).status == 409  # one at a time: it is told again
    give_up(shop, buyer, order)
    assert tell(shop, event).status == 204
    assert_one_is_kept(shop, order, [True, True])
    assert state_of(buyer, order) == "payment_failed"


# ---- without a provider ---------------------------------------------------------------------------------------------------


def test_without_a_provider_orders_stay_placed_and_the_start_says_so(make_shop):
    alone = make_shop(flags=["--limit-scale", "1000"])
    buyer = customer(alone)
    order = order_with(buyer)
    assert stays(lambda: state_of(buyer, order) == "placed", 1.5)
    assert "effects wait: no --effect-target tells where they are sent" in alone.log
