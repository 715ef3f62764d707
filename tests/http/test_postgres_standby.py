"""A database that waits for a standby which is gone: a commit stands still, however long. Nobody is told that an order is placed before the
standby has it, what waits is not hurried, and what was given up does not use up the database's connections."""

import concurrent.futures
import threading
import time

import ledger
import pytest
from caller import Caller, customer, new_key
from postgres import IS_INSTALLED, Postgres
from server import wait_for

pytestmark = pytest.mark.skipif(not IS_INSTALLED, reason="postgresql-15 is not installed")

CONNECTIONS = 8
MINE = "FROM pg_stat_activity WHERE application_name = 'limen'"
WAITING = f"{MINE} AND wait_event = 'SyncRep'"


class Stalled(Postgres):
    def stall(self):
        """From now on commits wait for a standby that there is none of."""
        self._standby("nobody")

    def go_on(self):
        self._standby("")

    def _standby(self, name):
        self.ask(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.ask("SELECT pg_reload_conf()")
        shown = "SHOW synchronous_standby_names"
        assert wait_for(lambda: self.ask(shown) == name)

    def count(self, of):
        return int(self.ask(f"SELECT count(*) {of}"))


@pytest.fixture
def postgres():
    with Stalled() as server:
        yield server


@pytest.fixture
def shop(make_shop, postgres):
    flags = ["--limit-scale", "100000", "--database-connections", str(CONNECTIONS)]
    return make_shop(database=postgres.database("shop"), workers=1, flags=flags)


@pytest.fixture
def caller(shop):
    return customer(shop)


def orders_of(shop):
    return int(ledger.postgres_rows(shop.database)("SELECT count(*) FROM orders")[0][0])


def is_there_again(caller, key):
    """The same order, sent again with its key."""
    return wait_for(lambda: caller.checkout(key=key).status == 201, seconds=30)


def test_a_commit_that_waits_for_a_standby_is_not_hurried(shop, postgres, caller):
    postgres.stall()
    key = new_key()
    assert caller.checkout(key=key).status in (503, 504)
    time.sleep(4)  # past the time after which the connection is given up
    assert "canceling" not in postgres.log
    assert postgres.count(WAITING) == 1
    postgres.go_on()
    assert is_there_again(caller, key)
    assert orders_of(shop) == 1


@pytest.mark.parametrize("end", ["pg_cancel_backend", "pg_terminate_backend"])
def test_an_order_that_only_one_server_has_is_not_told_as_placed(shop, postgres, caller, end):
    postgres.stall()
    key = new_key()
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        ordered = pool.submit(caller.checkout, key=key)
        assert wait_for(lambda: postgres.count(WAITING) == 1)
        postgres.ask(f"SELECT {end}(pid) {WAITING}")
        answer = ordered.result()
    assert answer.status == 503 and answer.json()["type"].endswith("outcome-unknown"), answer
    postgres.go_on()
    assert is_there_again(caller, key)
    assert orders_of(shop) == 1


def test_commits_that_stand_still_do_not_use_up_the_connections(shop, postgres, caller):
    callers = [Caller(shop, caller.cookie) for _ in range(CONNECTIONS + 4)]
    keys, is_over = [], threading.Event()

    def insist(one):
        while not is_over.is_set():
            keys.append(new_key())
            assert one.checkout("sku_pencils", key=keys[-1]).status in (503, 504)
            time.sleep(0.1)

    postgres.stall()
    with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
        insisting = [pool.submit(insist, one) for one in callers]
        most, until = 0, time.monotonic() + 25
        while time.monotonic() < until:
            most = max(most, postgres.count(MINE))
            time.sleep(0.5)
        is_over.set()
        for one in insisting:
            one.result()
    assert most <= CONNECTIONS, "each connection that was given up has left a session behind"
    postgres.go_on()
    assert wait_for(lambda: caller.get("/api/me").status == 200, seconds=30)
    answers = [caller.checkout("sku_pencils", key=key).status for key in keys[: 4 * len(callers)]]
    assert set(answers) <= {201, 409}
