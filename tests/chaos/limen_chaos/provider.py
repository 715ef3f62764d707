"""The payment provider's stand-in: a program that speaks the provider's protocol, and can be told to misbehave.

The one idea: what the provider has captured is a fact that no replica can change, so it is asked in the end and held against the
orders. apps/payments-sandbox is one; another has the same command line and the two paths under /sandbox/.
"""

import http.client
import json
import secrets
import sys

from limen_chaos.process import Broken, Process, free_port


class Provider(Process):
    """`flags` are the app's, as a function of the port at which it finds the provider and of this object, whose secrets are in files;
    `webhook_path` is where the app takes events."""

    def __init__(self, program, folder, flags, webhook_path=None):
        self.port, self.flags, self.webhook_path = free_port(), flags, webhook_path
        self.api_key_path, self.secret_path = folder / "api-key", folder / "webhook-secret"
        command = [sys.executable, program, "--listen", f"127.0.0.1:{self.port}", "--database", folder / "payments.db",
                   "--api-key", self.api_key_path]  # fmt: skip
        super().__init__("provider", command, folder)

    def flags_of_app(self, port):
        return self.flags(port, self)

    def send_events_to(self, port):
        """Before it is started."""
        if self.webhook_path:
            url = f"http://127.0.0.1:{port}{self.webhook_path}"
            self.command += ["--webhook", url, "--webhook-secret", str(self.secret_path)]

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        for path, prefix in ((self.api_key_path, "sk_test_"), (self.secret_path, "whsec_")):
            if not path.exists():
                path.write_text(prefix + secrets.token_hex(16) + "\n")
        super().start()

    def is_ready(self):
        return self._call("GET", "/sandbox/behaviour")[0] == 200

    def _call(self, method, path, value=None):
        """(status, object), or (0, None) when there is no answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        try:
            connection.request(method, path, None if value is None else json.dumps(value))
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError):
            return 0, None
        finally:
            connection.close()

    def behave(self, **behaviour):
        """What it was told before is forgotten. False when it is not there to be told."""
        status, said = self._call("POST", "/sandbox/behaviour", behaviour)
        if status not in (0, 200):
            raise Broken(f"the provider does not know this behaviour: {said}")
        return status == 200

    def charges(self):
        status, said = self._call("GET", "/sandbox/charges")
        if status != 200:
            raise Broken("the provider does not say what it has captured")
        return said["data"]
