"""Effects over TLS: whom the server believes that he is the provider, and what becomes of the money when it believes nobody.

The one idea: the payments sandbox stands behind an https server that is right but for one thing; when that is mended, the same effect goes
through, once.
"""

import sqlite3

import pytest
from apps import build_app
from caller import Caller
from https import Authority, HttpsServer, forward, reply
from provider import API_KEY, Sandbox
from server import ROOT, Server, wait_for


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("effects", ROOT / "tests" / "http" / "effects", tmp_path_factory.mktemp("effects"))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture()
def sandbox(tmp_path):
    with Sandbox(tmp_path / "sandbox") as it:
        yield it


def start(binary, folder, sandbox, authority, url):
    flags = ["--effect-target", f"payments={url}", "--fetch-private", "localhost", "--ca-file", authority.certificate,
             "--secret", f"payments=@{sandbox.api_key_path}", "--limit-scale", "1000"]  # fmt: skip
    return Server(folder / "server", workers=1, binary=binary, flags=flags).start()


def place(server, order):
    answer = Caller(server).post("/orders", {"id": order, "amount": 4200, "method": "pm_card_visa"})
    assert answer.status == 201, answer


def state_of(server, order):
    return Caller(server).get(f"/orders/{order}").json().get("state")


def row(server, columns):
    with sqlite3.connect(server.database_path) as db:
        ((*found,),) = db.execute(f"SELECT {columns} FROM limen_outbox").fetchall()
    return tuple(found)


def log_of_effects(server):
    """What the outbound role has said of each attempt."""
    lines = [line for line in server.log.splitlines() if "key=charge/ord_1" in line or '"key":"charge/ord_1"' in line]
    return [line for line in lines if "an effect" in line]


def assert_paid_once(server, sandbox):
    assert wait_for(lambda: state_of(server, "ord_1") == "paid", 40), server.tail()
    (charge,) = sandbox.charges()
    assert (charge["amount"], charge["metadata"]["limen_key"]) == (4200, "charge/ord_1")


# ---- what works --------------------------------------------------------------------------------------------------------
def test_a_charge_over_tls_and_every_byte_of_it(binary, tmp_path, sandbox, authority):
    heard = []
    with HttpsServer(*authority.issue(), forward(sandbox.port, heard)) as host:
        with start(binary, tmp_path, sandbox, authority, host.url(path="")) as server:
            place(server, "ord_1")
            assert_paid_once(server, sandbox)
            ((method, path, head, body),) = heard
            assert (method, path) == ("POST", "/v1/payment_intents")
            assert body == (b"amount=4200&currency=eur&confirm=true&error_on_requires_action=true&payment_method_types[]=card"
                            b"&payment_method=pm_card_visa&metadata[limen_key]=charge%2Ford_1&metadata[order_id]=ord_1")  # fmt: skip
            assert head == {
                "Host": f"localhost:{host.port}", "Accept": "application/json", "User-Agent": "limen", "Stripe-Version": "2024-06-20",
                "Authorization": f"Bearer {API_KEY}", "Idempotency-Key": "charge/ord_1", "Content-Length": str(len(body)),
                "Content-Type": "application/x-www-form-urlencoded",
            }  # fmt: skip
            (line,) = log_of_effects(server)
            assert "an effect was sent" in line and host.url(path="") in line and "succeeded" in line


def test_what_is_looked_up_over_tls_carries_no_key_and_no_body(binary, tmp_path, sandbox, authority):
    heard = []
    sandbox.behave(processing=1, settle_ms=1000)
    with HttpsServer(*authority.issue(), forward(sandbox.port, heard)) as host:
        with start(binary, tmp_path, sandbox, authority, host.url(path="")) as server:
            place(server, "ord_1")
            assert_paid_once(server, sandbox)
            payment = sandbox.charges()[0]["payment_intent"]
            method, path, head, body = heard[-1]
            assert (method, path, body) == ("GET", f"/v1/payment_intents/{payment}", b"")
            assert set(head) == {"Host", "Accept", "User-Agent", "Stripe-Version", "Authorization"}


# ---- whom it does not believe --------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("is_stranger", "names", "days", "outcome"),
    [
        (True, "DNS:localhost", 2, "certificate"),
        (False, "DNS:elsewhere.example", 2, "host_name"),
        (False, "DNS:localhost", -1, "certificate"),
    ],
    ids=["a stranger's authority", "a wrong name", "expired"],
)
def test_a_host_that_is_not_believed_gets_nothing_and_the_charge_waits(binary, tmp_path, sandbox, authority, is_stranger, names, days, outcome):
    issuer = Authority(tmp_path, "stranger") if is_stranger else authority
    heard = []
    with HttpsServer(*issuer.issue(names, days), forward(sandbox.port, heard)) as host:
        port = host.port
        with start(binary, tmp_path, sandbox, authority, host.url(path="")) as server:
            place(server, "ord_1")
            assert wait_for(lambda: row(server, "attempts >= 2, note") == (1, outcome)), row(server, "attempts, state, note")
            assert heard == [] and host.requests == [] and sandbox.charges() == []
            assert row(server, "state") == ("sent",) and state_of(server, "ord_1") == "paying"
            for line in log_of_effects(server):
                assert "an effect did not get through" in line and outcome in line and f"https://localhost:{port}" in line, line
                assert "warn" in line.lower() and "SSL" in line, line
            host.close()
            with HttpsServer(*authority.issue(), forward(sandbox.port), port=port):
                assert_paid_once(server, sandbox)
            assert API_KEY not in server.log


def test_plain_http_behind_an_https_target_gets_nothing(binary, tmp_path, sandbox, authority):
    with start(binary, tmp_path, sandbox, authority, f"https://localhost:{sandbox.port}") as server:
        place(server, "ord_1")
        assert wait_for(lambda: row(server, "note") == ("tls",)), row(server, "note")
        assert sandbox.charges() == [] and state_of(server, "ord_1") == "paying"


# ---- where it does not go ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("status", [302, 307, 308])
def test_a_redirect_of_an_effect_is_not_followed_and_the_charge_waits(binary, tmp_path, sandbox, authority, status):
    """A 307 would have the whole request, secret and all, sent to where the answer says."""
    is_mended = []
    with HttpsServer(*authority.issue(), forward(sandbox.port)) as elsewhere:
        led_away = [("Location", elsewhere.url(path="/v1/payment_intents"))]

        def answer(handler):
            if is_mended:
                forward(sandbox.port)(handler)
            else:
                handler.rfile.read(int(handler.headers["Content-Length"]))
                reply(handler, status, b"", led_away)

        with HttpsServer(*authority.issue(), answer) as host:
            with start(binary, tmp_path, sandbox, authority, host.url(path="")) as server:
                place(server, "ord_1")
                assert wait_for(lambda: row(server, f"attempts >= 2, note LIKE 'HTTP {status}%'") == (1, 1)), row(server, "attempts, note")
                assert row(server, "state") == ("sent",) and state_of(server, "ord_1") == "paying"
                assert all(f"{status}" in line and "unknown" in line for line in log_of_effects(server)), server.tail()
                is_mended.append(True)
                assert_paid_once(server, sandbox)
                assert elsewhere.requests == []
