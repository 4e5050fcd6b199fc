# Hours of silence, as the reconnect ladder goes through them.
import random
from array import array

from gateway.ladder import Ladder, fresh


# What a silence looks like: `outcome(step, now)` -> (cause, seconds that it took).
class Silence:
    def __init__(self, outcome, seed=1, start=7_000):
        self.dice = random.Random(seed) if hasattr(random, "Random") else Dice(seed)
        self.outcome = outcome
        self.now = self.start = start
        self.ladder = Ladder(fresh(start))
        self.steps = []  # (second, step)
        self.joins = []
        self.pauses = array("I")  # ms

    def run(self, cause, hours=1):
        until = self.now + hours * 3600
        while self.now < until:
            step, ms = self.ladder.next(cause, self.now, self.dice.randrange(256))
            assert step == self.ladder.step
            self.pauses.append(ms)
            self.now += (ms + 999) // 1000
            state = self.ladder.state
            if state == "talk":
                return self
            self.steps.append((self.now - self.start, step))
            cause, took = self.outcome(step, self.now)
            if state in ("known", "fresh") and cause not in ("no-pan", "limited"):
                self.ladder.joins(self.now)
                self.joins.append(self.now)
            self.now += took
        return self

    # Joins in each whole hour of the silence.
    def hourly(self):
        counts = [0] * ((self.now - self.start) // 3600 + 1)
        for t in self.joins:
            counts[(t - self.start) // 3600] += 1
        return counts


class Dice:
    def __init__(self, seed):
        random.seed(seed)
        self.randrange = random.randrange


# What every silence must keep to.
def bounded(silence):
    counts = silence.hourly()
    assert counts[0] <= 15, counts
    assert max(counts[1:] or [0]) <= 12, counts
    # also where an hour begins elsewhere
    for t in silence.joins:
        if t - silence.start >= 3600:
            assert sum([t <= other < t + 3600 for other in silence.joins]) <= 12
