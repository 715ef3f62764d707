"""A request allocates nothing from the heap once the worker is warm: every malloc of a worker is counted, over many requests."""

import mmap
import struct
import subprocess

import pytest
from caller import Caller, admin, customer, new_key
from redis_server import Redis
from server import ROOT, Server, build_dir, wait_for

REQUESTS = 300
BINARY = ROOT / "build-clang" / "shop-counted"


@pytest.fixture(scope="module")
def counted(tmp_path_factory):
    if build_dir().name != "build":
        pytest.skip("a sanitizer has a malloc of its own; counted as released")
    subprocess.run([ROOT / "tools" / "build", "clang"], check=True, capture_output=True)
    flags = ["--limit-scale", "1000"]
    with Server(tmp_path_factory.mktemp("counted"), workers=1, binary=BINARY, flags=flags) as server:
        yield server


def counter_of(server, role):
    (pid,) = server.roles(role)
    with open(server.folder / f"malloc-count.{pid}", "rb") as file:
        memory = mmap.mmap(file.fileno(), 8, prot=mmap.PROT_READ)
    return lambda: struct.unpack("Q", memory[:8])[0]


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    if build_dir().name != "build":
        pytest.skip("a sanitizer has a malloc of its own; counted as released")
    folder = tmp_path_factory.mktemp("shared")
    with Redis(folder / "redis") as redis:
        flags = ["--limit-scale", "1000", "--redis", redis.url]
        with Server(folder, workers=1, binary=BINARY, flags=flags) as server:
            assert wait_for(lambda: "Redis is there" in server.log)
            yield server, made_for(server)


@pytest.fixture(scope="module")
def callers(counted):
    return made_for(counted)


def made_for(counted):
    """All that the requests below need, made beforehand."""
    keeper = admin(counted)
    assert keeper.call("PATCH", "/api/admin/items/sku_candles", {"stock": 1000000}).status == 200
    return {"anybody": Caller(counted), "buyer": customer(counted), "keeper": keeper}


def one_line(quantity):
    return {"lines": [{"itemId": "sku_candles", "quantity": quantity}]}


REQUEST = {
    "an item": lambda c: c["anybody"].get("/api/items/sku_bowl").status == 200,
    "a page of items": lambda c: c["anybody"].get("/api/items?q=a&limit=24").status == 200,
    "who am I": lambda c: c["buyer"].get("/api/me").status == 200,
    "a checkout": lambda c: c["buyer"].post("/api/checkout", one_line(1), key=new_key()).status == 201,
    "the orders": lambda c: c["buyer"].get("/api/orders?limit=10").status == 200,
    "a change": lambda c: c["keeper"].call("PATCH", "/api/admin/items/sku_jug", {"stock": 7}).status == 200,
    "a body that is refused": lambda c: c["buyer"].post("/api/checkout", one_line(0), key=new_key()).status == 422,
    "a body that is no JSON": lambda c: c["buyer"].post("/api/checkout", raw="{", key=new_key()).status == 400,
    "an unknown path": lambda c: c["anybody"].get("/api/nothing").status == 404,
    "no session": lambda c: c["anybody"].get("/api/me").status == 401,
    "the page": lambda c: c["anybody"].get("/").status == 200,
}


@pytest.mark.parametrize("name", REQUEST)
def test_a_worker_allocates_nothing(counted, callers, name):
    request, count = REQUEST[name], counter_of(counted, "worker")
    for _ in range(50):
        assert request(callers)
    before = count()
    for _ in range(REQUESTS):
        assert request(callers)
    assert count() - before == 0, f"{(count() - before) / REQUESTS} calls of malloc a request"


@pytest.mark.parametrize("name", ["an item", "who am I", "a checkout", "no session"])
def test_a_worker_allocates_nothing_with_redis_either(shared, name):
    server, callers = shared
    request, count = REQUEST[name], counter_of(server, "worker")
    for _ in range(50):
        assert request(callers)
    before = count()
    for _ in range(REQUESTS):
        assert request(callers)
    assert count() - before == 0, f"{(count() - before) / REQUESTS} calls of malloc a request"


def test_the_counter_counts(counted):
    """A new worker allocates while it starts; a counter that shows nothing would pass every test above."""
    assert counter_of(counted, "worker")() > 10


def test_what_the_data_role_allocates_is_sqlites_own(counted, callers):
    count = counter_of(counted, "data")
    request = REQUEST["an item"]
    for _ in range(50):
        assert request(callers)
    before = count()
    for _ in range(REQUESTS):
        assert request(callers)
    a_request = (count() - before) / REQUESTS
    print(f"data role: {a_request:.2f} calls of malloc for one read")
    assert a_request < 10
