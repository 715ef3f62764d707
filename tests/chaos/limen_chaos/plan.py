"""Which faults happen when: a timetable made from a seed, before anything runs.

The one idea: each kind of fault draws from a stream of its own, so the same seed gives the same timetable, and a kind that comes or
goes leaves the times of the others alone. What a fault hits is a number, which is taken modulo what is there at that moment.
"""

import dataclasses
import random

QUIET_START_S = 0.5  # the first requests are under way before the first fault


@dataclasses.dataclass(frozen=True, order=True)
class Fault:
    at_s: float
    kind: str
    target: int
    lasts_s: float

    def __str__(self):
        lasts = f" for {self.lasts_s:.1f} s" if self.lasts_s else ""
        return f"{self.at_s:7.2f}  {self.kind}{lasts}  #{self.target % 1000}"


def plan(seed, seconds, kinds):
    """`kinds`: {name: (seconds between two, least duration, most duration)}; 0 seconds between: never."""
    found = []
    for name, (every_s, least_s, most_s) in kinds.items():
        source = random.Random(f"{seed} {name}")
        at_s = QUIET_START_S + source.uniform(0, every_s)
        while every_s > 0 and at_s < seconds:
            found.append(Fault(round(at_s, 3), name, source.randrange(1 << 30), round(source.uniform(least_s, most_s), 3)))
            at_s += source.uniform(0.5, 1.5) * every_s
    return sorted(found)
