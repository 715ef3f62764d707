"""A client of the shop for tests that do one thing after the other; what it sends may be as wrong as the test wants."""

import http.client
import itertools
import json

PASSWORD = "four plain words here"
_numbers = itertools.count(1)


class Answer:
    def __init__(self, response):
        self.status = response.status
        self.fields = {name.lower(): value for name, value in response.getheaders()}
        self.names = [name.lower() for name, _ in response.getheaders()]
        self.body = response.read()

    def json(self):
        return json.loads(self.body)

    def pointers(self):
        """{(pointer, rule)} of a refusal's faults."""
        return {(fault["pointer"], fault["rule"]) for fault in self.json().get("errors", [])}

    def __repr__(self):
        return f"{self.status} {self.body[:300]!r}"


class Caller:
    """One keep-alive connection, and a session when it has signed up or in.

    value   is sent as JSON; `raw` is sent as it is
    key     is sent as Idempotency-Key
    """

    def __init__(self, server, cookie=None):
        self.server, self.cookie = server, cookie
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=20)
        self.account = None

    def call(self, method, path, value=None, raw=None, key=None, fields=None, skip_cookie=False):
        sent = dict(fields or {})
        body = raw if raw is not None else None if value is None else json.dumps(value)
        if body is not None:
            sent.setdefault("Content-Type", "application/json")
            body = body.encode() if isinstance(body, str) else body
        if self.cookie is not None and not skip_cookie:
            sent.setdefault("Cookie", f"__Host-session={self.cookie}")
        if key is not None:
            sent["Idempotency-Key"] = key
        try:
            self.connection.request(method, path, body, sent)
            return Answer(self.connection.getresponse())
        except (http.client.HTTPException, OSError):
            self.connection.close()
            raise

    def get(self, path, **options):
        return self.call("GET", path, **options)

    def post(self, path, value=None, **options):
        return self.call("POST", path, value, **options)

    def checkout(self, item="sku_bowl", quantity=1, key=None):
        wanted = {"lines": [{"itemId": item, "quantity": quantity}]}
        return self.post("/api/checkout", wanted, key=key or new_key())

    def close(self):
        self.connection.close()


def cookie_of(answer):
    return answer.fields["set-cookie"].split(";")[0].split("=", 1)[1]


def new_key():
    return f"key-{next(_numbers)}"


def new_email():
    return f"customer.{next(_numbers)}@example.com"


def customer(server):
    """A new account, signed in."""
    caller = Caller(server)
    caller.email = new_email()
    answer = caller.post("/api/accounts", {"email": caller.email, "password": PASSWORD, "name": "A Customer"})
    assert answer.status == 201, answer
    caller.account, caller.cookie = answer.json()["id"], cookie_of(answer)
    return caller


def admin(server):
    caller = Caller(server)
    answer = caller.post("/api/sessions", {"email": server.admin_email, "password": server.admin_password})
    assert answer.status == 201, answer
    caller.account, caller.cookie = answer.json()["id"], cookie_of(answer)
    return caller
