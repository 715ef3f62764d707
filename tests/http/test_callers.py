"""Who may call what: every operation by every kind of caller, with sessions, tokens and API keys, alone and together."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import threading
import time

import pytest
from apps import build_app
from caller import PASSWORD, Caller, admin, cookie_of, customer, new_email, new_key
from https import Authority, HttpsServer, reply
from server import ROOT, Server
from tokens import SigningKey, encode, key_set, public_set, token

APP = ROOT / "tests" / "http" / "callers"
# RFC 7515, appendix A.3.1: no token of these tests is signed with it.
PARTNERS_KEYS = ('{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",'
                 '"y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}')  # fmt: skip


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("callers", APP, tmp_path_factory.mktemp("callers"))


class Callers(Server):
    def start(self, wait=True):
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, text in (("keys.json", key_set()), ("partner.json", PARTNERS_KEYS)):
            if not (self.folder / name).exists():
                (self.folder / name).write_text(text)
        return super().start(wait)

    def keys(self, *words):
        return subprocess.run([self.binary, "keys", *words, "--database", self.database], capture_output=True, text=True,
                              env={"ASAN_OPTIONS": "detect_leaks=0"}, timeout=30)  # fmt: skip

    def new_key(self, roles=""):
        done = self.keys("add", "--name", "a test", "--roles", roles)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def app(binary, tmp_path_factory):
    flags = ["--jwks", "partner=partner.json", "--limit-scale", "1000"]
    with Callers(tmp_path_factory.mktemp("app"), flags=flags, workers=2, binary=binary) as server:
        yield server


@pytest.fixture
def own_app(binary, tmp_path):
    flags = ["--jwks", "partner=partner.json", "--limit-scale", "1000"]
    with Callers(tmp_path, flags=flags, workers=1, binary=binary) as server:
        yield server


def bearer(text):
    return {"Authorization": f"Bearer {text}"}


def session_of(server, path, email, password):
    answer = Caller(server).post(path, {"email": email, "password": password})
    assert answer.status == 201, answer
    return {"Cookie": f"__Host-session={cookie_of(answer)}"}


def ended(server, fields):
    """The same session, older than sessions may be."""
    with contextlib.closing(sqlite3.connect(server.database_path, timeout=20)) as db:
        db.execute("UPDATE limen_sessions SET seen_at = 0, created_at = 0 WHERE token_hash IN (SELECT token_hash FROM"
                   " limen_sessions ORDER BY created_at DESC LIMIT 1)")  # fmt: skip
        db.commit()
    return fields


# ---- the table -----------------------------------------------------------------------------------------------------------
OPERATIONS = {
    "bySession": ("GET", "/session"),
    "byCustomer": ("POST", "/customer"),
    "byAdmin": ("GET", "/admin"),
    "byToken": ("GET", "/token"),
    "byWriter": ("POST", "/token/write"),
    "byPartner": ("GET", "/partner"),
    "byKey": ("GET", "/key"),
    "byRobot": ("POST", "/key/robot"),
    "byEither": ("POST", "/either"),
    "byBoth": ("GET", "/both"),
    "byBothOr": ("GET", "/both/or"),
    "countNotes": ("GET", "/notes"),
}
# For each kind of caller: the operations that answer 200, and those that answer 403. All others answer 401.
TABLE = {
    "nobody": ("", ""),
    "customer": ("bySession byCustomer byEither countNotes", "byAdmin byBothOr"),
    "admin": ("bySession byCustomer byAdmin byEither byBothOr countNotes", ""),
    "expired session": ("", ""),
    "no session": ("", ""),
    "token without scope": ("byToken", "byWriter byEither countNotes"),
    "token with read": ("byToken byEither countNotes", "byWriter"),
    "token with write": ("byToken", "byWriter byEither countNotes"),
    "token with both": ("byToken byWriter byEither countNotes", ""),
    "scope as a list": ("byToken byWriter byEither countNotes", ""),
    "expired token": ("", ""),
    "token for others": ("", ""),
    "token of others": ("", ""),
    "token with a forged signature": ("", ""),
    "token with alg none": ("", ""),
    "token that is not yet good": ("", ""),
    "token of another type": ("", ""),
    "token as Basic": ("", ""),
    "token as a session": ("", ""),
    "session as a token": ("", ""),
    "session as a key": ("", ""),
    "key": ("byKey", "byRobot"),
    "key with role": ("byKey byRobot", ""),
    "revoked key": ("", ""),
    "key with another secret": ("", ""),
    "key as a token": ("", ""),
    "write and key": ("byToken byKey byRobot byBoth", "byWriter byEither byBothOr countNotes"),
    "read and key": ("byToken byKey byRobot byEither byBothOr countNotes", "byWriter byBoth"),
    "write and key without role": ("byToken byKey", "byWriter byRobot byEither byBoth byBothOr countNotes"),
    "write and a revoked key": ("byToken", "byWriter byEither countNotes"),
    "expired token and key": ("byKey byRobot", ""),
    "customer and expired token": ("bySession byCustomer byEither countNotes", "byAdmin byBothOr"),
    "expired session and read": ("byToken byEither countNotes", "byWriter"),
    "customer, read and key": ("bySession byCustomer byToken byKey byRobot byEither byBothOr countNotes", "byAdmin byWriter byBoth"),
}  # fmt: skip


@pytest.fixture(scope="module")
def credentials(app):
    """{kind of caller: fields of its request}"""
    who = session_of(app, "/accounts", new_email(), PASSWORD)
    raw = who["Cookie"].split("=", 1)[1]
    robot, plain, revoked = app.new_key("robot"), app.new_key(), app.new_key("robot")
    assert app.keys("revoke", revoked.split("_")[1]).returncode == 0
    read, write, late = bearer(token("read")), bearer(token("write")), bearer(token("read write", exp=int(time.time()) - 120))

    def by_key(text):
        return {"X-API-Key": text}

    old = ended(app, session_of(app, "/accounts", new_email(), PASSWORD))
    return {
        "nobody": {},
        "customer": who,
        "admin": session_of(app, "/sessions", app.admin_email, app.admin_password),
        "expired session": old,
        "no session": {"Cookie": "__Host-session=" + "A" * 43},
        "token without scope": bearer(token("")),
        "token with read": read,
        "token with write": write,
        "token with both": bearer(token("read write admin robot customer")),
        "scope as a list": bearer(token(["write", "read"])),
        "expired token": late,
        "token for others": bearer(token("read write", aud="elsewhere")),
        "token of others": bearer(token("read write", iss="https://partner.example")),
        "token with a forged signature": bearer(token("read write", secret=b"another secret of 32 bytes or so.")),
        "token with alg none": bearer(f"{encode({'alg': 'none'})}.{token('read write').split('.')[1]}."),
        "token that is not yet good": bearer(token("read write", nbf=int(time.time()) + 120)),
        "token of another type": bearer(token("read write", header={"alg": "HS256", "typ": "logout+jwt", "kid": "k1"})),
        "token as Basic": {"Authorization": "Basic " + token("read write")},
        "token as a session": {"Cookie": "__Host-session=" + token("read write")},
        "session as a token": bearer(raw),
        "session as a key": by_key(raw),
        "key": by_key(plain),
        "key with role": by_key(robot),
        "revoked key": by_key(revoked),
        "key with another secret": by_key(robot[:-43] + "A" * 43),
        "key as a token": bearer(robot),
        "write and key": {**write, **by_key(robot)},
        "read and key": {**read, **by_key(robot)},
        "write and key without role": {**write, **by_key(plain)},
        "write and a revoked key": {**write, **by_key(revoked)},
        "expired token and key": {**late, **by_key(robot)},
        "customer and expired token": {**who, **late},
        "expired session and read": {**old, **read},
        "customer, read and key": {**who, **read, **by_key(robot)},
    }


@pytest.mark.parametrize("kind", TABLE)
def test_every_operation_by_every_kind_of_caller(app, credentials, kind):
    allowed, forbidden = (words.split() for words in TABLE[kind])
    caller = Caller(app)
    wanted = {name: 200 if name in allowed else 403 if name in forbidden else 401 for name in OPERATIONS}
    for _ in range(2):  # the second time out of what is remembered
        got = {name: caller.call(*where, fields=credentials[kind]).status for name, where in OPERATIONS.items()}
        assert got == wanted


@pytest.mark.parametrize(
    ("shown", "why"),
    [
        (token("read", secret=b"another secret of 32 bytes or so."), "its signature is wrong"),
        (token("read", exp=int(time.time()) - 120), "it has expired"),
        (token("read", nbf=int(time.time()) + 3600), "it is not valid yet"),
        (token("read", aud="elsewhere"), "it is for another audience"),
    ],
    ids=["forged", "expired", "early", "others"],
)
def test_the_log_says_why_a_token_is_refused_and_never_which(binary, tmp_path, shown, why):
    flags = ["--jwks", "partner=partner.json", "--limit-scale", "1000", "--log-level", "debug"]
    with Callers(tmp_path, flags=flags, workers=1, binary=binary) as server:
        answers = [Caller(server).call("GET", "/token", fields=bearer(shown)) for _ in range(2)]
        assert [answer.status for answer in answers] == [401, 401]
        assert why.encode() not in answers[0].body
        assert why in server.log
        assert not any(part in server.log for part in shown.split("."))


def test_the_table_names_every_operation(app):
    paths = Caller(app).get("/openapi.json").json()["paths"]
    declared = {operation["operationId"] for item in paths.values() for operation in item.values() if operation["security"]}
    assert declared == OPERATIONS.keys() | {"addNote", "noteAndSignIn"}


SHOP = {
    "createAccount": ("POST", "/api/accounts", "everybody", 400),
    "createSession": ("POST", "/api/sessions", "everybody", 400),
    "getMe": ("GET", "/api/me", "anybody signed in", 200),
    "listItems": ("GET", "/api/items", "everybody", 200),
    "getItem": ("GET", "/api/items/sku_bowl", "everybody", 200),
    "checkout": ("POST", "/api/checkout", "customer", 400),
    "listOrders": ("GET", "/api/orders", "customer", 200),
    "getOrder": ("GET", "/api/orders/ord_000000000000000000000000000", "customer", 404),
    "adminCreateItem": ("POST", "/api/admin/items", "admin", 400),
    "adminChangeItem": ("PATCH", "/api/admin/items/sku_bowl", "admin", 400),
    "adminListOrders": ("GET", "/api/admin/orders", "admin", 200),
    "adminGetOrder": ("GET", "/api/admin/orders/ord_000000000000000000000000000", "admin", 404),
    "adminRefundOrder": ("POST", "/api/admin/orders/ord_000000000000000000000000000/refund", "admin", 400),
    "hearOfPayment": ("POST", "/api/webhooks/payments", "the provider", 204),
    "deleteCurrentSession": ("DELETE", "/api/sessions/current", "anybody signed in", 204),
}
SHOP_CALLERS = {
    "nobody": {"everybody"},
    "customer": {"everybody", "anybody signed in", "customer"},
    "admin": {"everybody", "anybody signed in", "customer", "admin"},
    "expired session": {"everybody"},
    "wrong scheme": {"everybody"},
}


@pytest.mark.parametrize("kind", SHOP_CALLERS)
def test_every_operation_of_the_shop_by_every_kind_of_caller(shop, kind):
    fields = {
        "nobody": lambda: {},
        "customer": lambda: {"Cookie": f"__Host-session={customer(shop).cookie}"},
        "admin": lambda: {"Cookie": f"__Host-session={admin(shop).cookie}"},
        "expired session": lambda: ended(shop, {"Cookie": f"__Host-session={customer(shop).cookie}"}),
        "wrong scheme": lambda: {**bearer(token("customer admin")), "X-API-Key": "lmk_aaaaaaaaaaaaaaaa_" + "A" * 43},
    }[kind]()
    is_known = "anybody signed in" in SHOP_CALLERS[kind]
    caller = Caller(shop)
    for name, (method, path, who, status) in SHOP.items():
        wanted = status if who in SHOP_CALLERS[kind] else 403 if is_known and who != "the provider" else 401
        answer = caller.call(method, path, fields=fields)
        assert answer.status == wanted, (name, answer)
    declared = {operation["operationId"] for item in Caller(shop).get("/openapi.json").json()["paths"].values()
                for method, operation in item.items() if method in {"get", "post", "put", "patch", "delete"}}  # fmt: skip
    assert declared == SHOP.keys()


# ---- who acts ------------------------------------------------------------------------------------------------------------
def test_the_first_credential_acts_and_both_give_roles(app, credentials):
    assert Caller(app).get("/both", fields=credentials["write and key"]).json() == {"id": "token:u1", "roles": ["write", "robot"]}
    both = Caller(app).get("/both/or", fields=credentials["read and key"]).json()
    assert re.fullmatch(r"key_[a-z2-7]{16}", both["id"]) and both["roles"] == ["read", "robot"]
    assert Caller(app).get("/token", fields=credentials["token with both"]).json() == {"id": "token:u1", "roles": ["read", "write"]}
    first = Caller(app).post("/either", fields=credentials["customer, read and key"]).json()
    assert first["id"].startswith("acc_") and first["roles"] == ["customer"]


def test_rows_belong_to_the_tokens_subject(app):
    for subject, notes in (("ada", 2), ("bob", 1)):
        fields = bearer(token("read write", subject=subject))
        for _ in range(notes):
            assert Caller(app).post("/notes", {"text": "a"}, key=new_key(), fields=fields).status == 201
    for subject, notes in (("ada", 2), ("bob", 1), ("eve", 0)):
        assert Caller(app).get("/notes", fields=bearer(token("read", subject=subject))).json() == {"number": notes}


# ---- refusals ------------------------------------------------------------------------------------------------------------
def challenges(answer):
    return answer.fields.get("www-authenticate"), answer.names.count("www-authenticate")


def test_a_refusal_names_what_to_bring_and_no_more(app, credentials):
    caller = Caller(app)
    assert challenges(caller.get("/token")) == ('Bearer realm="limen"', 1)
    assert challenges(caller.get("/key")) == ('ApiKey realm="limen"', 1)
    assert challenges(caller.get("/session")) == ('Session realm="limen"', 1)
    assert caller.post("/either").names.count("www-authenticate") == 2
    said = set()
    for kind in ("expired token", "token for others", "token of others", "token with a forged signature", "token with alg none",
                 "token that is not yet good", "token of another type", "key as a token"):  # fmt: skip
        answer = caller.get("/token", fields=credentials[kind])
        assert challenges(answer) == ('Bearer realm="limen", error="invalid_token"', 1)
        said.add(answer.body)
    assert len(said) == 1, "why it was refused is nobody's business"
    answer = caller.post("/token/write", fields=credentials["token with read"])
    assert challenges(answer) == ('Bearer realm="limen", error="insufficient_scope"', 1)


@pytest.mark.parametrize("value", ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer " + "a" * 9000, "Bearer =", "Bearer ..", "bearer x"])
def test_a_token_of_no_form_is_refused(app, value):
    assert Caller(app).get("/token", fields={"Authorization": value}).status == 401


def test_other_sites_pages_are_a_matter_of_cookies_only(app, credentials):
    cross = {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"}
    caller = Caller(app)
    assert caller.post("/customer", fields={**credentials["customer"], **cross}).status == 403
    assert caller.post("/either", fields={**credentials["customer"], **cross}).status == 403
    assert caller.post("/either", fields={**credentials["token with read"], **cross}).status == 200
    assert caller.post("/either", fields={**credentials["customer, read and key"], **cross}).json()["id"] == "token:u1"
    assert caller.post("/token/write", fields={**credentials["token with both"], **cross, "Cookie": "theme=dark"}).status == 200
    assert caller.post("/key/robot", fields={**credentials["key with role"], **cross}).status == 200
    assert caller.get("/session", fields={**credentials["customer"], **cross}).status == 200
    assert caller.post("/sessions", {"email": "a@b.example", "password": "x"}, fields={**cross, "Cookie": "a=b"}).status == 403


# ---- in time -------------------------------------------------------------------------------------------------------------
def test_a_token_ends_though_it_is_remembered(own_app):
    caller = Caller(own_app)
    fields = bearer(token("read", exp=int(time.time()) - 57))  # 3 s are left of the leeway
    assert caller.get("/token", fields=fields).status == 200
    deadline = time.monotonic() + 20
    while caller.get("/token", fields=fields).status == 200:
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert caller.get("/token", fields=fields).status == 401


def test_a_key_is_revoked_at_once_and_listed(own_app):
    key = own_app.new_key("robot")
    ident = key.split("_")[1]
    caller = Caller(own_app)
    assert caller.post("/key/robot", fields={"X-API-Key": key}).json() == {"id": f"key_{ident}", "roles": ["robot"]}
    assert re.search(rf"^{ident} \d{{4}}-\S+Z active  robot: a test$", own_app.keys("list").stdout, re.MULTILINE)
    assert own_app.keys("revoke", ident).returncode == 0
    assert caller.post("/key/robot", fields={"X-API-Key": key}).status == 401
    assert f"{ident} " in own_app.keys("list").stdout and " revoked robot: a test" in own_app.keys("list").stdout
    again = own_app.keys("revoke", ident)
    assert again.returncode == 1 and "revoked already" in again.stderr
    for path in own_app.folder.glob("shop.db*"):
        assert key.split("_")[2].encode() not in path.read_bytes()
    assert own_app.keys("add", "--name", "a", "--roles", "admin").returncode == 1, "a role of another scheme"
    assert own_app.keys("add", "--roles", "robot").returncode == 2
    assert own_app.keys("eat").returncode == 2


def test_tokens_outlive_the_data_role(own_app):
    caller = Caller(own_app)
    fields = bearer(token("read write", subject="ada"))
    assert caller.post("/notes", {"text": "a"}, key="one", fields=fields).status == 201
    os.kill(own_app.roles("data")[0], signal.SIGKILL)
    deadline = time.monotonic() + 30
    while (answer := caller.post("/notes", {"text": "a"}, key="one", fields=fields)).status != 201:
        assert answer.status == 503 and time.monotonic() < deadline
        time.sleep(0.05)
    assert answer.json() == {"number": 1}, "the reply that was stored"
    assert caller.get("/notes", fields=fields).json() == {"number": 1}


# ---- who becomes another on the way --------------------------------------------------------------------------------------
def notes_of(server):
    with contextlib.closing(sqlite3.connect(f"file:{server.database_path}?mode=ro", uri=True)) as db:
        return db.execute("SELECT count(*) FROM notes").fetchone()[0], db.execute("SELECT count(*) FROM limen_sessions").fetchone()[0]


def test_signing_in_does_not_silently_lose_what_a_transaction_has_written(own_app):
    caller, fields = Caller(own_app), bearer(token("read write", subject="ada"))
    email = new_email()
    session_of(own_app, "/accounts", email, PASSWORD)
    answer = caller.post("/notes/and-session?first=note", {"email": email, "password": PASSWORD}, key="one", fields=fields)
    assert answer.status == 500 and "signing in or up would undo" in own_app.log
    assert notes_of(own_app) == (0, 1)


def test_what_was_asked_as_one_who_signed_in_is_not_done_as_another(own_app):
    """The data role dies before the commit, and the next one knows of no sign-in: what was shown at first is another's."""
    caller, fields = Caller(own_app), bearer(token("read write", subject="ada"))
    email, answers = new_email(), []
    session_of(own_app, "/accounts", email, PASSWORD)

    def ask():
        body = {"email": email, "password": PASSWORD}
        answers.append(caller.post("/notes/and-session?first=session", body, key="one", fields=fields))

    thread = threading.Thread(target=ask)
    (data,) = own_app.roles("data")
    thread.start()
    while notes_of(own_app)[1] < 2 and thread.is_alive():
        time.sleep(0.01)
    os.kill(data, signal.SIGKILL)
    thread.join()
    assert (answers[0].status, notes_of(own_app)[0]) == (503, 0), answers
    assert answers[0].json()["type"] != "about:blank", "its outcome is not known"


# ---- keys from a URL -----------------------------------------------------------------------------------------------------
def partners_token(key, subject, **header):
    claims = {"iss": "https://partner.example", "aud": ["callers"], "sub": subject, "exp": int(time.time()) + 300, "permissions": ["read"]}
    return key.token(claims, typ="at+jwt", **header)


def test_keys_come_from_a_url_and_stay_when_it_does_not_answer(binary, tmp_path):
    key, authority = SigningKey(tmp_path, "rsa-1"), Authority(tmp_path)
    says = {"status": 500}

    def answer(handler):
        reply(handler, says["status"], public_set(key))

    def status(text):
        return Caller(server).get("/partner", fields=bearer(text)).status

    with HttpsServer(*authority.issue(), answer) as host:
        flags = ["--jwks", f"partner={host.url()}", "--ca-file", authority.certificate,
                 "--fetch-private", "localhost", "--limit-scale", "1000"]  # fmt: skip
        with Callers(tmp_path / "app", flags=flags, workers=1, binary=binary) as server:
            assert status(partners_token(key, "ada")) == 503, "no keys yet: nobody can tell whether it is good"
            assert Caller(server).get("/token", fields=bearer(token("read"))).status == 200, "the other issuer's are here"
            says["status"] = 200
            deadline = time.monotonic() + 60
            while status(partners_token(key, "ada")) != 200:
                assert time.monotonic() < deadline, server.tail()
                time.sleep(0.2)
            assert Caller(server).get("/partner", fields=bearer(partners_token(key, "ada"))).json() == {"id": "p/ada", "roles": ["read"]}
            says["status"] = 500
            assert status(partners_token(key, "bob")) == 200
            asked = len(host.requests)
            for _ in range(5):
                assert status(partners_token(key, "eve", kid="unknown")) == 401
            assert len(host.requests) <= asked + 1, "strangers write tokens, too"
            assert set(host.requests) == {"/keys"}
            assert status(partners_token(key, "eve")) == 200


# ---- what does not start -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(("keys", "flags", "said"), [
    ("{}", ["partner=partner.json"], "no key of the scheme 'token' can be used"),
    (key_set(b"short"), ["partner=partner.json"], "an HMAC key is shorter than its hash"),
    (key_set(), [], "the scheme 'partner' has no keys"),
    (key_set(), ["partner=nowhere.json"], "the file of keys cannot be read"),
    (key_set(), ["partner=partner.json", "session=keys.json"], "the contract has no bearer scheme 'session'"),
    (key_set(), ["partner=partner.json", "token=partner.json"], None),
    (key_set(), ["partner=http://id.example/keys"], "'partner=http://id.example/keys' is not right"),
    (key_set(), ["partner=https://user@id.example/keys"], "at no URL that can be fetched"),
    (key_set(), ["partner=partner.json", "token=https://id.example/keys"], "a secret that is fetched from a URL is none"),
])  # fmt: skip
def test_keys_that_cannot_be_used_are_refused_at_start(binary, tmp_path, keys, flags, said):
    (tmp_path / "keys.json").write_text(keys)
    server = Callers(tmp_path, flags=[word for flag in flags for word in ("--jwks", flag)], workers=1, binary=binary)
    server.start(wait=False)
    if said is None:  # the setting takes the contract's place
        server.wait_ready()
        assert Caller(server).get("/token", fields=bearer(token("read"))).status == 401
        server.stop()
        return
    assert server.wait(30) != 0
    assert said in server.log and "mend" in server.log or "is not right" in server.log
