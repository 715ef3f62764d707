"""Effects from a handler to the provider and back into the app: once each, whatever dies in between, is slow, or says no.

The one idea: the payments sandbox knows what was captured, the app's own function counts how often it was told; both are held against one.
"""

import os
import pathlib
import re
import signal
import sqlite3
import subprocess
import time

import pytest
from apps import build_app
from caller import Caller
from provider import API_KEY, Sandbox
from server import ROOT, Server, wait_for

APP = ROOT / "tests" / "http" / "effects"
#: After so long anybody may take over what a data role had leased (LIMIT_EFFECT_LEASE_US), and a little for the machine.
LEASE_SECONDS = 15 + 45


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("effects", APP, tmp_path_factory.mktemp("effects"))


@pytest.fixture()
def sandbox(tmp_path):
    with Sandbox(tmp_path / "sandbox") as it:
        yield it


def flags_for(sandbox):
    return ["--effect-target", f"payments={sandbox.url}", "--fetch-private", "127.0.0.1",
            "--secret", f"payments=@{sandbox.api_key_path}", "--limit-scale", "1000"]  # fmt: skip


def start(binary, folder, sandbox, flags=None, wait=True):
    return Server(folder / "server", workers=2, binary=binary, flags=flags or flags_for(sandbox)).start(wait)


def place(server, order, method="pm_card_visa", amount=4200):
    answer = Caller(server).post("/orders", {"id": order, "amount": amount, "method": method})
    assert answer.status == 201, answer
    return order


def order_of(server, order):
    return Caller(server).get(f"/orders/{order}").json()


def settled(server, order, seconds=30):
    """The order when its state is known; while a role is being started anew the server answers 503."""
    assert wait_for(lambda: order_of(server, order).get("state", "paying") != "paying", seconds), server.tail()
    return order_of(server, order)


def heard(server):
    with sqlite3.connect(server.database_path) as db:
        return db.execute("SELECT order_id, outcome, code FROM heard ORDER BY rowid").fetchall()


def rows(server, columns="state", where="1"):
    with sqlite3.connect(server.database_path) as db:
        return db.execute(f"SELECT {columns} FROM limen_outbox WHERE {where} ORDER BY id").fetchall()


def effects(server, *arguments):
    return subprocess.run([server.binary, "effects", *arguments, "--database", server.database], capture_output=True, text=True, cwd=server.folder)


def assert_once(server, sandbox, order):
    """One capture, heard of once, and nothing is left."""
    assert len(sandbox.charges(order)) == 1
    assert order_of(server, order)["heard"] == 1
    assert heard(server) == [(order, "succeeded", "")]
    assert wait_for(lambda: rows(server) == [("done",)])


# ---- what works --------------------------------------------------------------------------------------------------------
def test_a_charge_is_made_and_heard_of(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        answer = settled(server, place(server, "ord_1"))
        (charge,) = sandbox.charges("ord_1")
        assert (answer["state"], answer["payment"]) == ("paid", charge["payment_intent"])
        assert (charge["amount"], charge["currency"], charge["metadata"]["limen_key"]) == (4200, "eur", "charge/ord_1")
        assert_once(server, sandbox, "ord_1")
        assert wait_for(lambda: 'limen_effects{state="open"} 0\n' in server.metrics())
        assert API_KEY not in server.log


def test_it_is_heard_of_within_a_second(binary, tmp_path, sandbox):
    """The quickest of five: it has waited for no poll and no lease, and the others may have waited for a busy machine."""
    seconds = []
    with start(binary, tmp_path, sandbox) as server:
        for n in range(5):
            begun = time.monotonic()
            settled(server, place(server, f"ord_{n}"))
            seconds.append(round(time.monotonic() - begun, 3))
    print(f"seconds from order to paid: {seconds}")
    assert min(seconds) < 1, seconds


def test_a_refund_gives_back_what_was_charged_and_its_key_is_its_own(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        caller = Caller(server)
        assert caller.post("/orders/ord_1/refund", None).status == 409, "there is no such order"
        settled(server, place(server, "ord_1"))
        assert caller.post("/orders/ord_1/refund", None).status == 204
        assert wait_for(lambda: order_of(server, "ord_1")["state"] == "refunded")
        assert caller.post("/orders/ord_1/refund", None).status == 409
        (charge,) = sandbox.charges("ord_1")
        assert charge["amount_refunded"] == 4200


def test_a_decline_is_an_answer(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        answer = settled(server, place(server, "ord_1", method="pm_card_chargeDeclinedInsufficientFunds"))
        assert answer["state"] == "payment_failed" and answer["payment"].startswith("pi_")
        assert heard(server) == [("ord_1", "declined", "insufficient_funds")]
        assert sandbox.charges("ord_1") == []


def test_what_is_processing_is_looked_at_until_it_is_decided(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        place(server, "ord_1", method="pm_sandbox_processing")
        place(server, "ord_2", method="pm_sandbox_processingDeclined")
        assert settled(server, "ord_1")["state"] == "paid"
        assert settled(server, "ord_2")["state"] == "payment_failed"
        assert len(sandbox.charges()) == 1


def test_news_have_the_provider_asked_at_once(binary, tmp_path, sandbox):
    sandbox.behave(processing=1, settle_ms=4000)
    with start(binary, tmp_path, sandbox) as server:
        caller = Caller(server)
        place(server, "ord_1")
        assert caller.post("/news/pi_nobody", None).status == 404
        assert wait_for(lambda: rows(server, "object_id") != [("",)])
        ((payment,),) = rows(server, "object_id")
        with sqlite3.connect(server.database_path) as db: # as after hours of looking
            db.execute("UPDATE limen_outbox SET due_at = due_at + 3600000000")
        time.sleep(5)
        assert order_of(server, "ord_1")["state"] == "paying"
        assert wait_for(lambda: caller.post(f"/news/{payment}", None).status == 204)
        assert settled(server, "ord_1")["state"] == "paid"
        assert caller.post(f"/news/{payment}", None).status == 404, "nobody waits any more"


# ---- what dies ---------------------------------------------------------------------------------------------------------
def kill_when(server, role, what, seconds=20):
    """Kills every process of the role as soon as `what()` is true."""
    assert wait_for(what, seconds), server.tail()
    victims = server.roles(role)
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    return victims


def test_outbound_dies_before_it_sends(binary, tmp_path, sandbox):
    sandbox.behave(slow_ms=1500)
    with start(binary, tmp_path, sandbox) as server:
        place(server, "ord_1")
        kill_when(server, "outbound", lambda: rows(server) == [("sent",)])
        assert settled(server, "ord_1")["state"] == "paid"
        assert_once(server, sandbox, "ord_1")


@pytest.mark.parametrize("role", ["outbound", "data"])
def test_a_role_dies_between_the_capture_and_its_record(binary, tmp_path, sandbox, role):
    sandbox.behave(late_ms=3000)
    with start(binary, tmp_path, sandbox) as server:
        place(server, "ord_1")
        kill_when(server, role, lambda: len(sandbox.charges("ord_1")) == 1)
        assert rows(server) == [("sent",)]
        sandbox.behave()
        assert wait_for(server.is_ready)
        assert settled(server, "ord_1", LEASE_SECONDS)["state"] == "paid"
        assert_once(server, sandbox, "ord_1")


@pytest.mark.parametrize("role", ["worker", "data"])
def test_a_role_dies_while_the_app_takes_the_result(binary, tmp_path, sandbox, role):
    with start(binary, tmp_path, sandbox) as server:
        place(server, "slow_1") # the app's function reads for a moment
        kill_when(server, role, lambda: rows(server) == [("answered",)])
        assert wait_for(server.is_ready)
        assert settled(server, "slow_1", LEASE_SECONDS)["state"] == "paid"
        assert_once(server, sandbox, "slow_1")


def test_everything_dies_and_what_was_sent_is_asked_for_with_its_key(binary, tmp_path, sandbox):
    sandbox.behave(drop=2)
    server = start(binary, tmp_path, sandbox)
    place(server, "ord_1")
    assert wait_for(lambda: len(sandbox.charges("ord_1")) == 1)
    server.kill()
    with start(binary, tmp_path, sandbox) as server:
        assert settled(server, "ord_1", LEASE_SECONDS)["state"] == "paid"
        assert_once(server, sandbox, "ord_1")


def test_a_data_role_that_slept_through_its_lease_changes_nothing(binary, tmp_path, sandbox):
    """The database says that another has taken the effect over; what the sleeper knows by then is refused by the fence."""
    sandbox.behave(late_ms=3000) # it is done at once, and answered long after
    with start(binary, tmp_path, sandbox) as server:
        place(server, "ord_1")
        assert wait_for(lambda: len(sandbox.charges("ord_1")) == 1)
        (data,) = server.roles("data")
        os.kill(data, signal.SIGSTOP)
        with sqlite3.connect(server.database_path) as db:
            db.execute("UPDATE limen_outbox SET fence = fence + 1, lease_until = lease_until + 3000000")
        os.kill(data, signal.SIGCONT)
        assert wait_for(lambda: "taken over by another" in server.log)
        assert rows(server) == [("sent",)] and order_of(server, "ord_1")["heard"] == 0
        sandbox.behave()
        assert settled(server, "ord_1", LEASE_SECONDS)["state"] == "paid"
        assert_once(server, sandbox, "ord_1")


# ---- what goes wrong ---------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("fault", ["fail", "fail_late", "drop", "drop_early"])
def test_a_provider_that_fails_is_asked_again_with_the_same_key(binary, tmp_path, sandbox, fault):
    sandbox.behave(**{fault: 2})
    with start(binary, tmp_path, sandbox) as server:
        assert settled(server, place(server, "ord_1"))["state"] == "paid"
        assert_once(server, sandbox, "ord_1")


def test_a_failure_that_the_provider_has_kept_with_the_key_hides_nothing(binary, tmp_path, sandbox):
    """It has the money and tells that key of a 500 whenever it comes; the payment is found by its note."""
    sandbox.behave(fail_kept=1)
    with start(binary, tmp_path, sandbox) as server:
        place(server, "ord_1")
        assert wait_for(lambda: "HTTP 500" in (rows(server, "note") or [("",)])[0][0])
        assert len(sandbox.charges("ord_1")) == 1
        assert settled(server, "ord_1", 60)["state"] == "paid"
        assert_once(server, sandbox, "ord_1")


def test_a_payment_is_found_when_what_pays_was_changed_meanwhile(binary, tmp_path, sandbox):
    """The key is known to the provider, with the method that paid at first: it takes it with no other, and has the money."""
    sandbox.behave(fail_late=-1)
    with start(binary, tmp_path, sandbox) as server:
        place(server, "ord_1", method="")
        assert wait_for(lambda: len(sandbox.charges("ord_1")) == 1)
        server.kill()
    sandbox.behave()
    with start(binary, tmp_path, sandbox, [*flags_for(sandbox), "--payment-method", "pm_card_mastercard"]) as server:
        assert wait_for(lambda: "idempotency_error" in effects(server, "list").stdout, LEASE_SECONDS)
        assert settled(server, "ord_1", 60)["state"] == "paid"
        assert_once(server, sandbox, "ord_1")


def test_a_provider_that_is_away_is_waited_for(binary, tmp_path, sandbox):
    sandbox.kill()
    with start(binary, tmp_path, sandbox) as server:
        place(server, "ord_1")
        assert wait_for(lambda: rows(server, "note") == [("unreachable",)])
        assert wait_for(lambda: 'limen_effects{state="open"} 1\n' in server.metrics())
        sandbox.start()
        assert settled(server, "ord_1")["state"] == "paid"
        assert_once(server, sandbox, "ord_1")


def test_what_the_provider_never_takes_is_dead_until_an_operator_has_looked(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        place(server, "ord_1", amount=7) # too little for it
        place(server, "ord_2", amount=7)
        assert wait_for(lambda: rows(server) == [("dead",), ("dead",)])
        assert order_of(server, "ord_1")["state"] == "paying"
        assert wait_for(lambda: 'limen_effects{state="dead"} 2\n' in server.metrics())
        listed = effects(server, "list", "--dead")
        assert listed.returncode == 0 and len(listed.stdout.splitlines()) == 2, listed
        first, second = [line.split()[0] for line in listed.stdout.splitlines()]
        assert re.search(r"charge/ord_1: HTTP 400 invalid_request_error", listed.stdout)
        shown = effects(server, "show", first)
        assert '"amount":7' in shown.stdout and "ord_1" in shown.stdout
        with sqlite3.connect(server.database_path) as db: # what an operator might mend
            db.execute("UPDATE limen_outbox SET payload = replace(payload, '\"amount\":7', '\"amount\":700') WHERE id = ?", [first])
        assert effects(server, "retry", first).returncode == 0
        assert settled(server, "ord_1")["state"] == "paid"
        assert effects(server, "drop", second).stdout == f"dropped {second}\n"
        assert settled(server, "ord_2")["state"] == "payment_failed"
        assert heard(server)[1] == ("ord_2", "failed", "")
        assert effects(server, "list").stdout == "" and len(effects(server, "list", "--all").stdout.splitlines()) == 2
        assert effects(server, "drop", second).returncode == 1 and effects(server, "show", "eff_none").returncode == 1


def test_a_list_that_is_not_the_whole_says_so(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        pass
    with sqlite3.connect(server.database_path) as db:
        db.executemany(
            "INSERT INTO limen_outbox VALUES (?, 'charge', ?, x'', '{}', '', 0, ?, 0, 0, 1, 0, 0, 0, '', '', '', '')",
            [(f"eff_{number:04}", f"charge/{number}", "dead" if number < 1003 else "done") for number in range(1100)],
        )
    dead = effects(server, "list", "--dead")
    assert dead.returncode == 0 and len(dead.stdout.splitlines()) == 1000
    assert dead.stderr == "effects: 3 more are not shown: effects list --dead --after eff_0999\n"
    assert effects(server, "list", "--all").stderr == "effects: 100 more are not shown: effects list --all --after eff_0999\n"
    rest = effects(server, "list", "--dead", "--after", "eff_0999")
    assert [line.split()[0] for line in rest.stdout.splitlines()] == ["eff_1000", "eff_1001", "eff_1002"] and rest.stderr == ""


def test_a_result_that_the_app_cannot_take_comes_again_and_changes_nothing(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        place(server, "lost_1")
        assert wait_for(lambda: rows(server, "attempts >= 2 AND state = 'answered'") == [(1,)])
        assert order_of(server, "lost_1")["heard"] == 0 and heard(server) == []
        assert "the app's function did not succeed" in effects(server, "list").stdout
        assert len(sandbox.charges()) == 1


def test_an_app_that_crashes_on_a_result_serves_others_in_between(binary, tmp_path, sandbox):
    with Server(tmp_path / "server", workers=2, binary=binary, flags=flags_for(sandbox)).start() as server:
        place(server, "crash_1")
        assert wait_for(lambda: rows(server, "attempts >= 1", "key = 'charge/crash_1'") == [(1,)])
        assert wait_for(server.is_ready)
        assert settled(server, place(server, "ord_2"))["state"] == "paid"


def test_a_wrong_secret_is_mended_and_nothing_is_lost(binary, tmp_path, sandbox):
    wrong = tmp_path / "wrong"
    wrong.write_text("sk_test_wrong\n")
    flags = [*flags_for(sandbox)[:5], f"payments=@{wrong}", "--limit-scale", "1000"]
    with start(binary, tmp_path, sandbox, flags) as server:
        place(server, "ord_1")
        assert wait_for(lambda: "HTTP 401" in effects(server, "list").stdout)
        wrong.write_text(API_KEY + "\n")
        (outbound,) = server.roles("outbound")
        os.kill(outbound, signal.SIGKILL)
        assert settled(server, "ord_1")["state"] == "paid"
        assert "sk_test_wrong" not in server.log


def test_an_operator_is_shown_no_lines_and_no_commands_of_others(binary, tmp_path, sandbox):
    """A key may be of a client's words; the terminal on which it is read does nothing that they say."""
    sandbox.behave(refuse=1)
    with start(binary, tmp_path, sandbox) as server:
        place(server, "a\n\x1b[2J\x7f\u009b2J\r\u00e9")
        assert wait_for(lambda: rows(server) == [("dead",)])
        listed = effects(server, "list").stdout
        assert "charge/a??[2J??2J?\u00e9: HTTP 400" in listed and listed.count("\n") == 1
        shown = effects(server, "show", listed.split()[0]).stdout
        assert "key             charge/a??[2J??2J?\u00e9\n" in shown
        assert not set(shown) & set("\x1b\x7f\u009b\r")


# ---- what is refused ---------------------------------------------------------------------------------------------------
def test_no_request_runs_a_statement_of_the_systems(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        assert Caller(server).post("/orders/ord_1/peek", None).status == 500
        assert "a statement was asked for that this caller may not run" in server.log


def test_the_same_key_is_refused_and_nothing_of_its_batch_is_kept(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        settled(server, place(server, "ord_1"))
        with sqlite3.connect(server.database_path) as db:
            db.execute("DELETE FROM orders")
        answer = Caller(server).post("/orders", {"id": "ord_1", "amount": 4200, "method": "pm_card_visa"})
        assert answer.status == 409
        assert Caller(server).get("/orders/ord_1").status == 404


def test_without_a_target_effects_wait(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox, ["--limit-scale", "1000"]) as server:
        assert server.roles("outbound") == []
        place(server, "ord_1")
        assert "effects wait" in server.log
        server.flags = flags_for(sandbox)
        server.restart()
        assert settled(server, "ord_1")["state"] == "paid"


@pytest.mark.parametrize(("flags", "why"), [
    (["--effect-target", "payments=ftp://x"], "is not right"),
    (["--effect-target", "post=https://x"], "is not right"),
    (["--effect-target", "payments=https://x"], "needs a secret"),
    (["--effect-target", "payments=http://127.0.0.1:1"], "--fetch-private names"),
    (["--effect-target", "payments=https://x/v1"], "is no https"),
    (["--effect-target", "payments=https://user@x"], "is no https"),
    (["--effect-target", "payments=https://x", "--secret", "payments=@empty"], "cannot be used"),
    (["--effect-target", "payments=https://x", "--secret", "payments=@two-lines"], "one word"),
])  # fmt: skip
def test_a_target_that_is_not_right_does_not_start(binary, tmp_path, flags, why):
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "empty").write_text("")
    (folder / "two-lines").write_text("one\ntwo\n")
    server = Server(folder, workers=1, binary=binary, flags=flags).start(wait=False)
    assert server.wait(30) in (1, 2)
    assert why in server.log, server.log


def test_a_target_with_a_private_address_is_not_connected_to(binary, tmp_path, sandbox):
    flags = ["--effect-target", f"payments=https://localhost:{sandbox.port}", "--secret", f"payments=@{sandbox.api_key_path}", "--limit-scale", "1000"]
    with start(binary, tmp_path, sandbox, flags) as server:
        place(server, "ord_1")
        assert wait_for(lambda: rows(server, "note") == [("address",)])


def test_the_secret_is_the_outbound_roles_alone(binary, tmp_path, sandbox):
    with start(binary, tmp_path, sandbox) as server:
        for pid in server.children():
            for name in ("environ", "cmdline"):
                assert API_KEY.encode() not in pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
