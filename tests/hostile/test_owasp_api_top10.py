"""OWASP API Security Top 10 (2023), line by line, against the shop.

Where a line speaks of "every operation", the operations are those of the contract that the server itself serves: one that is added
later is tried as well. What one line can only show in part stands in the tests that docs/trust-boundary.md names.
"""

import collections
import concurrent.futures
import contextlib
import gzip
import http.server
import json
import re
import socket
import threading
import time

import pytest
from caller import PASSWORD, Caller, admin, cookie_of, customer, new_email, new_key
from https import forward, reply
from provider import Sandbox
from server import Server, wait_for

VALUES = {"itemId": "sku_bowl", "orderId": "ord_" + "0" * 27}
BODIES = {
    "createAccount": lambda: {"email": new_email(), "password": PASSWORD, "name": "A Customer"},
    "createSession": lambda: {"email": new_email(), "password": PASSWORD},
    "checkout": lambda: {"lines": [{"itemId": "sku_bowl", "quantity": 1}]},
    "adminCreateItem": lambda: {"id": f"sku_made{time.monotonic_ns()}", "name": "Made", "description": "Made here.", "price": 100,
                                "currency": "EUR", "stock": 1},
    "adminChangeItem": lambda: {"stock": 60},
    "hearOfPayment": lambda: {"id": "evt_1", "type": "x", "data": {"object": {"id": "pi_1"}}},
}  # fmt: skip


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    """A shop with the contract's own quotas; each test that spends one spends another."""
    with Server(tmp_path_factory.mktemp("strict"), workers=2) as server:
        yield server


@pytest.fixture(scope="module")
def contract(shop):
    return Caller(shop).get("/openapi.json").json()


class Operation:
    def __init__(self, template, method, node):
        self.template, self.method, self.node, self.id = template, method.upper(), node, node["operationId"]

    @property
    def path(self):
        return re.sub(r"\{(\w+)\}", lambda match: VALUES[match[1]], self.template)

    @property
    def roles(self):
        """None: anybody may call it."""
        return None if self.node["security"] == [] else {role for way in self.node["security"] for roles in way.values() for role in roles}

    def call(self, caller, path=None, **options):
        body = BODIES[self.id]() if "requestBody" in self.node else None
        key = new_key() if self.node.get("x-idempotency") else None
        return caller.call(self.method, path or self.path, body, key=key, **options)


@pytest.fixture(scope="module")
def operations(contract):
    made = [Operation(path, method, node) for path, item in contract["paths"].items() for method, node in item.items()]
    assert len(made) >= 12 and {one.id for one in made if "requestBody" in one.node} == set(BODIES)
    return made


# ---- API1 ----------------------------------------------------------------------------------------------------------
def test_owasp_api1_broken_object_level_authorization(shop):
    owner, stranger = customer(shop), customer(shop)
    order = owner.checkout().json()["id"]
    spellings = [order, order.replace("ord", "%6Frd"), order.replace("_", "%5F"), f"{order}?", f"{order}#x"]
    for spelling in spellings:
        assert owner.get(f"/api/orders/{spelling}").status in (200, 400)
        answer = stranger.get(f"/api/orders/{spelling}")
        assert answer.status in (400, 404) and order not in answer.body.decode()
    same = stranger.get(f"/api/orders/{order}").body
    assert same == stranger.get(f"/api/orders/{order[:-1]}{'0' if order[-1] != '0' else '1'}").body, "there and not there are told apart"
    assert stranger.get("/api/orders").json()["orders"] == []
    assert stranger.get(f"/api/orders?after={order[:-1]}z").json()["orders"] == [], "a cursor is no key to others' rows"


# ---- API2 ----------------------------------------------------------------------------------------------------------
def test_owasp_api2_broken_authentication(shop, strict):
    caller = customer(shop)
    token = caller.cookie
    elsewhere = [
        {"Authorization": f"Bearer {token}"}, {"X-Session": token}, {"Cookie": f"session={token}"}, {"Cookie": f"__host-session={token}"},
        {"Cookie": f"__Host-session={token[:-1]}"}, {"Cookie": f"__Host-session={token}x"}, {"Cookie": f'__Host-session="{token}"'},
        {"Cookie": f"__Host-session={token.swapcase()}"}, {"Cookie": "__Host-session="},
    ]  # fmt: skip
    assert [Caller(shop).get("/api/me", fields=fields).status for fields in elsewhere] == [401] * len(elsewhere)
    assert Caller(shop).get(f"/api/me?__Host-session={token}").status == 401

    chosen = "A" * 43  # a cookie that somebody has planted before the sign-in does not become the session
    answer = Caller(shop, chosen).post("/api/sessions", {"email": caller.email, "password": PASSWORD})
    assert answer.status == 201 and cookie_of(answer) not in (chosen, token)
    assert Caller(shop, chosen).get("/api/me").status == 401

    victim = customer(strict).email
    guesses = [Caller(strict).post("/api/sessions", {"email": victim, "password": f"guess number {i}"}).status for i in range(14)]
    assert guesses[0] == 401 and guesses[-1] == 429, "a password may be guessed without end"


# ---- API3 ----------------------------------------------------------------------------------------------------------
def undeclared(contract, schema, value, at=""):
    """The members of a reply that its schema does not name."""
    while "$ref" in schema:
        schema = contract["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    if isinstance(value, list):
        return [name for i, one in enumerate(value) for name in undeclared(contract, schema["items"], one, f"{at}/{i}")]
    if not isinstance(value, dict):
        return []
    known = schema["properties"]
    return [f"{at}/{name}" for name in value.keys() - known.keys()] + [
        name for member, one in value.items() if member in known for name in undeclared(contract, known[member], one, f"{at}/{member}")]  # fmt: skip


def test_owasp_api3_broken_object_property_level_authorization(shop, contract, operations):
    buyer, keeper = customer(shop), admin(shop)
    VALUES["orderId"] = buyer.checkout().json()["id"]
    answered = set()
    for operation in operations:
        if operation.id == "deleteCurrentSession" or operation.roles == {"provider"}: # no body comes back
            continue
        caller = keeper if operation.roles == {"admin"} else buyer
        answer = operation.call(caller)
        declared = operation.node["responses"][str(answer.status)]["content"]
        schema = declared[answer.fields["content-type"]]["schema"]
        assert undeclared(contract, schema, answer.json()) == [], operation.id
        assert not re.search(rb"argon2|password_?hash|token_hash", answer.body, re.IGNORECASE)
        answered.add(operation.id)
        # What a client may read is not what it may write.
        for member, forged in {"id": "x", "roles": ["admin"], "state": "paid", "total": 1, "unitPrice": 1, "customerId": "acc_admin"}.items():
            if "requestBody" not in operation.node or member in BODIES[operation.id]():
                continue
            refused = caller.call(operation.method, operation.path, BODIES[operation.id]() | {member: forged}, key=new_key())
            assert refused.status == 422 and (f"/{member}", "additionalProperties") in refused.pointers(), (operation.id, member, refused)
    assert len(answered) == len(operations) - 2


# ---- API4 ----------------------------------------------------------------------------------------------------------
def test_owasp_api4_unrestricted_resource_consumption(shop, strict):
    buyer = customer(shop)
    key = {"key": new_key()}
    asked = {
        "a page of everything": (buyer.get("/api/items?limit=1000000"), 422),
        "a long search": (buyer.get("/api/items?q=" + "a" * 81), 422),
        "a long target": (Caller(shop).get("/api/items?q=" + "a" * 10000), 414),
        "a long field": (Caller(shop).get("/api/items", fields={"X-Long": "a" * 20000}), 431),
        "many fields": (Caller(shop).get("/api/items", fields={f"X-{i}": "" for i in range(200)}), 431),
        "a large body": (Caller(shop, buyer.cookie).post("/api/checkout", raw=b" " * (2 << 20), **key), 413),
        "many lines": (buyer.post("/api/checkout", {"lines": [{"itemId": "sku_bowl", "quantity": 1}] * 60}, **key), 422),
        "deep nesting": (buyer.post("/api/checkout", raw="[" * 1000, **key), 400),
        "a long number": (buyer.post("/api/checkout", raw='{"lines":[{"itemId":"sku_bowl","quantity":' + "9" * 400 + "}]}", **key), 400),
        "a long password": (Caller(shop).post("/api/sessions", {"email": buyer.email, "password": "x" * 129}), 422),
        "a long key": (buyer.checkout(key="k" * 256), 400),
    }  # fmt: skip
    assert {name: answer.status for name, (answer, _) in asked.items()} == {name: status for name, (_, status) in asked.items()}

    caller = customer(strict)
    statuses = [caller.checkout("sku_candles").status for _ in range(14)]
    assert statuses.count(429) >= 3 and statuses[:5] == [201] * 5
    assert Caller(strict).get("/api/items").status == 200, "others are served meanwhile"


# ---- API5 ----------------------------------------------------------------------------------------------------------
DISGUISES = [
    {"X-HTTP-Method-Override": "GET"}, {"X-Original-URL": "/api/items"}, {"X-Rewrite-URL": "/api/items"}, {"X-Forwarded-For": "127.0.0.1"},
    {"X-Role": "admin"}, {"X-Forwarded-User": "admin@shop.example"}, {"Authorization": "Basic YWRtaW46YWRtaW4="}, {"Forwarded": "for=127.0.0.1"},
]  # fmt: skip
DETOURS = [
    "/api//admin/orders", "//api/admin/orders", "/api/./admin/orders", "/api/items/../admin/orders", "/api/items/..%2fadmin%2forders",
    "/api/items/%2e%2e/admin/orders", "/api/admin/orders/", "/API/ADMIN/ORDERS", "/api/admin%2forders", "/api/admin/orders;x=y",
    "/api/admin/orders%20", "/api/admin/orders.json", "/%61pi/admin/orders", "/api/admin/orders%00", "/api/items;/../admin/orders",
]  # fmt: skip


def test_owasp_api5_broken_function_level_authorization(shop, operations):
    buyer, stranger = customer(shop), Caller(shop)
    guarded = [operation for operation in operations if operation.roles is not None]
    assert {operation.id for operation in guarded if operation.roles == {"admin"}} >= {"adminCreateItem", "adminChangeItem", "adminListOrders"}
    for operation in guarded:
        assert operation.call(stranger).status == 401, operation.id
        if operation.roles != {"admin"}:
            continue
        assert operation.call(buyer).status == 403, operation.id
        for fields in DISGUISES:
            assert operation.call(buyer, fields=fields).status == 403, (operation.id, fields)
    for path in DETOURS:
        assert buyer.get(path).status in (400, 403, 404, 422), path
    for method in ("HEAD", "PUT", "POST", "DELETE", "PATCH"):
        assert buyer.call(method, "/api/admin/orders").status in (403, 405), method


# ---- API6 ----------------------------------------------------------------------------------------------------------
def test_owasp_api6_unrestricted_access_to_sensitive_business_flows(shop, strict):
    """The flows that are worth automating: buying up what is scarce, and making accounts to do it with."""
    buyers = [customer(shop) for _ in range(6)]
    with concurrent.futures.ThreadPoolExecutor(len(buyers)) as pool:
        answers = list(pool.map(lambda one: [one.checkout("sku_vase").status for _ in range(3)], buyers))
    sold = [status for statuses in answers for status in statuses]
    assert sold.count(201) == 3 and sold.count(409) == len(sold) - 3, "three vases were in stock"

    key, caller = new_key(), customer(shop)
    assert len({caller.checkout(key=key).body for _ in range(5)}) == 1, "one button, pressed five times, is one order"

    made = []
    for _ in range(24):
        made.append(Caller(strict).post("/api/accounts", BODIES["createAccount"]()).status)
    assert made.count(201) <= 20 and made[-1] == 429


# ---- API7 ----------------------------------------------------------------------------------------------------------
class Canary:
    """A server that nobody has a reason to call; it counts who does."""

    def __init__(self):
        self.visits = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, peer = self.listener.accept()
                self.visits.append(peer)
                connection.close()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.thread.join(5)


def test_owasp_api7_server_side_request_forgery(shop):
    """No operation takes an address to fetch, so one is put wherever a client can put anything. That a worker could not connect if it
    wanted to is test_a_captured_worker_cannot."""
    canary = Canary()
    buyer, keeper, host = customer(shop), admin(shop), canary.url.removeprefix("http://").rstrip("/")
    item = BODIES["adminCreateItem"]() | {"name": canary.url, "description": f"<img src={canary.url}>"}
    assert keeper.post("/api/admin/items", item).status == 201
    assert Caller(shop).post("/api/accounts", BODIES["createAccount"]() | {"name": canary.url}).status == 201
    assert buyer.get(f"/api/items?q={canary.url}").status == 200
    for name in ("Referer", "Origin", "X-Forwarded-Host", "X-Forwarded-Server", "Forwarded", "X-Callback-URL", "Link", "From"):
        assert buyer.get("/api/items", fields={name: canary.url}).status == 200
    assert buyer.get("/api/items", fields={"Host": host}).status in (200, 400, 421)
    for target in (canary.url, f"{canary.url}api/items", "http://169.254.169.254/latest/meta-data/", f"//{host}/"):
        answer = Caller(shop).get(target, fields={"Host": host})
        assert answer.status in (200, 400, 404, 421), target
        assert b"meta-data" not in answer.body
    with socket.create_connection((shop.host, shop.port), timeout=10) as proxy:
        proxy.sendall(f"CONNECT {host} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert not re.match(rb"HTTP/1\.1 2", proxy.recv(4096)), "a tunnel was opened"
    time.sleep(0.2)
    canary.close()
    assert canary.visits == []


# ---- API8 ----------------------------------------------------------------------------------------------------------
def test_owasp_api8_security_misconfiguration(shop, tmp_path):
    buyer = customer(shop)
    evil = {"Origin": "https://evil.example"}
    answers = [
        buyer.get("/api/me", fields=evil), buyer.get("/", fields=evil), buyer.get("/api/nothing", fields=evil), Caller(shop).get("/api/me"),
        buyer.call("OPTIONS", "/api/checkout", fields=evil | {"Access-Control-Request-Method": "POST"}),
        buyer.post("/api/checkout", raw="{", key=new_key()), Caller(shop).call("TRACE", "/"), Caller(shop).call("PROPFIND", "/api/items"),
    ]  # fmt: skip
    for answer in answers:
        assert answer.fields["x-content-type-options"] == "nosniff", answer
        assert "frame-ancestors 'none'" in answer.fields["content-security-policy"]
        assert not {"access-control-allow-origin", "server", "x-powered-by", "via"} & set(answer.fields), answer
        assert not re.search(rb"sqlite|\.c:\d+|0x[0-9a-f]{8}|Traceback|/src/", answer.body), answer
    assert answers[-2].status in (405, 501) and answers[-1].status in (405, 501), "methods that nobody declared"
    for path in ("/metrics", "/healthz", "/readyz", "/console", "/debug", "/.env", "/.git/config", "/api.yaml", "/queries.sql", "/shop.db"):
        assert Caller(shop).get(path).status == 404, path

    with Server(tmp_path, workers=1) as other:
        assert other.admin_password != shop.admin_password and len(other.admin_password) >= 24, "no two shops have the same first password"
        for password in ("admin", "password", "changeme", other.admin_email):
            assert Caller(other).post("/api/sessions", {"email": other.admin_email, "password": password}).status == 401


# ---- API9 ----------------------------------------------------------------------------------------------------------
def test_owasp_api9_improper_inventory_management(shop, contract, operations):
    """What answers is what the served contract lists, and nothing else does: no old version, no second door."""
    caller = Caller(shop)
    for template, item in contract["paths"].items():
        path = Operation(template, "get", {"operationId": "", **item}).path
        listed = {method.upper() for method in item}
        for method in ("GET", "PUT", "POST", "DELETE", "PATCH"):
            assert (caller.call(method, path).status == 405) == (method not in listed), (method, path)
        allow = set(caller.call("OPTIONS", path).fields["allow"].split(", "))
        assert allow == listed | {"OPTIONS"} | ({"HEAD"} if "GET" in listed else set())
    for operation in operations:
        rest = operation.path.removeprefix("/api")
        for prefix in ("", "/v1", "/v2", "/api/v1", "/api/v2", "/api/beta", "/api/internal", "/api/test", "/old/api", "/api/api"):
            answer = caller.call(operation.method, prefix + rest)
            assert answer.status in (404, 405), prefix + rest


# ---- API10 ---------------------------------------------------------------------------------------------------------
class Impostor:
    """Where the payment provider should be: has one of the lies for each order, and keeps to it; once `honest` it hands on to the provider."""

    def __init__(self, provider, told):
        self.honest, self.asked, self.sums = False, collections.Counter(), {}
        self.left, self.told, self.lock = list(told.values()), {}, threading.Lock()
        to_provider = forward(provider.port)

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(handler):
                if self.honest:
                    to_provider(handler)
                else:
                    self._lie(handler)
                handler.close_connection = True

            do_GET = do_POST

            def log_message(handler, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def _lie(self, handler):
        text = handler.path + handler.rfile.read(int(handler.headers.get("Content-Length", 0))).decode()
        order = re.search(r"ord_[0-9A-Za-z]{27}", text)[0]
        if amount := re.search(r"amount=(\d+)", text):
            self.sums[order] = int(amount[1])
        with self.lock:
            lie = self.told[order] if order in self.told else self.told.setdefault(order, self.left.pop())
        with contextlib.suppress(ConnectionError):
            lie(handler, {"id": f"pi_{order}", "status": "succeeded", "amount_received": self.sums[order], "currency": "eur"})
        self.asked[order] += 1

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def paid(code=200, fields=(), **changes):
    """The provider's word that it is paid, but for these members (None: it is left out)."""
    return lambda handler, good: reply(handler, code, json.dumps({
        name: value for name, value in (good | changes).items() if value is not None}).encode(), fields)  # fmt: skip


def raw(body, **fields):
    return lambda handler, good: reply(handler, 200, body, fields.items())


def bytes_alone(text):
    return lambda handler, good: handler.wfile.write(text)


def lies(elsewhere):
    return {
        "a cent less": lambda handler, good: paid(amount_received=good["amount_received"] - 1)(handler, good),
        "nothing taken": paid(amount_received=0), "another currency": paid(currency="jpy"), "no sum": paid(amount_received=None),
        "a sum in words": paid(amount_received="4200"), "no id": paid(id=None), "an id that is none": paid(id=7),
        "a state nobody knows": paid(status="settled"), "paid, but 500": paid(500), "paid, but 202": paid(202),
        "paid, elsewhere": paid(302, [("Location", elsewhere)]), "no JSON": raw(b"<html>paid</html>"), "no object": raw(b'["succeeded"]'),
        "deep": raw(b"[" * 100000), "endless": raw(b'{"id":"' + b"x" * (4 << 20) + b'"}'), "nothing": raw(b""),
        "a bomb": raw(gzip.compress(bytes(8 << 20)), **{"Content-Encoding": "gzip"}), "no HTTP": bytes_alone(b"SSH-2.0-OpenSSH_9.2\r\n"),
        "half of it": bytes_alone(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"), "no word": bytes_alone(b""),
        "a member twice": raw(b'{"id":"pi_1","status":"canceled","status":"succeeded"}'),
    }  # fmt: skip


def test_owasp_api10_unsafe_consumption_of_apis(tmp_path):
    """What the payment provider says, or who stands in its place: what is not said right says nothing. Nothing is believed, followed or
    inflated, no order is paid or given up, others are served meanwhile, and once the provider answers each is paid, once."""
    canary = Canary()
    told = lies(canary.url)
    with Sandbox(tmp_path / "provider") as provider, contextlib.closing(Impostor(provider, told)) as impostor:
        flags = ["--effect-target", f"payments=http://127.0.0.1:{impostor.server.server_port}", "--fetch-private", "127.0.0.1",
                 "--secret", f"payments=@{provider.api_key_path}", "--limit-scale", "1000"]  # fmt: skip
        with Server(tmp_path / "shop", workers=1, flags=flags) as shop:
            buyer, processes = customer(shop), sorted(shop.children())
            orders = {buyer.checkout("sku_pencils").json()["id"] for _ in told}
            states = lambda: {order: buyer.get(f"/api/orders/{order}").json()["state"] for order in orders}
            assert wait_for(lambda: len(impostor.asked) == len(told) and min(impostor.asked.values()) >= 2, 60), impostor.asked
            assert set(states().values()) == {"placed"}, "a lie was believed"
            assert Caller(shop).get("/api/items").status == 200
            impostor.honest = True
            assert wait_for(lambda: set(states().values()) == {"paid"}, 60), states()
            assert sorted(charge["metadata"]["order_id"] for charge in provider.charges()) == sorted(orders)
            assert sorted(shop.children()) == processes, "nobody died of it"
    canary.close()
    assert canary.visits == []


def test_owasp_api10_what_a_proxy_tells(make_shop):
    """One that stands in front is believed if it is named, and what is no address is none from it either."""
    server = make_shop(workers=1, flags=["--trusted-proxy", "127.0.0.0/8"])
    wanted = {"email": "a@example.com", "password": "x" * 12}
    hostile = ["' OR 1=1 --", "127.0.0.1, ", "::1%eth0", "999.1.1.1", "1.2.3.4:80:80", "unknown", "_hidden", "<script>", "a" * 4000, ","]
    answers = [Caller(server).post("/api/sessions", wanted, fields={"X-Forwarded-For": text}) for text in hostile * 2]
    assert {answer.status for answer in answers} <= {401, 429}
    assert [answer.status for answer in answers].count(429) >= 5, "words that are no address are one caller"
    honest = Caller(server).post("/api/sessions", wanted, fields={"X-Forwarded-For": "203.0.113.7"})
    assert honest.status == 401, "an address that the proxy vouches for has a quota of its own"
