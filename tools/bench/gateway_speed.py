"""The part about how fast the gateway can poll, against what the wire to the module allows."""

from __future__ import annotations

from dataclasses import dataclass

from bench import radio
from bench.board_run import ROOMY, House, Order
from bench.report import Section, Table, number
from meterlab.runtimes import Runtime, find_runtimes

WIRE = 115_200 // 10  # bytes per second: a start and a stop bit go with each
AIM = 0.8
_WARM_UP = 2  # counts, of radio.STEP answers each
_SECONDS = 90
_PACED = Order(600, 200, 0, energy=1_000_000, upload_s=3_600, uploaded=0)
_UNPACED = Order(3_000, 1_000, 0, energy=1_000_000, upload_s=3_600, uploaded=0)


@dataclass(frozen=True, slots=True)
class Speed:
    """Polls per second, bytes of both directions per poll; `heap` in which it ran."""

    polls: float
    bytes: float
    heap: int

    @property
    def limit(self) -> float:
        return WIRE / self.bytes


def _measure(house: House, runtime: Runtime, heap: int, order: Order, result: Section) -> Speed:
    run = house.run(runtime, heap, order, _SECONDS)
    if run.trouble and heap < ROOMY:
        result.missed.append(f"speed: in {heap:,} bytes of heap the gateway {run.trouble}")
        heap = ROOMY
        run = house.run(runtime, heap, order, _SECONDS)
    if run.trouble:
        raise RuntimeError(f"the gateway on {runtime} {run.trouble}")
    polls, moved, _ = radio.rate(run.counts[_WARM_UP], run.counts[-1])
    return Speed(polls, moved, heap)


def section(heap: int) -> Section:
    """`heap`: bytes for the gateway on 32 bits, of which 64 bits get twice as many."""
    result = Section()
    table = Table(
        "Polls per second",
        "The gateway polls E7 and E8 without a pause, from a meter that answers at once, through "
        "the module's pty; no uploads. A poll is strictly a request and then its answer, so the "
        f"bytes of both directions, counted at the module, share {WIRE:,} bytes per second: that "
        "is the wire's limit. The pacing is right to half a millisecond for each change of "
        "direction. The last column is without pacing: what the PC's processor alone could do.",
        ("runtime", "heap", "bytes/poll", "limit", "polls/s", "of the limit", "unpaced"),
    )
    runtimes = find_runtimes()
    if not runtimes:
        result.missed.append("speed: no MicroPython runtime; `make setup` gets one")
        return result
    heaps = {runtime: heap * runtime.bits // 32 for runtime in runtimes}
    paced: dict[Runtime, Speed] = {}
    with House(paced=True) as house:
        for runtime in runtimes:
            paced[runtime] = _measure(house, runtime, heaps[runtime], _PACED, result)
    with House(paced=False) as house:
        for runtime, speed in paced.items():
            free = _measure(house, runtime, speed.heap, _UNPACED, result)
            share = speed.polls / speed.limit
            table.add(
                str(runtime),
                number(speed.heap),
                number(speed.bytes, 1),
                number(speed.limit, 1),
                number(speed.polls, 1),
                f"{share:.0%}",
                number(free.polls),
            )
            if share < AIM:
                result.missed.append(f"speed: {share:.0%} of the wire's limit, {AIM:.0%} wanted")
    result.tables.append(table)
    return result
