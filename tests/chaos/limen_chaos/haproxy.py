"""HAProxy in front of the replicas, with an operator's own configuration: deploy/haproxy.cfg, or a user's.

The one idea: all of the file is kept but its `server` lines, of which there is one for each replica here; where clients come in is told by
the environment (LIMEN_BIND), as on any other machine.
"""

import pathlib
import re
import socket

from limen_chaos.process import Broken, Process, find_program, free_port

_SERVERS = re.compile(r"(?:^ +server .*\n)+", re.MULTILINE)


class Haproxy(Process):
    def __init__(self, configuration, folder):
        self.port, self.original, self.configuration = free_port(), pathlib.Path(configuration), folder / "haproxy.cfg"
        env = {"LIMEN_BIND": f"127.0.0.1:{self.port}"}
        super().__init__("haproxy", [find_program("haproxy"), "-db", "-f", self.configuration], folder, env=env)

    def lead_to(self, servers):
        """Before it is started. `servers`: (name, port, port of its health)."""
        lines = "".join(f"    server {name} 127.0.0.1:{port} port {health_port}\n" for name, port, health_port in servers)
        text, count = _SERVERS.subn(lambda _: lines, self.original.read_text())
        if count != 1 or "LIMEN_BIND" not in text:
            raise Broken(f"{self.original} must have its `server` lines in one place, and bind ${{LIMEN_BIND}}")
        self.configuration.write_text(text)

    def is_ready(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0
