"""A shop server of the test's own: started on free ports over a fresh database, watched, and stopped.

The one idea: a test that gets a `Server` may do anything to it, because nobody else has it. What the server wrote is
kept in `log`, and a stop fails when a sanitizer has said something there.
"""

import http.client
import os
import pathlib
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request

from limen_chaos.process import family_of, free_port, is_alive, roles_of, tree_of, wait_for  # noqa: F401, tests take some of them from here

ROOT = pathlib.Path(__file__).resolve().parents[2]

#: The contract's first account; its password is generated at first start and printed once.
ADMIN_EMAIL = "admin@shop.example"

_PASSWORD = re.compile(r"admin password: (\S+)")
_SANITIZER = re.compile(r"ERROR: \w+Sanitizer|: runtime error: |WARNING: ThreadSanitizer")


def build_dir():
    """The folder with the binaries: build, or what LIMEN_TEST_BUILD names (build-asan)."""
    return ROOT / os.environ.get("LIMEN_TEST_BUILD", "build")


class ServerError(RuntimeError):
    """The server did not do what a server does; the message carries the end of its log."""


class Server:
    """`build/shop run`, or another app's binary.

    folder    where database and log are; a second Server in the same folder finds the same data
    flags     more command-line flags, such as ["--limit-scale", "1000"]
    env       more environment
    process   more for subprocess.Popen, such as {"user": 1234}
    """

    def __init__(self, folder, flags=(), env=None, workers=2, binary=None, database=None, process=None):
        self.folder = pathlib.Path(folder)
        self.binary = pathlib.Path(binary) if binary else build_dir() / "shop"
        self.flags = [str(flag) for flag in flags]
        self.extra_env = dict(env or {})
        self.workers = workers
        self.process_options = dict(process or {})
        self.database_path = self.folder / "var" / "shop.db" # a folder of its own: root hands it over to the data role
        self.database = database or f"sqlite:{self.database_path}"
        self.log_path = self.folder / "server.log"
        self.host = "127.0.0.1"
        self.port = free_port()
        self.operator_port = free_port()
        self.admin_email = ADMIN_EMAIL
        self.admin_password = None
        self.process = None

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    @property
    def operator_url(self):
        return f"http://{self.host}:{self.operator_port}"

    @property
    def pid(self):
        """Of the supervisor."""
        return self.process.pid

    @property
    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def is_running(self):
        return self.process is not None and self.process.poll() is None

    # ---- life ----------------------------------------------------------------------------------------------------
    def command(self):
        return [
            str(self.binary), "run",
            "--listen", f"{self.host}:{self.port}",
            "--operator", f"{self.host}:{self.operator_port}",
            "--database", self.database,
            "--workers", str(self.workers),
            *self.flags,
        ]  # fmt: skip

    def start(self, wait=True):
        """Starts the server and, unless `wait` is false, returns when /readyz says so."""
        if not self.binary.exists():
            raise ServerError(f"{self.binary} is not there: run `make build` first")
        self.folder.mkdir(parents=True, exist_ok=True)
        env = dict(os.environ, **self.extra_env)
        env.setdefault("ASAN_OPTIONS", "detect_stack_use_after_return=0:detect_leaks=0:abort_on_error=1")
        env.setdefault("UBSAN_OPTIONS", "print_stacktrace=1:halt_on_error=1")
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, cwd=self.folder,
                start_new_session=True, **self.process_options,
            )  # fmt: skip
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds=30.0):
        deadline = time.monotonic() + seconds
        while not self.is_ready():
            if self.process.poll() is not None:
                raise ServerError(f"the server ended with {self.process.returncode} before it was ready\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise ServerError(f"the server was not ready after {seconds:.0f} s\n{self.tail()}")
            time.sleep(0.02)
        found = _PASSWORD.search(self.log)
        if found:
            self.admin_password = found.group(1)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.operator_url}/readyz", timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return False

    def wait(self, seconds=15.0):
        """Waits for the server to end by itself; returns its exit status."""
        return self.process.wait(timeout=seconds)

    def stop(self, seconds=20.0):
        """SIGTERM, and the exit status; fails when it does not end in time or when a sanitizer spoke."""
        if self.process is None:
            return None
        if self.is_running:
            self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise ServerError(f"the server did not end {seconds:.0f} s after SIGTERM\n{self.tail()}") from None
        self._kill_group()
        self.assert_clean()
        return status

    def kill(self):
        """SIGKILL for the supervisor and every role: what a power cut does to processes. They are gone when it returns, and their ports free."""
        if self.process is not None:
            pids = tree_of(self.pid) if self.is_running else []
            self._kill_group()
            self.process.wait()
            wait_for(lambda: not any(map(is_alive, pids)), 30)

    def reload(self, wait=True):
        """SIGHUP; unless `wait` is false, returns when another server serves or when it is said that none could start."""
        said = re.compile("the next server serves|the next server did not start")
        before = len(said.findall(self.log))
        self.process.send_signal(signal.SIGHUP)
        if wait and not wait_for(lambda: len(said.findall(self.log)) > before, seconds=60):
            raise ServerError(f"nothing came of a SIGHUP\n{self.tail()}")

    def restart(self):
        """The same folder and ports again."""
        self.stop()
        return self.start()

    def assert_clean(self):
        found = _SANITIZER.search(self.log)
        if found:
            raise ServerError(f"a sanitizer spoke:\n{self.log[max(0, found.start() - 200):found.start() + 6000]}")

    def tail(self, characters=4000):
        return self.log[-characters:]

    # ---- the process tree ------------------------------------------------------------------------------------------
    def children(self):
        """The roles as {pid: command line}; zombies are left out. After a reload they are those of all servers below the first one."""
        return family_of(self.pid)

    def roles(self, name):
        """The pids of the children whose command line or name has this word: "worker", "data", "operator"."""
        return roles_of(self.pid, name)

    def metrics(self):
        """The operator's /metrics as text."""
        with urllib.request.urlopen(f"{self.operator_url}/metrics", timeout=5) as reply:
            return reply.read().decode()

    def _kill_group(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def __enter__(self):
        return self.start() if self.process is None else self

    def __exit__(self, kind, error, trace):
        if kind is None:
            self.stop()
        else:
            self.kill()
