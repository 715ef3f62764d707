"""Sessions: the cookie, what ends it, who may not use it, and that signing in tells a stranger nothing."""

import contextlib
import hashlib
import base64
import re
import sqlite3
import statistics
import time

import pytest
from caller import PASSWORD, Caller, cookie_of, customer, new_email, new_key


def test_the_cookie_is_what_browsers_guard_best(shop):
    answer = Caller(shop).post("/api/accounts", {"email": new_email(), "password": PASSWORD, "name": "Ada"})
    parts = answer.fields["set-cookie"].split("; ")
    name, token = parts[0].split("=", 1)
    assert name == "__Host-session"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", token), "256 bits"
    attributes = {part.lower() for part in parts[1:]}
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= attributes
    assert not any(part.startswith("domain") for part in attributes)


def test_only_the_tokens_hash_is_stored(shop):
    caller = customer(shop)
    token = caller.cookie.encode()
    raw = base64.urlsafe_b64decode(token + b"=")
    with contextlib.closing(sqlite3.connect(f"file:{shop.database_path}?mode=ro", uri=True)) as db:
        stored = {bytes(row[0]) for row in db.execute("SELECT token_hash FROM limen_sessions")}
    assert {hashlib.sha256(token).digest(), hashlib.sha256(raw).digest()} & stored
    for path in shop.database_path.parent.glob("shop.db*"):
        content = path.read_bytes()
        assert token not in content and raw not in content
        assert PASSWORD.encode() not in content


def test_sign_out_ends_the_session_at_once_in_all_workers(make_shop):
    server = make_shop(workers=3, flags=["--limit-scale", "1000"])
    caller = customer(server)
    others = [Caller(server, caller.cookie) for _ in range(12)]  # spread over the workers
    assert {other.get("/api/me").status for other in others} == {200}
    answer = caller.call("DELETE", "/api/sessions/current")
    assert answer.status == 204
    assert "max-age=0" in answer.fields["set-cookie"].lower() and '"cookies"' in answer.fields["clear-site-data"].lower()
    assert {other.get("/api/me").status for other in others} == {401}
    assert Caller(server, caller.cookie).call("DELETE", "/api/sessions/current").status == 401


def test_a_session_outlives_every_process(make_shop):
    server = make_shop(workers=1, flags=["--limit-scale", "1000"])
    caller = customer(server)
    caller.close()
    server.restart()
    assert caller.get("/api/me").json()["id"] == caller.account


@pytest.mark.parametrize("cookie", ["", "x", "A" * 43, "A" * 42, "A" * 5000, "!" * 43])
def test_a_token_that_is_none(shop, cookie):
    answer = Caller(shop, cookie).get("/api/me")
    assert answer.status == 401 and answer.fields["www-authenticate"]


def test_a_cookie_sent_twice_is_nobodys(shop):
    mine, theirs = customer(shop), customer(shop)
    both = f"__Host-session={mine.cookie}; __Host-session={theirs.cookie}"
    assert Caller(shop).get("/api/me", fields={"Cookie": both}).status == 401
    among = f"a=b; __Host-session={mine.cookie}; c=d"
    assert Caller(shop).get("/api/me", fields={"Cookie": among}).json()["id"] == mine.account


def test_signing_in_again_makes_another_session(shop):
    caller = customer(shop)
    answer = Caller(shop).post("/api/sessions", {"email": caller.email, "password": PASSWORD})
    assert answer.status == 201 and answer.json()["id"] == caller.account
    assert cookie_of(answer) != caller.cookie
    assert caller.get("/api/me").status == 200, "one that the request did not bring stays"


def test_signing_in_ends_the_session_that_the_request_brought(shop):
    """What somebody may have learnt of it before is worth nothing after (OWASP ASVS, session termination)."""
    caller, other = customer(shop), customer(shop)
    wrong = Caller(shop, caller.cookie).post("/api/sessions", {"email": other.email, "password": "not the password"})
    assert wrong.status == 401 and caller.get("/api/me").status == 200, "who is not let in ends nothing"
    answer = Caller(shop, caller.cookie).post("/api/sessions", {"email": other.email, "password": PASSWORD})
    assert answer.status == 201 and answer.json()["id"] == other.account
    assert Caller(shop, cookie_of(answer)).get("/api/me").json()["id"] == other.account
    assert caller.get("/api/me").status == 401
    assert other.get("/api/me").status == 200


def test_unknown_and_wrong_get_the_same_answer_after_the_same_time(shop):
    known = customer(shop).email
    stranger = Caller(shop)
    seconds = {known: [], "nobody@example.com": []}
    bodies = set()
    for _ in range(12):
        for email, taken in seconds.items():
            start = time.perf_counter()
            answer = stranger.post("/api/sessions", {"email": email, "password": "not the password"})
            taken.append(time.perf_counter() - start)
            assert answer.status == 401 and "set-cookie" not in answer.fields
            bodies.add(answer.body)
    assert len(bodies) == 1
    wrong, unknown = (statistics.median(taken) for taken in seconds.values())
    assert 0.5 < wrong / unknown < 2


# ---- requests that another site's page makes ---------------------------------------------------------------------
CROSS_SITE = [
    ({"Sec-Fetch-Site": "same-origin"}, True),
    ({"Sec-Fetch-Site": "none"}, True),
    ({"Sec-Fetch-Site": "cross-site"}, False),
    ({"Sec-Fetch-Site": "same-site"}, False),
    ({"Sec-Fetch-Site": "SAME-ORIGIN"}, False),
    ({"Sec-Fetch-Site": "cross-site", "Origin": "SELF"}, False),
    ({"Origin": "SELF"}, True),
    ({"Origin": "https://evil.example"}, False),
    ({"Origin": "null"}, False),
    ({"Origin": "SELF.evil.example"}, False),
    ({}, True),
]


@pytest.mark.parametrize(("fields", "passes"), CROSS_SITE)
def test_cross_site_requests_with_a_cookie_are_refused(shop, fields, passes):
    caller = customer(shop)
    here = f"http://{shop.host}:{shop.port}"
    sent = {name: value.replace("SELF", here) for name, value in fields.items()}
    wanted = {"lines": [{"itemId": "sku_pencils", "quantity": 1}]}
    assert caller.post("/api/checkout", wanted, key=new_key(), fields=sent).status == (201 if passes else 403)
    assert caller.get("/api/me", fields=sent).status == 200, "reading changes nothing"


def test_two_origins_are_none(shop):
    caller = customer(shop)
    answer = caller.post("/api/checkout", {}, key=new_key(), fields={"Sec-Fetch-Site": "same-origin, cross-site"})
    assert answer.status == 403
