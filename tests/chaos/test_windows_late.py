"""The windows that a day opens: somebody comes again when a key has been forgotten, here or at the provider.

The one idea: while nobody is there, what is written in the database is made older; whoever starts finds it as old as that.
"""

import contextlib
import sqlite3

import pytest
from limen_chaos.process import wait_for
from limen_chaos.topology import Shape
from server import build_dir
from shop import Shop
from stage import Stage

HOUR_S, SETTLED_S = 3600, 60


@pytest.fixture
def stage(tmp_path):
    it = Stage(tmp_path / "run", Shape(build_dir() / "shop", workers=1, flags=Shop.flags), has_provider=True)
    yield it
    it.close()


def age(stage, statement, key):
    with contextlib.closing(sqlite3.connect(stage.topology.sqlite_path)) as db:
        assert db.execute(statement, (key,)).rowcount == 1
        db.commit()


def reply_to(stage, key):
    stage.wait(stage.order(key))
    assert stage.run.surprises == []
    return stage.run.history.keyed()[stage.who, key][-1]


def order_then_wait(stage, key, hours):
    """What is answered to the key at once, and when it is asked again so many hours later."""
    first = reply_to(stage, key)
    assert wait_for(lambda: stage.shop.unsettled(stage.run) == 0, SETTLED_S)
    stage.kill("all")
    age(stage, f"UPDATE limen_keys SET created_at = created_at - {hours * HOUR_S * 1000000} WHERE key = ?", key)
    stage.revive()
    assert wait_for(lambda: stage.has_key(key) == (hours <= 24), SETTLED_S)  # what is older is forgotten soon after the start
    return first, reply_to(stage, key)


def test_a_key_is_known_for_a_day(stage):
    first, again = order_then_wait(stage, "a-day", 24)
    assert (again.status, again.body) == (first.status, first.body) and stage.orders() == 1
    assert stage.shop.check(stage.run) == []


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
    age(stage, f"UPDATE limen_outbox SET sent_at = sent_at - {24 * HOUR_S * 1000000}, due_at = 0, lease_until = 0 WHERE key = ?", f"charge/{order}")
    provider.command += ["--keep-keys", "0"]
    stage.revive()
    assert wait_for(lambda: stage.state_of(order) == "paid", SETTLED_S), stage.state_of(order)
    assert len(stage.charges_of(order)) == 1
    assert stage.run.surprises == [] and stage.shop.check(stage.run) == []
