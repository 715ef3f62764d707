"""What a process is left with: a user of its own, the calls that it needs, and one folder. And what an attacker in a worker can do.

The one idea: the app `captured` is the attacker. Its handlers make, one by one, the system calls that would be of use, and write the
frames that no honest worker writes. The same attempts are made without the sandbox, to show that they would succeed.

Sanitizers need what the sandbox forbids, so these tests run the release build, whatever LIMEN_TEST_BUILD says.
"""

import contextlib
import ctypes
import errno
import http.client
import os
import pathlib
import re
import shutil
import socket
import sqlite3
import struct
import subprocess
import tempfile
import time
import urllib.request

import pytest
from apps import build_app, build_program
from caller import Caller, cookie_of
from provider import Sandbox
from server import ROOT, Server, ServerError, free_port

RELEASE = ROOT / "build"
CAPTURED = ROOT / "tests" / "hostile" / "captured"
IS_ROOT = os.geteuid() == 0
ONLY_AS_ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root can hand its roles to users of their own")
LOOKS_INSIDE = pytest.mark.skipif(not IS_ROOT, reason="the roles are not dumpable: only root can look inside")
BASE = 60800
PLAIN_USER = 60123  # of nobody
REFUSED = {"EPERM", "EACCES"}

pytestmark = pytest.mark.skipif(not (RELEASE / "liblimen.a").exists(), reason="the sandbox is tested with the release build: make build")


@pytest.fixture(scope="module")
def binary(tmp_path_factory):
    return build_app("captured", CAPTURED, tmp_path_factory.mktemp("captured"), build=RELEASE, inside=True)


def with_provider(folder):
    """What has the outbound role started, too; nobody is there that it could charge at."""
    (folder / "api-key").write_text("sk_test_of_nobody\n")
    return ["--effect-target", "payments=http://127.0.0.1:9", "--fetch-private", "127.0.0.1", "--secret", f"payments=@{folder}/api-key"]


@pytest.fixture(scope="module")
def captured(binary, tmp_path_factory):
    flags = with_provider(tmp_path_factory.mktemp("secret"))
    with Server(tmp_path_factory.mktemp("run"), workers=1, binary=binary, flags=flags) as server:
        yield server


@pytest.fixture
def own(binary, tmp_path):
    """One that the test may break."""
    with Server(tmp_path, workers=1, binary=binary) as server:
        yield server


def status_of(pid):
    lines = pathlib.Path(f"/proc/{pid}/status").read_text().splitlines()
    return dict(line.split(":\t", 1) for line in lines if ":\t" in line)


def roles(server):
    """{name: pid} of one of each."""
    found = {name: server.roles(name)[0] for name in ("worker", "data", "operator", "outbound")}
    assert sorted(found.values()) == sorted(server.children()), "a role that this test does not know"
    return found


def attempt(server, name, port=9):
    """Aimed at the data role, where it is aimed at another process."""
    answer = Caller(server).get(f"/attempt?name={name}&pid={server.roles('data')[0]}&port={port}")
    assert answer.status == 200, answer
    return answer.json()["said"]


# ---- every process ---------------------------------------------------------------------------------------------------
def test_every_role_has_given_up_what_it_does_not_need(captured):
    for name, pid in roles(captured).items():
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            status = status_of(f"{pid}/task/{task.name}")
            assert (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2"), name
            assert all(int(status[f"Cap{kind}"], 16) == 0 for kind in ("Inh", "Prm", "Eff", "Amb")), name
        maps = pathlib.Path(f"/proc/{pid}/maps")
        if IS_ROOT:
            assert not [line for line in maps.read_text().splitlines() if line.split()[1][1:3] == "wx"], name
        else:
            with pytest.raises(PermissionError):
                maps.read_text()


@ONLY_AS_ROOT
def test_root_hands_every_role_to_a_user_of_its_own(binary, tmp_path):
    with Server(tmp_path, workers=2, binary=binary, flags=with_provider(tmp_path)) as server:
        assert _comes_to(server, '"message":"open"'), "the second worker, too"
        found = [(pid, status_of(pid)) for pid in server.children()]
        users = {status["Uid"] for _, status in found}
        assert len(found) == 5 and users == {"\t".join([str(user)] * 4) for user in (BASE, BASE + 1, BASE + 2, BASE + 16, BASE + 17)}
        for pid, status in found:
            assert status["Gid"] == status["Uid"] and status["Groups"].strip() == ""
            assert os.stat(f"/proc/{pid}/mem").st_uid == 0, "not dumpable: the user itself cannot look into it"
        assert '"message":"each role runs as a user of its own","data":60800,"operator":60801,"outbound":60802,"workers_from":60816' in server.log
        for pid, _ in found:
            os.kill(pid, 9)
        first, again, deadline = {pid for pid, _ in found}, set(), time.monotonic() + 20
        while again != users and time.monotonic() < deadline:
            time.sleep(0.02)
            again = _users_of(server, first)
        assert again == users, "after a restart, too"


def _users_of(server, without):
    with contextlib.suppress(OSError):
        return {status_of(pid)["Uid"] for pid in server.children() if pid not in without}
    return set()


@ONLY_AS_ROOT
def test_roles_die_with_the_supervisor_though_they_are_others(binary, tmp_path):
    server = Server(tmp_path, workers=1, binary=binary).start()
    pids = list(server.children())
    server.process.kill()
    deadline = time.monotonic() + 10
    while any(_is_alive(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in pids if _is_alive(pid)]


def _comes_to(server, words, seconds=10):
    """Whether the log says it by then."""
    deadline = time.monotonic() + seconds
    while words not in server.log and time.monotonic() < deadline:
        time.sleep(0.02)
    return words in server.log


def _is_alive(pid):
    with contextlib.suppress(OSError):
        return status_of(pid)["State"][0] not in "ZX"
    return False


@ONLY_AS_ROOT
@pytest.mark.parametrize(("base", "user"), [("70000", "70000"), ("off", "0")])
def test_the_users_are_set(binary, tmp_path, base, user):
    with Server(tmp_path, workers=1, binary=binary, flags=["--uid-base", base]) as server:
        assert status_of(server.roles("data")[0])["Uid"].split()[0] == user
        assert ("EVERY ROLE RUNS AS ROOT" in server.log) == (base == "off")


def test_a_base_without_room_is_refused(binary, tmp_path):
    for wrong in ("0", "999", "4294967295", "nobody", "-1"):
        run = subprocess.run([binary, "run", "--uid-base", wrong], cwd=tmp_path, capture_output=True, text=True, timeout=20)
        assert run.returncode == 2 and "give a number from 1000 to 2000000000, or off" in run.stderr


# ---- the database's folder -------------------------------------------------------------------------------------------
def owners(folder):
    return {path.name: path.lstat().st_uid for path in [folder, *folder.iterdir()]}


def refused(server):
    with pytest.raises(ServerError, match="before it was ready"):
        server.start()
    assert server.process.returncode == 1
    return server.log


@ONLY_AS_ROOT
def test_files_that_root_made_earlier_are_taken_over(binary, tmp_path):
    with Server(tmp_path, workers=1, binary=binary, flags=["--uid-base", "off"]) as server:
        account(server, "early@example.com", "kept")
        server.kill()  # the log stays beside the file
    folder = tmp_path / "var"
    assert set(owners(folder).values()) == {0} and "shop.db-wal" in owners(folder)
    with Server(tmp_path, workers=1, binary=binary) as server:
        assert set(owners(folder).values()) == {BASE}
        assert frames(server, "rows of nobody") == "ok, 0 rows"
        with contextlib.closing(sqlite3.connect(f"file:{server.database_path}?mode=ro", uri=True)) as db:
            assert db.execute("SELECT text FROM notes").fetchall() == [("kept",)]


@ONLY_AS_ROOT
def test_a_folder_with_other_things_in_it_is_not_given_away(binary, tmp_path):
    database = f"sqlite:{tmp_path}/shop.db"
    (tmp_path / "payroll").write_text("mine")
    said = refused(Server(tmp_path, workers=1, binary=binary, database=database))
    assert "is in it too" in said and "a folder of its own" in said
    assert set(owners(tmp_path).values()) == {0}


@ONLY_AS_ROOT
@pytest.mark.parametrize("kind", ["symbolic link", "hard link", "fifo", "other owner"])
def test_what_another_could_have_put_there_is_not_given_away(binary, tmp_path, kind):
    """The folder has belonged to the data role, which may have been taken over: what would root hand over to it?"""
    folder, secret = tmp_path / "var", tmp_path / "secret"
    folder.mkdir()
    os.chown(folder, BASE, BASE)
    secret.write_text("of root")
    planted = folder / "shop.db-wal"
    if kind == "symbolic link":
        planted.symlink_to(secret)
    elif kind == "hard link":
        os.link(secret, planted)
    elif kind == "fifo":
        os.mkfifo(planted)
    else:
        planted.write_text("")
        os.chown(planted, 61234, 61234)
    said = refused(Server(tmp_path, workers=1, binary=binary))
    assert ("belongs to user 61234" if kind == "other owner" else "no plain file") in said
    assert secret.stat().st_uid == 0 and planted.lstat().st_uid == (61234 if kind == "other owner" else 0)


@pytest.fixture
def plain(binary):
    """A folder and a binary that a user without any right can reach."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="limen-plain-"))
    os.chown(folder, PLAIN_USER, PLAIN_USER)
    folder.chmod(0o755)
    shutil.copy(binary, folder / "captured")
    log = folder / "server.log"
    log.write_text("")
    yield folder
    shutil.rmtree(folder)


AS_PLAIN = {"user": PLAIN_USER, "group": PLAIN_USER, "extra_groups": []}


@ONLY_AS_ROOT
def test_a_plain_user_can_run_it_too(plain):
    with Server(plain, workers=1, binary=plain / "captured", process=AS_PLAIN) as server:
        for pid in server.children():
            status = status_of(pid)
            assert status["Uid"].split()[0] == str(PLAIN_USER) and (status["NoNewPrivs"], status["Seccomp"]) == ("1", "2")
        assert "every role runs as the user who started it" in server.log
        assert account(server, "plain@example.com", "note").status == 201
        assert attempt(server, "signal_by_owner") in REFUSED, "the one user that all have in common is no way to the others"
    assert set(owners(plain / "var").values()) == {PLAIN_USER}


@ONLY_AS_ROOT
def test_a_plain_user_after_root_is_told_the_mend(plain):
    with Server(plain, workers=1, binary=plain / "captured"):
        pass
    said = refused(Server(plain, workers=1, binary=plain / "captured", process=AS_PLAIN))
    assert f"belongs to user {BASE}, not to {PLAIN_USER}" in said
    mend = f"chown -R {PLAIN_USER}:{PLAIN_USER} '{plain}/var'"
    assert mend in said
    subprocess.run(mend, shell=True, check=True)
    with Server(plain, workers=1, binary=plain / "captured", process=AS_PLAIN):
        pass
    said = refused(Server(plain, workers=1, binary=plain / "captured"))
    assert f"belongs to user {PLAIN_USER}, not to {BASE}" in said, "and the other way round"


# ---- a kernel that lacks Landlock ------------------------------------------------------------------------------------
LANDLOCK_CALLS, LANDLOCK_RESTRICT_SELF = range(444, 447), range(446, 447)


def kernel_answering(error, calls):
    """What is done in the child, before the exec: its kernel answers these system calls with this error."""
    libc = ctypes.CDLL(None, use_errno=True)
    load, jump, answer = 0x20, 0x35, 0x06
    refuse, allow = 0x00050000 | error, 0x7FFF0000
    code = [(load, 0, 0, 0), (jump, 0, 2, calls[0]), (jump, 1, 0, calls[-1] + 1), (answer, 0, 0, refuse), (answer, 0, 0, allow)]
    program = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *line) for line in code))

    def load_it():
        header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(code), ctypes.addressof(program)))
        if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(header), 0, 0) != 0:
            raise OSError(ctypes.get_errno(), "no filter")

    return {"preexec_fn": load_it}


WITHOUT_LANDLOCK = kernel_answering(errno.ENOSYS, LANDLOCK_CALLS)


def test_no_role_goes_on_when_its_landlock_rules_are_not_taken(binary, tmp_path):
    """Where seccomp refuses all that they would, nothing else shows that they are there. One function closes both, the paths first: whoever
    has a filter (test_every_role_has_given_up_what_it_does_not_need) has had its rules taken. Here those that start first say so."""
    process = kernel_answering(errno.EPERM, LANDLOCK_RESTRICT_SELF)
    server = Server(tmp_path, workers=1, binary=binary, flags=with_provider(tmp_path), process=process).start(wait=False)
    assert server.wait(30) == 1
    said = set(re.findall(r'"the sandbox cannot be closed","role":"(\w+)"', server.log))
    assert said & {"data", "outbound"} and '"message":"open"' not in server.log, server.log


def test_a_kernel_without_landlock_is_said_loudly(binary, tmp_path):
    with Server(tmp_path, workers=1, binary=binary, process=WITHOUT_LANDLOCK) as server:
        assert server.log.count("THE SANDBOX IS NOT WHOLE: there is no Landlock") == 1
        assert attempt(server, "open_file") == "EPERM", "a worker opens nothing all the same"


@pytest.mark.parametrize(("error", "mend"), [(errno.ENOSYS, "boot with lsm=landlock"), (errno.EPERM, "pass the filter of system calls")])
def test_a_start_without_landlock_is_refused_when_the_sandbox_must_be_whole(binary, tmp_path, error, mend):
    """Whether the kernel has none, or a container's filter keeps it from its processes."""
    server = Server(tmp_path, workers=1, binary=binary, flags=["--strict-sandbox"], process=kernel_answering(error, LANDLOCK_CALLS))
    said = refused(server)
    assert "start refused: there is no Landlock" in said and mend in said
    assert not (tmp_path / "var").exists()


def test_a_whole_sandbox_is_enough_for_the_strict(binary, tmp_path):
    with Server(tmp_path, workers=1, binary=binary, flags=["--strict-sandbox"]) as server:
        assert "NOT WHOLE" not in server.log


def test_no_sandbox_and_a_strict_one_contradict_each_other(binary, tmp_path):
    run = subprocess.run([binary, "run", "--listen", "127.0.0.1:0", "--operator", "off", "--no-sandbox", "--strict-sandbox"],
                         cwd=tmp_path, capture_output=True, text=True, timeout=20)  # fmt: skip
    assert run.returncode == 1 and "contradict each other" in run.stderr


# ---- the data role ---------------------------------------------------------------------------------------------------
@LOOKS_INSIDE
def test_the_data_role_sees_its_folder_and_nothing_else(captured):
    """From outside it can only be seen what it has: no socket but those to its workers and the supervisor, and no other file."""
    (pid,) = captured.roles("data")
    opened = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    files = {pathlib.Path(name).parent for name in opened if name.startswith("/") and not name.startswith(("/dev/", "/memfd:"))}
    assert files - {captured.folder} == {captured.database_path.parent}, opened
    assert os.readlink(f"/proc/{pid}/cwd") == str(captured.database_path.parent)


#: A path can be asked about (not opened), and in its own folder it may do what a database does.
LEFT_TO_DATA = {"start_thread", "open_inside", "make_file", "remove_file", "look", "look_closer"}


#: One that talks to PostgreSQL has no folder at all; it makes sockets, and where the kernel's Landlock knows networks, to the database's
#: ports only.
LEFT_WITH_POSTGRES = {
    "start_thread", "look_closer", "make_socket", "make_datagram_socket", "make_unix_socket", "set_option", "type_ahead"
}  # fmt: skip
#: What Redis takes. Where connections lead to is Landlock's to judge (Linux 6.7): to the port of Redis.
LEFT_WITH_REDIS = {"make_socket", "make_datagram_socket", "set_option", "connect_again"}

#: What looking up a name takes, beside that.
LEFT_WITH_NAMES = {"look_closer", "type_ahead"}


def inside_data(tmp_path, database, *more):
    """What an attacker in the data role comes to: {attempt: outcome}."""
    program, folder = tmp_path / "inside_data", tmp_path / "var"
    build_program(CAPTURED / "inside_data.c", program, RELEASE)
    folder.mkdir()
    (folder / "inside").write_text("")
    (tmp_path / "outside").write_text("")
    (folder / "link").symlink_to(tmp_path / "outside")
    arguments = [folder, str(os.getppid()), str(free_port()), database, *more]
    run = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=30)
    said = dict(line.split() for line in run.stdout.splitlines())
    assert len(said) == len(ATTEMPTS) + 4 and run.returncode == 0, run
    return said


@pytest.mark.parametrize("database, left", [
    ("sqlite:inside.db", LEFT_TO_DATA),
    ("postgresql://shop@db.example/shop", LEFT_WITH_POSTGRES),
])
def test_an_attacker_in_the_data_role_has_what_its_database_needs_and_nothing_else(tmp_path, database, left):
    """Its sandbox from inside: everything is tried there that is tried in a worker."""
    said = inside_data(tmp_path, database)
    assert {name for name, outcome in said.items() if outcome == "done"} == left
    assert {outcome for name, outcome in said.items() if name not in left} == {"EPERM", "EACCES", "ENOSYS"}


def test_with_redis_an_attacker_in_the_data_role_has_sockets_too(tmp_path):
    said = inside_data(tmp_path, "sqlite:inside.db", str(free_port()))
    left = {name for name, outcome in said.items() if outcome == "done"}
    assert LEFT_TO_DATA | {"make_socket"} <= left <= LEFT_TO_DATA | LEFT_WITH_REDIS


def test_with_redis_by_its_name_an_attacker_in_the_data_role_has_the_resolver_too(tmp_path):
    said = inside_data(tmp_path, "sqlite:inside.db", str(free_port()), "sought")
    left = {name for name, outcome in said.items() if outcome == "done"}
    assert LEFT_TO_DATA | {"make_socket"} <= left <= LEFT_TO_DATA | LEFT_WITH_REDIS | LEFT_WITH_NAMES


# ---- an attacker in the worker: system calls -------------------------------------------------------------------------
ATTEMPTS = """
    open_file open_old make_file open_own_memory open_other_memory rename_file make_folder make_link change_mode look look_closer
    remove_file change_folder change_root
    make_socket make_datagram_socket make_unix_socket make_netlink_socket make_pair make_pipe connect_again connect_by_fast_open
    bind_again listen_more stop_listening set_option copy_descriptor type_ahead
    run_nothing run_nothing_at fork_process clone_process clone_by_struct clone_thread
    trace_other signal_other signal_thread signal_all signal_by_owner queue_signal open_process change_priority change_limits
    read_other write_other map_executable make_executable make_memory_file share_memory
    make_ring load_bpf use_keys catch_faults read_events
    become_root become_other join_group get_capabilities unshare_users mount_anything become_dumpable change_personality name_host
    watch_files load_filter use_landlock
""".split()
#: Capabilities are given up without the sandbox too, and the kernel asks for one here.
TAKES_CAPABILITIES = set("change_root catch_faults load_bpf name_host mount_anything read_events unshare_users".split())
#: What ends the worker, or the test, when it succeeds.
NOT_WITHOUT = {"clone_thread", "stop_listening", "connect_by_fast_open", "become_other"}


@pytest.mark.parametrize("name", ATTEMPTS)
def test_a_captured_worker_cannot(captured, name):
    assert attempt(captured, name) in (REFUSED | {"ENOSYS"} if name == "clone_by_struct" else REFUSED)


def test_the_table_has_every_attempt(captured):
    source = (CAPTURED / "attempts.h").read_text()
    assert sorted(ATTEMPTS) == sorted(re.findall(r"(?<!#define )NAMED\((\w+)\)", source))


@ONLY_AS_ROOT
def test_without_the_sandbox_it_could_and_the_log_is_loud(binary, tmp_path):
    """So the refusals above are the sandbox's."""
    with Server(tmp_path, workers=1, binary=binary, flags=["--no-sandbox", "--uid-base", "off"]) as server:
        assert "ROLES ARE NOT SANDBOXED" in server.log
        said = {name: attempt(server, name, free_port()) for name in ATTEMPTS if name not in NOT_WITHOUT}
    assert {name for name, error in said.items() if error in REFUSED} <= TAKES_CAPABILITIES, said


@ONLY_AS_ROOT
def test_without_the_sandbox_a_listening_socket_connects(binary, tmp_path):
    """By MSG_FASTOPEN, once it was shut down: why the flags of sendto and the way of shutdown are judged."""
    with socket.create_server(("127.0.0.1", 0)) as victim:
        victim.settimeout(5)
        port = victim.getsockname()[1]
        with Server(tmp_path / "open", workers=1, binary=binary, flags=["--no-sandbox"]) as server:
            assert attempt(server, "connect_by_fast_open", port) == "done"
            victim.accept()[0].close()
        with Server(tmp_path / "closed", workers=1, binary=binary) as server:
            assert attempt(server, "connect_by_fast_open", port) in REFUSED
            victim.settimeout(0.3)
            with pytest.raises(TimeoutError):
                victim.accept()
            assert Caller(server).get("/attempt?name=look&pid=1&port=9").status == 200, "it still listens"


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="other ABIs of this machine are not known")
@pytest.mark.parametrize("name", ["call_as_i386", "call_as_x32"])
def test_a_call_by_another_abi_ends_the_worker(own, name):
    with pytest.raises((OSError, http.client.HTTPException)):
        Caller(own).get(f"/attempt?name={name}&pid=1&port=9")
    assert _comes_to(own, '"by":"signal","code":31'), "SIGSYS"


@LOOKS_INSIDE
def test_a_worker_holds_no_database_url_and_no_password_hash(own):
    """Its environment, its arguments and all of its memory are searched."""
    account(own, "secret@example.com", "note")
    with contextlib.closing(sqlite3.connect(f"file:{own.database_path}?mode=ro", uri=True)) as db:
        hashes = [row[0].encode() for row in db.execute("SELECT password_hash FROM limen_credentials")]
    secrets = [str(own.database_path).encode(), *hashes]
    (pid,) = own.roles("worker")
    assert b"LIMEN_DATABASE" not in pathlib.Path(f"/proc/{pid}/environ").read_bytes()
    (other,) = own.roles("data")
    assert hashes[0] in memory_of(other) or own.database_path.name.encode() in memory_of(other), "the search finds what is there"
    memory = memory_of(pid)
    assert b"Said" in memory, "the search finds what is there"
    assert not [secret for secret in secrets if secret in memory]


def memory_of(pid):
    found = []
    with open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in pathlib.Path(f"/proc/{pid}/maps").read_text().splitlines():
            start, end = (int(part, 16) for part in line.split()[0].split("-"))
            if line.split()[1][0] == "r" and not line.endswith(("[vvar]", "[vsyscall]", "[vvar_vclock]")):
                with contextlib.suppress(OSError):
                    memory.seek(start)
                    found.append(memory.read(end - start))
    return b"".join(found)


# ---- an attacker in the worker: frames to the data role ---------------------------------------------------------------
def account(server, email, note):
    """A machine that is busy with much else may answer that hashing a password takes too long just now; nothing was done then."""
    for _ in range(10):
        answer = Caller(server).post("/accounts", {"email": email, "password": "four plain words here", "note": note})
        if answer.status != 503:
            break
        time.sleep(1)
    return answer


def frames(server, name, token=None):
    path = "/frames?name=" + name.replace(" ", "%20").replace(",", "%2C") + (f"&token={token}" if token else "")
    answer = Caller(server).get(path)
    assert answer.status == 200, answer
    return answer.json()["said"]


def test_a_captured_worker_can_ask_for_rows_of_those_whose_credential_it_has_shown(own):
    anna, ben = (cookie_of(account(own, f"{name}@example.com", name)) for name in ("anna", "ben"))
    assert frames(own, "rows of whose credential was shown", anna) == "ok, 1 rows"
    assert frames(own, "rows of whose credential was shown", ben) == "ok, 1 rows"
    assert frames(own, "rows of nobody") == "ok, 0 rows"
    assert frames(own, "forged token") == "ok, 0 rows"
    assert frames(own, "forged token", anna) == "ok, 0 rows", "a wrong credential takes the right one's place"


def test_a_captured_worker_cannot_act_beyond_a_scope(own):
    anna = cookie_of(account(own, "anna@example.com", "anna"))
    assert frames(own, "all rows, as a customer", anna) == "forbidden, 0 rows"
    assert frames(own, "all rows, as a customer") == "forbidden, 0 rows", "nor as nobody"
    assert "a statement was asked for that this caller may not run" in own.log
    assert Caller(own).get("/all").status == 401


@pytest.mark.parametrize(("name", "breach"), [
    ("claim to be admin", "unknown type of frame"),
    ("name the owner", "wrong number of parameters"),
    ("write for another", "wrong number of parameters"),
    ("undeclared statement", "unknown statement"),
    ("a write where a read belongs", "statement of another kind"),
    ("SQL", "unknown statement"),
])  # fmt: skip
def test_a_captured_worker_that_breaks_the_protocol_is_cut_off(own, name, breach):
    anna = cookie_of(account(own, "anna@example.com", "anna"))
    with contextlib.suppress(OSError, http.client.HTTPException):  # it may be dead before it has reported
        assert frames(own, name, anna) == "cut off, 0 rows"
    assert _comes_to(own, f'"breach":"{breach}"') and _comes_to(own, "broke the protocol of the data role and is killed")
    with contextlib.closing(sqlite3.connect(f"file:{own.database_path}?mode=ro", uri=True)) as db:
        assert db.execute("SELECT count(*) FROM notes").fetchone() == (1,)


def test_a_worker_that_was_cut_off_makes_place_for_a_new_one(own):
    (pid,) = own.roles("worker")
    with contextlib.suppress(OSError, http.client.HTTPException):
        frames(own, "SQL")
    deadline = time.monotonic() + 10
    while own.roles("worker") in ([], [pid]) and time.monotonic() < deadline:
        time.sleep(0.02)
    own.wait_ready()
    assert account(own, "after@example.com", "note").status == 201


@LOOKS_INSIDE
def test_the_supervisor_takes_no_descriptors_from_a_captured_worker(own):
    folder = f"/proc/{own.pid}/fd"
    before = len(os.listdir(folder))
    assert frames(own, "descriptors to the supervisor") == "sent, 0 rows"
    time.sleep(0.2)
    assert len(os.listdir(folder)) == before
    assert Caller(own).get("/all").status == 401, "it goes on"


def test_a_captured_worker_is_not_given_sockets_without_end(own):
    """Each costs the supervisor and the data role work that others wait for."""
    said = frames(own, "complaints to the supervisor")
    assert 0 < int(said.split()[0]) <= 1000 // 50 + 1, said


def test_the_operator_believes_no_count_that_a_worker_could_have_written(own):
    """In memory that they share anything may stand: figures may be wrong then, and nothing beyond its own is read for them."""
    before = own.roles("operator")
    assert frames(own, "overwrite the board") == "written, 0 rows"
    assert "limen_workers 1\n" in own.metrics()
    with urllib.request.urlopen(f"{own.operator_url}/readyz", timeout=5) as reply:
        assert reply.read() == b"ready\n"
    assert own.roles("operator") == before


def test_a_captured_worker_that_holds_a_result_does_with_it_what_the_app_does_and_no_more(binary, tmp_path):
    """A declined sale is not sold, nothing becomes of another's, and no other slot may do what the job's may."""
    with Sandbox(tmp_path / "sandbox") as sandbox:
        flags = ["--effect-target", f"payments={sandbox.url}", "--fetch-private", "127.0.0.1",
                 "--secret", f"payments=@{sandbox.api_key_path}"]  # fmt: skip
        with Server(tmp_path / "server", workers=1, binary=binary, flags=flags) as server:
            for sale, method, is_charged in [("another", "pm_card_visa", "false"), ("mine", "pm_card_chargeDeclinedInsufficientFunds", "true")]:
                answer = Caller(server).post(f"/sales?id={sale}&method={method}&isCharged={is_charged}", None)
                assert answer.status == 201, answer
            with contextlib.closing(sqlite3.connect(f"file:{server.database_path}?mode=ro", uri=True)) as db:
                states, deadline = {}, time.monotonic() + 30
                while states.get("mine", "open") == "open" and time.monotonic() < deadline:
                    time.sleep(0.05)
                    states = dict(db.execute("SELECT id, state FROM sales"))
            said = Caller(server).get("/said-in-last-job").json()["said"]
            assert said == ("own ok, another's forbidden; sold forbidden, returned forbidden, another unsold forbidden, "
                            "all notes forbidden; elsewhere forbidden")  # fmt: skip
            assert states == {"another": "open", "mine": "unsold"}, "and what the app does with it was done"


def test_a_captured_worker_cannot_write_for_nobody(own):
    assert frames(own, "write for nobody") in ("refused, 0 rows", "error, 0 rows")
