"""`make soak`: the whole gateway in real time, on the 32-bit runtime, in the heap of a board.

    python -m bench.soak [--minutes 30] [--heap 100K]

Polls each half second, uploads each 10 s to the real server, sessions that end every few minutes.
The exit code is 1 when the gateway stops, when a task dies, or when the heap in use grows.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from bench.board_run import House, Order, Sample
from bench.gateway_memory import growth
from meterlab.board.process import parse_size
from meterlab.runtimes import find_32_bit

POLL_MS = 500
STEP = 20  # polls between two samples: ten seconds
WARM_UP = 15  # samples until all that is loaded late was loaded
LEAST = 9  # samples without which nothing can be said
FLAT = 128  # bytes per 1,000 polls that count as nothing: a text is longer than another


def verdict(samples: Sequence[Sample], trouble: str | None) -> str | None:
    """What is wrong with a run, in words; None when its heap stayed flat."""
    if trouble is not None:
        return trouble
    late = samples[WARM_UP:]
    if len(late) < LEAST:
        return f"only {len(late)} samples after the warm-up; let it run longer"
    lost = growth(late)
    return f"the heap in use grows by {lost:,.0f} bytes per 1,000 polls" if lost > FLAT else None


def main(arguments: list[str] | None = None) -> int:
    """The command line; see the top of the file."""
    parser = argparse.ArgumentParser(prog="bench.soak", description="Soaks the gateway.")
    parser.add_argument("--minutes", type=int, default=30, help="how long (default 30)")
    parser.add_argument("--heap", default="100K", help="what the gateway finds free")
    options = parser.parse_args(arguments)
    runtime = find_32_bit()
    if runtime is None:
        print("no 32-bit MicroPython; `make setup` gets one")
        return 1
    polls = options.minutes * 60_000 // POLL_MS
    order = Order(polls, STEP, POLL_MS, upload_s=10)
    heap = parse_size(options.heap)
    print(f"{runtime}, {heap:,} bytes of heap, {options.minutes} min", flush=True)
    with House(paced=True, lifetime=600) as house:
        # A poll takes its time, and so does joining again.
        run = house.run(runtime, heap, order, options.minutes * 90 + 120)
    print("  polls       free    largest      least, garbage included")
    for sample in run.samples[:: max(1, len(run.samples) // 30)]:
        print(f"{sample.polls:7,} {sample.free:10,} {sample.largest:10,} {sample.least:10,}")
    wanted = ("poll.ok", "poll.lost", "joined", "uploaded", "memory-error", "flash.failed")
    print(", ".join(f"{name} {run.counters[name]}" for name in wanted if name in run.counters))
    wrong = verdict(run.samples, run.trouble)
    print(f"NOT FLAT: {wrong}" if wrong else "the heap is flat")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
