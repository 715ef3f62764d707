"""Orders that are given up, on PostgreSQL: their stock and their money go back, whoever else is at it in the same moment.

The one idea: a session of the harness's own holds a row, so that two who want it wait, in the order in which they have come; then it is
given back, and both go on.
"""

import hashlib
import hmac
import http.client
import json
import time
import urllib.parse

import pytest
from limen_chaos.process import wait_for
from limen_chaos.wire import State
from stage import SETTLED_S, Stage, shape_on

BUTTON = {"id": "sku_button", "name": "Button", "description": "Of brass.", "price": 700, "currency": "EUR", "stock": 100}


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    it = Stage(tmp_path_factory.mktemp("given-up") / "run", shape_on("postgres"), has_provider=True)
    try:
        it.add_item(BUTTON)
        yield it
    finally:
        it.close()


# ---- stock --------------------------------------------------------------------------------------------------------------


def test_stock_goes_back_in_the_order_in_which_it_is_taken(stage):
    """Whoever waits for one item has none yet that comes after it: two who did would wait for each other."""
    stage.topology.provider.behave(decline=1)
    order = stage.place_unpaid()  # of bowls and candles
    with stage.held("SELECT 1 FROM items WHERE id = 'sku_bowl' FOR UPDATE") as is_reached:
        stage.cut("provider", State.WHOLE)
        assert is_reached(), "nothing was given back"
        others = "SELECT stock FROM items WHERE id = 'sku_candles' FOR UPDATE NOWAIT"
        assert stage.topology.postgres.primary.ask(others, "app") is not None
    assert wait_for(lambda: stage.state_of(order) == "payment_failed", SETTLED_S)
    stage.assert_sound()
    stage.topology.provider.behave()


# ---- money --------------------------------------------------------------------------------------------------------------


def order_with_a_dead_charge(stage):
    stage.topology.provider.behave(refuse=1)
    order = stage.place({"lines": [{"itemId": "sku_button", "quantity": 1}]})
    assert wait_for(lambda: stage.effect_of(order)[1] == "dead", SETTLED_S)
    stage.topology.provider.behave()
    return order


def give_up(stage, order):
    done = stage.effects("drop", stage.effect_of(order)[0])
    assert done.returncode == 0, done.stderr


def pay_by_another_way(stage, order):
    """The payment's id; no event tells of it but the test's own."""
    provider = stage.topology.provider
    provider.behave(webhook_times=0)
    form = {"amount": 700, "currency": "eur", "confirm": "true", "payment_method": "pm_card_visa", "payment_method_types[]": "card",
            "metadata[order_id]": order}  # fmt: skip
    connection = http.client.HTTPConnection("127.0.0.1", provider.port, timeout=20)
    connection.request("POST", "/v1/payment_intents", urllib.parse.urlencode(form),
                       {"Authorization": f"Bearer {provider.api_key_path.read_text().strip()}",
                        "Content-Type": "application/x-www-form-urlencoded"})  # fmt: skip
    answer = connection.getresponse()
    assert answer.status == 200
    payment = json.loads(answer.read())["id"]
    connection.close()
    return payment


def event_of(order, payment):
    return {"id": f"evt_{payment}", "object": "event", "type": "payment_intent.succeeded",
            "data": {"object": {"id": payment, "object": "payment_intent", "metadata": {"order_id": order}}}}  # fmt: skip


async def tell(stage, event):
    """As the provider does: again until it was heard."""
    secret, body, at = stage.topology.provider.secret_path.read_text().strip(), json.dumps(event).encode(), int(time.time())
    mark = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    client = stage.run.client(0, [("Stripe-Signature", f"t={at},v1={mark}")])
    while (answer := await client.call("POST", "/api/webhooks/payments", event)).status in (409, 503):
        pass
    client.close()
    return answer.status


def charge_again(stage, order):
    assert stage.effects("retry", stage.effect_of(order)[0]).returncode == 0


def meet(stage, order, event, act, event_is_first):
    """An event and what `act` begins want the order's row at the same time, and get it in this order."""
    with stage.held(f"SELECT 1 FROM orders WHERE id = '{order}' FOR UPDATE") as is_reached:
        if not event_is_first:
            act()
            assert is_reached()
        told = stage.do(tell(stage, event))
        assert is_reached(1 if event_is_first else 2)
        if event_is_first:
            act()
            assert is_reached(2)
    assert stage.wait(told) == 204


@pytest.mark.parametrize("first", ["event", "operator"])
def test_what_was_taken_goes_back_when_an_event_tells_of_it_while_it_is_given_up(stage, first):
    order = order_with_a_dead_charge(stage)
    event = event_of(order, pay_by_another_way(stage, order))
    meet(stage, order, event, lambda: give_up(stage, order), event_is_first=first == "event")
    assert wait_for(lambda: stage.state_of(order) == "payment_failed", SETTLED_S), stage.state_of(order)
    assert wait_for(lambda: stage.charges_of(order)[0]["amount_refunded"] == 700, SETTLED_S), "the money was kept"


@pytest.mark.parametrize("first", ["event", "result"])
def test_what_an_event_tells_goes_back_when_the_order_is_just_paid_by_another_payment(stage, first):
    order = order_with_a_dead_charge(stage)
    event = event_of(order, pay_by_another_way(stage, order))
    meet(stage, order, event, lambda: charge_again(stage, order), event_is_first=first == "event")
    assert wait_for(lambda: stage.state_of(order) == "paid", SETTLED_S), stage.state_of(order)
    assert wait_for(lambda: [it["amount_refunded"] for it in stage.charges_of(order)] == [700, 0], SETTLED_S), stage.charges_of(order)
