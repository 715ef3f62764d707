"""A provider's signature is over the body as it came, and nothing else opens its operation."""

import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import time

import pytest
from apps import build_app
from caller import Caller
from server import Server, wait_for

APP = pathlib.Path(__file__).resolve().parent / "hooks"
SECRET = "whsec_of_these_tests"


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("hooks", APP, tmp_path_factory.mktemp("hooks"))


@pytest.fixture(scope="module")
def app(binary, tmp_path_factory):
    folder = tmp_path_factory.mktemp("app")
    (folder / "billing.secret").write_text(SECRET + "\n")
    with Server(folder, flags=["--secret", "billing=@billing.secret", "--limit-scale", "1000"], binary=binary) as server:
        yield server


def mark(body, at, secret=SECRET):
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def signed(body, at=None, secret=SECRET):
    at = int(time.time()) if at is None else at
    return f"t={at},v1={mark(body, at, secret)}"


def event(event_id="evt_1", **more):
    return json.dumps({"id": event_id, "type": "thing.done", "data": {"object": {"amount": 7, "more": [1, {}]}}, **more}).encode()


def tell(server, body, signature=None, **fields):
    sent = {} if signature == "" else {"Stripe-Signature": signature or signed(body)}
    return Caller(server).post("/hooks", raw=body, fields=sent | fields)


def kept(server):
    return Caller(server).get("/events").json()["number"]


# ---- what opens it -------------------------------------------------------------------------------------------------------


def test_a_signed_event_is_taken_whatever_else_it_holds(app):
    body = event("evt_taken", livemode=False, request={"id": None}, pending_webhooks=1)
    answer = tell(app, body)
    assert answer.status == 200, answer
    assert answer.json() == {"caller": "hook_billing", "id": "evt_taken", "amount": 7}


def test_an_event_is_kept_once_however_often_it_comes(app):
    before = kept(app)
    assert [tell(app, event("evt_again")).status for _ in range(3)] == [200, 200, 200]
    assert kept(app) == before + 1


def test_the_signature_is_of_the_bytes_and_not_of_what_they_say(app):
    body = event("evt_bytes")
    spaced = body.replace(b": ", b":")
    assert json.loads(spaced) == json.loads(body)
    assert tell(app, spaced, signed(body)).status == 401
    assert tell(app, spaced, signed(spaced)).status == 200


def test_any_of_several_marks_is_enough(app):
    body, at = event("evt_rolled"), int(time.time())
    good, other = mark(body, at), mark(body, at, "whsec_of_tomorrow")
    for marks in ([good, other], [other, good], [other] * 7 + [good]):
        assert tell(app, body, f"t={at}," + ",".join(f"v1={one}" for one in marks)).status == 200
    assert tell(app, body, f"t={at},v1={other},v1={other}").status == 401


def test_the_body_may_come_in_chunks(app):
    body = event("evt_chunks")
    caller = Caller(app)
    caller.connection.request("POST", "/hooks", iter([body[:10], body[10:]]), encode_chunked=True, headers={
        "Stripe-Signature": signed(body), "Content-Type": "application/json", "Transfer-Encoding": "chunked"})  # fmt: skip
    assert caller.connection.getresponse().status == 200


# ---- what does not -------------------------------------------------------------------------------------------------------


def test_what_is_not_signed_right_is_refused_and_leaves_nothing(app):
    body, at, before = event("evt_forged"), int(time.time()), kept(app)
    good = mark(body, at)
    cases = {
        "none": "",
        "another secret": signed(body, secret="whsec_of_others"),
        "another body": signed(event("evt_other")),
        "another time": f"t={at - 1},v1={good}",
        "too old": signed(body, at - 301),
        "of the future": signed(body, at + 400),
        "no time": f"v1={good}",
        "two times": f"t={at},t={at},v1={good}",
        "an older scheme": f"t={at},v0={good}",
        "upper case": f"t={at},v1={good.upper()}",
        "a space": f"t={at}, v1={good}",
        "cut short": f"t={at},v1={good[:-2]}",
        "the secret itself": SECRET,
        "too long": f"t={at},v1={good}," + "v0=" + "a" * 2000,
    }
    for name, signature in cases.items():
        answer = tell(app, body, signature)
        assert answer.status == 401, (name, answer)
        assert answer.fields["www-authenticate"] == 'Signature realm="limen"', name
    assert kept(app) == before


def test_five_minutes_are_no_matter(app):
    for at in (int(time.time()) - 280, int(time.time()) + 280):
        assert tell(app, event("evt_slow"), signed(event("evt_slow"), at)).status == 200


def test_two_signatures_are_none(app):
    body = event("evt_two")
    caller = Caller(app)
    caller.connection.putrequest("POST", "/hooks")
    for _ in range(2):
        caller.connection.putheader("Stripe-Signature", signed(body))
    caller.connection.putheader("Content-Type", "application/json")
    caller.connection.putheader("Content-Length", str(len(body)))
    caller.connection.endheaders(body)
    assert caller.connection.getresponse().status == 401


def test_no_other_credential_takes_its_place(app):
    fields = {"Authorization": f"Bearer {SECRET}", "Cookie": f"__Host-session={'A' * 43}", "X-API-Key": SECRET}
    assert tell(app, event(), "", **fields).status == 401


# ---- the order of the boundary -------------------------------------------------------------------------------------------


def test_a_stranger_learns_nothing_of_the_schema(app):
    """What is signed is looked at; what is not is not even parsed."""
    for body in (b"{", b"{}", b'{"id":"evt_1"}', b"[" * 50):
        assert tell(app, body, signed(event())).status == 401, body
    assert tell(app, b"{").status == 400
    answer = tell(app, b'{"id":"no","type":"x","data":{"object":{"amount":"7"}}}')
    assert answer.status == 422
    assert answer.pointers() == {("/id", "pattern"), ("/data/object/amount", "type")}


def test_a_body_past_the_ceiling_is_not_read(app):
    large = event(text="x" * 17 * 1024)
    assert tell(app, large).status == 413
    assert tell(app, large, "").status == 401  # without a signature not a byte of it is
    assert tell(app, event(), **{"Content-Type": "text/plain"}).status == 415
    assert tell(app, b"").status in (400, 415)


def test_limits_count_before_the_signature_costs_anything(binary, tmp_path):
    (tmp_path / "s").write_text(SECRET)
    with Server(tmp_path / "app", flags=["--secret", f"billing=@{tmp_path / 's'}"], binary=binary) as server:
        answers = [tell(server, event(), signed(event(), secret="whsec_of_others")).status for _ in range(45)]
    assert answers[:40] == [401] * 40 and set(answers[41:]) == {429}


# ---- the secret ----------------------------------------------------------------------------------------------------------


def test_without_a_secret_nobody_is_believed_and_the_start_says_so(binary, tmp_path):
    with Server(tmp_path, binary=binary) as server:
        answer = tell(server, event())
        assert answer.status == 503 and "retry-after" in answer.fields
        assert "there is no secret for a webhook" in server.log and "billing" in server.log


def test_a_secret_may_be_a_credential_of_systemd(binary, tmp_path):
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    (credentials / "billing").write_text(SECRET)
    with Server(tmp_path / "app", binary=binary, env={"CREDENTIALS_DIRECTORY": str(credentials)}) as server:
        assert tell(server, event()).status == 200


@pytest.mark.parametrize(("setting", "said"), [
    ("billing=@nowhere", "cannot be read: No such file"),
    ("billing=@empty", "is empty, or longer than 4096 bytes"),
    ("billing=@long", "is empty, or longer than 4096 bytes"),
    ("billing=whsec_in_the_open", "seen by whoever lists processes"),
    ("=@x", "NAME=@FILE"),
])  # fmt: skip
def test_a_secret_that_is_none_is_refused_at_start(binary, tmp_path, setting, said):
    (tmp_path / "empty").write_text("\n")
    (tmp_path / "long").write_text("x" * 5000)
    server = Server(tmp_path, flags=["--secret", setting], binary=binary).start(wait=False)
    assert server.wait(30) != 0
    assert said in server.log
    assert "whsec_in_the_open" not in server.log


@pytest.mark.skipif(os.geteuid() != 0, reason="the roles are not dumpable: only root can look inside")
def test_a_secret_is_in_no_role_but_the_data_role(binary, tmp_path):
    (tmp_path / "s").write_text(SECRET)
    with Server(tmp_path / "app", flags=["--secret", f"billing=@{tmp_path / 's'}"], binary=binary, workers=1) as server:
        assert tell(server, event()).status == 200
        for role, is_told in (("worker", False), ("data", True), ("operator", False)):
            (pid,) = server.roles(role)
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes()
            assert (b"LIMEN_SECRET" in environment) == is_told, role
            assert SECRET.encode() not in environment


def test_the_secret_is_known_again_after_the_data_role_was_killed(binary, tmp_path):
    (tmp_path / "s").write_text(SECRET)
    with Server(tmp_path / "app", flags=["--secret", f"billing=@{tmp_path / 's'}"], binary=binary, workers=1) as server:
        (pid,) = server.roles("data")
        subprocess.run(["kill", "-9", str(pid)], check=True)
        assert wait_for(lambda: tell(server, event()).status == 200, 15)
