"""A private PostgreSQL cluster: a primary and, where asked for, a standby that streams from it and takes over.

The one idea: commits wait for the standby (synchronous replication) whenever there is one, so a failover may lose nothing that was
acknowledged; while the old primary is made into the new standby there is none, and then there is no failover either. What the
primary sends to the standby goes through `replication_port`, so that the way between them can be cut.
"""

import os
import pathlib
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time

from limen_chaos.process import Broken, Process, find_program, free_port, send, wait_for

PLACES = [f"/usr/lib/postgresql/{version}/bin" for version in (17, 16, 15)]
DATABASE, USER = "app", "app"
SYNC_FILE = "harness.conf"
SETTINGS = {
    "fsync": "off",  # processes die here, not the machine: what was written is in the kernel
    "shared_buffers": "64MB",
    "max_connections": "200",
    "max_wal_senders": "8",
    "hot_standby": "on",
    "wal_retrieve_retry_interval": "200ms",  # a standby whose way was cut comes again soon
    "wal_keep_size": "256MB",
    "listen_addresses": "127.0.0.1",
    "jit": "off",
}


def _user():
    """Root may not run PostgreSQL."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Broken("PostgreSQL does not run as root, and there is neither a user postgres nor nobody")


class Server(Process):
    """One data folder and the postmaster over it."""

    def __init__(self, name, log_folder, home):
        self.user_entry, self.port, self.home, self.data = _user(), free_port(), home / name, home / name / "data"
        command = [find_program("postgres", *PLACES), "-D", self.data, "-p", self.port, "-k", self.home]
        super().__init__(name, command, log_folder, user=self.user_entry and self.user_entry.pw_name, cwd="/")

    def make_home(self):
        """An empty one, which the server's user owns."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.home.mkdir()
        if self.user_entry:
            os.chown(self.home, self.user_entry.pw_uid, self.user_entry.pw_gid)

    def run(self, *command, env=None):
        """One of PostgreSQL's own programs, as the server's user."""
        who = {"user": self.user_entry.pw_uid, "group": self.user_entry.pw_gid, "extra_groups": []} if self.user_entry else {}
        said = subprocess.run([str(word) for word in command], capture_output=True, text=True, cwd="/", timeout=120,
                              env={**os.environ, **(env or {})}, **who)  # fmt: skip
        if said.returncode != 0:
            raise Broken(f"{os.path.basename(command[0])}: {said.stdout}{said.stderr}")

    def configure(self, is_synchronous):
        """Whether commits wait for a standby; a running server is told."""
        names = "*" if is_synchronous else ""
        (self.data / SYNC_FILE).write_text(f"synchronous_standby_names = '{names}'\n")
        (self.data / SYNC_FILE).chmod(0o644)
        if self.is_running:
            send([self.pid], signal.SIGHUP)

    def is_ready(self):
        return self.ask("SELECT 1") == "1"

    def kill(self):
        """No word to anybody, and nothing is written any more. What came of it dies with it: the next start recovers."""
        super().kill()
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def terminate(self, seconds=30.0):
        """A fast shutdown: SIGTERM would wait until all clients have left."""
        return super().terminate(seconds, signal.SIGINT)

    def follow(self, port):
        """From the next start on, as a standby of whoever is there."""
        with open(self.data / "postgresql.auto.conf", "a", encoding="utf-8") as file:
            file.write(f"primary_conninfo = 'host=127.0.0.1 port={port} user=postgres'\n")

    def url(self, database="postgres", user="postgres", port=None):
        return f"postgresql://{user}@127.0.0.1:{port or self.port}/{database}"

    def ask(self, sql, database="postgres"):
        """What psql prints, unaligned; None when the server does not answer."""
        command = [find_program("psql", *PLACES), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", self.url(database), "-c", sql]
        try:
            said = subprocess.run(command, capture_output=True, text=True, timeout=30, env={**os.environ, "PGCONNECT_TIMEOUT": "5"})
        except subprocess.TimeoutExpired:
            return None
        return said.stdout.strip() if said.returncode == 0 else None


    def session(self, database, port=None, user=USER):
        return Session(self.url(database, user, port))


class Session:
    """A connection that stays, and may hold locks: what the harness stops a statement at."""

    def __init__(self, url):
        command = [find_program("psql", *PLACES), "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def say(self, sql):
        """Runs a statement; gives its lines once it is done."""
        mark = secrets.token_hex(8)
        self.process.stdin.write(f"{sql};\n\\echo {mark}\n")
        self.process.stdin.flush()
        lines = []
        while (line := self.process.stdout.readline()) and line.strip() != mark:
            lines.append(line.rstrip("\n"))
        if not line:
            raise Broken(f"the session has ended: {lines}")
        return lines

    def wait(self):
        """Ends it, which gives back its locks; psql's exit status, 0 when nothing went wrong."""
        try:
            self.process.communicate("SELECT 1;\n", timeout=30)
        except BrokenPipeError:
            self.process.wait(timeout=30)
        return self.process.returncode


class Cluster:
    def __init__(self, folder, has_standby=False):
        self.has_standby = has_standby
        # Not in the run's folder: the server's user must pass through all that is above it.
        self.home = pathlib.Path(tempfile.gettempdir()) / f"limen-chaos-postgres-{secrets.token_hex(8)}"
        self.primary = Server("postgres-a", folder, self.home)
        self.standby = Server("postgres-b", folder, self.home) if has_standby else None
        self.replication_port = None  # the primary's own
        self.password = secrets.token_hex(16)
        self.failovers = 0

    @property
    def servers(self):
        return [server for server in (self.primary, self.standby) if server is not None]

    # ---- life ------------------------------------------------------------------------------------------------------
    def start(self):
        self.home.mkdir()
        self.home.chmod(0o755)
        it = self.primary
        it.make_home()
        it.run(find_program("initdb", *PLACES), "-D", it.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        settings = "".join(f"{name} = '{value}'\n" for name, value in SETTINGS.items())
        with open(it.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"{settings}include_if_exists = '{SYNC_FILE}'\n")
        it.configure(is_synchronous=False)
        it.start()
        if it.ask(f"CREATE ROLE {USER} LOGIN CREATEROLE PASSWORD '{self.password}'") is None or it.ask(f"CREATE DATABASE {DATABASE} OWNER {USER}") is None:
            raise Broken(f"PostgreSQL: no database\n{it.tail()}")
        if self.has_standby:
            self.make_standby()

    def make_standby(self):
        """Copies the primary, follows it, and has commits wait for it."""
        it = self.standby
        it.kill()
        it.make_home()
        it.run(find_program("pg_basebackup", *PLACES), "-D", it.data, "-d", self.primary.url(), "--checkpoint=fast", "--write-recovery-conf",
               "--wal-method=stream", "--no-sync")  # fmt: skip
        it.follow(self.replication_port or self.primary.port)
        it.configure(is_synchronous=False)
        it.start()
        if not wait_for(lambda: self.primary.ask("SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'") == "1", 30, 0.1):
            raise Broken(f"the standby does not stream\n{it.tail()}")
        self.primary.configure(is_synchronous=True)

    def url_for_app(self, port):
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{port}/{DATABASE}"

    def kill(self):
        for server in self.servers:
            server.kill()
        shutil.rmtree(self.home, ignore_errors=True)

    # ---- what can be done to it ------------------------------------------------------------------------------------
    def crash_restart(self):
        self.primary.kill()
        self.primary.start()

    def kill_backend(self, number):
        """SIGKILL to a session of the app's: the postmaster ends all others and recovers. The pid, or None where there is none."""
        told = self.primary.ask(f"SELECT pid FROM pg_stat_activity WHERE usename <> 'postgres' AND datname = '{DATABASE}' ORDER BY pid")
        pids = [int(line) for line in (told or "").splitlines()]
        if not pids:
            return None
        os.kill(pids[number % len(pids)], signal.SIGKILL)
        return pids[number % len(pids)]

    def can_fail_over(self):
        return self.has_standby and self.primary.ask("SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'") == "1"

    def fail_over(self, is_asleep=False):
        """The primary dies, or only sleeps and may be woken, and the standby takes its place. The other is made anew by `make_standby`."""
        if is_asleep:
            self.primary.signal_tree(signal.SIGSTOP)
        else:
            self.primary.kill()
        self.primary, self.standby = self.standby, self.primary
        if self.primary.ask("SELECT pg_promote(true, 30)") != "t":
            raise Broken(f"the standby was not promoted\n{self.primary.tail()}")
        self.primary.ask("CHECKPOINT")  # at once: the copy that becomes the new standby would wait for one that takes its time
        self.failovers += 1

    def wait_ready(self):
        if not wait_for(lambda: self.primary.ask("SELECT pg_is_in_recovery()") == "f", 60, 0.1):
            raise Broken(f"PostgreSQL did not recover\n{self.primary.tail()}")
        deadline = time.monotonic() + 1
        while self.has_standby and not self.can_fail_over() and time.monotonic() < deadline:
            time.sleep(0.05)
