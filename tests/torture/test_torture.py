"""Memory runs out and calls of the kernel fail, at every place of the data path, one after the other.

The n-th allocation or the n-th system call of the data role fails, for n = 1, 2, 3 … until a request needs fewer; once alone, and once
with all that follow it. Each time the caller gets an outcome that is named and true ("nothing was done" means that), the same
process serves on, and what is sent again under the same key is there exactly once. Sanitizers watch, for leaks too.
"""

import contextlib
import json
import re
import sqlite3
import subprocess

import ledger
import pytest
from caller import PASSWORD, Caller, admin, customer, new_email, new_key
from provider import SECRET, tell
from server import ROOT, build_dir
from torture import Tortured, each_fault, says_nothing_was_done, soon, torture

BINARY = build_dir() / "shop-torture"
MIGRATIONS = len(list((ROOT / "apps" / "shop" / "migrations").iterdir()))

pytestmark = pytest.mark.skipif(not BINARY.exists(), reason=f"{BINARY.name} is in the sanitizers' build only")


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    folder = tmp_path_factory.mktemp("torture")
    (folder / "events.secret").write_text(SECRET)
    tortured = Tortured(folder, BINARY, flags=["--secret", "payment-events=@events.secret"]).start()
    tortured.keeper = admin(tortured)
    for item in ("sku_bowl", "sku_jug"):
        assert tortured.keeper.call("PATCH", f"/api/admin/items/{item}", {"stock": 100000}).status == 200
    tortured.buyer, tortured.answers = customer(tortured), []
    tortured.stock_before = ledger.stock_of(tortured.database_path)
    with tortured.living_to_the_end():
        yield tortured
    assert ledger.faults(ledger.books_of_sqlite(tortured.database_path), tortured.answers, tortured.stock_before) == []


# ---- what is asked ------------------------------------------------------------------------------------------------------------
@contextlib.contextmanager
def a_read(server, failing):
    with failing():
        answer = server.buyer.get("/api/items/sku_bowl")
    assert answer.status in (200, 500, 503), answer
    yield
    assert soon(lambda: server.buyer.get("/api/items/sku_bowl"), {200}).json()["id"] == "sku_bowl"


def has_key(server, key):
    with ledger.read(server.database_path) as db:
        return db.execute("SELECT count(*) FROM limen_keys WHERE key = ?", [key]).fetchone()[0] == 1


@contextlib.contextmanager
def a_checkout(server, failing):
    key, buyer = new_key(), server.buyer
    with failing():
        first = buyer.checkout(key=key)
    assert first.status in (201, 500, 503), first
    assert not (says_nothing_was_done(first) and has_key(server, key)), first
    yield
    again = soon(lambda: buyer.checkout(key=key), {201})
    assert first.status != 201 or first.body == again.body
    assert buyer.checkout(key=key).body == again.body, "one key, one order"
    server.answers.append(ledger.Answer(buyer.account, key, again.body))


@contextlib.contextmanager
def a_change(server, failing):
    keeper, path = server.keeper, "/api/admin/items/sku_jug"
    before = soon(lambda: keeper.get("/api/items/sku_jug"), {200}).json()["price"]
    wanted = before % 1000 + 1
    with failing():
        answer = keeper.call("PATCH", path, {"price": wanted})
    assert answer.status in (200, 500, 503), answer
    yield
    after = soon(lambda: keeper.get("/api/items/sku_jug"), {200}).json()["price"]
    assert after == wanted or answer.status != 200
    assert after == before or not says_nothing_was_done(answer), answer


@contextlib.contextmanager
def a_sign_up(server, failing):
    account = {"email": new_email(), "password": PASSWORD, "name": "A Customer"}
    with failing():
        first = Caller(server).post("/api/accounts", account)
    assert first.status in (201, 500, 503), first
    yield
    again = soon(lambda: Caller(server).post("/api/accounts", account), {201, 409})
    assert again.status == (201 if says_nothing_was_done(first) else again.status), (first, again)
    assert first.status != 201 or again.status == 409
    wanted = {"email": account["email"], "password": PASSWORD}
    signed_in = soon(lambda: Caller(server).post("/api/sessions", wanted), {201})
    assert signed_in.json()["name"] == "A Customer"


@contextlib.contextmanager
def a_sign_in(server, failing):
    wanted = {"email": server.buyer.email, "password": PASSWORD}
    with failing():
        answer = Caller(server).post("/api/sessions", wanted)
    assert answer.status in (201, 500, 503), "a right password is never told to be wrong"
    yield
    assert soon(lambda: Caller(server).post("/api/sessions", wanted), {201}).json()["id"] == server.buyer.account


@contextlib.contextmanager
def an_event(server, failing):
    event_id = f"evt_{new_key().replace('-', '')}"
    body = json.dumps({"id": event_id, "type": "customer.created", "data": {"object": {"id": "cus_1"}}}).encode()
    with failing():
        first = tell(server, body)
    assert first.status in (204, 500, 503), first
    yield
    assert soon(lambda: tell(server, body), {204}).status == 204
    with ledger.read(server.database_path) as db:
        assert db.execute("SELECT count(*) FROM payment_events WHERE id = ?", [event_id]).fetchone()[0] == 1


@each_fault
@pytest.mark.parametrize("attempt", [a_read, a_checkout, a_change, a_sign_up, a_sign_in, an_event])
def test_whatever_fails_is_told_and_done_once(server, attempt, fault, lasts):
    failed = torture(server, fault, lasts, attempt)
    print(f"{attempt.__name__}: failed at {failed} places")
    assert failed >= 2, "nothing has failed"
    server.assert_clean()
    assert ledger.faults(ledger.books_of_sqlite(server.database_path), server.answers, server.stock_before) == []


# ---- a migration at start ---------------------------------------------------------------------------------------------------------
def migrate(folder, torture=None):
    env = {"ASAN_OPTIONS": "detect_leaks=1:detect_stack_use_after_return=0", "PATH": "/usr/bin:/bin"}
    run = subprocess.run([BINARY, "migrate", "--database", f"sqlite:{folder}/shop.db", "--apply"], cwd=folder, capture_output=True, text=True,
                         timeout=60, env=env | ({"LIMEN_TORTURE": torture} if torture else {}))  # fmt: skip
    assert "Sanitizer" not in run.stderr and "runtime error" not in run.stderr, run.stderr
    fired = re.search(r"torture: (\d+) fired", run.stderr)
    return run, int(fired[1]) if fired else 0


def applied_in(path):
    """How many migrations the database has, and whether its tables agree."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        applied = db.execute("SELECT count(*) FROM limen_migrations").fetchone()[0] if "limen_migrations" in tables else 0
        assert ("orders" in tables) == (applied >= 1), "a migration is there in part"
        assert applied < 2 or db.execute("SELECT count(*) FROM items").fetchone() == (24,)
    return applied


@pytest.mark.parametrize("kind", ["memory {}", "memory {} lasts", "kernel {}", "kernel {} lasts"])
def test_a_migration_that_fails_leaves_none_of_itself(tmp_path, kind):
    number, failed = 1, 0
    while True:
        folder = tmp_path / str(number)
        folder.mkdir()
        run, fired = migrate(folder, kind.format(number))
        if not fired:
            assert run.returncode == 0, run.stderr
            break
        failed += 1
        assert run.returncode in (0, 1, 2) and (run.returncode == 0 or len(run.stderr.splitlines()) > 1), run
        if (folder / "shop.db").exists() and (folder / "shop.db").stat().st_size > 0:
            applied = applied_in(folder / "shop.db")
            assert run.returncode != 0 or applied == MIGRATIONS
        again, _ = migrate(folder)
        assert again.returncode == 0 and applied_in(folder / "shop.db") == MIGRATIONS, again.stderr
        number += max(1, number // 3)
    print(f"{kind}: failed at {failed} of {number} places")
    assert failed >= 10
