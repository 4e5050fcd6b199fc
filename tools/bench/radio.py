"""The simulated module for measurements: answers at once, and counts the bytes on its wire.

    python -m bench.radio --link PATH [--unpaced] [--lifetime S] [--kind KIND] [--ahead S]

As `meterlab module --instant --fast`, credentials by METERLAB_ID and METERLAB_PASSWORD. One line
when ready; then, whenever so many more answers have been given, a `Count` as JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from meterlab.household import day_of
from meterlab.pty import PtyLink
from meterlab.scheduler import LoopScheduler
from meterlab.world import Plan, World

STEP = 50
FACTOR = 10.0  # scan and join do not have to take their time


@dataclass(frozen=True, slots=True)
class Count:
    """Since the start: answers of the meter, bytes from and to the host, at `s` (monotonic)."""

    answers: int
    received: int
    sent: int
    s: float


def rate(first: Count, last: Count) -> tuple[float, float, float]:
    """(answers per second, bytes of both directions per answer, bytes per second)."""
    seconds = last.s - first.s
    answers = last.answers - first.answers
    if seconds <= 0 or answers <= 0:
        raise ValueError("nothing was answered between the two counts")
    moved = last.received + last.sent - first.received - first.sent
    return answers / seconds, moved / answers, moved / seconds


def parse(line: str) -> Count | None:
    """The count that a line tells; None when it tells something else."""
    if not line.startswith("{"):
        return None
    return Count(**json.loads(line))


class _Counter:
    """Counts what passes between a module and its line, and tells it every `step` answers."""

    def __init__(self, world: World, step: int, say: Callable[[str], None]) -> None:
        self._received = self._sent = 0
        self._step = step
        self._say = say
        self._feed, self._output = world.module.feed, world.module.output
        self._answer, self._counters = world.meter.answer, world.meter.counters
        world.module.feed = self._count_feed
        world.module.output = self._count_output
        world.meter.answer = self._count_answer

    def _count_feed(self, data: bytes) -> None:
        self._received += len(data)
        self._feed(data)

    def _count_output(self, data: bytes) -> None:
        self._sent += len(data)
        self._output(data)

    def _count_answer(self, payload: bytes) -> bytes | None:
        reply = self._answer(payload)
        answers = self._counters["answers"]
        if reply is not None and answers % self._step == 0:
            count = Count(answers, self._received, self._sent, time.monotonic())
            self._say(json.dumps(asdict(count)))
        return reply


async def serve(
    plan: Plan,
    path: Path,
    paced: bool,
    say: Callable[[str], None],
    step: int = STEP,
    ahead: int = 0,
) -> None:
    """Run until SIGINT or SIGTERM. The meter's clock is `ahead` seconds ahead of this PC's."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    now = time.time_ns() // 1_000_000 + ahead * 1000
    scheduler = LoopScheduler(loop, utc_ms=now, factor=FACTOR)
    world = World(scheduler, plan)
    world.household.day(day_of(scheduler.utc_ms() // 1000))  # its past, before anyone waits
    link = PtyLink(scheduler, world.module, path, paced=paced)
    _Counter(world, step, say)
    try:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        world.start()
        say(f"ready on {path}")
        await stop.wait()
    finally:
        world.stop()
        link.close()


def main(arguments: list[str] | None = None) -> None:
    """The command line; see the top of the file."""
    parser = argparse.ArgumentParser(description="A radio module that counts its bytes.")
    parser.add_argument("--link", type=Path, required=True)
    parser.add_argument("--unpaced", action="store_true", help="the wire takes no time")
    parser.add_argument("--lifetime", type=int, default=86_400, help="of a session, in s")
    parser.add_argument("--kind", default="bp35a1", help="of module")
    parser.add_argument("--ahead", type=int, default=0, help="the meter's clock, in s")
    options = parser.parse_args(arguments)
    plan = Plan(
        os.environ["METERLAB_ID"], os.environ["METERLAB_PASSWORD"], kind=options.kind, seed=1
    )
    plan.conduct.lifetime_s = options.lifetime
    plan.link.instant = plan.quirks.prompt = True

    def say(text: str) -> None:
        print(text, flush=True)

    asyncio.run(serve(plan, options.link, not options.unpaced, say, ahead=options.ahead))


if __name__ == "__main__":
    main()
