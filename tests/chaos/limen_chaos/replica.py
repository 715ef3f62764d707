"""One copy of the app's server: a supervisor with its roles, started over and over on the same addresses."""

import http.client
import re
import signal
import urllib.error
import urllib.request

from limen_chaos.process import Process, free_port, roles_of

DRAIN_S = 30.0
_SANITIZER = re.compile(r"ERROR: \w+Sanitizer|: runtime error: ")
# SIGKILL is the harness', or a supervisor's that has said why.
_CRASH = re.compile(r"[^\n]*a role died[^\n]*\bby\W+signal\W+code\W+(?!9\b)\d+[^\n]*")


class Replica(Process):
    def __init__(self, number, binary, folder, flags):
        self.port, self.operator_port = free_port(), free_port()
        command = [binary, "run", "--listen", f"127.0.0.1:{self.port}", "--operator", f"127.0.0.1:{self.operator_port}", *flags]
        env = {"ASAN_OPTIONS": "detect_stack_use_after_return=0:detect_leaks=0:abort_on_error=1"}
        super().__init__(f"replica{number}", command, folder, env=env)
        self.number, self.never_ended = number, 0

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.operator_port}/readyz", timeout=2) as reply:
                return reply.status == 200
        except (urllib.error.URLError, http.client.HTTPException, OSError):
            return False

    def roles(self, name):
        return roles_of(self.pid, name) if self.is_running else []

    def find_in_log(self, pattern):
        found = re.search(pattern, self.log_path.read_text(errors="replace"))
        return found.group(1) if found else None

    def faults(self):
        """What no fault from outside excuses."""
        log = self.log_path.read_text(errors="replace") if self.log_path.exists() else ""
        found = _SANITIZER.search(log)
        said = [f"{self.name}: a sanitizer spoke:\n{log[found.start():found.start() + 2000]}"] if found else []
        said += [f"{self.name}: a role crashed: {line[0]}" for line in _CRASH.finditer(log)]
        said += [f"{self.name} died of signal {-status}" for status in self.statuses if status < 0 and status != -signal.SIGKILL]
        if self.never_ended:
            said.append(f"{self.name} did not end within {DRAIN_S:.0f} s after SIGTERM: {self.never_ended} times")
        return said

    def stop(self):
        """As an operator stops it: what is under way is finished. Gives what was wrong with that; what is wrong at any time is in faults()."""
        status = self.terminate(DRAIN_S)
        self.never_ended += status is None
        return [] if status in (0, None) else [f"{self.name} ended with {status} after SIGTERM"]
