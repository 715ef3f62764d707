"""What is checked of any app's history is held against histories in which something is wrong."""

import pytest
from limen_chaos import history
from limen_chaos.client import Answer


def told(*attempts):
    """A history of (key, status, body[, began]) by one principal; each ends a second after it began."""
    found = history.History()
    for number, (key, status, body, *began) in enumerate(attempts):
        answer = None if status is None else Answer(status, {}, body)
        attempt = found.add("acc_grace", key, "POST", "/api/checkout", 0.0, answer)
        attempt.began = began[0] if began else float(2 * number)
        attempt.ended = attempt.began + 1
    return found


SOUND = {
    "answered at once": [("a", 201, b"1")],
    "answered again": [("a", 201, b"1"), ("a", 201, b"1")],
    "no answer, then one": [("a", None, b""), ("a", 503, b"later"), ("a", 201, b"1")],
    "refused for good": [("a", None, b""), ("a", 409, b"no")],
    "refused beside one that was acknowledged": [("a", 201, b"1", 0.0), ("a", 409, b"no", 0.5)],
    "refused, and later acknowledged": [("a", 409, b"no"), ("a", 201, b"1")],
    "without a key": [(None, 200, b"me"), (None, None, b"")],
}
VIOLATIONS = {
    "other bytes": ([("a", 201, b"1"), ("a", 201, b"2")], "key a was acknowledged with different replies"),
    "another status": ([("a", 201, b"1"), ("a", 200, b"1")], "key a was acknowledged with different replies"),
    "forgotten": ([("a", 201, b"1"), ("a", 409, b"no")], "key a was acknowledged, and answered with 409 afterwards"),
    "never answered": ([("a", None, b""), ("a", 503, b"")], "key a never got a definite answer"),
    "signed out": ([(None, 401, b"who?")], "acc_grace was signed out"),
    "signed out at a checkout": ([("a", 401, b"who?")], "acc_grace was signed out"),
    "an error of the app's own": ([("a", 500, b"oh"), ("a", 201, b"1")], "was answered with 500"),
}


@pytest.mark.parametrize("name", SOUND)
def test_a_sound_history_has_no_fault(name):
    assert history.faults(told(*SOUND[name])) == []


@pytest.mark.parametrize("name", VIOLATIONS)
def test_each_violation_of_a_history_is_found(name):
    attempts, words = VIOLATIONS[name]
    found = history.faults(told(*attempts))
    assert any(words in fault for fault in found), found


def test_two_principals_may_use_one_key():
    found = told(("a", 201, b"1"), ("a", 201, b"2"))
    found.attempts[1].who = "acc_ada"
    assert history.faults(found) == []


def test_what_was_asked_before_the_run_began_is_before_it():
    found = history.History()
    found.zero -= 100  # so long ago it was made: accounts took their time
    for status, body in ((201, b"1"), (409, b"no")):
        found.add("acc_grace", "a", "POST", "/notes", found.now(), Answer(status, {}, body))
        found.begin()
    assert history.faults(found) == ["key a was acknowledged, and answered with 409 afterwards"]


def test_nobody_cannot_be_signed_out():
    """A workload may well try a wrong password."""
    found = told((None, 401, b"who?"))
    found.attempts[0].who = None
    assert history.faults(found) == []
