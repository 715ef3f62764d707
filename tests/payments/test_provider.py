"""The payments sandbox keeps the promises that Stripe makes: what was answered is kept, a key pays once, an event is signed."""

import concurrent.futures
import hashlib
import hmac
import http.client
import http.server
import json
import socket
import threading
import time

import pytest
from provider import Sandbox
from server import wait_for


@pytest.fixture
def sandbox(tmp_path):
    with Sandbox(tmp_path / "payments") as it:
        yield it
        if it.process.poll() is None:
            it.stop()


def error_of(answer):
    return answer.status, answer.json()["error"]["type"], answer.json()["error"].get("code")


# ---- requests -------------------------------------------------------------------------------------------------------


def test_a_confirmed_intent_is_captured_and_found_again(sandbox):
    made = sandbox.pay("ord_1")
    intent = made.json()
    assert made.status == 200
    assert (intent["status"], intent["amount"], intent["amount_received"], intent["currency"]) == ("succeeded", 4200, 4200, "eur")
    assert intent["metadata"] == {"order_id": "ord_1"}
    assert sandbox.get(f"/v1/payment_intents/{intent['id']}").json() == intent
    found = sandbox.get("/v1/payment_intents/search", {"query": "metadata['order_id']:'ord_1'"}).json()
    assert found["data"] == [intent]
    assert sandbox.get("/v1/payment_intents/search", {"query": "metadata['order_id']:'ord_2'"}).json()["data"] == []
    (charge,) = sandbox.charges()
    assert (charge["payment_intent"], charge["amount"], charge["amount_refunded"]) == (intent["id"], 4200, 0)


def test_a_list_is_paged_newest_first(sandbox):
    ids = [sandbox.pay(f"ord_{i}").json()["id"] for i in range(3)]
    page = sandbox.get("/v1/payment_intents", {"limit": 2}).json()
    assert [intent["id"] for intent in page["data"]] == [ids[2], ids[1]] and page["has_more"]
    page = sandbox.get("/v1/payment_intents", {"limit": 2, "starting_after": ids[1]}).json()
    assert [intent["id"] for intent in page["data"]] == [ids[0]] and not page["has_more"]


@pytest.mark.parametrize(("change", "status", "code"), [
    ({"amount": "12.5"}, 400, "parameter_invalid_integer"),
    ({"amount": "49"}, 400, "amount_too_small"),
    ({"amount": "100000000"}, 400, "amount_too_large"),
    ({"currency": "euro"}, 400, None),
    ({"colour": "red"}, 400, "parameter_unknown"),
    ({"payment_method": "pm_of_nobody"}, 400, "resource_missing"),
    ({"payment_method_types[]": "giropay"}, 400, None),
    ({"confirm": "yes"}, 400, None),
    ({"metadata[a][b]": "1"}, 400, None),
])  # fmt: skip
def test_what_stripe_would_refuse_is_refused(sandbox, change, status, code):
    answer = sandbox.pay(**change)
    assert error_of(answer) == (status, "invalid_request_error", code)
    assert sandbox.charges() == []
    assert sandbox.get("/v1/payment_intents").json()["data"] == []  # a refusal leaves nothing behind


def test_only_the_key_opens_it(sandbox):
    assert sandbox.get("/v1/payment_intents", api_key="sk_test_of_others").status == 401
    assert sandbox.call("GET", "/v1/payment_intents").status == 401
    assert sandbox.get("/v1/payment_intents/pi_of_nobody").status == 404
    assert sandbox.call("POST", "/v1/customers", "", Authorization="Bearer x").status == 401


# ---- declines and refunds ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["pm_card_chargeDeclined", "pm_card_chargeDeclinedInsufficientFunds"])
def test_a_decline_is_402_and_takes_nothing(sandbox, method):
    answer = sandbox.pay(method=method, key="k1")
    assert error_of(answer) == (402, "card_error", "card_declined")
    intent = answer.json()["error"]["payment_intent"]
    assert intent["status"] == "requires_payment_method"
    assert sandbox.get(f"/v1/payment_intents/{intent['id']}").json() == intent
    assert sandbox.charges() == []
    again = sandbox.pay(method=method, key="k1")
    assert (again.status, again.body, again.fields["Idempotent-Replayed"]) == (402, answer.body, "true")


def test_a_refund_gives_back_no_more_than_was_taken(sandbox):
    intent = sandbox.pay().json()["id"]
    part = sandbox.post("/v1/refunds", {"payment_intent": intent, "amount": 1000}, key="r1")
    assert (part.status, part.json()["amount"], part.json()["status"]) == (200, 1000, "succeeded")
    assert sandbox.post("/v1/refunds", {"payment_intent": intent, "amount": 1000}, key="r1").body == part.body
    assert error_of(sandbox.post("/v1/refunds", {"payment_intent": intent, "amount": 3201}))[2] == "amount_too_large"
    rest = sandbox.post("/v1/refunds", {"payment_intent": intent}).json()
    assert rest["amount"] == 3200
    assert error_of(sandbox.post("/v1/refunds", {"payment_intent": intent}))[2] == "charge_already_refunded"
    assert sandbox.charges()[0]["amount_refunded"] == 4200
    listed = sandbox.get("/v1/refunds", {"payment_intent": intent}).json()["data"]
    assert [refund["amount"] for refund in listed] == [3200, 1000]
    assert sandbox.get(f"/v1/refunds/{rest['id']}").json() == rest


def test_what_was_not_captured_is_not_refunded(sandbox):
    intent = sandbox.pay(method="pm_card_chargeDeclined").json()["error"]["payment_intent"]["id"]
    assert error_of(sandbox.post("/v1/refunds", {"payment_intent": intent}))[0] == 400


def test_processing_ends_by_itself_either_way(sandbox):
    sandbox.behave(settle_ms=50)
    good, bad = sandbox.pay(method="pm_sandbox_processing").json(), sandbox.pay(method="pm_sandbox_processingDeclined").json()
    assert good["status"] == bad["status"] == "processing"
    assert not any(name.startswith("sandbox") for name in bad)

    def status_of(intent):
        return sandbox.get(f"/v1/payment_intents/{intent['id']}").json()["status"]

    assert wait_for(lambda: status_of(good) == "succeeded")
    assert wait_for(lambda: status_of(bad) == "requires_payment_method")
    assert [charge["payment_intent"] for charge in sandbox.charges()] == [good["id"]]


# ---- keys ------------------------------------------------------------------------------------------------------------


def test_a_key_pays_once(sandbox):
    first, second = sandbox.pay(key="k1"), sandbox.pay(key="k1")
    assert first.status == second.status == 200 and first.body == second.body
    assert "Idempotent-Replayed" not in first.fields and second.fields["Idempotent-Replayed"] == "true"
    assert len(sandbox.charges()) == 1


def test_a_key_with_other_parameters_is_refused(sandbox):
    intent = sandbox.pay(key="k1").json()["id"]
    assert error_of(sandbox.pay(key="k1", amount=4201))[:2] == (400, "idempotency_error")
    assert error_of(sandbox.post("/v1/refunds", {"payment_intent": intent}, key="k1"))[:2] == (400, "idempotency_error")
    assert len(sandbox.charges()) == 1


def test_a_key_in_use_is_409_and_pays_once(sandbox):
    sandbox.behave(slow_ms=800)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: sandbox.pay(key="k1"), range(4)))
    assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
    assert {error_of(answer)[1:] for answer in answers if answer.status == 409} == {("idempotency_error", "idempotency_key_in_use")}
    assert len(sandbox.charges()) == 1


def test_an_invalid_request_does_not_use_its_key_up(sandbox):
    assert sandbox.pay(key="k1", amount="no").status == 400
    assert sandbox.pay(key="k1").status == 200


def test_a_key_is_forgotten_when_its_time_has_come(tmp_path):
    with Sandbox(tmp_path, flags=["--keep-keys", "0"]) as sandbox:
        assert sandbox.pay(key="k1").json()["id"] != sandbox.pay(key="k1").json()["id"]


# ---- faults ------------------------------------------------------------------------------------------------------------


def test_what_it_answered_survives_a_kill(sandbox):
    first = sandbox.pay(key="k1")
    sandbox.behave(settle_ms=300)
    late = sandbox.pay(key="k2", method="pm_sandbox_processing").json()
    sandbox.kill()
    sandbox.start()
    assert sandbox.pay(key="k1").body == first.body
    assert sandbox.get("/sandbox/behaviour").json() == {"settle_ms": 300}
    assert wait_for(lambda: sandbox.get(f"/v1/payment_intents/{late['id']}").json()["status"] == "succeeded")


def test_it_acts_and_drops_the_connection(sandbox):
    sandbox.behave(drop=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        sandbox.pay(key="k1")
    assert len(sandbox.charges()) == 1
    again = sandbox.pay(key="k1")
    assert (again.status, again.fields["Idempotent-Replayed"]) == (200, "true")
    assert len(sandbox.charges()) == 1


@pytest.mark.parametrize(("fault", "captured"), [("fail", 0), ("fail_late", 1)])
def test_it_fails_with_500(sandbox, fault, captured):
    sandbox.behave(**{fault: 1})
    assert error_of(sandbox.pay(key="k1"))[:2] == (500, "api_error")
    assert len(sandbox.charges()) == captured
    assert sandbox.pay(key="k1").json()["status"] == "succeeded"
    assert len(sandbox.charges()) == 1


def test_it_keeps_a_500_with_the_key(sandbox):
    sandbox.behave(fail_kept=1)
    for _ in range(3):
        assert error_of(sandbox.pay(key="k1"))[:2] == (500, "api_error")
    (charge,) = sandbox.charges()
    found = sandbox.get("/v1/payment_intents/search", {"query": "metadata['order_id']:'ord_1'"}).json()["data"]
    assert [intent["id"] for intent in found] == [charge["payment_intent"]]


def test_it_drops_the_connection_and_did_nothing(sandbox):
    sandbox.behave(drop_early=1)
    with pytest.raises((http.client.RemoteDisconnected, ConnectionResetError)):
        sandbox.pay(key="k1")
    assert sandbox.charges() == []


def test_a_behaviour_that_is_not_understood_is_refused(sandbox):
    for told in ({"dorp": 1}, {"drop": "always"}, {"drop": 1.5}, {"slow_ms": -1}, {"webhook_early": 1}, []):
        assert sandbox.call("POST", "/sandbox/behaviour", json.dumps(told)).status == 400, told
    assert sandbox.get("/sandbox/behaviour").json() == {}


# ---- events ------------------------------------------------------------------------------------------------------------


class Listener:
    """Takes events; refuses the first `refusals` of them."""

    def __init__(self):
        self.events, self.refusals, self.at_first = [], 0, None
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                listener.events.append((self.headers["Stripe-Signature"], body))
                status = 200 if len(listener.events) > listener.refusals else 503
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/events"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def types(self):
        return [json.loads(body)["type"] for _, body in self.events]


@pytest.fixture
def listener():
    it = Listener()
    yield it
    it.server.shutdown()
    it.server.server_close()


@pytest.fixture
def heard(tmp_path, listener):
    with Sandbox(tmp_path, webhook=listener.url, secrets=["whsec_new", "whsec_old"]) as sandbox:
        yield sandbox


def test_an_event_is_signed_with_every_secret(heard, listener):
    intent = heard.pay().json()
    assert wait_for(lambda: len(listener.events) == 2)
    assert set(listener.types()) == {"payment_intent.created", "payment_intent.succeeded"}
    for signature, body in listener.events:
        at, *marks = signature.split(",")
        signed = at.removeprefix("t=").encode() + b"." + body
        assert marks == ["v1=" + hmac.new(key, signed, hashlib.sha256).hexdigest() for key in (b"whsec_new", b"whsec_old")]
        event = json.loads(body)
        assert event["data"]["object"]["id"] == intent["id"]
        assert heard.get(f"/v1/events/{event['id']}").json() == event


def test_an_event_is_sent_again_until_it_is_taken(heard, listener):
    listener.refusals = 3
    heard.pay()
    assert wait_for(lambda: len(listener.events) == 5)
    assert len({json.loads(body)["id"] for _, body in listener.events}) == 2


def test_an_event_that_was_not_taken_survives_a_kill(heard, listener):
    listener.refusals = 10**6
    heard.pay()
    assert wait_for(lambda: listener.events)
    heard.kill()
    listener.events.clear()
    listener.refusals = 0
    heard.start()
    assert wait_for(lambda: "payment_intent.succeeded" in listener.types())


def test_events_come_twice_late_or_out_of_order(heard, listener):
    heard.behave(webhook_times=2, settle_ms=50, webhook_delay_ms={"payment_intent.processing": 600, "payment_intent.created": 900})
    heard.pay(method="pm_sandbox_processing")
    assert wait_for(lambda: len(listener.events) == 6)
    assert listener.types() == ["payment_intent.succeeded"] * 2 + ["payment_intent.processing"] * 2 + ["payment_intent.created"] * 2


def test_events_come_before_the_answer(heard, listener):
    heard.behave(webhook_early=True, late_ms=300)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        answer = pool.submit(heard.pay)
        assert wait_for(lambda: "payment_intent.succeeded" in listener.types())
        assert not answer.done()
        assert answer.result().status == 200


def test_an_early_event_is_waited_for_and_not_all_that_is_due(tmp_path):
    """Each delivery takes 10 seconds where nobody answers; an answer that waited for others' would keep its key in use for minutes."""
    with socket.create_server(("127.0.0.1", 0)) as mute, Sandbox(tmp_path, f"http://127.0.0.1:{mute.getsockname()[1]}/") as sandbox:
        for number in range(4):
            sandbox.pay(f"ord_{number}")
        sandbox.behave(webhook_early=True)
        began = time.monotonic()
        assert sandbox.pay("ord_early").status == 200
        assert 8 < time.monotonic() - began < 30
