"""The n-th allocation or system call of a data role fails, for each n: what the tests of that share.

torture.c, linked into an app in the sanitizers' build, does the failing; it is told through a file that it maps.
"""

import contextlib
import itertools
import mmap
import re
import struct
import subprocess
import threading
import time

import pytest
from apps import build_app
from server import ROOT, Server

MEMORY, KERNEL = 1, 2
FAULTS = [(MEMORY, 0), (MEMORY, 1), (KERNEL, 0), (KERNEL, 1)]
NAMES = ["one allocation", "all allocations", "one system call", "all system calls"]
UNKNOWN = "outcome-unknown"
LASTS_S = 0.1
SOURCE = ROOT / "tests" / "lib" / "torture.c"

each_fault = pytest.mark.parametrize(("fault", "lasts"), FAULTS, ids=NAMES)


def build_tortured_app(name, source, folder):
    """An app of the tests with torture.c in it; our own library has been compiled without, so that the linker puts it between."""
    wrapped = sorted(set(re.findall(r"\b__wrap_(\w+)\(", SOURCE.read_text())))
    return build_app(name, source, folder, more=["-D_GNU_SOURCE", SOURCE, *(f"-Wl,--wrap={call}" for call in wrapped)])


class Orders:
    """What the data role is told to fail: struct orders of tests/lib/torture.c."""

    FORMAT = "=qqqq"

    def __init__(self, folder):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "torture"
        path.write_bytes(bytes(struct.calcsize(self.FORMAT)))
        with open(path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), struct.calcsize(self.FORMAT))

    def mend(self):
        struct.pack_into("=q", self.memory, 0, 0)

    @contextlib.contextmanager
    def failing(self, fault, lasts, number):
        """The number-th of this kind fails while the block runs. What lasts is mended after a while: a keyed call waits for that."""
        struct.pack_into("=qqq", self.memory, 8, number, lasts, 0)
        struct.pack_into("=q", self.memory, 0, fault)
        timer = threading.Timer(LASTS_S, self.mend)
        timer.start()
        yield
        timer.cancel()
        timer.join()
        self.mend()

    @property
    def fired(self):
        return struct.unpack_from("=q", self.memory, 24)[0]


class Tortured(Server):
    """One worker and one data role, which must both live to the end and lose no memory."""

    def __init__(self, folder, binary, flags=()):
        options = "detect_leaks=1:detect_stack_use_after_return=0:abort_on_error=0:exitcode=99"
        flags = ["--limit-scale", "1000000", *flags]
        super().__init__(folder, workers=1, binary=binary, flags=flags, env={"ASAN_OPTIONS": options})
        self.orders = Orders(self.folder)

    def run(self, *words):
        """What a command of the same binary says, on the same database."""
        done = subprocess.run([self.binary, *words, "--database", self.database], capture_output=True, text=True, timeout=60,
                              env={"ASAN_OPTIONS": "detect_leaks=0"})  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextlib.contextmanager
    def living_to_the_end(self):
        processes = self.roles("data") + self.roles("worker")
        yield self
        assert self.roles("data") + self.roles("worker") == processes, "a process died of a failure that it could have told"
        assert self.stop(60) == 0
        assert not re.search(r"LeakSanitizer|a role died|OpenSSL has allocated already", self.log), self.tail()


def problem_of(answer):
    return "" if answer.status < 400 else answer.json()["type"] + " " + answer.json().get("detail", "")


def says_nothing_was_done(answer):
    return answer.status >= 500 and UNKNOWN not in problem_of(answer)


def soon(request, wanted):
    """Sent again until it is answered as wanted: right after a failure the two roles may be finding each other again."""
    for _ in range(200):
        answer = request()
        if answer.status in wanted:
            return answer
        assert answer.status in (500, 503, 504), answer
        time.sleep(0.02)
    pytest.fail(f"it did not recover: {answer}")


def torture(server, fault, lasts, attempt):
    """Runs `attempt` with the n-th failing, for each n until three in a row have nothing left that fails. Returns how many have failed."""
    whole = failed = 0
    for number in itertools.count(1):
        with attempt(server, lambda n=number: server.orders.failing(fault, lasts, n)):
            pass
        whole = 0 if server.orders.fired else whole + 1
        failed += server.orders.fired > 0
        if whole == 3:
            return failed
        assert number < 2000, "it never succeeds"
