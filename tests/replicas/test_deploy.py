"""What deploy/ promises, held against the server: probes that exist, ports that match, times that suffice, packages that are enough.

Nothing here starts a cluster, a container or systemd: what they do with these files is theirs. systemd's own checker reads its units.
"""

import json
import os
import re
import shutil
import subprocess

import pytest
import yaml
from caller import customer, new_key
from provider import HOOK, Sandbox, tell
from redis_server import Redis
from server import ROOT, Server, build_dir, wait_for

DEPLOY = ROOT / "deploy"
UNITS = DEPLOY / "systemd"
PRIVATE = {"10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"}


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


# ---- the payment provider ------------------------------------------------------------------------------------------------
@pytest.fixture(scope="module")
def targets():
    """Where the shop's effects go: each needs an address and a secret."""
    found = set(re.findall(r"^-- effect: \w+\(.*?\) to (\w+)", (ROOT / "apps" / "shop" / "queries.sql").read_text(), re.MULTILINE))
    assert "payments" in found
    return found


@pytest.fixture(scope="module")
def secrets(targets):
    """The names of all secrets that the shop needs: its targets' and its webhooks'."""
    schemes = yaml.safe_load((ROOT / "apps" / "shop" / "api.yaml").read_text())["components"]["securitySchemes"]
    hooks = {name for name, scheme in schemes.items() if "x-webhook" in scheme}
    assert "payment-events" in hooks
    return targets | hooks


class Paying:
    """A shop as a deployment starts it, and a provider in the place of the real one."""

    def __init__(self, folder):
        self.folder, self.provider = folder, Sandbox(folder / "provider")
        self.server = Server(folder / "shop")
        self.server.folder.mkdir()
        self.provider.webhook = self.server.url + HOOK

    def target(self, said):
        assert said == "payments=https://api.stripe.com"
        return f"payments={self.provider.url}"

    def assert_pays(self):
        """An order is charged and paid, and the provider's events are believed."""
        with self.provider, self.server:
            buyer = customer(self.server)
            order = buyer.post("/api/checkout", {"lines": [{"itemId": "sku_bowl", "quantity": 1}]}, key=new_key()).json()["id"]
            assert wait_for(lambda: buyer.get(f"/api/orders/{order}").json()["state"] == "paid"), self.server.tail()
            assert len(self.provider.charges(order)) == 1
            body = b'{"id":"evt_1","type":"customer.created","data":{"object":{"id":"cus_1"}}}'
            assert tell(self.server, body).status == 204
            assert tell(self.server, body, secret="whsec_of_others").status == 401


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


def test_a_pod_is_given_the_time_that_a_migration_takes(container):
    """Nobody answers a probe before the database is there and has its tables; who is ended in the middle begins anew."""
    probe = container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] >= 3600


def test_the_workers_of_a_pod_fit_into_its_memory(limen_yaml, container):
    """As many as the node has cores would not: each takes what limits.h says at least, and all of them a half at most."""
    limits = (ROOT / "src" / "core" / "limits.h").read_text()
    each = sum(int(re.search(rf"{name}\s[\s\\]*\((\d+)U \* 1024 \* 1024\)", limits)[1])
               for name in ("LIMIT_WORKER_MEMORY_DEFAULT", "LIMIT_WORKER_BASE_BYTES"))  # fmt: skip
    given = re.fullmatch(r"(\d+)Gi", container["resources"]["limits"]["memory"])
    assert limen_yaml["workers"] * each <= int(given[1]) * 1024 // 2


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


def test_every_secret_of_the_shop_is_mounted(manifests, pod, container, limen_yaml, targets, secrets):
    given = dict(each.split("=@") for each in limen_yaml["secret"])
    assert set(given) == secrets
    assert {each.split("=")[0] for each in limen_yaml["effect-target"].split(",")} == targets
    read_only = {mount["mountPath"]: mount["name"] for mount in container["volumeMounts"] if mount.get("readOnly")}
    volumes = {volume["name"]: volume for volume in pod["spec"]["volumes"]}
    text = (DEPLOY / "kubernetes" / "shop.yaml").read_text()
    for path in (*given.values(), limen_yaml["redis"].removeprefix("@")):
        folder, _, file = path.rpartition("/")
        secret = volumes[read_only[folder]]["secret"]
        assert secret["defaultMode"] == 0o440, "the group's, which is the pod's own"
        assert re.search(rf"^#   {secret['secretName']} .*`{file}`", text, re.MULTILINE), "whoever applies it is told"
        assert f"create secret generic {secret['secretName']} " in (ROOT / "docs" / "deploying.md").read_text()


def test_the_shop_reaches_what_its_settings_name(manifests, limen_yaml):
    """Redis by its label, as PostgreSQL, and nobody else reaches it; the provider outside of the cluster, and nothing private there."""
    egress = manifests["NetworkPolicy", "shop"]["spec"]["egress"]
    inside = {(peer["podSelector"]["matchLabels"]["app"], port["port"]) for rule in egress for peer in rule.get("to", ())
              if "podSelector" in peer for port in rule["ports"]}  # fmt: skip
    assert inside == {("postgres", 5432), ("redis", 6379)}
    spec = manifests["NetworkPolicy", "redis"]["spec"]
    assert spec == {"podSelector": {"matchLabels": {"app": "redis"}}, "policyTypes": ["Ingress"], "ingress": [
        {"from": [{"podSelector": {"matchLabels": {"app": "shop"}}}], "ports": [{"protocol": "TCP", "port": 6379}]},
    ]}  # fmt: skip
    (outside,) = [rule for rule in egress if any("ipBlock" in peer for peer in rule.get("to", ()))]
    (peer,) = outside["to"]
    assert peer["ipBlock"]["cidr"] == "0.0.0.0/0" and set(peer["ipBlock"]["except"]) == PRIVATE
    assert outside["ports"] == [{"protocol": "TCP", "port": 443}]
    for target in limen_yaml["effect-target"].split(","):
        assert re.fullmatch(r"\w+=https://[a-z.]+", target), "port 443, at a public host"


def test_the_manifests_settings_serve_and_are_paid(tmp_path, limen_yaml):
    """Its limen.yaml, with files in the test's folder, other ports, SQLite, and a provider on loopback."""
    paying, redis = Paying(tmp_path), Redis(tmp_path / "redis", "of-the-tests")
    server, provider = paying.server, paying.provider
    provider.write_secrets()
    files = {"redis/url": redis.url, "payments/api-key": provider.api_key_path.read_text(),
             "payments/webhook-secret": provider.secret_path.read_text()}  # fmt: skip
    for name, text in files.items():
        (tmp_path / "secrets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "secrets" / name).write_text(text)
    told = yaml.safe_load(yaml.safe_dump(limen_yaml).replace("/run/secrets/", f"{tmp_path}/secrets/"))
    told |= {"listen": f"127.0.0.1:{server.port}", "operator": f"127.0.0.1:{server.operator_port}", "database": server.database,
             "effect-target": paying.target(told["effect-target"]), "fetch-private": "127.0.0.1"}  # fmt: skip
    (server.folder / "limen.yaml").write_text(yaml.safe_dump(told, width=1000))
    server.command = lambda: [str(server.binary), "run"]
    try:
        paying.assert_pays()
        assert redis.ask("DBSIZE") > 0, "a session is kept there"
    finally:
        redis.kill()


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
    assert "ca-certificates" in listed, "without them no payment provider is believed"
    needed = subprocess.run(["objdump", "-p", build_dir() / "shop"], capture_output=True, text=True, check=True).stdout
    for library in re.findall(r"NEEDED\s+(\S+)", needed):
        found = subprocess.run(["dpkg-query", "--search", f"*/{library}"], capture_output=True, text=True, check=True).stdout
        packages = {line.split(":")[0] for line in found.splitlines()}
        assert packages & (listed | {"libc6"}), f"{library} is in {packages}"


def patterns(name):
    return [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]


def as_dockerignore(pattern):
    """A line of .gitignore as .dockerignore says it: there a pattern without a folder means the top alone."""
    rooted, bare = pattern.startswith("/"), pattern.strip("/")
    return bare if rooted else f"**/{bare}"


def test_what_git_ignores_never_enters_a_build():
    ignored = patterns(".dockerignore")
    assert {as_dockerignore(pattern) for pattern in patterns(".gitignore")} <= set(ignored)
    assert {".git", "build", "build-*", "var"} <= set(ignored)
    assert not any(pattern.startswith("!") for pattern in ignored), "nothing is let in again"


def test_the_image_is_nobodys_root():
    (_, (_, last)) = stages()
    assert re.search(r"^USER 10001:10001$", last, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["', last, re.MULTILINE), "the server is process 1 and hears signals"


def test_the_image_ends_before_it_is_killed():
    """podman and docker wait for ten seconds."""
    (_, (_, last)) = stages()
    command = json.loads(re.search(r"^CMD (.*)$", last, re.MULTILINE)[1])
    assert int(command[command.index("--drain") + 1]) < 10


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


def test_the_unit_never_gives_up():
    """A start that waits for its database is not ended, and one that is refused is tried again: the clients in the socket wait."""
    service = unit("limen@.service")
    assert service["TimeoutStartSec"] == "infinity"
    assert (service["Restart"], service["StartLimitIntervalSec"]) == ("on-failure", "0")


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


def drop_in():
    """({variable: value}, {credential: file}) of the shop's secrets.conf."""
    text = (UNITS / "limen@shop.service.d" / "secrets.conf").read_text()
    return [dict(re.findall(pattern, text, re.MULTILINE)) for pattern in (r"^Environment=(\w+)=(.*)$", r"^LoadCredential=([\w-]+):(.*)$")]


def test_every_secret_of_the_shop_is_a_credential(targets, secrets):
    environment, credentials = drop_in()
    assert set(credentials) == secrets
    assert {target.split("=")[0] for target in environment["LIMEN_EFFECT_TARGET"].split(",")} == targets
    for name, path in credentials.items():
        assert path == f"/etc/limen/shop/secrets/{name}"


def test_a_shop_with_the_units_credentials_is_paid(tmp_path):
    """systemd's part is played here: a folder with a file for each credential, and the variables of the drop-in."""
    environment, credentials = drop_in()
    paying = Paying(tmp_path)
    paying.provider.write_secrets()
    of_provider = {"payments": paying.provider.api_key_path, "payment-events": paying.provider.secret_path}
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name in credentials:
        shutil.copy(of_provider[name], folder / name)
    paying.server.flags = ["--fetch-private", "127.0.0.1"]
    paying.server.extra_env = {"CREDENTIALS_DIRECTORY": str(folder), "LIMEN_EFFECT_TARGET": paying.target(environment["LIMEN_EFFECT_TARGET"])}
    paying.assert_pays()


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
