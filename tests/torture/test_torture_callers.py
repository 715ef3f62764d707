"""The same for tokens, API keys and interactive transactions, in apps of their own.

Besides what every call is held to: a good credential is never told to be bad, and a bad one is let in by no failure.
"""

import contextlib
import time

import ledger
import pytest
from caller import Caller, new_key
from server import ROOT, build_dir
from tokens import SigningKey, key_set, public_set, token
from torture import Tortured, build_tortured_app, each_fault, says_nothing_was_done, soon, torture

APPS = ROOT / "tests" / "http"

pytestmark = pytest.mark.skipif(not (build_dir() / "shop-torture").exists(), reason="the sanitizers' build only")


# ---- credentials ------------------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def callers(tmp_path_factory):
    folder = tmp_path_factory.mktemp("callers")
    (folder / "keys.json").write_text(key_set())
    partner = SigningKey(tmp_path_factory.mktemp("partner"), "p1")
    (folder / "partner.json").write_bytes(public_set(partner))
    binary = build_tortured_app("callers", APPS / "callers", tmp_path_factory.mktemp("callers-app"))
    server = Tortured(folder, binary, flags=["--jwks", "partner=partner.json"]).start()
    server.partner = partner
    server.key = server.run("keys", "add", "--name", "a test", "--roles", "robot")
    with server.living_to_the_end():
        yield server


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def notes_of(server, subject):
    with ledger.read(server.database_path) as db:
        return db.execute("SELECT count(*) FROM notes WHERE owner LIKE ?", [f"%{subject}"]).fetchone()[0]


@contextlib.contextmanager
def a_token(server, failing):
    """A new one each time: those that were shown are remembered."""
    subject, key = f"u{new_key()}", new_key()
    fields = bearer(token("read write", subject))
    send = lambda: Caller(server).post("/notes", {"text": "a note"}, key=key, fields=fields)
    with failing():
        first = send()
    assert first.status in (201, 500, 503), f"a good token is never told to be bad: {first}"
    assert not (says_nothing_was_done(first) and notes_of(server, subject) > 0), first
    yield
    assert soon(send, {201}).json() == {"number": 1}
    assert send().json() == {"number": 1} and notes_of(server, subject) == 1, "one key, one note"


@contextlib.contextmanager
def a_forged_token(server, failing):
    fields = bearer(token("read write", f"u{new_key()}", secret=bytes(32)))
    send = lambda: Caller(server).get("/token", fields=fields)
    with failing():
        first = send()
    assert first.status in (401, 500, 503), f"a forged token is never let in: {first}"
    yield
    assert soon(send, {401}).status == 401


@contextlib.contextmanager
def a_partners_token(server, failing):
    """Its signature is RSA's: where memory fails in the middle of that, it is not the signature that is wrong."""
    claims = {"iss": "https://partner.example", "aud": "callers", "sub": new_key(), "exp": int(time.time()) + 300, "permissions": ["read"]}
    fields = bearer(server.partner.token(claims, typ="at+jwt"))
    send = lambda: Caller(server).get("/partner", fields=fields)
    with failing():
        first = send()
    assert first.status in (200, 500, 503), f"a good token is never told to be bad: {first}"
    yield
    assert soon(send, {200}).json()["roles"] == ["read"]


@contextlib.contextmanager
def an_api_key(server, failing):
    send = lambda: Caller(server).post("/key/robot", fields={"X-API-Key": server.key})
    with failing():
        first = send()
    assert first.status in (200, 500, 503), f"a good key is never told to be bad, or to have no roles: {first}"
    yield
    assert soon(send, {200}).json()["roles"] == ["robot"]


@contextlib.contextmanager
def a_wrong_api_key(server, failing):
    """The id of one that exists, and another secret."""
    wrong = server.key[:-8] + server.key[-8:].swapcase()
    assert wrong != server.key
    send = lambda: Caller(server).post("/key/robot", fields={"X-API-Key": wrong})
    with failing():
        first = send()
    assert first.status in (401, 500, 503), f"a wrong key is never let in: {first}"
    yield
    assert soon(send, {401}).status == 401


@each_fault
@pytest.mark.parametrize("attempt", [a_token, a_forged_token, a_partners_token, an_api_key, a_wrong_api_key])
def test_no_failure_makes_a_good_credential_bad_or_a_bad_one_good(callers, attempt, fault, lasts):
    failed = torture(callers, fault, lasts, attempt)
    print(f"{attempt.__name__}: failed at {failed} places")
    assert failed >= 1, "nothing has failed"
    callers.assert_clean()


# ---- a transaction that reads what it has written -------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    binary = build_tortured_app("trial", APPS / "trial", tmp_path_factory.mktemp("trial-app"))
    server = Tortured(tmp_path_factory.mktemp("trial"), binary).start()
    with server.living_to_the_end():
        yield server


def notes_in(server):
    with ledger.read(server.database_path) as db:
        return db.execute("SELECT count(*) FROM notes").fetchone()[0]


@contextlib.contextmanager
def an_interactive_transaction(server, failing):
    """It writes two notes, and reads in between. Past its lease it is 504: nothing was done."""
    before = notes_in(server)
    with failing():
        first = Caller(server).post("/interactive?end=well")
    assert first.status in (200, 500, 503, 504), f"what was written was seen, or nothing was told: {first}"
    after = notes_in(server)
    assert after == before + 2 if first.status == 200 else after in (before, before + 2), "both or none"
    assert after == before or not says_nothing_was_done(first), first
    yield
    assert soon(lambda: Caller(server).post("/interactive?end=well"), {200}).json() == {"number": after + 2}
    assert notes_in(server) == after + 2, "the writer is free again, and nothing was left in it"


@contextlib.contextmanager
def an_interactive_transaction_that_is_refused(server, failing):
    before = notes_in(server)
    with failing():
        first = Caller(server).post("/interactive?end=refused")
    assert first.status in (409, 500, 503, 504), first
    assert notes_in(server) == before
    yield
    assert soon(lambda: Caller(server).post("/interactive?end=refused"), {409}).json()["detail"] == "not today"
    assert notes_in(server) == before


@each_fault
@pytest.mark.parametrize("attempt", [an_interactive_transaction, an_interactive_transaction_that_is_refused])
def test_an_interactive_transaction_is_whole_or_nothing_whatever_fails(trial, attempt, fault, lasts):
    failed = torture(trial, fault, lasts, attempt)
    print(f"{attempt.__name__}: failed at {failed} places")
    assert failed >= 2, "nothing has failed"
    trial.assert_clean()
