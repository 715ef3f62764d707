"""How many cases of a public suite pass: said where the test driver can find it, and asserted by the test itself.

The driver names a file in LIMEN_SCORES and shows what is in it as a table at its end. A score is written before the test
asserts anything, so that a suite that has lost a case is in the table too.
"""

import json
import os


def record(suite, passed, of):
    """Appends one line, {"suite": "JWS, Wycheproof", "passed": 476, "of": 476}, and prints it for those who read the log."""
    print(f"{suite}: {passed} of {of}")
    path = os.environ.get("LIMEN_SCORES")
    if path:
        with open(path, "a", encoding="utf-8") as scores:
            scores.write(json.dumps({"suite": suite, "passed": passed, "of": of}) + "\n")
