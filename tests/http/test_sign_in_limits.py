"""How often an account may be tried: by one address, by all of them, and what that tells whom.

The address that counts is the one that a trusted proxy names, so one machine can be many.
"""

import time

import pytest
from altered import CONTRACT, app_with, replaced
from caller import PASSWORD, Caller, cookie_of, customer
from server import Server

PAIR, WIDE, WIDE_REFILL_S = 3, 12, 5
LIMITS = f"x-sign-in-limit: [{PAIR}/hour per account and address, {WIDE}/minute per account]"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    text = replaced(CONTRACT.read_text(), "x-roles", "x-sign-in-limit: [20/hour per account and address, 400/hour per account]", LIMITS)
    text = replaced(text, "operationId: createSession", "x-rate-limit: 10/minute per address", "x-rate-limit: 99/minute per address")
    flags = ["--trusted-proxy", "127.0.0.0/8"]
    with Server(folder, workers=2, binary=app_with(text.encode(), folder), flags=flags) as server:
        yield server


def try_it(server, email, address, password="not the password"):
    return Caller(server).post("/api/sessions", {"email": email, "password": password}, fields={"X-Forwarded-For": address})


def test_guesses_from_one_address_end_whether_the_account_exists_or_not(guarded):
    known = customer(guarded).email
    seen = {}
    for email in (known, "nobody@example.com"):
        answers = [try_it(guarded, email, "203.0.113.1") for _ in range(PAIR + 2)]
        assert [answer.status for answer in answers] == [401] * PAIR + [429] * 2
        assert int(answers[-1].fields["retry-after"]) >= 1 and answers[-1].json()["type"].endswith("#quota-exceeded")
        fields = [{name: answer.fields.get(name) for name in ("ratelimit-policy", "content-type", "content-length")} for answer in answers]
        seen[email] = [(answer.body, field) for answer, field in zip(answers, fields, strict=True)]
        assert all("sign-in" not in answer.fields["ratelimit"] for answer in answers), "what is left of it is told to nobody"
    assert seen[known] == seen["nobody@example.com"]
    assert try_it(guarded, known, "203.0.113.1", PASSWORD).status == 429, "the right password comes too late, too"


def test_an_email_is_one_account_in_any_case(guarded):
    email = customer(guarded).email
    spellings = [email, email.upper(), email.title(), email.replace("example", "eXaMpLe")]
    assert [try_it(guarded, spelling, "203.0.113.2").status for spelling in spellings] == [401] * PAIR + [429]


def test_a_guesser_does_not_lock_the_owner_out(guarded):
    owner = customer(guarded)
    answers = [try_it(guarded, owner.email, "203.0.113.3").status for _ in range(WIDE + PAIR + 5)]
    assert answers == [401] * PAIR + [429] * (len(answers) - PAIR)
    signed_in = try_it(guarded, owner.email, "198.51.100.7", PASSWORD)
    assert signed_in.status == 201, "what one address was refused has cost the account nothing"
    assert Caller(guarded, cookie_of(signed_in)).get("/api/me").status == owner.get("/api/me").status == 200


def test_guesses_from_many_addresses_end_and_nothing_stays_locked(guarded):
    owner = customer(guarded)
    start = time.monotonic()
    answers = [try_it(guarded, owner.email, f"203.0.113.{100 + i}") for i in range(WIDE + 8)]
    refused = [answer for answer in answers if answer.status == 429]
    refilled = (time.monotonic() - start) / WIDE_REFILL_S + 1
    assert 8 - refilled <= len(refused) <= 8 and {answer.status for answer in answers} == {401, 429}
    assert owner.get("/api/me").status == 200, "a session that is there goes on"
    wait = try_it(guarded, owner.email, "198.51.100.8", PASSWORD)
    if wait.status == 429:
        assert int(wait.fields["retry-after"]) <= WIDE_REFILL_S
        time.sleep(int(wait.fields["retry-after"]))
        wait = try_it(guarded, owner.email, "198.51.100.8", PASSWORD)
    assert wait.status == 201, "a few seconds after the last guess the owner is let in"


def test_another_account_has_a_quota_of_its_own(guarded):
    first, second = customer(guarded), customer(guarded)
    assert [try_it(guarded, first.email, "203.0.113.4").status for _ in range(PAIR + 1)] == [401] * PAIR + [429]
    assert try_it(guarded, second.email, "203.0.113.4", PASSWORD).status == 201
