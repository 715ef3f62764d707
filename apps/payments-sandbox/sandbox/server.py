"""HTTP: who may ask, idempotency keys, faults on the way, and which endpoint is meant.

The one idea: a POST with a key runs once. Its result is kept in the transaction that made it, and given again, marked as a
replay, to whoever comes with the same key and the same parameters.
"""

import concurrent.futures
import contextlib
import hashlib
import http.server
import json
import re
import socket
import threading
import time
import urllib.parse

from sandbox import behaviour, payments, wire
from sandbox.ledger import new_id

MOST_BODY = 64 * 1024

ROUTES = [  # method, path, what answers it: with the path's id, or with the form
    ("POST", r"/v1/payment_intents", lambda ledger, _, form: payments.create_intent(ledger, form)),
    ("GET", r"/v1/payment_intents", lambda ledger, _, form: payments.list_intents(ledger, form)),
    ("GET", r"/v1/payment_intents/search", lambda ledger, _, form: payments.search_intents(ledger, form)),
    ("GET", r"/v1/payment_intents/(pi_\w+)", lambda ledger, name, _: payments.get_intent(ledger, name)),
    ("POST", r"/v1/refunds", lambda ledger, _, form: payments.create_refund(ledger, form)),
    ("GET", r"/v1/refunds", lambda ledger, _, form: payments.list_refunds(ledger, form)),
    ("GET", r"/v1/refunds/(re_\w+)", lambda ledger, name, _: payments.get_refund(ledger, name)),
    ("GET", r"/v1/events/(evt_\w+)", lambda ledger, name, _: payments.get_event(ledger, name)),
]


class Dropped(Exception):
    """The connection is to be closed without an answer."""


def failure():
    return wire.Refusal(500, "api_error", "An error occurred on our side.")


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512
    block_on_close = False

    def __init__(self, address, ledger, sender, api_key):
        super().__init__(address, Handler)
        self.ledger, self.sender, self.api_key = ledger, sender, api_key
        self.keys_in_flight, self.keys_lock = set(), threading.Lock()

    def handle_error(self, request, client_address):
        """A client that has left is none of our errors."""

    @contextlib.contextmanager
    def holding(self, key):
        with self.keys_lock:
            if key in self.keys_in_flight:
                raise wire.Refusal(409, "idempotency_error", "There is currently another in-progress request using this "
                                   f"idempotent key: {key}", code="idempotency_key_in_use")
            self.keys_in_flight.add(key)
        try:
            yield
        finally:
            with self.keys_lock:
                self.keys_in_flight.discard(key)

    def is_key(self, text):
        return text == self.api_key if self.api_key else re.fullmatch(r"[rs]k_test_\w+", text) is not None


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "payments-sandbox", ""
    disable_nagle_algorithm = True
    timeout = 75

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.answer_request("GET")

    def do_POST(self):
        self.answer_request("POST")

    def answer_request(self, method):
        url = urllib.parse.urlsplit(self.path)
        self.is_replay = False
        try:
            body = self.read_body()
            if url.path.startswith("/sandbox/"):
                status, answer = 200, wire.encode(self.control(method, url.path, body))
            else:
                self.check_key()
                status, answer = self.call(method, url, body)
        except wire.Refusal as refusal:
            status, answer = refusal.status, wire.encode(refusal.body)
        except Dropped:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        self.send_answer(status, answer)

    # ---- requests and answers --------------------------------------------------------------------------------------
    def read_body(self):
        text = self.headers.get("Content-Length", "0")
        if not re.fullmatch("[0-9]{1,7}", text) or int(text) > MOST_BODY or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            raise wire.invalid("The body must have a Content-Length, and be small.")
        return self.rfile.read(int(text))

    def check_key(self):
        scheme, _, key = self.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key:
            raise wire.invalid("You did not provide an API key: send 'Authorization: Bearer YOUR_SECRET_KEY'.", status=401)
        if not self.server.is_key(key):
            raise wire.invalid(f"Invalid API Key provided: {key[:8]}***", status=401)

    def send_answer(self, status, answer):
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.send_header("Request-Id", new_id("req"))
        if self.is_replay:
            self.send_header("Idempotent-Replayed", "true")
        self.end_headers()
        self.wfile.write(answer)

    # ---- the provider ----------------------------------------------------------------------------------------------
    def call(self, method, url, body):
        endpoint = self.find(method, url.path)
        if method == "GET":
            return 200, wire.encode(endpoint(wire.parse_form(url.query)))
        if self.headers.get_content_type() != "application/x-www-form-urlencoded":
            raise wire.invalid("Requests are form-encoded: send Content-Type: application/x-www-form-urlencoded.")
        form = wire.parse_form(body.decode("utf-8", "replace"))
        key = self.headers.get("Idempotency-Key")
        if key is None:
            return self.run(endpoint, form, keep=None)
        if not 1 <= len(key) <= 255:
            raise wire.invalid("Idempotency keys have at most 255 characters.")
        with self.server.holding(key):
            return self.run_once(endpoint, url.path, form, key)

    def find(self, method, path):
        for known, pattern, endpoint in ROUTES:
            match = re.fullmatch(pattern, path) if known == method else None
            if match:
                name = match[1] if match.groups() else None
                return lambda form: endpoint(self.server.ledger, name, form)
        raise wire.invalid(f"Unrecognized request URL ({method}: {path}).", status=404)

    def run_once(self, endpoint, path, form, key):
        fingerprint = hashlib.sha256(json.dumps([path, form], sort_keys=True).encode()).hexdigest()
        with self.server.ledger.transaction() as ledger:
            saved = ledger.reply_of(key)
        if saved is None:
            return self.run(endpoint, form, keep=lambda *reply: ledger.keep_reply(key, fingerprint, *reply))
        if saved["fingerprint"] != fingerprint:
            raise wire.Refusal(400, "idempotency_error", "Keys for idempotent requests can only be used with the same parameters "
                               f"they were first used with. Try using a key other than '{key}'.")
        self.is_replay = True
        self.suffer("after")
        return saved["status"], saved["body"]

    def run(self, endpoint, form, keep):
        self.suffer("before")
        with self.server.ledger.transaction() as ledger:
            last = ledger.last_delivery()
            try:
                status, answer = 200, wire.encode(endpoint(form))
            except wire.Refusal as refusal:
                if not refusal.is_kept:
                    raise
                status, answer = refusal.status, wire.encode(refusal.body)
            if ledger.strikes("fail_kept"):
                status, answer = 500, wire.encode(failure().body)
            if keep:
                keep(status, answer)
            early = ledger.deliveries_after(last) if ledger.behaviour().get("webhook_early") else []
        if early:  # its own, once: an answer that waited for all that is due might never come
            with concurrent.futures.ThreadPoolExecutor() as pool:
                list(pool.map(self.server.sender.send, early))
        self.suffer("after")
        return status, answer

    def suffer(self, when):
        """The faults that it was told to have."""
        ledger = self.server.ledger
        told = ledger.behaviour()
        drop, fail, delay = {"before": ("drop_early", "fail", "slow_ms"), "after": ("drop", "fail_late", "late_ms")}[when]
        time.sleep(told.get(delay, 0) / 1000)
        if ledger.strikes(drop):
            raise Dropped
        if ledger.strikes(fail):
            raise failure()
        if when == "before" and ledger.strikes("refuse"):
            raise wire.invalid("This is not taken.")

    # ---- what tests ask and tell -----------------------------------------------------------------------------------
    def control(self, method, path, body):
        ledger = self.server.ledger
        if (method, path) == ("GET", "/sandbox/charges"):
            return payments.captures(ledger)
        if (method, path) == ("GET", "/sandbox/behaviour"):
            return ledger.behaviour()
        if (method, path) == ("POST", "/sandbox/behaviour"):
            try:
                told = behaviour.check(json.loads(body or b"{}"))
            except ValueError:
                raise wire.invalid("The behaviour is not JSON.") from None
            with ledger.transaction():
                ledger.set_behaviour(told)
            return told
        raise wire.invalid(f"Unrecognized request URL ({method}: {path}).", status=404)
