"""The part about the memory of the running gateway: how much it needs, and whether it grows."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, median, median_low

from bench.board_run import House, Order, Run, Sample
from bench.report import Section, Table, number
from meterlab.runtimes import Runtime, find_32_bit, find_runtimes

KILO = 1024
STEP = 2 * KILO  # how exactly the smallest heap is found
MOST = 512 * KILO
WARM_UP = 500
POLLS = 3_000

# One upload at least, and enough polls for everything that is loaded late to have been loaded.
_SHORT = Order(300, 50, 10, uploaded=1)
_SHORT_SECONDS = 40
_LONG = Order(WARM_UP + POLLS, 50, 30, energy=0)
_LONG_SECONDS = 240


def growth(samples: Sequence[Sample]) -> float:
    """Bytes of heap lost per 1,000 polls: by the medians of the first, second and last third of
    the samples, the lesser of the two steps.

    Some samples catch a moment at which something is under way: a median does not. And what is
    lost once, and not again, is no growth.
    """
    third = len(samples) // 3
    if not third:
        raise ValueError("too few samples")
    parts = samples[:third], samples[third : 2 * third], samples[2 * third :]
    free = [median_low(s.free for s in part) for part in parts]
    polls = [mean(s.polls for s in part) for part in parts]
    steps = [(free[i] - free[i + 1]) / (polls[i + 1] - polls[i]) for i in range(2)]
    return min(steps) * 1_000


def smallest(house: House, runtime: Runtime, fitting: int, run: Run) -> int:
    """Bytes of the smallest heap in which a short run comes to its end, to within STEP.

    `run` was one in `fitting` bytes that did.
    """
    # What was alive at once cannot fit into less.
    low = (run.free - min(sample.free for sample in run.samples)) // STEP
    high = fitting // STEP
    guess = low + 4
    while high - low > 1:
        middle = guess if low < guess < high else (low + high) // 2
        guess = 0
        if house.run(runtime, middle * STEP, _SHORT, _SHORT_SECONDS).trouble is None:
            high = middle
        else:
            low = middle
    return high * STEP


def section(heap: int) -> Section:
    """`heap`: bytes that the gateway shall do with."""
    runtime = find_32_bit() or next(iter(find_runtimes()), None)
    if runtime is None:
        return Section(missed=["memory: no MicroPython runtime; `make setup` gets one"])
    result = Section()
    with House(paced=False, lifetime=120) as house:
        size = heap
        run = house.run(runtime, size, _SHORT, _SHORT_SECONDS)
        if run.trouble:
            result.missed.append(f"memory: in {heap:,} bytes of heap the gateway {run.trouble}")
        while run.trouble:
            size += 64 * KILO
            if size > MOST:
                result.missed.append(f"memory: nor in {MOST:,}: {run.trouble}")
                return result
            run = house.run(runtime, size, _SHORT, _SHORT_SECONDS)
        need = smallest(house, runtime, size, run)
        # Not in the very smallest: something may be a little larger on another day.
        size = heap if heap >= need else need + 2 * STEP
        run = house.run(runtime, size, _LONG, _LONG_SECONDS)
    _tell(result, runtime, heap, size, need, run)
    result.tables.append(_others(result, runtime, heap))
    return result


def _others(result: Section, runtime: Runtime, heap: int) -> Table:
    """A short run with each other kind of driver and of upload, in the heap wanted."""
    table = Table(
        "Memory with another module, and over HTTPS",
        f"{_SHORT.polls} polls and at least one upload in {heap:,} bytes of heap on {runtime}. "
        "What TLS itself needs lies beside Python's heap, here as on a board; how much that is on "
        "a board was not measured.",
        ("run", "polls", "uploaded", "in use, most", "largest free block, least", "trouble"),
    )
    for words, kind, tls in (
        ("BP35A1, HTTP", "bp35a1", False),
        ("BP35C0-J11, HTTP", "bp35c0-j11", False),
        ("BP35A1, HTTPS", "bp35a1", True),
        ("BP35C0-J11, HTTPS", "bp35c0-j11", True),
    ):
        with House(paced=False, lifetime=120, kind=kind, tls=tls) as house:
            run = house.run(runtime, heap, _SHORT, _SHORT_SECONDS)
        count = run.counters.get
        most = run.free - min((sample.free for sample in run.samples), default=0)
        largest = min((sample.largest for sample in run.samples), default=0)
        polls, uploaded = count("poll.ok", 0), count("uploaded", 0)
        table.add(
            words,
            number(polls),
            number(uploaded),
            number(most),
            number(largest),
            run.trouble or "none",
        )
        if run.trouble or not uploaded:
            result.missed.append(f"memory: {words}: {run.trouble or 'nothing uploaded'}")
    return table


def _tell(result: Section, runtime: Runtime, heap: int, size: int, need: int, run: Run) -> None:
    table = Table(
        "Memory of the running gateway",
        f"The whole gateway on {runtime} in the virtual board, with a simulated module that "
        f"answers at once and a real server; {POLLS:,} polls after {WARM_UP} to warm up, each of "
        f"E7, E8, E0 and E3, {_LONG.poll_ms} ms apart; uploads each {_LONG.upload_s} s; the "
        f"session renewed on the way. In use: seen after a collection, each {_LONG.step} polls; "
        "growth is by the medians of the three thirds of the run. "
        "The heap is what main.py finds free; the virtual board's own part is beside it. A board "
        "has the same sizes of objects, but other buffers of its own.",
        ("bytes", "figure"),
    )
    result.tables.append(table)
    table.add("smallest heap in which it joins, polls and uploads", number(need))
    if size != heap:
        table.add("wanted, and not enough", number(heap))
    table.add("heap of this run", number(run.free))
    samples = [sample for sample in run.samples if sample.polls >= WARM_UP]
    if run.trouble or len(samples) < 9:
        result.missed.append(f"memory: in {size:,} bytes the gateway {run.trouble or 'is slow'}")
        return
    free = [sample.free for sample in samples]
    lost = growth(samples)
    table.add("in use when all is loaded, before it runs", number(run.free - run.loaded))
    table.add("in use while it runs, median", number(run.free - median(free)))
    table.add("in use while it runs, most", number(run.free - min(free)))
    table.add(
        "peak, with what waits to be collected (looked at each 100 ms)",
        number(run.free - min(sample.least for sample in samples)),
    )
    table.add(
        "largest free block while it runs, least",
        number(min(sample.largest for sample in samples)),
    )
    table.add("growth per 1,000 polls", "none" if lost <= 0 else number(lost, 1))
    if lost > 0:
        result.missed.append(f"memory: the gateway loses {lost:,.1f} bytes per 1,000 polls")
