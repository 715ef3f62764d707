"""How a handler fails: it takes its own request along and nothing else, and the log says what happened."""

import http.client
import socket
import time

import pytest
from apps import build_app
from caller import Caller
from server import ROOT, Server

TRIAL = ROOT / "tests" / "http" / "trial"


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("trial", TRIAL, tmp_path_factory.mktemp("trial"))


class Trial(Server):
    """Some handlers break on purpose, and a sanitizer speaks then."""

    breaks_on_purpose = False

    def assert_clean(self):
        if not self.breaks_on_purpose:
            super().assert_clean()


@pytest.fixture
def trial(binary, tmp_path):
    with Trial(tmp_path, workers=1, binary=binary) as server:
        yield server


def problem(answer, status):
    assert answer.status == status, answer
    assert answer.fields["content-type"] == "application/problem+json"
    return answer.json()


def still_serves(server):
    for _ in range(400):
        try:
            answer = Caller(server).get("/well")
        except (OSError, http.client.HTTPException):
            time.sleep(0.02)
            continue
        if answer.status == 200:
            return True
        time.sleep(0.02)
    return False


def test_a_call_past_its_deadline_is_abandoned_and_undone(trial):
    start = time.monotonic()
    problem(Caller(trial).get("/slow"), 504)
    assert 0.25 < time.monotonic() - start < 5
    assert "never reached" not in trial.log
    assert "undone: second\nundone: first\n" in trial.log, "the last that was deferred is the first that is undone"
    assert still_serves(trial)


# The operation's time is 10 s. With 60 s for a body its pace is looked at after 10 s as well, in the same turn of the loop.
@pytest.mark.parametrize("body_timeout", [60, 120])
def test_a_body_that_does_not_come_is_the_clients_fault_and_ends_no_worker(binary, tmp_path, body_timeout):
    with Trial(tmp_path, workers=1, binary=binary, flags=["--body-timeout", body_timeout]) as server:
        with socket.create_connection((server.host, server.port), timeout=20) as client:
            client.sendall(b"POST /pay HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 50\r\n\r\n{")
            answer = b"".join(iter(lambda: client.recv(4096), b""))
        assert answer.startswith(b"HTTP/1.1 408 ") and b"\r\nConnection: close\r\n" in answer, answer
        assert "a role died" not in server.log and "passed its deadline" not in server.log
        assert Caller(server).get("/well").status == 200


def test_slow_statements_are_stopped_and_keep_nobody(trial):
    """More of them than there are readers, and then the database answers others at once."""
    callers = [Caller(trial) for _ in range(12)]
    for caller in callers:
        caller.connection.request("GET", "/slow")
    assert {caller.connection.getresponse().status for caller in callers} <= {503, 504}
    time.sleep(0.5)
    start = time.monotonic()
    assert Caller(trial).get("/well").status == 200
    assert time.monotonic() - start < 1


def test_a_client_that_leaves_takes_its_call_along(trial):
    caller = Caller(trial)
    caller.connection.request("GET", "/slow")
    time.sleep(0.1)
    caller.close()
    for _ in range(100):
        if "undone: first" in trial.log:
            break
        time.sleep(0.02)
    assert "undone: first" in trial.log
    assert still_serves(trial)


def test_a_handler_that_spins_is_killed_and_named(trial):
    caller = Caller(trial)
    with pytest.raises((OSError, http.client.HTTPException)):
        caller.get("/spin")
    assert '"operation":"spin"' in trial.log and "silent and is killed" in trial.log
    assert still_serves(trial)


@pytest.mark.parametrize("path", ["/crash", "/overflow"])
def test_a_handler_that_crashes_takes_its_own_worker_along(trial, path):
    trial.breaks_on_purpose = True
    with pytest.raises((OSError, http.client.HTTPException)):
        Caller(trial).get(path)
    assert still_serves(trial)
    assert "a role died and is started again" in trial.log


def test_a_handler_that_wants_too_much_memory_gets_none(trial):
    answer = Caller(trial).get("/greedy")
    problem(answer, 503)
    assert still_serves(trial)
    assert "a role died" not in trial.log


@pytest.mark.parametrize(("path", "operation"), [("/silent", "silent"), ("/astray", "astray")])
def test_a_reply_that_the_contract_does_not_know_is_a_500_and_a_line(trial, path, operation):
    said = problem(Caller(trial).get(path), 500)
    assert operation not in str(said), "a stranger learns nothing of it"
    assert f'"{operation}"' in trial.log
    assert still_serves(trial)


def test_what_is_for_writing_only_and_what_is_not_declared_does_not_leave(trial):
    answer = Caller(trial).post("/slice?with=declared")
    assert (answer.status, answer.json()) == (200, {"any": {"a": True}})
    for what in ("undeclared", "broken"):
        assert "secret" not in str(problem(Caller(trial).post(f"/slice?with={what}"), 500))
    assert '"pointer":"/any"' in trial.log and '"pointer":"/hash"' in trial.log
    assert Caller(trial).get("/well").json() == {"number": 1}, "what was asked for with the others was not done"


def within_the_lease(call):
    """On a busy machine an interactive transaction may lose its lease: nothing was done then, and it is asked again."""
    for _ in range(50):
        answer = call()
        if answer.status != 504:
            return answer
    raise AssertionError("no transaction got through within its lease")


def test_reading_after_something_was_queued_sees_it_and_is_told_in_the_log(trial):
    assert within_the_lease(lambda: Caller(trial).post("/late-read")).json() == {"number": 1}
    assert '"lateRead"' in trial.log and "count_notes" in trial.log and "x-interactive" in trial.log
    assert Caller(trial).get("/well").json() == {"number": 1}


def test_reading_after_something_was_queued_is_an_error_where_replies_are_checked(binary, tmp_path):
    with Trial(tmp_path, workers=1, binary=binary, flags=["--check-replies"]) as server:
        problem(Caller(server).post("/late-read"), 500)
        assert Caller(server).get("/well").json() == {"number": 0}, "nothing was written"
        assert within_the_lease(lambda: Caller(server).post("/interactive?end=well")).json() == {"number": 2}


def test_an_interactive_transaction_is_committed_or_undone_as_a_whole(trial):
    assert problem(within_the_lease(lambda: Caller(trial).post("/interactive?end=refused")), 409)["detail"] == "not today"
    assert problem(within_the_lease(lambda: Caller(trial).post("/interactive?end=must")), 404)["detail"] == "there is no such note"
    assert Caller(trial).get("/well").json() == {"number": 0}
    assert within_the_lease(lambda: Caller(trial).post("/interactive?end=well")).json() == {"number": 2}
    assert Caller(trial).get("/well").json() == {"number": 2}
    assert "x-interactive" not in trial.log


def test_who_holds_the_writer_for_too_long_is_undone_and_others_write_on(trial):
    problem(Caller(trial).post("/interactive?end=late"), 504)
    assert Caller(trial).post("/made").status == 201
    assert Caller(trial).get("/well").json() == {"number": 1}
    assert "held the writer for too long" in trial.log


def test_a_refusal_drops_what_was_queued(trial):
    assert problem(Caller(trial).post("/refused"), 409)["detail"] == "not today"
    assert Caller(trial).get("/well").json() == {"number": 0}


def test_a_must_that_changes_nothing_ends_as_it_says_and_drops_the_batch(trial):
    assert problem(Caller(trial).post("/must"), 404)["detail"] == "there is no such note"
    assert Caller(trial).get("/well").json() == {"number": 0}


def test_what_a_statement_returns_is_there_after_the_commit(trial):
    assert [Caller(trial).post("/made").json()["number"] for _ in range(3)] == [1, 2, 3]
    assert Caller(trial).get("/well").json() == {"number": 3}


def test_one_of_several_kinds_is_a_tagged_union(trial):
    card, transfer = {"by": "card", "digits": "1234"}, {"by": "bank transfer", "days": 3}
    hidden, later = {"by": "card", "digits": "####"}, {"by": "bank transfer", "days": 4}
    answer = Caller(trial).post("/pay", {"first": card, "more": [transfer, card]})
    assert (answer.status, answer.json()) == (200, {"first": hidden, "more": [later, hidden]}), answer
    assert Caller(trial).post("/pay", {"first": transfer}).json() == {"first": later}
    for wrong in ({"by": "card", "days": 3}, {"by": "cash"}, {"digits": "1234"}, {"by": "card", "digits": "1234", "days": 3}, "card"):
        assert Caller(trial).post("/pay", {"first": wrong}).status == 422
