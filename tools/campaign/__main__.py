"""`make campaign`: many seeds of many days each, and what must hold after every one of them.

    python -m campaign [--seeds 200] [--days 10] [--first 0] [--seed N] [--jobs 2]

With --seed one seed is played, and everything that happened is printed. The exit code is 1 when
anything was found.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed

from campaign.checks import CHECKS
from campaign.play import Outcome, play, stamp

_SHOWN = 5  # findings of one seed


def _one(seed: int, days: float) -> Outcome:
    return play(seed, days)


def run(seeds: range, days: float, jobs: int) -> Iterator[Outcome]:
    """The outcome of each seed, as they get ready."""
    if jobs == 1:
        for seed in seeds:
            yield _one(seed, days)
        return
    with ProcessPoolExecutor(jobs) as pool:
        futures = [pool.submit(_one, seed, days) for seed in seeds]
        for future in as_completed(futures):
            yield future.result()


def replay(outcome: Outcome) -> str:
    """The command that plays the same once more."""
    return f"make campaign SEED={outcome.scenario.seed} DAYS={outcome.scenario.days:g}"


def report(outcome: Outcome) -> list[str]:
    """A line for a seed, and some for what was found."""
    scenario, figures = outcome.scenario, outcome.figures
    lines = [
        f"seed {scenario.seed:3} {scenario.kind:10} {figures['faults']:3} faults, "
        f"{figures['polls']:6} polls, {figures['joins']:4} joins, "
        f"{figures['missing half-hours']:2} of {figures['half-hours']:3} half-hours missing, "
        f"{outcome.cpu_s:5.1f} s  {'FAILED' if outcome.trouble else 'ok'}"
    ]
    for name, found in outcome.trouble[:_SHOWN]:
        lines.append(f"    {name}: at {stamp(found.at)}, {found.where}: {found.what}")
    if len(outcome.trouble) > _SHOWN:
        lines.append(f"    and {len(outcome.trouble) - _SHOWN} more")
    if outcome.trouble:
        lines.append(f"    again: {replay(outcome)}")
    return lines


def summary(outcomes: list[Outcome], elapsed_s: float) -> list[str]:
    """What all the seeds came to."""
    total: Counter[str] = Counter()
    found: Counter[str] = Counter()
    for outcome in outcomes:
        total.update(outcome.figures)
        found.update({name for name, _ in outcome.trouble})
    polls, made, cpu = total["polls"], total["half-hours"], sum(o.cpu_s for o in outcomes)
    days = sum(o.scenario.days for o in outcomes)
    lines = [
        f"{len(outcomes)} seeds, {days / 365.25:.1f} years: {polls:,} polls answered, "
        f"{total['faults']:,} faults, {total['joins']:,} joins "
        f"(at most {max(o.figures['most joins in an hour'] for o in outcomes):.0f} in a silent "
        f"hour), {1 - total['missing half-hours'] / (made or 1):.3%} of {made:,} half-hours",
        f"{elapsed_s:.0f} s, {cpu:.0f} s of processor time: {cpu / (polls or 1) * 1e6:.0f} us a "
        "poll",
    ]
    for name in CHECKS:
        lines.append(f"    {name:16} {found[name] or 'no'} seed{'s' if found[name] != 1 else ''}")
    failed = sorted((o for o in outcomes if o.trouble), key=lambda o: o.scenario.seed)
    lines += [f"failed: {replay(o)}" for o in failed]
    return lines


def main(words: list[str] | None = None) -> int:
    """-> the exit code."""
    parser = argparse.ArgumentParser(prog="campaign", description="Years of a gateway.")
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first of them")
    parser.add_argument("--days", type=float, default=10.0, help="simulated days of each")
    parser.add_argument("--seed", type=int, help="only this one, told in full")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    given = parser.parse_args(words)
    if given.days <= 0 or given.seeds < 1 or given.jobs < 1:
        parser.error("--seeds, --days and --jobs are more than nothing")
    if given.seed is not None:
        outcome = play(given.seed, given.days, say=print)
        print("\n".join(report(outcome)))
        print("digest", outcome.digest)
        return 1 if outcome.trouble else 0
    outcomes: list[Outcome] = []
    began = time.monotonic()
    for outcome in run(range(given.first, given.first + given.seeds), given.days, given.jobs):
        outcomes.append(outcome)
        print("\n".join(report(outcome)), flush=True)
    print("\n".join(summary(outcomes, time.monotonic() - began)))
    return 1 if any(outcome.trouble for outcome in outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
