"""A worker whose memory is short sheds what is large with 503, goes on serving what is small, and takes all again afterwards."""

import asyncio
import json
import re

import pytest
from apps import build_app
from caller import Caller
from client import Gone, read_answer, request_bytes
from honest import Honest
from server import ROOT, Server, build_dir

CLIENTS = 500
MEMORY_MIB = 64
BODY = json.dumps({"texts": ["é" * 1000] * 80}).encode()  # 480 KB: each character is escaped
BASE_MIB = int(re.search(r"LIMIT_WORKER_BASE_BYTES[\s\\]+\((\d+)U \* 1024 \* 1024\)", (ROOT / "src/core/limits.h").read_text())[1])


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("heavy", ROOT / "tests" / "http" / "heavy", tmp_path_factory.mktemp("heavy"))


@pytest.fixture
def heavy(binary, tmp_path):
    flags = ["--worker-memory", f"{MEMORY_MIB}MiB", "--connections-per-address", 2000]
    with Server(tmp_path, workers=1, binary=binary, flags=flags) as server:
        yield server


def highest_kib(pid):
    with open(f"/proc/{pid}/status") as file:
        return int(re.search(r"VmHWM:\s+(\d+) kB", file.read())[1])


def metric(server, name):
    return int(re.search(rf"^{re.escape(name)} (\d+)$", server.metrics(), re.MULTILINE)[1])


async def weigh(server, all_there, all_begun):
    """Begins to send, waits until everybody has begun, and sends the rest unless it was refused by then."""
    reader, writer = await asyncio.open_connection(server.host, server.port)
    try:
        all_there.count += 1
        while all_there.count < CLIENTS:
            await asyncio.sleep(0.01)
        message = request_bytes("POST", "/weigh", server.host, BODY)
        writer.write(message[:40000])
        answer = asyncio.create_task(read_answer(reader))
        all_begun.count += 1
        while all_begun.count < CLIENTS:
            await asyncio.sleep(0.01)
        await asyncio.wait([answer], timeout=1)
        if not answer.done():
            writer.write(message[40000:])
        return await asyncio.wait_for(answer, 40)
    finally:
        writer.close()


class Counter:
    count = 0


async def all_at_once(server):
    there, begun = Counter(), Counter()
    return await asyncio.gather(*(weigh(server, there, begun) for _ in range(CLIENTS)), return_exceptions=True)


def test_five_hundred_large_bodies_are_served_or_shed(heavy):
    (worker,) = heavy.roles("worker")
    before = highest_kib(worker)
    with Honest(heavy) as honest:
        answers = asyncio.run(all_at_once(heavy))
    gone = [answer for answer in answers if isinstance(answer, Gone)]
    answers = [answer for answer in answers if not isinstance(answer, Exception)]
    served = [answer for answer in answers if answer.status == 200]
    shed = [answer for answer in answers if answer.status == 503]
    print(f"{len(served)} served, {len(shed)} shed, {len(gone)} gone; KiB before {before}, at most {highest_kib(worker)}")

    assert not gone and len(answers) == CLIENTS, "everybody is told"
    assert len(served) + len(shed) == CLIENTS
    assert len(served) >= 4 and len(shed) >= CLIENTS / 2
    assert {answer.json()["number"] for answer in served} == {80 * 1000 * 2}
    for answer in shed:
        assert int(answer.fields["retry-after"]) >= 1
        assert answer.fields["content-type"] == "application/problem+json"
    honest.assert_served()
    assert metric(heavy, 'limen_refusals_total{reason="memory"}') > 0
    if build_dir().name == "build":
        assert highest_kib(worker) < (MEMORY_MIB + BASE_MIB) * 1024

    for _ in range(20):
        answer = Caller(heavy).post("/weigh", raw=BODY)
        assert (answer.status, answer.json()) == (200, {"number": 80 * 1000 * 2})
    assert heavy.roles("worker") == [worker], "nobody died of it"
    assert metric(heavy, "limen_memory_bytes") < metric(heavy, "limen_memory_ceiling_bytes") / 4, "all was given back"


def test_a_setting_that_could_never_admit_an_operation_does_not_start(binary, tmp_path):
    server = Server(tmp_path, workers=1, binary=binary, flags=["--worker-memory", "16MiB"])
    server.start(wait=False)
    assert server.wait() == 1
    assert re.search(r"api\.yaml:\d+:\d+: error: a call of 'weigh' may need \d+ KiB", server.log), server.log
    assert "raise --worker-memory" in server.log
