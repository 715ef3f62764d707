"""Raw HTTP/1.1 streams with verdicts that others wrote, against the edge alone (a server that reads every body)."""

import json
import socket
import subprocess
import sys
import time

import pytest
from scores import record
from server import ROOT, build_dir, free_port

SUITE = ROOT.parent / "shared" / "suites" / "http1"


@pytest.fixture(scope="module")
def echo(tmp_path_factory):
    binary = build_dir() / "tests" / "unit" / "edge" / "edge_echo"
    if not binary.exists():
        pytest.skip(f"{binary} is not there: only builds with the unit tests have it")
    port = free_port()
    log = open(tmp_path_factory.mktemp("echo") / "log", "w+b")
    process = subprocess.Popen([binary, str(port)], stderr=log)
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                break
        time.sleep(0.02)
    yield port
    process.terminate()
    status = process.wait(timeout=20)
    log.seek(0)
    assert (status, b"Sanitizer" in log.read()) == (0, False)


@pytest.mark.skipif(not SUITE.is_dir(), reason="the HTTP/1.1 suite (../shared/suites/http1) is not on this machine")
def test_each_stream_gets_its_verdict(echo, tmp_path):
    results = tmp_path / "results.json"
    run = subprocess.run(
        [sys.executable, "-B", SUITE / "run.py", "127.0.0.1", str(echo), "--cases", SUITE / "cases.jsonl",
         "--fail-under", "100", "--json", results, "--echo"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    print(run.stdout)
    cases = [case for case in json.loads(results.read_text()) if case["verdict"] not in ("either", "info")]
    record("HTTP/1.1 streams", sum(case["agree"] is True for case in cases), len(cases))
    assert run.returncode == 0, run.stdout
    assert "DISAGREE" not in run.stdout, run.stdout
    assert "server alive at the end: True" in run.stdout
