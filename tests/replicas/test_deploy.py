"""What deploy/ promises, held against the server: probes that exist, ports that match, times that suffice, packages that are enough.

Nothing here starts a cluster, a container or systemd: what they do with these files is theirs. systemd's own checker reads its units.
"""

import os
import re
import shutil
import subprocess

import pytest
import yaml
from server import ROOT, Server, build_dir, wait_for

DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"


@pytest.fixture(scope="module")
def settings():
    """{setting: its default where that is a number}, as the server's --help tells them."""
    said = subprocess.run([build_dir() / "shop", "run", "--help"], capture_output=True, text=True, check=True).stdout
    found = {}
    for name, below in re.findall(r"^ +--([a-z-]+).*\n(.*)$", said, re.MULTILINE):
        default = re.search(r"default (\d+)$", below)
        found[name] = default and int(default[1])
    assert found["drain"] == 10
    return found


# ---- Kubernetes --------------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def manifests():
    found = {}
    for document in yaml.safe_load_all((DEPLOY / "kubernetes" / "shop.yaml").read_text()):
        found[document["kind"], document["metadata"]["name"]] = document
    return found


@pytest.fixture(scope="module")
def pod(manifests):
    return manifests["Deployment", "shop"]["spec"]["template"]


@pytest.fixture(scope="module")
def container(pod):
    (only,) = pod["spec"]["containers"]
    return only


@pytest.fixture(scope="module")
def limen_yaml(manifests):
    return yaml.safe_load(manifests["ConfigMap", "shop"]["data"]["limen.yaml"])


def test_every_setting_exists(limen_yaml, settings):
    assert set(limen_yaml) <= set(settings)


def test_ports_are_those_of_the_settings(limen_yaml, container):
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert limen_yaml["listen"] == f"0.0.0.0:{ports['http']}"
    assert limen_yaml["operator"] == f"0.0.0.0:{ports['operator']}"


@pytest.mark.parametrize(("probe", "path"), [("startupProbe", "/readyz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")])
def test_probes_ask_what_the_operator_answers(container, probe, path):
    get = container[probe]["httpGet"]
    assert (get["path"], get["port"]) == (path, "operator")
    assert f'"{path}"' in (ROOT / "src" / "server" / "role_operator.c").read_text()


def test_a_pod_is_given_the_time_to_drain(limen_yaml, pod, container):
    _, seconds = container["lifecycle"]["preStop"]["exec"]["command"]
    needed = int(seconds) + int(limen_yaml["drain"]) + int(limen_yaml.get("drain-notice", 0))
    assert pod["spec"]["terminationGracePeriodSeconds"] > needed


def test_an_update_never_takes_a_replica_away_first(manifests):
    spec = manifests["Deployment", "shop"]["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    budget = manifests["PodDisruptionBudget", "shop"]["spec"]
    assert 1 <= budget["minAvailable"] < spec["replicas"]
    assert budget["selector"] == spec["selector"]
    assert spec["selector"]["matchLabels"].items() <= spec["template"]["metadata"]["labels"].items()
    assert manifests["Service", "shop"]["spec"]["selector"] == spec["selector"]["matchLabels"]


def test_only_the_app_reaches_the_database(manifests, pod, limen_yaml):
    spec = manifests["NetworkPolicy", "postgres"]["spec"]
    assert spec["policyTypes"] == ["Ingress"]
    (rule,) = spec["ingress"]
    (source,) = rule["from"]
    assert source == {"podSelector": {"matchLabels": {"app": pod["metadata"]["labels"]["app"]}}}
    (port,) = rule["ports"]
    assert f"@{spec['podSelector']['matchLabels']['app']}:{port['port']}/" in limen_yaml["database"]


def test_the_operators_port_is_not_for_clients(manifests):
    ports = [port["name"] for port in manifests["Service", "shop"]["spec"]["ports"]]
    assert ports == ["http"]
    for rule in manifests["NetworkPolicy", "shop"]["spec"]["ingress"]:
        names = {source["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"] for source in rule["from"]}
        assert ({port["port"] for port in rule["ports"]} == {"operator"}) == (names == {"monitoring"})


def test_secrets_come_by_file(manifests, pod, container, limen_yaml):
    assert not any(kind == "Secret" for kind, _ in manifests), "none is in the repository"
    for each in (container, *pod["spec"]["initContainers"]):
        assert not {"env", "envFrom"} & set(each)
    assert re.fullmatch(r"postgresql://[^:@]+@.*", limen_yaml["database"]), "no password in the URL"
    mounts = {mount["mountPath"] for mount in container["volumeMounts"]}
    for name in ("sslrootcert", "passfile"):
        path = re.search(rf"{name}=([^&]+)", limen_yaml["database"])[1]
        assert any(path.startswith(f"{mount}/") for mount in mounts)


def test_containers_are_confined(pod, container):
    assert pod["spec"]["securityContext"]["runAsNonRoot"]
    assert not pod["spec"]["automountServiceAccountToken"]
    for each in (container, *pod["spec"]["initContainers"]):
        assert each["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip


# ---- the container's image -----------------------------------------------------------------------------------------------
def stages():
    """(base, text) of each stage of the Containerfile."""
    text = (DEPLOY / "Containerfile").read_text()
    return re.findall(r"^FROM (\S+)[^\n]*\n(.*?)(?=^FROM |\Z)", text, re.MULTILINE | re.DOTALL)


def test_the_image_has_what_the_binary_is_linked_with():
    if build_dir().name != "build" or not shutil.which("dpkg-query"):
        pytest.skip("only the release build on a Debian tells")
    (_, (base, last)) = stages()
    assert base == "debian:12-slim"
    listed = set(re.search(r"apt-get install[^&]*", last)[0].split())
    needed = subprocess.run(["objdump", "-p", build_dir() / "shop"], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"NEEDED\s+(\S+)", needed):
        found = subprocess.run(["dpkg-query", "--search", f"*/{library}"], capture_output=True, text=True, check=True).stdout
        packages = {line.split(":")[0] for line in found.splitlines()}
        assert packages & (listed | {"libc6"}), f"{library} is in {packages}"


def test_the_image_is_nobodys_root():
    (_, (_, last)) = stages()
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["', last, re.MULTILINE), "the server is process 1 and hears signals"


# ---- systemd -------------------------------------------------------------------------------------------------------------
def unit(name):
    """{key: value} of all sections; a key that comes twice is joined."""
    found = {}
    for key, value in re.findall(r"^([A-Za-z]+)=(.*)$", (UNITS / name).read_text(), re.MULTILINE):
        found[key] = f"{found[key]} {value}" if key in found else value
    return found


def test_systemd_finds_no_fault(tmp_path):
    if not shutil.which("systemd-analyze"):
        pytest.skip("no systemd-analyze")
    for name in ("limen@.service", "limen@.socket"):
        text = (UNITS / name).read_text().replace("/usr/local/lib/limen/%i/%i", "/bin/true")
        (tmp_path / name.replace("@", "@shop")).write_text(text)
    shutil.copytree(UNITS / "limen@shop.service.d", tmp_path / "limen@shop.service.d")
    units = [tmp_path / "limen@shop.service", tmp_path / "limen@shop.socket"]
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", *units], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "limen@shop" not in done.stderr, done.stderr


def test_the_unit_gives_the_time_to_drain(settings):
    service = unit("limen@.service")
    (notice,) = re.findall(r"--drain-notice (\d+)", service["ExecStart"])
    assert int(service["TimeoutStopSec"]) > int(notice) + settings["drain"]


def test_the_unit_signals_the_supervisor_alone():
    service = unit("limen@.service")
    assert service["KillMode"] == "mixed"
    assert service["ExecReload"] == "/bin/kill -HUP $MAINPID"
    assert (service["Type"], service["NotifyAccess"]) == ("notify", "all")
    assert service["Requires"] == "limen@%i.socket"


def test_the_units_flags_exist(settings):
    for flag in re.findall(r"--([a-z-]+)", unit("limen@.service")["ExecStart"]):
        assert flag in settings


def test_the_unit_leaves_roles_what_their_sandboxes_need():
    service = unit("limen@.service")
    assert "MemoryDenyWriteExecute" not in service
    assert "PrivateUsers" not in service
    assert {"seccomp", "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self"} <= set(service["SystemCallFilter"].split())
    assert {"CAP_SETUID", "CAP_SETGID", "CAP_CHOWN", "CAP_KILL"} <= set(service["CapabilityBoundingSet"].split())


def test_a_server_runs_with_the_units_capabilities(tmp_path):
    """Under the unit's bounding set and without new privileges: roles become users of their own, and a reload works."""
    if os.geteuid() != 0 or not shutil.which("setpriv"):
        pytest.skip("not root, or no setpriv")
    kept = ",".join("+" + name.removeprefix("CAP_").lower() for name in unit("limen@.service")["CapabilityBoundingSet"].split())
    server = Server(tmp_path)
    plain = server.command()
    server.command = lambda: ["setpriv", "--no-new-privs", "--bounding-set", f"-all,{kept}", *plain]
    with server:
        (worker,) = server.roles("worker")[:1]
        assert wait_for(lambda: os.stat(f"/proc/{worker}").st_uid != 0), "another worker may be the one that answers first"
        server.reload()
        assert server.is_ready()
