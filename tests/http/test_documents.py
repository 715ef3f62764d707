"""A contract in several documents: given to `limen check` and `limen gen`, a part of the binary, the same at start."""

import json
import subprocess
import urllib.error
import urllib.request

import pytest
from server import Server

CONTRACT = """openapi: 3.1.0
info: { title: Prices, version: "1" }
x-rate-limit: 1000/second per address
paths:
  /prices:
    post:
      operationId: keep
      security: []
      requestBody: { required: true, content: { application/json: { schema: { $ref: '#/components/schemas/Price' } } } }
      responses:
        '200': { description: d, content: { application/json: { schema: { $ref: 'schemas/money.yaml' } } } }
components:
  schemas:
    Price:
      type: object
      additionalProperties: false
      required: [sku, money]
      properties:
        sku: { $ref: 'https://example.com/names#Sku' }
        money: { $ref: 'schemas/money.yaml' }
        tags: { $ref: 'https://example.com/strict-tags' }
    Tags:
      $id: https://example.com/strict-tags
      $ref: https://example.com/names#list
      $defs: { tag: { $dynamicAnchor: item, type: string, maxLength: 3 } }
"""
MONEY = """type: object
additionalProperties: false
required: [cents, currency]
properties:
  cents: { type: integer, minimum: 0, maximum: 1000000 }
  currency: { $ref: '../../names.json#/$defs/currency' }
"""
NAMES = {
    "$id": "https://example.com/names",
    "$defs": {
        "sku": {"$anchor": "Sku", "type": "string", "maxLength": 12, "pattern": "^sku_[a-z]+$"},
        "currency": {"enum": ["EUR", "USD"]},
        "list": {"$anchor": "list", "type": "array", "maxItems": 3, "items": {"$dynamicRef": "#item"}},
        "any": {"$dynamicAnchor": "item", "not": {}},
    },
}
HANDLER = """#include "api.h"

limen_reply keep(limen_call *call, const keep_in *in)
{
    money it = { .cents = in->body.money.cents, .currency = in->body.money.currency };
    return keep_200(call, &it);
}
"""
WITH = ["--with", "api/schemas/money.yaml", "--with", "names.json"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The contract in a folder of its own, one document below it and one above."""
    folder = tmp_path_factory.mktemp("prices")
    (folder / "api" / "schemas").mkdir(parents=True)
    (folder / "api" / "api.yaml").write_text(CONTRACT)
    (folder / "api" / "schemas" / "money.yaml").write_text(MONEY)
    (folder / "names.json").write_text(json.dumps(NAMES))
    return folder


def run(folder, env, *command):
    return subprocess.run(list(map(str, command)), cwd=folder, env=env, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def prices(folder, installed):
    out = folder / "out"
    out.mkdir()
    (out / "prices.c").write_text(HANDLER)
    made = run(folder, installed, "limen", "gen", "--app", "prices", "--contract", "api/api.yaml", *WITH, "--out", "out")
    assert (made.returncode, made.stderr) == (0, "")
    flags = run(folder, installed, "pkg-config", "--cflags", "--libs", "limen").stdout.split()
    built = run(out, installed, "cc", "-std=c17", "-Wall", "-Wextra", "-Werror", "-I.", *sorted(map(str, out.glob("*.c"))), *flags, "-o", "prices")
    assert built.returncode == 0, built.stderr
    return out / "prices"


def post(server, body):
    request = urllib.request.Request(server.url + "/prices", json.dumps(body).encode(), {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_it_is_checked_with_its_documents(folder, installed):
    done = run(folder, installed, "limen", "check", *WITH, "api/api.yaml")
    assert (done.returncode, done.stderr) == (0, "")


def test_a_document_that_is_not_given_is_named_with_its_place(folder, installed):
    done = run(folder, installed, "limen", "check", "--with", "names.json", "api/api.yaml")
    assert done.returncode == 1
    assert "api/api.yaml:20:18: error: $ref 'schemas/money.yaml' leads to a document that is not here" in done.stderr
    assert "mend: give its document with `--with FILE`" in done.stderr


def test_a_fault_in_a_document_names_the_file_as_it_was_given(folder, installed, tmp_path):
    (tmp_path / "money.yaml").write_text(MONEY.replace(", maximum: 1000000", ""))
    done = run(folder, installed, "limen", "check", "--with", "names.json", "--with", f"file:///schemas/money.yaml={tmp_path}/money.yaml", "api/api.yaml")
    assert done.returncode == 1
    assert f"{tmp_path}/money.yaml:5:3: error: the number 'cents' has no bounds" in done.stderr


def test_what_dynamic_references_can_mean_must_be_bounded(folder, installed, tmp_path):
    names = json.loads(json.dumps(NAMES))
    names["$defs"]["any"] = {"$dynamicAnchor": "item", "type": "string"}
    (tmp_path / "names.json").write_text(json.dumps(names))
    done = run(folder, installed, "limen", "check", WITH[0], WITH[1], "--with", tmp_path / "names.json", "api/api.yaml")
    assert done.returncode == 1
    assert "names.json:1:" in done.stderr and "the string 'any' has no bound" in done.stderr


def test_the_binary_starts_with_its_documents_and_holds_requests_against_them(prices):
    good = {"sku": "sku_a", "money": {"cents": 5, "currency": "EUR"}}
    with Server(prices.parent / "run", binary=prices) as server:
        assert post(server, good) == (200, good["money"])
        assert post(server, dict(good, tags=["abc"]))[0] == 200
        for body, pointer, rule in [
            (dict(good, sku="x"), "/sku", "pattern"),
            (dict(good, money={"cents": 5, "currency": "GBP"}), "/money/currency", "enum"),
            (dict(good, money={"cents": -1, "currency": "EUR"}), "/money/cents", "minimum"),
            (dict(good, tags=["abcd"]), "/tags/0", "maxLength"),
        ]:
            status, problem = post(server, body)
            assert (status, [(fault["pointer"], fault["rule"]) for fault in problem["errors"]]) == (422, [(pointer, rule)])


def test_the_binary_checks_itself(prices, installed, folder):
    done = run(folder, installed, prices, "check")
    assert (done.returncode, done.stderr) == (0, "")
