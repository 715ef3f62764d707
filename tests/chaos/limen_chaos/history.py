"""What clients asked and what they were told, and what must hold of that whatever the app does.

The one idea: an attempt is written down when it ends, before anything is done with its answer, so that whoever checks afterwards
knows at least as much as any client did. The promises that every Limen app makes are checked here, from the attempts alone: an
acknowledged key stays acknowledged with the same bytes, whoever is signed in stays so, and every key gets an answer in the end.
"""

import dataclasses
import json
import time

#: Answers that promise nothing: a client comes again, with the same key.
COME_AGAIN = {502, 503, 504}


@dataclasses.dataclass
class Attempt:
    """One request and how it ended. `status` is None where no whole answer came."""

    who: str
    key: str
    method: str
    path: str
    status: int | None
    body: bytes
    began: float  # seconds of the run
    ended: float
    value: object = None  # what was sent

    @property
    def is_definite(self):
        return self.status is not None and self.status not in COME_AGAIN

    @property
    def is_acknowledged(self):
        return self.status is not None and 200 <= self.status < 300


def line_of(attempt):
    body = attempt.body.decode(errors="backslashreplace")
    return json.dumps({**vars(attempt), "body": body}) + "\n"


class History:
    """Kept in memory for the checker and, a line an attempt, in a file for people."""

    def __init__(self, path=None):
        self.attempts = []
        self.file = open(path, "a", encoding="utf-8") if path else None
        self.zero = time.monotonic()

    def now(self):
        return round(time.monotonic() - self.zero, 4)

    def begin(self):
        """The seconds of the run count from now on. What was asked before was before that: it keeps its place."""
        passed = self.now()
        for attempt in self.attempts:
            attempt.began, attempt.ended = attempt.began - passed, attempt.ended - passed
        self.zero = time.monotonic()

    def add(self, who, key, method, path, began, answer, value=None):
        """`answer` is None where none came."""
        status, body = (None, b"") if answer is None else (answer.status, answer.body)
        attempt = Attempt(who, key, method, path, status, body, began, self.now(), value)
        self.attempts.append(attempt)
        if self.file:
            self.file.write(line_of(attempt))
        return attempt

    def close(self):
        if self.file:
            self.file.close()

    def keyed(self):
        """{(who, key): [attempt]} in the order in which they ended."""
        found = {}
        for attempt in self.attempts:
            if attempt.key is not None:
                found.setdefault((attempt.who, attempt.key), []).append(attempt)
        return found

    def acknowledged(self):
        """{(who, key): the first attempt that was acknowledged}"""
        told = ((name, next((it for it in attempts if it.is_acknowledged), None)) for name, attempts in self.keyed().items())
        return {name: attempt for name, attempt in told if attempt is not None}


def _faults_of_key(key, attempts):
    acknowledged = [attempt for attempt in attempts if attempt.is_acknowledged]
    if len({(attempt.status, attempt.body) for attempt in acknowledged}) > 1:
        yield f"key {key} was acknowledged with different replies"
    if acknowledged:
        # One that began before may have been refused before the other was done.
        later = (attempt for attempt in attempts if attempt.began >= acknowledged[0].ended)
        for attempt in later:
            if attempt.is_definite and not attempt.is_acknowledged:
                yield f"key {key} was acknowledged, and answered with {attempt.status} afterwards"
    if not any(attempt.is_definite for attempt in attempts):
        yield f"key {key} never got a definite answer"


def _faults_of_attempt(attempt):
    what = f"{attempt.method} {attempt.path} at {attempt.ended:.2f} s"
    if attempt.status == 401 and attempt.who is not None:
        yield f"{attempt.who} was signed out: {what}"
    if attempt.status is not None and attempt.status >= 500 and attempt.status not in COME_AGAIN:
        yield f"{what} was answered with {attempt.status}"


def faults(history):
    """What must hold for any app, in words."""
    found = []
    for (_, key), attempts in history.keyed().items():
        found += _faults_of_key(key, attempts)
    for attempt in history.attempts:
        found += _faults_of_attempt(attempt)
    return found
