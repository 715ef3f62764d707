"""What the sandbox can be told to do wrong (POST /sandbox/behaviour), as names and the values that they take.

A fault is a number of times (-1: always), or a chance below 1 such as 0.05.
"""

from sandbox import wire

FAULTS = {
    "decline": "a charge is declined (402)",
    "processing": "a charge answers `processing`, and ends later",
    "refuse": "400, and nothing was done: what is asked for will never be taken",
    "fail": "500, and nothing was done",
    "fail_late": "it is done, and the answer is 500 all the same; the saved reply tells the truth",
    "fail_kept": "it is done, and 500 is what is kept with the key: the same key hears it ever after, as Stripe has it",
    "drop_early": "the connection is closed, and nothing was done",
    "drop": "it is done, and the connection is closed without an answer",
}
SIZES = {
    "slow_ms": "before anything is done",
    "late_ms": "after it is done, before the answer",
    "settle_ms": "from `processing` to the end; 500 when not told",
    "webhook_times": "how often each event is sent; 1 when not told, 0 for never",
}
FLAGS = {
    "settle_declines": "what was `processing` ends as declined",
    "webhook_early": "events are sent before the answer, which waits for them",
}
# And webhook_delay_ms: {"payment_intent.processing": 2000, "*": 0}, by the event's type: later ones overtake.


def _is_integer(value):
    return isinstance(value, int) and not isinstance(value, bool)


def check(behaviour):
    """Refuses what is not understood; gives back what was given."""
    if not isinstance(behaviour, dict):
        raise wire.invalid("A behaviour is an object.")
    for name, value in behaviour.items():
        if name in FAULTS:
            is_good = (_is_integer(value) and value >= -1) or (isinstance(value, float) and 0 <= value < 1)
        elif name in SIZES:
            is_good = _is_integer(value) and 0 <= value <= 60_000
        elif name in FLAGS:
            is_good = isinstance(value, bool)
        elif name == "webhook_delay_ms":
            is_good = isinstance(value, dict) and all(_is_integer(delay) and delay >= 0 for delay in value.values())
        else:
            raise wire.invalid(f"Received unknown parameter: {name}", name, "parameter_unknown")
        if not is_good:
            raise wire.invalid(f"Invalid value of {name}: {value!r}", name)
    return behaviour
