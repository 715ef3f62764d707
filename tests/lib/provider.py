"""A payments-sandbox of the test's own: started on a free port over a fresh database, told to misbehave, killed, started again.

The one idea: what the sandbox has captured is the truth that a shop's orders are held against (`charges`).
"""

import hashlib
import hmac
import http.client
import json
import signal
import subprocess
import sys
import time
import urllib.parse

from caller import Caller
from server import ROOT, Server, free_port, wait_for

PROGRAM = ROOT / "apps" / "payments-sandbox" / "payments-sandbox"
API_KEY = "sk_test_of_the_tests"
SECRET = "whsec_of_the_tests"
HOOK = "/api/webhooks/payments"


class Answer:
    def __init__(self, status, fields, body):
        self.status, self.fields, self.body = status, fields, body

    def json(self):
        return json.loads(self.body)


class Sandbox:
    def __init__(self, folder, webhook=None, secrets=(SECRET,), flags=()):
        self.folder, self.webhook, self.secrets, self.flags = folder, webhook, list(secrets), list(flags)
        self.port = free_port()
        self.process = None

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def secret_path(self):
        return self.folder / "webhook-secret"

    @property
    def api_key_path(self):
        return self.folder / "api-key"

    def shop_flags(self):
        """What a shop is told, so that it charges here and believes these events."""
        return ["--effect-target", f"payments={self.url}", "--fetch-private", "127.0.0.1",
                "--secret", f"payments=@{self.api_key_path}", "--secret", f"payment-events=@{self.secret_path}"]  # fmt: skip

    def write_secrets(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.secret_path.write_text("\n".join(self.secrets) + "\n")
        self.api_key_path.write_text(API_KEY + "\n")

    def start(self):
        self.write_secrets()
        command = [sys.executable, PROGRAM, "--listen", f"127.0.0.1:{self.port}", "--database", self.folder / "payments.db",
                   "--api-key", self.api_key_path, *self.flags]
        if self.webhook:
            command += ["--webhook", self.webhook, "--webhook-secret", self.secret_path]
        with open(self.folder / "sandbox.log", "ab") as log:
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        assert wait_for(self.is_up), (self.folder / "sandbox.log").read_text()
        return self

    def is_up(self):
        assert self.process.poll() is None, (self.folder / "sandbox.log").read_text()
        try:
            return self.get("/sandbox/behaviour").status == 200
        except OSError:
            return False

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(timeout=15) == 0
        log = (self.folder / "sandbox.log").read_text()
        assert "Traceback" not in log, log

    # ---- asking ----------------------------------------------------------------------------------------------------
    def call(self, method, path, body=None, **fields):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in fields.items()})
            reply = connection.getresponse()
            return Answer(reply.status, reply.headers, reply.read())
        finally:
            connection.close()

    def get(self, path, query=None, api_key=API_KEY):
        return self.call("GET", path + ("?" + urllib.parse.urlencode(query) if query else ""), Authorization=f"Bearer {api_key}")

    def post(self, path, form, key=None, api_key=API_KEY):
        fields = {"Idempotency_Key": key} if key else {}
        return self.call("POST", path, urllib.parse.urlencode(form), Authorization=f"Bearer {api_key}",
                         Content_Type="application/x-www-form-urlencoded", **fields)

    def pay(self, order="ord_1", key=None, amount=4200, method="pm_card_visa", **more):
        return self.post("/v1/payment_intents", {
            "amount": amount, "currency": "eur", "confirm": "true", "payment_method": method, "payment_method_types[]": "card",
            "metadata[order_id]": order, **more}, key)  # fmt: skip

    def behave(self, **behaviour):
        """What it was told before is forgotten."""
        answer = self.call("POST", "/sandbox/behaviour", json.dumps(behaviour))
        assert answer.status == 200, answer.body

    def charges(self, order=None):
        found = self.get("/sandbox/charges").json()["data"]
        return [charge for charge in found if order is None or charge["metadata"].get("order_id") == order]

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.kill()


class PayingShop(Server):
    """A shop with a provider beside it; ends both."""

    def __init__(self, folder, **options):
        self.provider = Sandbox(folder / "payments")
        self.provider.write_secrets()
        flags = [*self.provider.shop_flags(), "--limit-scale", "1000", *options.pop("flags", ())]
        super().__init__(folder / "shop", flags=flags, **options)
        self.provider.webhook = self.url + HOOK

    def start(self, wait=True):
        if self.provider.process is None:
            self.provider.start()
        return super().start(wait)

    def stop(self, seconds=20.0):
        status = super().stop(seconds)
        self.provider.kill()
        return status

    def kill(self):
        super().kill()
        if self.provider.process is not None:
            self.provider.kill()


def tell(server, body, secret=SECRET, at=None):
    """Sends a shop an event as the provider would."""
    at = int(time.time()) if at is None else at
    mark = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return Caller(server).post(HOOK, raw=body, fields={"Stripe-Signature": f"t={at},v1={mark}"})
