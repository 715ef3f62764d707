"""Quotas: what is told, what is refused, and that workers count together."""

import concurrent.futures
import re

import pytest
from caller import Caller, customer


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A shop with the contract's own quotas."""
    from server import Server

    server = Server(tmp_path_factory.mktemp("strict"), workers=2).start()
    yield server
    server.stop()


def fields_of(answer):
    policy = re.fullmatch(r'"(\w+)";q=(\d+);w=(\d+)', answer.fields["ratelimit-policy"])
    state = re.fullmatch(r'"(\w+)";r=(\d+);t=(\d+)', answer.fields["ratelimit"])
    return policy[1], int(policy[2]), int(policy[3]), state[1], int(state[2]), int(state[3])


def test_what_is_left_is_told(strict):
    caller = Caller(strict)
    first, second = (fields_of(caller.get("/api/items")) for _ in range(2))
    assert first[:3] == ("listItems", 600, 60) and first[3] == "listItems"
    assert second[4] < first[4] < 600


def test_a_caller_who_comes_too_often_waits(strict):
    caller = customer(strict)
    answers = [caller.checkout("sku_pencils") for _ in range(12)]
    assert [answer.status for answer in answers[:10]] == [201] * 10
    refused = answers[-1]
    assert refused.status == 429
    assert refused.json()["type"].endswith("#quota-exceeded")
    assert int(refused.fields["retry-after"]) >= fields_of(refused)[5] >= 1
    assert fields_of(refused)[4] == 0
    assert customer(strict).checkout("sku_pencils").status == 201, "another caller has a quota of their own"
    assert caller.get("/api/me").status == 200, "and so has another operation"


def test_workers_count_together(make_shop):
    server = make_shop(workers=3)
    callers = [Caller(server) for _ in range(12)]
    with concurrent.futures.ThreadPoolExecutor(len(callers)) as pool:
        answers = list(pool.map(lambda one: one.post("/api/sessions", {"email": "a@example.com", "password": "x" * 12}), callers))
    assert sorted(answer.status for answer in answers) == [401] * 10 + [429] * 2


def test_a_worker_that_dies_forgets_nothing(make_shop):
    import os
    import signal
    import time

    server = make_shop(workers=1)
    caller = Caller(server)
    for _ in range(10):
        assert caller.post("/api/sessions", {"email": "a@example.com", "password": "x" * 12}).status == 401
    os.kill(server.roles("worker")[0], signal.SIGKILL)
    time.sleep(0.3)
    assert Caller(server).post("/api/sessions", {"email": "a@example.com", "password": "x" * 12}).status == 429


def test_the_address_is_counted_before_anything_else(make_shop):
    server = make_shop(workers=1)
    caller = Caller(server)
    passed = 0
    while passed < 12000 and (answer := caller.get("/api/nothing")).status == 404:
        passed += 1
    assert answer.status == 429 and passed >= 6000  # some came back while it was counted
    assert caller.get("/api/me").status == 429, "nothing was looked at"


def test_forwarded_addresses_are_believed_from_named_proxies_only(make_shop):
    def refusals(server):
        caller = Caller(server)
        wanted = {"email": "a@example.com", "password": "x" * 12}
        answers = [caller.post("/api/sessions", wanted, fields={"X-Forwarded-For": f"203.0.113.{i}"}) for i in range(12)]
        return [answer.status for answer in answers].count(429)

    assert refusals(make_shop("plain", workers=1)) == 2
    assert refusals(make_shop("proxied", workers=1, flags=["--trusted-proxy", "127.0.0.0/8"])) == 0


def test_the_scale_is_announced_loudly(make_shop):
    server = make_shop(flags=["--limit-scale", "7"])
    assert "EVERY QUOTA IS MULTIPLIED" in server.log
    assert fields_of(Caller(server).get("/api/items"))[1] == 4200
