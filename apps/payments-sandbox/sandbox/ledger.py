"""What the provider knows: intents, charges, refunds, saved replies, events on their way. One SQLite file.

The one idea: a request's effect, its saved reply and the events that it causes are one transaction, committed before anything
is answered. So a kill at any time leaves all of it or none. (WAL without a sync at each commit: it outlives processes, and not a
power cut, which no test here makes.)
"""

import contextlib
import json
import pathlib
import secrets
import sqlite3
import string
import threading
import time

SCHEMA = """
CREATE TABLE IF NOT EXISTS intents (
    id TEXT PRIMARY KEY, created REAL NOT NULL, status TEXT NOT NULL, settle_at REAL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS intents_due ON intents (settle_at) WHERE settle_at IS NOT NULL;
CREATE TABLE IF NOT EXISTS metadata (
    key TEXT NOT NULL, value TEXT NOT NULL, intent TEXT NOT NULL REFERENCES intents (id));
CREATE INDEX IF NOT EXISTS metadata_by_value ON metadata (key, value);
CREATE TABLE IF NOT EXISTS charges (
    id TEXT PRIMARY KEY, intent TEXT NOT NULL REFERENCES intents (id), created REAL NOT NULL, amount INTEGER NOT NULL,
    refunded INTEGER NOT NULL DEFAULT 0 CHECK (refunded BETWEEN 0 AND amount));
CREATE INDEX IF NOT EXISTS charges_of_intent ON charges (intent);
CREATE TABLE IF NOT EXISTS refunds (
    id TEXT PRIMARY KEY, intent TEXT NOT NULL REFERENCES intents (id), created REAL NOT NULL, body TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS refunds_of_intent ON refunds (intent);
CREATE TABLE IF NOT EXISTS replies (
    key TEXT PRIMARY KEY, created REAL NOT NULL, fingerprint TEXT NOT NULL, status INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS events (id TEXT PRIMARY KEY, created REAL NOT NULL, type TEXT NOT NULL, body BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS deliveries (
    id INTEGER PRIMARY KEY, event TEXT NOT NULL REFERENCES events (id), due_at REAL NOT NULL, attempts INTEGER NOT NULL DEFAULT 0);
CREATE INDEX IF NOT EXISTS deliveries_due ON deliveries (due_at);
CREATE TABLE IF NOT EXISTS behaviour (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""
_ALPHABET = string.ascii_letters + string.digits


def new_id(prefix):
    return f"{prefix}_" + "".join(secrets.choice(_ALPHABET) for _ in range(24))


class Ledger:
    def __init__(self, path, keep_keys):
        path = pathlib.Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.keep_keys = keep_keys
        self.lock = threading.RLock()
        self.listeners = []
        self.database = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self.database.row_factory = sqlite3.Row
        self.database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;" + SCHEMA)

    def close(self):
        with self.lock:
            self.database.close()

    def new_listener(self):
        """An event that is set whenever something may have become due."""
        self.listeners.append(threading.Event())
        return self.listeners[-1]

    @contextlib.contextmanager
    def transaction(self):
        """All of it or, when the body raises, none. One inside another is a part of it."""
        with self.lock:
            if self.database.in_transaction:
                yield self
                return
            self.database.execute("BEGIN IMMEDIATE")
            try:
                yield self
                self.database.execute("COMMIT")
            except BaseException:
                self.database.execute("ROLLBACK")
                raise
        for listener in self.listeners:
            listener.set()

    def all(self, sql, *values):
        with self.lock:
            return self.database.execute(sql, values).fetchall()

    def one(self, sql, *values):
        rows = self.all(sql, *values)
        return rows[0] if rows else None

    def run(self, sql, *values):
        self.database.execute(sql, values)

    # ---- saved replies ---------------------------------------------------------------------------------------------
    def reply_of(self, key):
        self.run("DELETE FROM replies WHERE key = ? AND created < ?", key, time.time() - self.keep_keys)
        return self.one("SELECT fingerprint, status, body FROM replies WHERE key = ?", key)

    def keep_reply(self, key, fingerprint, status, body):
        self.run("INSERT INTO replies VALUES (?, ?, ?, ?, ?)", key, time.time(), fingerprint, status, body)

    # ---- intents, charges, refunds ---------------------------------------------------------------------------------
    def intent(self, intent_id):
        row = self.one("SELECT body FROM intents WHERE id = ?", intent_id)
        return json.loads(row["body"]) if row else None

    def put_intent(self, intent, settle_at=None):
        is_new = self.one("SELECT 1 FROM intents WHERE id = ?", intent["id"]) is None
        self.run("INSERT INTO intents VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET status = excluded.status,"
                 " settle_at = excluded.settle_at, body = excluded.body",
                 intent["id"], time.time(), intent["status"], settle_at, json.dumps(intent))
        for key, value in intent["metadata"].items() if is_new else ():
            self.run("INSERT INTO metadata VALUES (?, ?, ?)", key, value, intent["id"])

    def capture(self, intent):
        """The money is taken: the intent has succeeded."""
        charge_id = new_id("ch")
        self.run("INSERT INTO charges (id, intent, created, amount) VALUES (?, ?, ?, ?)", charge_id, intent["id"], time.time(),
                 intent["amount"])
        intent |= {"status": "succeeded", "amount_received": intent["amount"], "latest_charge": charge_id,
                   "last_payment_error": None}
        self.put_intent(intent)
        self.tell("payment_intent.succeeded", intent)

    def charge_of(self, intent_id):
        return self.one("SELECT * FROM charges WHERE intent = ?", intent_id)

    def put_refund(self, refund, charge):
        self.run("INSERT INTO refunds VALUES (?, ?, ?, ?)", refund["id"], refund["payment_intent"], time.time(), json.dumps(refund))
        self.run("UPDATE charges SET refunded = refunded + ? WHERE id = ?", refund["amount"], charge["id"])
        self.tell("refund.created", refund)
        self.tell("charge.refunded", {
            "id": charge["id"], "object": "charge", "payment_intent": charge["intent"], "amount": charge["amount"],
            "amount_refunded": charge["refunded"] + refund["amount"],
            "refunded": charge["refunded"] + refund["amount"] == charge["amount"],
        })

    def settle_due(self):
        """What was `processing` long enough comes to its end. Returns when the next one is due."""
        row = self.one("SELECT id FROM intents WHERE settle_at <= ? ORDER BY settle_at LIMIT 1", time.time())
        if row:
            with self.transaction():
                self.settle(self.intent(row["id"]))
            return 0
        return self.one("SELECT min(settle_at) AS at FROM intents WHERE settle_at IS NOT NULL")["at"]

    def settle(self, intent):
        error = intent.pop("sandbox_error", None)  # how it will end, which nobody is shown
        if error is None:
            self.capture(intent)
            return
        intent |= {"status": "requires_payment_method", "last_payment_error": error, "payment_method": None}
        self.put_intent(intent)
        self.tell("payment_intent.payment_failed", intent)

    # ---- events ----------------------------------------------------------------------------------------------------
    def tell(self, kind, value):
        """Queues the event as often, and as late, as the behaviour asks."""
        at, behaviour = time.time(), self.behaviour()
        event = {"id": new_id("evt"), "object": "event", "api_version": "2024-06-20", "created": int(at), "livemode": False,
                 "type": kind, "pending_webhooks": 1, "data": {"object": value}}
        self.run("INSERT INTO events VALUES (?, ?, ?, ?)", event["id"], at, kind, json.dumps(event, indent=2).encode())
        delays = behaviour.get("webhook_delay_ms", {})
        due_at = at + delays.get(kind, delays.get("*", 0)) / 1000
        for _ in range(behaviour.get("webhook_times", 1)):
            self.run("INSERT INTO deliveries (event, due_at) VALUES (?, ?)", event["id"], due_at)

    def last_delivery(self):
        return self.one("SELECT coalesce(max(id), 0) AS id FROM deliveries")["id"]

    def deliveries_after(self, delivery_id):
        return [row["id"] for row in self.all("SELECT id FROM deliveries WHERE id > ? ORDER BY id", delivery_id)]

    # ---- behaviour -------------------------------------------------------------------------------------------------
    def behaviour(self):
        return {row["name"]: json.loads(row["value"]) for row in self.all("SELECT * FROM behaviour")}

    def set_behaviour(self, behaviour):
        self.run("DELETE FROM behaviour")
        for name, value in behaviour.items():
            self.run("INSERT INTO behaviour VALUES (?, ?)", name, json.dumps(value))

    def strikes(self, name):
        """Whether a fault happens now: it is told a number of times (-1: always), or a chance below 1."""
        value = self.behaviour().get(name, 0)
        if isinstance(value, float):
            return secrets.randbelow(1_000_000) < value * 1_000_000
        if value > 0:
            with self.transaction():
                self.run("UPDATE behaviour SET value = ? WHERE name = ?", json.dumps(value - 1), name)
        return value != 0
