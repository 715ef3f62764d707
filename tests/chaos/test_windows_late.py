"""The windows that a day opens: somebody comes again when a key has been forgotten, here or at the provider.

The one idea: while nobody is there, what is written in the database is made older; whoever starts finds it as old as that.
"""

import pytest
from limen_chaos.process import wait_for
from stage import DATABASES, SETTLED_S, Stage, shape_on

HOUR_S = 3600


@pytest.fixture(params=DATABASES)
def stage(request, tmp_path):
    it = Stage(tmp_path / "run", shape_on(request.param), has_provider=True)
    yield it
    it.close()


def ago(column, hours):
    return f"{column} = {column} - {hours * HOUR_S * 1000000}"


def reply_to(stage, key):
    stage.wait(stage.order(key))
    assert stage.run.surprises == []
    return stage.run.history.keyed()[stage.who, key][-1]


def order_then_wait(stage, key, hours):
    """What is answered to the key at once, and when it is asked again so many hours later."""
    first = reply_to(stage, key)
    assert wait_for(lambda: stage.shop.unsettled(stage.run) == 0, SETTLED_S)
    stage.kill("all")
    stage.change(f"UPDATE limen_keys SET {ago('created_at', hours)} WHERE key = '{key}'")
    stage.revive()
    assert wait_for(lambda: stage.has_key(key) == (hours <= 24), SETTLED_S)  # what is older is forgotten soon after the start
    return first, reply_to(stage, key)


def test_a_key_is_known_for_a_day(stage):
    first, again = order_then_wait(stage, "a-day", 24)
    assert (again.status, again.body) == (first.status, first.body) and stage.orders() == 1
    stage.assert_sound()


def test_a_retry_after_the_key_has_been_forgotten_is_an_order_of_its_own(stage):
    """Paid as such, and the first is as it was: what is long over is not charged again."""
    first, again = order_then_wait(stage, "too-late", 26)
    assert again.status == 201 and again.body != first.body and stage.orders() == 2
    assert wait_for(lambda: stage.shop.unsettled(stage.run) == 0, SETTLED_S)
    charged = [charge["metadata"]["order_id"] for charge in stage.topology.provider.charges()]
    assert sorted(charged) == sorted(row[0] for row in stage.shop.rows(stage.run)("SELECT id FROM orders WHERE state = 'paid'"))
    assert len(charged) == 2


def test_a_charge_is_looked_for_when_the_provider_has_forgotten_its_key(stage):
    """It was done, the answer was lost, and nobody came for a day: sent again, it would be done again."""
    provider = stage.topology.provider
    provider.behave(drop=-1, webhook_times=0)
    order = stage.place()
    assert wait_for(lambda: stage.charges_of(order), SETTLED_S)
    stage.kill("all")
    stage.kill("provider")
    stage.change(f"UPDATE limen_outbox SET {ago('sent_at', 24)}, due_at = 0, lease_until = 0 WHERE key = 'charge/{order}'")
    provider.command += ["--keep-keys", "0"]
    stage.revive()
    assert wait_for(lambda: stage.state_of(order) == "paid", SETTLED_S), stage.state_of(order)
    assert len(stage.charges_of(order)) == 1
    stage.assert_sound()


def stock_of_bowls(stage):
    return stage.shop.rows(stage.run)("SELECT stock FROM items WHERE id = 'sku_bowl'")[0][0]


def test_a_reservation_does_not_end_while_nobody_knows_whether_it_was_paid(stage):
    """It was, and the provider says so neither at once nor for an hour. No operator may give the order up by mistake."""
    provider = stage.topology.provider
    provider.behave(drop=-1, webhook_times=0)
    order, reserved = stage.place(), stock_of_bowls(stage)
    assert wait_for(lambda: stage.charges_of(order), SETTLED_S)
    effect = stage.effect_of(order)[0]
    assert stage.effects("drop", effect, "--although-sent").returncode == 1, "given up while it is worked on"
    stage.kill("all")
    stage.change(f"UPDATE limen_outbox SET {ago('sent_at', 2)}, attempts = 30, due_at = 0, lease_until = 0 WHERE id = '{effect}'")
    stage.revive()
    assert wait_for(lambda: stage.effect_of(order)[1] == "dead", SETTLED_S), stage.effect_of(order)
    assert stage.effects("drop", effect).returncode == 1, "given up while it may have been paid"
    assert stage.state_of(order) == "placed" and stock_of_bowls(stage) == reserved
    provider.behave(webhook_times=0)
    assert stage.effects("retry", effect).returncode == 0
    stage.assert_settled(order)
