"""Memory: nothing is lost at the end, and nothing grows under load."""

import asyncio
import re
import time

import pytest
from caller import Caller, admin, customer, new_key
from client import Client
from server import Server, build_dir

IS_SANITIZED = build_dir().name != "build"
LOAD_SECONDS = 45


def some_of_everything(server):
    caller, keeper = customer(server), admin(server)
    for _ in range(20):
        assert caller.checkout("sku_pencils").status == 201
        assert caller.get("/api/orders").status == 200
        assert caller.post("/api/checkout", raw="{", key=new_key()).status == 400
        assert caller.checkout("sku_pencils", 0).status == 422
        assert keeper.call("PATCH", "/api/admin/items/sku_jug", {"stock": 9}).status == 200
        assert Caller(server).get("/").status == 200
        assert Caller(server).get("/api/nothing").status == 404
    assert caller.call("DELETE", "/api/sessions/current").status == 204


@pytest.mark.skipif(not IS_SANITIZED, reason="leaks are looked for by AddressSanitizer's build")
def test_nothing_is_lost_at_the_end(tmp_path):
    options = "detect_leaks=1:detect_stack_use_after_return=0:abort_on_error=0:exitcode=99"
    server = Server(tmp_path, flags=["--limit-scale", "1000", "--log-level", "debug"], env={"ASAN_OPTIONS": options}).start()
    some_of_everything(server)
    assert server.stop(60) == 0
    assert "LeakSanitizer" not in server.log
    assert not re.search(r'a role died|"code":99', server.log)


def resident_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmRSS:\s+(\d+) kB", file.read())[1])


async def load(server, cookie, number, until, counts):
    client = Client(server.host, server.port, cookie)
    i = 0
    while time.monotonic() < until:
        i += 1
        wanted = {"lines": [{"itemId": "sku_candles", "quantity": 1}]}
        statuses = [
            (await client.call("GET", "/api/items?limit=24")).status,
            (await client.call("POST", "/api/checkout", wanted, key=f"load-{number}-{i}")).status,
            (await client.call("POST", "/api/checkout", {"lines": []}, key="x")).status,
            (await client.call("GET", "/api/orders?limit=5")).status,
        ]
        assert statuses == [200, 201, 422, 200]
        counts.append(4)
        if i % 50 == 0:
            client.close()  # connections come and go as well
    client.close()


@pytest.mark.skipif(IS_SANITIZED, reason="AddressSanitizer keeps what is freed; measured as released")
def test_nothing_grows_under_load(tmp_path):
    with Server(tmp_path, workers=1, flags=["--limit-scale", "100000"]) as server:
        assert admin(server).call("PATCH", "/api/admin/items/sku_candles", {"stock": 1000000}).status == 200
        cookies = [customer(server).cookie for _ in range(4)]

        def run(seconds):
            until, counts = time.monotonic() + seconds, []

            async def all_clients():
                await asyncio.gather(*(load(server, cookies[i % 4], f"{i}-{until}", until, counts) for i in range(16)))

            asyncio.run(all_clients())
            return sum(counts)

        run(LOAD_SECONDS / 3)
        pids = {role: server.roles(role)[0] for role in ("worker", "data", "operator")} | {"supervisor": server.pid}
        before = {role: resident_kib(pid) for role, pid in pids.items()}
        done = run(LOAD_SECONDS * 2 / 3)
        after = {role: resident_kib(pid) for role, pid in pids.items()}
    print(f"{done} requests; KiB before {before}, after {after}")
    assert done > 2000
    for role in pids:
        # SQLite's page cache may still fill: 16 MB a connection.
        room = 16 * 1024 if role == "data" else 512
        assert after[role] - before[role] <= room, (role, before, after)
