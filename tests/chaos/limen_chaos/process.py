"""Programs that the harness has started, and the trees that they become.

The one idea: whatever is started here is the harness's own: it has a session and a group of its own, and is killed with all that came of
it. A watchman does that when the harness itself is killed. Nothing else on the machine is ever signalled: a group is forgotten when its
first process has ended, before the kernel may give that number to somebody else.
"""

import itertools
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time


START_S, RESTART_S, LOOK_S = 120.0, 0.2, 0.1


class Broken(RuntimeError):
    """A part did not do what it must before anything was done to it; the message says which, and what it said."""


_ports_tried = itertools.count(random.SystemRandom().randrange(1 << 16))


def free_port():
    """A port that nobody has, and not the one of a part that is down just now and will want it again: they are given in turn,
    below those that the kernel gives to connections, and out of LIMEN_TEST_PORTS ("10000-10999") where several run side by side."""
    first, last = map(int, os.environ.get("LIMEN_TEST_PORTS", "10000-31999").split("-"))
    for number in itertools.islice(_ports_tried, last - first + 1):
        port = first + number % (last - first + 1)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise Broken(f"no port from {first} to {last} is free")


def wait_for(what, seconds=10, every_s=0.02):
    """True as soon as `what()` is; false when it was not in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(every_s)
    return False


def find_program(name, *places):
    """The path of a program, or Broken with what to do."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", *map(str, places)]))
    if not found:
        raise Broken(f"{name} is not there; on Debian: apt install {DEBIAN.get(name, name)}")
    return found


DEBIAN = {"postgres": "postgresql", "initdb": "postgresql", "pg_basebackup": "postgresql", "psql": "postgresql-client"}


# ---- whatever happens to the harness -------------------------------------------------------------------------------------

WATCHMAN = """
import os, signal, sys
groups = set()
for line in sys.stdin:
    (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
for group in groups:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Watchman:
    """A process that is told which groups there are. When nobody can tell it any more, it kills them."""

    def __init__(self):
        self.process, self.lock = None, threading.Lock()

    def tell(self, sign, group):
        with self.lock:
            if self.process is None:
                self.process = subprocess.Popen([sys.executable, "-c", WATCHMAN], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                                text=True, start_new_session=True)  # fmt: skip
            self.process.stdin.write(f"{sign}{group}\n")
            self.process.stdin.flush()


watchman = Watchman()


# ---- process trees ------------------------------------------------------------------------------------------------------


def children_of(pid):
    """{pid: command line}; zombies are left out."""
    found = {}
    try:
        listing = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return found
    for child in map(int, listing.split()):
        try:
            words = pathlib.Path(f"/proc/{child}/cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        line = b" ".join(words).decode(errors="replace").strip()
        if line:
            found[child] = line
    return found


def family_of(pid):
    """{pid: command line} of a server's roles; after a reload, of all servers below the first one."""
    found = {}
    for child, line in children_of(pid).items():
        found.update(family_of(child) if line.split(" ")[1:2] == ["run"] else {child: line})
    return found


def roles_of(pid, name):
    """The pids of a server's roles whose command line or name has this word: "worker", "data", "operator"."""
    word = re.compile(rf"(?<![a-z]){re.escape(name)}(?![a-z])")
    pids = []
    for child, line in family_of(pid).items():
        try:
            comm = pathlib.Path(f"/proc/{child}/comm").read_text().strip()
        except OSError:
            continue
        arguments = line.split(" ", 1)[1] if " " in line else ""
        if word.search(comm) or word.search(re.sub(r"\S*/\S*", "", arguments)):
            pids.append(child)
    return pids


def tree_of(pid):
    """A process and all that came of it."""
    found = [pid]
    for parent in found:
        found += [child for child in children_of(parent) if child not in found]
    return found


def is_alive(pid):
    """Whether it still holds what it had open; a zombie does not."""
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() != b""
    except OSError:
        return False


def send(pids, number):
    """How many of them were there to be signalled."""
    count = 0
    for pid in pids:
        try:
            os.kill(pid, number)
            count += 1
        except ProcessLookupError:
            pass
    return count


class Process:
    """A program, its log, and the tree that it has become."""

    def __init__(self, name, command, folder, user=None, env=None, cwd=None):
        self.name, self.command, self.folder, self.user = name, [str(word) for word in command], pathlib.Path(folder), user
        self.env, self.cwd = {**os.environ, **(env or {})}, cwd or self.folder
        self.log_path = self.folder / f"{name}.log"
        self.process, self.was_ready, self.lock = None, False, threading.RLock()
        self.statuses = []  # with which it has ended, each time; negative: by that signal

    @property
    def pid(self):
        return self.process.pid

    @property
    def is_running(self):
        """Whoever has ended takes along what came of it: nothing is left behind where nobody looks any more."""
        with self.lock:
            if self.process is None or self.process.returncode is not None:
                return False
            if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                return True
            self._bury()
            return False

    def _bury(self):
        """Its number is its own until it is waited for; so its group is killed and forgotten before."""
        os.killpg(self.pid, signal.SIGKILL)
        watchman.tell("-", self.pid)
        self.statuses.append(self.process.wait())

    def launch(self):
        """Starts the program and does not wait for it to be ready."""
        words = ["setpriv", "--reuid", self.user, "--regid", self.user, "--clear-groups", "--"] if self.user else []
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [*words, *self.command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.env, cwd=self.cwd,
                start_new_session=True,
            )  # fmt: skip
        watchman.tell("+", self.pid)

    def tail(self, characters=2000):
        return self.log_path.read_text(errors="replace")[-characters:] if self.log_path.exists() else ""

    def is_ready(self):
        """Whether it can be asked."""
        raise NotImplementedError

    def start(self):
        """As systemd does: one that ends before it is ready again (what it stands on is away just now) is started once more."""
        deadline = time.monotonic() + START_S
        while True:
            self.launch()
            try:
                self.wait_ready()
                self.was_ready = True
                return
            except Broken:
                if not self.was_ready or self.is_running or time.monotonic() > deadline:
                    raise
                time.sleep(RESTART_S)

    def wait_ready(self, seconds=START_S):
        if not wait_for(lambda: not self.is_running or self.is_ready(), seconds, LOOK_S) or not self.is_running:
            raise Broken(f"{self.name} was not ready within {seconds:.0f} s\n{self.tail()}")

    def signal_tree(self, number):
        return send(tree_of(self.pid), number) if self.is_running else 0

    def kill(self):
        """SIGKILL for all of it: what a power cut does to processes."""
        with self.lock:
            pids = tree_of(self.pid) if self.is_running else []
            send(pids, signal.SIGKILL)
            if pids:
                self._bury()
        wait_for(lambda: not any(map(is_alive, pids)), 30)  # who starts it again wants its ports

    def terminate(self, seconds=30.0, number=signal.SIGTERM):
        """Asks it to end; its exit status, or None when it had to be killed."""
        if self.is_running:
            send([self.pid], number)
        if wait_for(lambda: not self.is_running, seconds):
            return self.process.returncode if self.process else None
        self.kill()
        return None
