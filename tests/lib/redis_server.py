"""A Redis of the test's own: on a free loopback port, in a folder of the test's, never the machine's service.

The one idea: a test may kill it, start it again at the same port and ask it things over a socket (RESP), without a client library.
"""

import pathlib
import shutil
import socket
import subprocess
import time

import pytest
from server import free_port

BINARY = shutil.which("redis-server")


class Redis:
    """redis-server without persistence; `password` makes it ask for one."""

    def __init__(self, folder, password=None):
        if BINARY is None:
            pytest.skip("redis-server is not installed: tools/setup test")
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.password = password
        self.port = free_port()
        self.process = None
        self.start()

    @property
    def url(self):
        secret = f":{self.password}@" if self.password else ""
        return f"redis://{secret}127.0.0.1:{self.port}"

    def start(self):
        command = [BINARY, "--port", self.port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--daemonize", "no",
                   "--dir", self.folder]  # fmt: skip
        if self.password:
            command += ["--requirepass", self.password]
        with open(self.folder / "redis.log", "ab") as log:
            self.process = subprocess.Popen([str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        end = time.monotonic() + 20
        while time.monotonic() < end:
            try:
                if self.ask("PING") == "PONG":
                    return self
            except OSError:
                time.sleep(0.02)
        raise RuntimeError(f"redis-server does not answer\n{(self.folder / 'redis.log').read_text()[-2000:]}")

    def kill(self):
        """SIGKILL; what it knew is gone."""
        self.process.kill()
        self.process.wait()

    def ask(self, *words):
        """One command's answer: text, number, None, list; an error raises."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection, connection.makefile("rwb") as stream:
            if self.password:
                _send(stream, "AUTH", self.password)
                _receive(stream)
            _send(stream, *words)
            return _receive(stream)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.kill()


def _send(stream, *words):
    encoded = [str(word).encode() for word in words]
    stream.write(b"*%d\r\n" % len(encoded) + b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in encoded))
    stream.flush()


def _receive(stream):
    line = stream.readline()
    if not line:
        raise OSError("the connection ended")
    kind, rest = line[:1], line[1:-2].decode()
    if kind == b"-":
        raise RuntimeError(rest)
    if kind == b":":
        return int(rest)
    if kind == b"$":
        return None if rest == "-1" else stream.read(int(rest) + 2)[:-2].decode()
    if kind == b"*":
        return None if rest == "-1" else [_receive(stream) for _ in range(int(rest))]
    return rest
