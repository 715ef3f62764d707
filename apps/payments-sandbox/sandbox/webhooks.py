"""Events on their way to whoever listens: signed, sent again until they are taken, in no promised order.

The one idea: a delivery is a row with a time at which it is due. Being late, twice or out of order is a matter of that time; a
failure moves it on.
"""

import http.client
import threading
import time
import urllib.parse

from sandbox import wire

ATTEMPTS = 16
LONGEST_WAIT_S = 60
ANSWER_S = 10
AT_ONCE = 50


class Clockwork(threading.Thread):
    """Runs `work`, which tells when it wants to be run again (None: when something has changed)."""

    def __init__(self, work, ledger):
        super().__init__(daemon=True)
        self.work, self.changed = work, ledger.new_listener()

    def run(self):
        while True:
            self.changed.clear()  # what changes while we look wakes us
            due_at = self.work()
            self.changed.wait(5 if due_at is None else max(0, min(due_at - time.time(), 5)))


class Sender:
    def __init__(self, ledger, url, secrets):
        self.ledger, self.secrets = ledger, secrets
        self.url = urllib.parse.urlsplit(url) if url else None
        self.under_way, self.changed = set(), threading.Condition()  # nothing is sent twice at a time, so never more often than asked

    def send_due(self):
        rows = self.ledger.all("SELECT id FROM deliveries WHERE due_at <= ? ORDER BY due_at LIMIT ?", time.time(), AT_ONCE)
        for row in rows:
            self.send(row["id"])
        return self.ledger.one("SELECT min(due_at) AS at FROM deliveries")["at"]

    def send(self, delivery_id):
        """Or waits until another has sent it."""
        with self.changed:
            if delivery_id in self.under_way:
                self.changed.wait_for(lambda: delivery_id not in self.under_way, 2 * ANSWER_S)
                return
            self.under_way.add(delivery_id)
        try:
            self._send(delivery_id)
        finally:
            with self.changed:
                self.under_way.discard(delivery_id)
                self.changed.notify_all()

    def _send(self, delivery_id):
        row = self.ledger.one("SELECT deliveries.*, events.body FROM deliveries JOIN events ON events.id = event"
                              " WHERE deliveries.id = ? AND due_at <= ?", delivery_id, time.time())
        is_done = row is None or self.url is None or self.is_taken(row["body"]) or row["attempts"] + 1 >= ATTEMPTS
        if row is None:
            return
        with self.ledger.transaction() as ledger:
            if is_done:
                ledger.run("DELETE FROM deliveries WHERE id = ?", delivery_id)
            else:
                wait = min(0.25 * 2 ** row["attempts"], LONGEST_WAIT_S)
                ledger.run("UPDATE deliveries SET attempts = attempts + 1, due_at = ? WHERE id = ?", time.time() + wait, delivery_id)

    def is_taken(self, body):
        """A 2xx; a redirect is none and is not followed."""
        kinds = {"http": http.client.HTTPConnection, "https": http.client.HTTPSConnection}
        connection = kinds[self.url.scheme](self.url.hostname, self.url.port, timeout=ANSWER_S)
        fields = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "payments-sandbox",
                  "Stripe-Signature": wire.sign(body, self.secrets, int(time.time()))}
        try:
            connection.request("POST", self.url.path or "/", body, fields)
            return 200 <= connection.getresponse().status < 300
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
