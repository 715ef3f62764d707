"""Our HTTP/1 parser beside Node's: what both accept, both frame alike; and what Node refuses, we do not accept.

Two parsers that read one stream differently are what request smuggling is made of. So thousands of streams, bent ones mostly, go to
both, and each says how it has read them. That we refuse what Node accepts is as it should be: ours is the stricter one.
"""

import os
import random
import re
import shutil
import socket
import subprocess
import time

import pytest
from server import ROOT, build_dir, free_port

CASES = int(os.environ.get("DIFFERENTIAL_CASES", "3000"))
SEED = int(os.environ.get("DIFFERENTIAL_SEED", "20260101"))
CORPUS = ROOT / "tests" / "fuzz" / "corpus"


# ---- streams -----------------------------------------------------------------------------------------------------------------
METHODS = [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"OPTIONS", b"PATCH"]
TARGETS = [b"/", b"/a?b=c", b"/a%20b", b"*", b"http://a/x", b"/a/../b", b"//x", b"/\xc3\xa9", b"?q", b"a", b"/a#b"]
VERSIONS = [b"HTTP/1.1"] * 60 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.10", b"HTTP/01.1"]
FIELDS = [
    b"Content-Length: 5", b"Content-Length: 0", b"Content-Length: 05", b"Content-Length: +5", b"Content-Length: 5, 5", b"Content-Length:",
    b"Content-Length: 5 ", b"Content-Length: 0x5", b"Content-Length : 5", b"content-length: 3", b"Content-Length: 18446744073709551621",
    b"Transfer-Encoding: chunked", b"transfer-encoding:chunked", b"Transfer-Encoding: gzip, chunked", b"Transfer-Encoding: chunked, gzip",
    b"Transfer-Encoding: chunked, chunked", b"Transfer-Encoding: xchunked", b"Transfer-Encoding: \tchunked", b"Transfer-Encoding: \x0bchunked",
    b'Transfer-Encoding: "chunked"', b"Transfer-Encoding: chunked;a=b", b"Transfer-Encoding: identity", b"Transfer-Encoding: Chunked",
    b"Transfer_Encoding: chunked", b"Transfer-Encoding : chunked", b" Transfer-Encoding: chunked", b"X: y\r\n Transfer-Encoding: chunked",
    b"Connection: close", b"Connection: keep-alive", b"Connection: Content-Length", b"Connection: upgrade", b"Upgrade: websocket",
    b"Expect: 100-continue", b"Expect: nothing", b"X-A: \xff", b"X-B: a\x00b", b"X-C: a\rb", b"X-D: a\nb", b"X(E: a", b"X-F", b": x", b"X-G:",
    b"Host: b", b"Host:", b"Host: a:b", b"Host: a, b", b"Trailer: X", b"TE: trailers", b"X-H: " + b"h" * 300, b"X-I: a\x7fb", b"X-J:\ta\t",
]  # fmt: skip
BODIES = [
    b"", b"hello", b"hello world", b"0\r\n\r\n", b"5\r\nhello\r\n0\r\n\r\n", b"5;a=b\r\nhello\r\n0\r\n\r\n", b"5 \r\nhello\r\n0\r\n\r\n",
    b"05\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n", b"5\r\nhello0\r\n\r\n", b"6\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nX: y\r\n\r\n",
    b"5\r\nhello\r\n0\r\nContent-Length: 9\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n", b"-5\r\nhello\r\n0\r\n\r\n", b"5\r\nhello\r\n00\r\n\r\n",
    b'5;a="\r\n"\r\nhello\r\n0\r\n\r\n', b"5\r\nhello\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n", b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    b"5;\r\nhello\r\n0\r\n\r\n", b"5\r\r\nhello\r\n0\r\n\r\n", b"A\r\n0123456789\r\n0\r\n\r\n", b"5;a\x00b\r\nhello\r\n0\r\n\r\n",
]  # fmt: skip
PIECES = [b"\r", b"\n", b"\r\n", b" ", b"\t", b":", b",", b";", b"\x00", b"\x0b", b"\x7f", b"\x80", b"0", b"a", b"/", b"chunked", b"\r\n ", b"%"]


def request(source):
    method, target = source.choice(METHODS), source.choice(TARGETS[:3] * 10 + TARGETS)
    fields = [b"Host: a"] if source.random() < 0.95 else []
    fields += source.sample(FIELDS, source.choice([0, 0, 0, 1, 1, 2, 3]))
    source.shuffle(fields)
    body = source.choice(BODIES) if source.random() < 0.4 else b""
    if source.random() < 0.4:  # a body that is announced well
        body = source.choice(BODIES[:3])
        fields.append(b"Content-Length: %d" % len(body))
    return b"\r\n".join([b" ".join([method, target, source.choice(VERSIONS)]), *fields, b"", b""]) + body


def bent(source, stream):
    """A few bytes put in, taken out, changed or said twice."""
    for _ in range(source.choice([0, 0, 1, 1, 2])):
        at = source.randrange(len(stream) + 1)
        end = min(len(stream), at + source.choice([1, 1, 2, 8]))
        piece = source.choice([source.choice(PIECES), stream[at:end] * 2, b"", bytes([source.randrange(256)])])
        stream = stream[:at] + piece + stream[source.choice([at, end]) :]
    return stream


def streams():
    source = random.Random(SEED)
    seeds = [path.read_bytes()[1:] for path in sorted((CORPUS / "http1").iterdir())]
    yield from seeds
    for _ in range(CASES):
        if source.random() < 0.25:
            stream = source.choice(seeds)
        else:
            stream = b"".join(request(source) for _ in range(source.choice([1, 1, 1, 2, 3])))
        yield bent(source, stream)


# ---- the two servers -----------------------------------------------------------------------------------------------------------
def wait_for(port, process):
    for _ in range(500):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return port
        assert process.poll() is None
        time.sleep(0.02)
    pytest.fail("a server did not listen in time")


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    binary = build_dir() / "tests" / "unit" / "edge" / "edge_echo"
    if not binary.exists():
        pytest.skip(f"{binary} is not there: only builds with the unit tests have it")
    port, log = free_port(), open(tmp_path_factory.mktemp("edge") / "log", "w+b")
    process = subprocess.Popen([binary, str(port), "frames"], stderr=log)
    yield wait_for(port, process)
    process.terminate()
    status = process.wait(timeout=30)
    log.seek(0)
    assert (status, b"Sanitizer" in log.read()) == (0, False)


@pytest.fixture(scope="module")
def nodes():
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no Node.js here to compare with")
    port = free_port()
    process = subprocess.Popen([node, ROOT / "tests" / "hostile" / "frames.mjs", str(port)])
    yield wait_for(port, process)
    process.terminate()
    process.wait(timeout=30)


def ask(port, stream):
    """What the server made of the stream: (method, target, body) of each request that it read, and the status that ended it, if any."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        try:
            connection.sendall(stream)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                received += piece
        except (ConnectionResetError, BrokenPipeError):
            pass  # it had enough
    frames, refusal = [], None
    for head in re.split(rb"(?=HTTP/1\.[01] \d\d\d )", received):
        status = re.match(rb"HTTP/1\.[01] (\d\d\d)", head)
        seen = re.search(rb"\r\nX-Seen: ([0-9a-f]*)\.([0-9a-f]*)\.([0-9a-f]*)\r\n", head)
        if seen is not None:
            frames.append(tuple(bytes.fromhex(part.decode()) for part in seen.groups()))
        elif status is not None and status[1] != b"100":
            refusal = int(status[1])
    return frames, refusal


# Where we read a request that Node does not, or read it otherwise, and may. Each is looked for in the stream.
REASONS = {
    "a tab behind a length: white space around a value may be tabs (RFC 9110 5.5), for Node only spaces there": re.compile(
        rb"^content-length:[ \t]*\d+ *\t[ \t]*\r?$", re.IGNORECASE | re.MULTILINE),
}  # fmt: skip


def disagreement(ours, theirs):
    """How the two differ where they must not, in words; None when they do not."""
    (mine, my_refusal), (other, _) = ours, theirs
    for i, (here, there) in enumerate(zip(mine, other, strict=False)):
        if here != there:
            return f"request {i}: we read {here}, Node {there}"
    if len(mine) > len(other):
        return f"we read {len(mine)} requests, Node {len(other)}: {mine[len(other)]}"
    if len(mine) < len(other) and my_refusal is None:
        return f"we read {len(mine)} requests and refused nothing, Node read {len(other)}: {other[len(mine)]}"
    return None


def test_what_both_accept_is_framed_alike(ours, nodes):
    counts = {"both": 0, "neither": 0, "Node alone": 0, "explained": 0}
    findings = []
    for stream in streams():
        mine, theirs = ask(ours, stream), ask(nodes, stream)
        words = disagreement(mine, theirs)
        if words is not None and any(reason.search(stream) for reason in REASONS.values()):
            counts["explained"] += 1
        elif words is not None:
            findings.append(f"{words}\n    Node said {theirs[1]}, we {mine[1]}, of {stream!r}")
        else:
            kind = "both" if len(mine[0]) == len(theirs[0]) > 0 else "neither" if not theirs[0] else "Node alone"
            counts[kind] += 1
    print(f"seed {SEED}: {sum(counts.values()) + len(findings)} streams; {counts}; {len(findings)} findings")
    assert not findings, f"{len(findings)} findings\n" + "\n".join(findings[:20])
    assert counts["both"] > CASES * 0.15 and counts["neither"] > CASES * 0.05, "streams that are all refused show nothing"


def test_each_difference_is_found():
    one, two = (b"GET", b"/", b""), (b"GET", b"/smuggled", b"")
    assert disagreement(([one], None), ([one], None)) is None
    assert disagreement(([one], 400), ([one, two], None)) is None, "we may refuse more"
    assert "Node 1" in disagreement(([one, two], None), ([one], 400))
    assert "request 0" in disagreement(([two], 400), ([one], None))
    assert "refused nothing" in disagreement(([one], None), ([one, two], None))
