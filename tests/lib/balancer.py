"""HAProxy with the configuration that operators get: deploy/haproxy.cfg, told by its environment where everything is."""

import os
import shutil
import socket
import subprocess

from server import ROOT, free_port, wait_for

CONFIGURATION = ROOT / "deploy" / "haproxy.cfg"
HAPROXY = shutil.which("haproxy", path=f"/usr/sbin:/usr/local/sbin:{os.environ.get('PATH', '')}")


def environment(port, replicas):
    """`replicas`: (port, operator's port) of up to three."""
    told = {"LIMEN_BIND": f"127.0.0.1:{port}"}
    for number, (clients, operator) in enumerate(replicas, start=1):
        told[f"LIMEN_REPLICA_{number}"] = f"127.0.0.1:{clients}"
        told[f"LIMEN_REPLICA_{number}_OPERATOR"] = str(operator)
    return told


class Balancer:
    """`with Balancer(replicas, folder) as balancer:` - an HTTP address, `balancer.host` and `balancer.port`, in front of three replicas."""

    host = "127.0.0.1"

    def __init__(self, replicas, folder, bind=""):
        """`bind`: what stands behind the address where clients connect, as for TLS."""
        self.port, self.log_path = free_port(), folder / "haproxy.log"
        self.env = {**os.environ, **environment(self.port, replicas)}
        self.env["LIMEN_BIND"] += bind

    @property
    def log(self):
        return self.log_path.read_text(errors="replace")

    def __enter__(self):
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([HAPROXY, "-db", "-f", CONFIGURATION], env=self.env, stdout=log, stderr=log)
        assert wait_for(lambda: self.process.poll() is not None or self._listens()) and self.process.poll() is None, self.log
        return self

    def _listens(self):
        with socket.socket() as probe:
            return probe.connect_ex((self.host, self.port)) == 0

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
