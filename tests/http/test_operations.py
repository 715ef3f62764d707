"""What each operation answers, and what the boundary answers for all of them."""

import re

import pytest
from caller import PASSWORD, Caller, admin, customer, new_email, new_key
from server import ROOT

API_FIELDS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "deny",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}


@pytest.fixture(scope="module")
def anybody(shop):
    return Caller(shop)


@pytest.fixture(scope="module")
def buyer(shop):
    return customer(shop)


@pytest.fixture(scope="module")
def keeper(shop):
    return admin(shop)


def problem(answer, status):
    assert answer.status == status, answer
    assert answer.fields["content-type"] == "application/problem+json"
    said = answer.json()
    assert said["status"] == status and said["title"] and said["type"]
    return said


# ---- items -------------------------------------------------------------------------------------------------------
def test_items_come_in_pages_and_each_once(anybody):
    seen, after = [], ""
    while True:
        page = anybody.get(f"/api/items?limit=7{after}").json()
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert len(seen) == len(set(seen)) == 24
    assert set(page["items"][0]) == {"id", "name", "description", "price", "currency", "stock"}


def test_items_are_found_by_words_and_wildcards_are_letters(anybody):
    assert [item["id"] for item in anybody.get("/api/items?q=TEAPOT").json()["items"]] == ["sku_teapot"]
    assert anybody.get("/api/items?q=%25").json()["items"] == []
    assert anybody.get("/api/items?q=_a_").json()["items"] == []


def test_an_item(anybody):
    item = anybody.get("/api/items/sku_vase").json()
    assert (item["name"], item["price"], item["currency"]) == ("Tall vase", 5800, "EUR")
    problem(anybody.get("/api/items/sku_nothing"), 404)
    assert problem(anybody.get("/api/items/nothing"), 422)["errors"][0]["pointer"] == "/path/itemId"
    problem(anybody.get("/api/items/sku_" + "a" * 33), 422)


@pytest.mark.parametrize(
    ("query", "fault"),
    [
        ("limt=5", ("/query", "unknown")),
        ("limit=5&limit=6", ("/query/limit", "repeated")),
        ("limit=0", ("/query/limit", "minimum")),
        ("limit=101", ("/query/limit", "maximum")),
        ("limit=1e1x", ("/query/limit", "type")),
        ("limit=", ("/query/limit", "type")),
        ("limit=5&%6cimit=5", ("/query/limit", "repeated")),
        ("after=%00", ("/query/after", "encoding")),
        ("q=%ff", ("/query/q", "encoding")),
    ],
)
def test_query_parameters_are_held_against_the_contract(anybody, query, fault):
    answer = anybody.get(f"/api/items?{query}")
    problem(answer, 422)
    assert fault in answer.pointers(), answer


# ---- accounts and sessions -----------------------------------------------------------------------------------------
def test_an_account(shop):
    caller = Caller(shop)
    email = new_email()
    answer = caller.post("/api/accounts", {"email": email, "password": PASSWORD, "name": "Ada"})
    assert answer.status == 201
    assert answer.json() | {"id": ""} == {"id": "", "email": email, "name": "Ada", "roles": ["customer"]}
    problem(caller.post("/api/accounts", {"email": email.upper(), "password": PASSWORD, "name": "Eve"}), 409)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"password": "eleven char"}, ("/password", "minLength")),
        ({"password": "x" * 129}, ("/password", "maxLength")),
        ({"email": "not an address"}, ("/email", "format")),
        ({"name": ""}, ("/name", "minLength")),
        ({"name": "x" * 81}, ("/name", "maxLength")),
        ({"name": None}, ("/name", "type")),
        ({"name": "A\0da"}, ("", "nul")),
        ({"name": "\\\0"}, ("", "nul")),
        ({"email": "a\0@example.com"}, ("/email", "format")),
    ],
)
def test_an_account_is_held_against_the_contract(anybody, change, fault):
    answer = anybody.post("/api/accounts", {"email": new_email(), "password": PASSWORD, "name": "Ada"} | change)
    problem(answer, 422)
    assert answer.pointers() == {fault}


def test_a_backslash_before_u0000_is_no_nul(anybody):
    answer = anybody.post("/api/accounts", {"email": new_email(), "password": PASSWORD, "name": "A\\u0000da"})
    assert (answer.status, answer.json()["name"]) == (201, "A\\u0000da")


def test_all_faults_are_told_at_once(anybody):
    answer = anybody.post("/api/accounts", {"email": "x", "password": "short", "role": "admin"})
    assert answer.pointers() == {
        ("/email", "format"), ("/password", "minLength"), ("/role", "additionalProperties"), ("", "required"),
    }  # fmt: skip


def test_me(shop, buyer):
    me = buyer.get("/api/me").json()
    assert (me["id"], me["email"], me["roles"]) == (buyer.account, buyer.email, ["customer"])
    answer = Caller(shop).get("/api/me")
    problem(answer, 401)
    assert answer.fields["www-authenticate"]


# ---- orders --------------------------------------------------------------------------------------------------------
def test_an_order(shop):
    caller = customer(shop)
    wanted = {"lines": [{"itemId": "sku_cups", "quantity": 2}, {"itemId": "sku_jug", "quantity": 1}]}
    stock = caller.get("/api/items/sku_cups").json()["stock"]
    answer = caller.post("/api/checkout", wanted, key=new_key())
    assert answer.status == 201
    order = answer.json()
    assert re.fullmatch(r"ord_[0-9A-Za-z]{27}", order["id"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", order["placedAt"])
    assert (order["state"], order["currency"], order["total"]) == ("placed", "EUR", 2 * 3600 + 2900)
    assert order["lines"][0] == {"itemId": "sku_cups", "name": "Espresso cups", "unitPrice": 3600, "quantity": 2,
                                 "lineTotal": 7200}  # fmt: skip
    assert caller.get("/api/items/sku_cups").json()["stock"] == stock - 2
    assert caller.get(f"/api/orders/{order['id']}").json() == order
    assert caller.get("/api/orders").json() == {"orders": [order], "next": None}


def test_lines_of_the_same_item_are_added_up(buyer):
    wanted = {"lines": [{"itemId": "sku_jug", "quantity": 1}, {"itemId": "sku_jug", "quantity": 2}]}
    lines = buyer.post("/api/checkout", wanted, key=new_key()).json()["lines"]
    assert [(line["itemId"], line["quantity"]) for line in lines] == [("sku_jug", 3)]


def test_an_order_is_told_alike_at_checkout_and_later(buyer):
    wanted = {"lines": [{"itemId": item, "quantity": 1} for item in ("sku_jug", "sku_bowl", "sku_cups", "sku_bowl", "sku_apron")]}
    order = buyer.post("/api/checkout", wanted, key=new_key()).json()
    assert [line["itemId"] for line in order["lines"]] == ["sku_apron", "sku_bowl", "sku_cups", "sku_jug"]
    assert buyer.get(f"/api/orders/{order['id']}").json() == order


def test_what_is_not_there_is_not_sold_and_nothing_is_taken(buyer):
    before = buyer.get("/api/items/sku_bowl").json()["stock"]
    wanted = {"lines": [{"itemId": "sku_bowl", "quantity": 1}, {"itemId": "sku_mirror", "quantity": 99}]}
    assert "stock" in problem(buyer.post("/api/checkout", wanted, key=new_key()), 409)["detail"]
    assert buyer.get("/api/items/sku_bowl").json()["stock"] == before


def test_orders_come_in_pages_newest_first(shop):
    caller = customer(shop)
    made = [caller.checkout("sku_pencils").json()["id"] for _ in range(5)]
    first = caller.get("/api/orders?limit=3").json()
    second = caller.get(f"/api/orders?limit=3&after={first['next']}").json()
    assert [order["id"] for order in first["orders"] + second["orders"]] == made[::-1]
    assert second["next"] is None


# ---- the shopkeeper --------------------------------------------------------------------------------------------------
def test_the_shopkeeper_makes_and_changes_an_item(keeper, anybody):
    item = {"id": "sku_spoon", "name": "Spoon", "description": "Of pear wood.", "price": 900, "currency": "EUR", "stock": 5}
    made = keeper.post("/api/admin/items", item)
    assert made.status == 201, made
    assert anybody.get("/api/items/sku_spoon").json() == item
    problem(keeper.post("/api/admin/items", item), 409)
    changed = keeper.call("PATCH", "/api/admin/items/sku_spoon", {"stock": 4})
    assert changed.status == 200
    assert anybody.get("/api/items/sku_spoon").json() == item | {"stock": 4}
    assert keeper.call("PATCH", "/api/admin/items/sku_spoon", {"active": False}).status == 200
    problem(anybody.get("/api/items/sku_spoon"), 404)
    problem(keeper.call("PATCH", "/api/admin/items/sku_nothing", {"stock": 4}), 404)


def test_the_shopkeeper_sees_all_orders(keeper, buyer):
    order = buyer.checkout("sku_pencils").json()["id"]
    assert order in [one["id"] for one in keeper.get("/api/admin/orders?limit=10").json()["orders"]]


# ---- what the boundary answers for all -----------------------------------------------------------------------------
def test_unknown_paths_and_methods(anybody):
    problem(anybody.get("/api/nothing"), 404)
    problem(anybody.get("/api/items/"), 404)
    problem(anybody.get("/api//items"), 404)
    answer = anybody.call("DELETE", "/api/items")
    problem(answer, 405)
    assert set(answer.fields["allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}
    options = anybody.call("OPTIONS", "/api/items")
    assert (options.status, options.body) == (204, b"")
    assert options.fields["allow"] == answer.fields["allow"]


def test_head_is_get_without_its_body(anybody):
    head, get = (anybody.call(method, "/api/items/sku_bowl") for method in ("HEAD", "GET"))
    assert (head.status, head.body) == (200, b"")
    assert head.fields["content-length"] == str(len(get.body))


def test_bodies_that_are_not_wanted_or_too_large(shop, buyer):
    problem(Caller(shop).call("GET", "/api/items", raw="{}"), 413)
    problem(customer(shop).post("/api/checkout", raw=b" " * (2 << 20), key=new_key()), 413)
    answer = buyer.post("/api/checkout", raw="{}", key=new_key(), fields={"Content-Type": "text/plain"})
    problem(answer, 415)
    problem(buyer.post("/api/checkout", raw="{}", key=new_key(), fields={"Content-Encoding": "gzip"}), 415)
    problem(buyer.post("/api/checkout", key=new_key()), 400)


def test_a_body_that_is_no_json_is_told_why_and_where(buyer):
    send = lambda body: problem(buyer.post("/api/checkout", raw=body, key=new_key()), 400)
    assert send('{"lines":[}')["detail"] == "the body is not JSON that we read: a value is expected here (at byte 10)"
    twice = '{"lines":[{"itemId":"sku_bowl","quantity":1,"quantity":2}]}'
    assert send(twice) == {
        "type": "about:blank", "title": "Bad Request", "status": 400,
        "detail": "the body is JSON, but not I-JSON (RFC 7493): a member name occurs twice in an object (at byte 44)",
    }  # fmt: skip


def test_a_refused_body_of_moderate_size_does_not_cost_the_connection(shop, buyer):
    """The rest of a body is read over as long as that is less than a new connection would cost; its end must be known."""
    for caller, method, path, size, is_kept in (
        (Caller(shop), "GET", "/api/items", 2, True),
        (Caller(shop), "GET", "/api/items", 60_000, True),
        (Caller(shop), "GET", "/api/items", 300_000, False),
        (Caller(shop), "POST", "/nowhere", 60_000, True),
        (Caller(shop, buyer.cookie), "POST", "/api/checkout", (1 << 20) + 1, False),
    ):
        answer = caller.call(method, path, raw=b" " * size)
        problem(answer, 404 if path == "/nowhere" else 413)
        assert (answer.fields.get("connection") != "close") == is_kept, (path, size)
        kept = caller.connection.sock
        assert caller.get("/api/items/sku_bowl").status == 200
        assert (caller.connection.sock is kept) == is_kept


def test_answers_of_the_api_carry_the_secure_headers(anybody):
    for path in ("/api/items", "/api/nothing", "/api/me"):
        answer = anybody.get(path)
        assert {name: answer.fields.get(name) for name in API_FIELDS} == API_FIELDS
        assert not {"server", "x-powered-by", "via"} & set(answer.fields)
        assert len(answer.names) == len(set(answer.names))


def test_the_contract_is_served(anybody):
    answer = anybody.get("/openapi.json")
    assert (answer.status, answer.fields["content-type"]) == (200, "application/json")
    contract = answer.json()
    assert contract["openapi"] == "3.1.0" and "/api/checkout" in contract["paths"]
    ids = {operation["operationId"] for path in contract["paths"].values() for operation in path.values() if "operationId" in operation}
    assert ids == set(re.findall(r"operationId: (\w+)", (ROOT / "apps" / "shop" / "api.yaml").read_text()))


# ---- the page --------------------------------------------------------------------------------------------------------
def test_the_page_and_its_files(anybody):
    page = anybody.get("/")
    assert (page.status, page.fields["content-type"]) == (200, "text/html; charset=utf-8")
    assert "default-src 'self'" in page.fields["content-security-policy"]
    assert "unsafe" not in page.fields["content-security-policy"]
    assert page.fields["permissions-policy"] and page.fields["etag"]
    kinds = {"/app.js": "text/javascript", "/base.css": "text/css", "/fonts/instrument-sans.woff2": "font/woff2"}
    for path, kind in kinds.items():
        assert anybody.get(path).fields["content-type"].split(";")[0] == kind
    assert anybody.call("POST", "/app.js", {}).status == 405


def test_files_are_not_sent_twice_and_in_parts_when_asked(anybody):
    whole = anybody.get("/app.js")
    same = anybody.get("/app.js", fields={"If-None-Match": whole.fields["etag"]})
    assert (same.status, same.body) == (304, b"")
    assert anybody.get("/app.js", fields={"If-None-Match": '"other"'}).status == 200
    part = anybody.get("/app.js", fields={"Range": "bytes=10-19"})
    assert (part.status, part.body) == (206, whole.body[10:20])
    assert part.fields["content-range"] == f"bytes 10-19/{len(whole.body)}"
    assert anybody.get("/app.js", fields={"Range": f"bytes={len(whole.body)}-"}).status == 416


@pytest.mark.parametrize("path", ["/../api.yaml", "/%2e%2e/api.yaml", "/..%2fapi.yaml", "/./app.js", "//app.js", "/app.js%00", "/js"])
def test_nothing_else_is_a_file(anybody, path):
    assert anybody.get(path).status in (400, 404)
