"""A client that behaves, beside those that do not: it asks again and again, and remembers how it fared."""

import http.client
import threading
import time


class Honest(threading.Thread):
    """Asks for a path every few milliseconds, each tenth time over a new connection; as a context, from the beginning to the end, and
    until it has had a few answers.

    source  the loopback address that it comes from
    """

    LEAST = 5

    def __init__(self, server, path="/light", source="127.0.0.2", pause=0.02):
        super().__init__(daemon=True)
        self.server, self.path, self.source, self.pause = server, path, source, pause
        self.answered, self.slowest, self.failures = 0, 0.0, []
        self.is_done = threading.Event()

    def run(self):
        connection = None
        while not self.is_done.is_set():
            begin = time.monotonic()
            try:
                if connection is None or self.answered % 10 == 0:
                    connection = http.client.HTTPConnection(self.server.host, self.server.port, timeout=20, source_address=(self.source, 0))
                connection.request("GET", self.path)
                reply = connection.getresponse()
                reply.read()
                if reply.status != 200:
                    self.failures.append(reply.status)
                self.answered += 1
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection = None
            self.slowest = max(self.slowest, time.monotonic() - begin)
            time.sleep(self.pause)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        deadline = time.monotonic() + 20
        while self.answered < self.LEAST and not self.failures and time.monotonic() < deadline:
            time.sleep(0.05)
        self.is_done.set()
        self.join()

    def assert_served(self, slowest=8.0):
        """Every request of its own was answered well, and none took long; the bound is generous for a busy machine."""
        assert not self.failures, self.failures[:5]
        assert self.answered >= self.LEAST, self.answered
        assert self.slowest < slowest, self.slowest
