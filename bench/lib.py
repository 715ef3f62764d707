"""lib.py - what the benchmarks share: servers pinned to the first core, load from the second, CPU time from /proc."""
import contextlib
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
TICKS = os.sysconf("SC_CLK_TCK")
NGINX = """
daemon off; master_process off; worker_processes 1; worker_rlimit_nofile 40000; pid nginx.pid; error_log stderr crit;
events { worker_connections 30000; multi_accept on; }
http {
    access_log off; keepalive_requests 100000000; keepalive_timeout 120s; server_tokens off;
    client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
    server { listen 127.0.0.1:PORT backlog=4096; location / { default_type text/plain; return 200 "Hello, World!"; } }
}
"""


def need(*tools):
    for tool in tools:
        if shutil.which(tool) is None and not pathlib.Path("/usr/sbin", tool).exists():
            sys.exit(f"bench: {tool} is missing; apt-get install {tool}")


def fetch_node_modules():
    """The peers of package-lock.json, into bench/node_modules, when they are not there yet."""
    lock, done = HERE / "package-lock.json", HERE / "node_modules" / ".package-lock.json"
    need("node", "npm")
    if done.is_file() and done.stat().st_mtime >= lock.stat().st_mtime:
        return
    if subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, stdout=subprocess.DEVNULL).returncode != 0:
        sys.exit("bench: npm ci failed")
    done.touch()


def build_release():
    subprocess.run([ROOT / "tools" / "build", "release"], check=True, stdout=subprocess.DEVNULL)


def build_app(source, folder, name=None, edit=lambda contract: contract):
    """The app in bench/SOURCE, built in a folder of its own against the release library; `edit` may change its contract."""
    name = name or source
    app = folder / name
    shutil.copytree(HERE / source, app)
    contract = app / "api.yaml"
    contract.write_text(edit(contract.read_text()))
    run = lambda *command: subprocess.run(command, cwd=app, check=True)
    run(ROOT / "build" / "limen", "gen", "--app", name)
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "limen"], check=True, capture_output=True, text=True,
                           env={**os.environ, "PKG_CONFIG_PATH": ROOT / "build" / "meson-uninstalled"}).stdout.split()  # fmt: skip
    run("gcc", "-std=c17", "-O2", "-I.", *[str(path) for path in app.glob("*.c")], *flags, "-o", name)
    return app / name


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def tree(pid):
    """A process and all below it; what ends meanwhile may be missing."""
    found = [pid]
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += tree(int(child))
    return found


def cpu_seconds(pids):
    ticks = 0
    for pid in pids:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / TICKS


class Server:
    """One process (and what it starts), pinned to the first core."""

    host = "127.0.0.1"

    def __init__(self, name, command, folder, port):
        self.name, self.port = name, port
        log = open(folder / f"{name.replace(' ', '-').replace('/', '-')}.log", "wb")
        self.process = subprocess.Popen(["taskset", "-c", "0", *map(str, command)], cwd=folder, stdout=log, stderr=log)

    @classmethod
    def nginx(cls, folder):
        port = free_port()
        (folder / "nginx.conf").write_text(NGINX.replace("PORT", str(port)))
        return cls("nginx", [shutil.which("nginx") or "/usr/sbin/nginx", "-p", folder, "-c", folder / "nginx.conf"], folder, port)

    @classmethod
    def limen(cls, name, binary, folder, scale, flags=()):
        port = free_port()
        command = [binary, "run", "--workers", "1", "--listen", f"127.0.0.1:{port}", "--operator", "off",
                   "--database", f"sqlite:{folder}/{name.replace(' ', '-')}-var/state.db", "--limit-scale", str(scale),
                   "--connections-per-address", "20000", *flags]  # fmt: skip
        return cls(name, command, folder, port)

    def pids(self):
        return tree(self.process.pid)

    def wait(self):
        for _ in range(200):
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), timeout=10).close()
                return
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"bench: {self.name} did not start")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class Request:
    """One request, always the same bytes, and the status that it must be answered with."""

    def __init__(self, server, method, path, status, headers=None, body=None):
        self.server, self.method, self.path, self.status, self.body = server, method, path, status, body
        self.headers = dict(headers or {})
        self.us, self.rate = [], []

    def ask(self, sock=None):
        """What it is answered, over a connection of its own or the given one."""
        sock = sock or socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        fields = {"Host": f"127.0.0.1:{self.server.port}", **self.headers}
        if self.body is not None:
            fields["Content-Length"] = len(self.body)
        head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        sock.sendall(f"{self.method} {self.path} HTTP/1.1\r\n{head}\r\n{self.body or ''}".encode())
        return sock.recv(65536)

    def check(self):
        """The answer is the one that is to be measured."""
        answer = self.ask()
        if answer.split(b" ")[1:2] != [str(self.status).encode()]:
            sys.exit(f"bench: {self.server.name} answers {self.method} {self.path} with this, not {self.status}:\n{answer.decode()}")

    def script(self, folder):
        """For wrk."""
        quote = lambda text: '"' + "".join(f"\\{ord(c):03d}" if c in '"\\\n' else c for c in text) + '"'
        lines = [f"wrk.method = {quote(self.method)}"]
        lines += [f"wrk.headers[{quote(name)}] = {quote(value)}" for name, value in self.headers.items()]
        if self.body is not None:
            lines.append(f"wrk.body = {quote(self.body)}")
        path = folder / f"{id(self)}.lua"
        path.write_text("\n".join(lines) + "\n")
        return path

    def load(self, seconds, folder, connections=64):
        """One run; notes CPU microseconds of the server for each request, and requests a second."""
        url = f"http://127.0.0.1:{self.server.port}{self.path}"
        before = cpu_seconds(self.server.pids())
        run = subprocess.run(["taskset", "-c", "1", "wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "-s", self.script(folder), url],
                             capture_output=True, text=True)  # fmt: skip
        spent = cpu_seconds(self.server.pids()) - before
        requests = int(re.search(r"(\d+) requests in", run.stdout)[1])
        refused = re.search(r"Non-2xx or 3xx responses: (\d+)", run.stdout)
        if (int(refused[1]) if refused else 0) != (requests if self.status >= 400 else 0):
            sys.exit(f"bench: {self.server.name} did not answer all {self.method} {self.path} with {self.status}\n{run.stdout}")
        self.us.append(spent / requests * 1e6)
        self.rate.append(requests / seconds)
        return self.us[-1]

    def figures(self, peer):
        """Medians, and the ratio to another request's."""
        return {**self.medians(), "ratio": statistics.median(self.us) / statistics.median(peer.us)}

    def medians(self):
        return {"us": statistics.median(self.us), "us_least": min(self.us), "us_most": max(self.us), "rate": statistics.median(self.rate)}


def load_in_turns(requests, seconds, rounds, folder):
    """All of them, round by round; the first round warms up and does not count."""
    for number in range(rounds + 1):
        for request in requests:
            request.load(seconds if number > 0 else 1, folder)
            if number == 0:
                request.us.clear()
                request.rate.clear()
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)


def load_in_pairs(pairs, seconds, rounds, folder):
    """Each of (request, peer) right beside the other, first and last in turn, in many short slices; returns the ratios of each pair.

    What else a machine does changes slowly, so neighbours meet the same of it; and who comes second gains nothing by that, because
    they change places. A request beside itself shows what is left of chance. The first round warms up and does not count.
    """
    ratios = [[] for _ in pairs]
    for number in range(rounds + 1):
        for (request, peer), found in zip(pairs, ratios):
            if number % 2:
                own, its = request.load(seconds, folder), peer.load(seconds, folder)
            else:
                its, own = peer.load(seconds, folder), request.load(seconds, folder)
            if number > 0:
                found.append(own / its)
        if number == 0:
            for one in {one for pair in pairs for one in pair}:
                one.us.clear()
                one.rate.clear()
        print(f"round {number} of {rounds}", file=sys.stderr, flush=True)
    return ratios
