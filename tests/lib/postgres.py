"""A PostgreSQL of the test's own: made in a temporary folder, started on a free port, stopped and removed.

It runs as an unprivileged user when the test runs as root, because it refuses root. Its texts are sorted by ICU's English rules
unless told otherwise: what compares by bytes must say so itself.
"""

import ctypes
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time

from server import free_port

BINARIES = pathlib.Path("/usr/lib/postgresql/15/bin")
IS_INSTALLED = (BINARIES / "postgres").exists()


_LIBC = ctypes.CDLL(None)
_PR_SET_PDEATHSIG = 1


def _end_with_parent():
    """A test that is killed leaves no server behind."""
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


class PostgresError(RuntimeError):
    """It could not be made or started; the message carries what it said."""


class Postgres:
    """One server; `with Postgres() as postgres: postgres.database("shop")` gives the URL of an empty database.

    settings   more of postgresql.conf, such as {"max_connections": 300}
    initdb     more arguments of initdb, instead of the English collation
    """

    def __init__(self, settings=None, initdb=("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")):
        self.settings = {"fsync": "off", "shared_buffers": "64MB", "max_connections": 100, **(settings or {})}
        self.initdb = list(initdb)
        self.port = free_port()
        self.password = secrets.token_hex(16)
        self.folder = None
        self.process = None
        self._databases = 0

    # ---- life ----------------------------------------------------------------------------------------------------
    def __enter__(self):
        try:
            return self.make().start()
        except BaseException:
            self.remove()
            raise

    def __exit__(self, *_):
        self.remove()

    def _as_user(self):
        """How to start a program as somebody who is not root."""
        if os.geteuid() != 0:
            return {}
        for name in ("postgres", "nobody"):
            try:
                user = pwd.getpwnam(name)
            except KeyError:
                continue
            return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        raise PostgresError("no unprivileged user to run PostgreSQL")

    @property
    def data(self):
        return self.folder / "data"

    @property
    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def make(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="limen-postgres-", dir="/tmp"))
        password_file = self.folder / "password"
        password_file.write_text(self.password)
        user = self._as_user()
        if user:
            os.chown(self.folder, user["user"], user["group"])
            os.chown(password_file, user["user"], user["group"])
        made = subprocess.run(
            [BINARIES / "initdb", "--pgdata", self.data, "--username=postgres", f"--pwfile={password_file}",
             "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", *self.initdb],
            capture_output=True, text=True, cwd="/", **user)  # fmt: skip
        if made.returncode != 0:
            raise PostgresError(f"initdb: {made.stdout}{made.stderr}")
        return self

    def start(self):
        arguments = {"listen_addresses": "127.0.0.1", "port": self.port, "unix_socket_directories": self.folder,
                     **self.settings}  # fmt: skip
        command = [BINARIES / "postgres", "-D", self.data]
        for name, value in arguments.items():
            command += ["-c", f"{name}={value}"]
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd="/",
                                            start_new_session=True, preexec_fn=_end_with_parent, **self._as_user())
        deadline = time.monotonic() + 60
        while self.ask("SELECT 1", quiet=True) != "1":
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not start\n{self.log[-4000:]}")
            time.sleep(0.05)
        return self

    def stop(self, with_signal=signal.SIGINT):
        """SIGINT: in good order, but without waiting for clients. SIGQUIT: at once, as in a crash. SIGKILL leaves nobody to tidy up."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.send_signal(with_signal)
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(timeout=30)

    def remove(self):
        self.stop(signal.SIGQUIT)
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)

    # ---- use -----------------------------------------------------------------------------------------------------
    def url(self, database="postgres", user="postgres", password=None):
        return f"postgresql://{user}:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def database(self, name=None, options=""):
        """Makes an empty database and returns its URL."""
        self._databases += 1
        name = name or f"test_{self._databases}"
        self.ask(f'CREATE DATABASE "{name}" {options}')
        return self.url(name)

    def ask(self, sql, database="postgres", user="postgres", password=None, quiet=False):
        """What psql prints, unaligned and without headers. Several statements run in one transaction."""
        url = database if database.startswith("postgresql:") else self.url(database, user, password)
        said = subprocess.run(
            [BINARIES / "psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1",
             "--dbname", url, "--command", sql], capture_output=True, text=True)  # fmt: skip
        if said.returncode != 0 and not quiet:
            raise PostgresError(said.stderr)
        return said.stdout.strip()
