"""The part about a backlog: how fast a board sends what waits on its flash."""

from __future__ import annotations

from bench.board_run import House
from bench.report import Section, Table, number
from meterlab.runtimes import find_32_bit

HEAP = 160 * 1024  # memory is another part's matter
READINGS = 2_000
SECONDS = 400


def section() -> Section:
    runtime = find_32_bit()
    if runtime is None:
        return Section(missed=["drain: no 32-bit MicroPython; `make setup` gets one"])
    with House(paced=False) as house:
        run = house.drain(runtime, HEAP, READINGS, SECONDS)
    if run.trouble is not None or not run.counters.get("ms"):
        return Section(missed=[f"drain: {run.trouble or 'nothing was sent'}"])
    table = Table(
        "Backlog",
        f"{READINGS:,} readings that wait on flash when the gateway starts, on {runtime} in the "
        "virtual board, to a real server on the same PC; no meter. From the first answer to the "
        "last. The gateway leaves a second or more between two uploads, so that the meter is read "
        "meanwhile. A board computes far slower.",
        ("", "figure"),
    )
    seconds = run.counters["ms"] / 1000
    table.add("readings a second", number(run.counters["drained"] / seconds, 1))
    day = 2880 * seconds / run.counters["drained"]
    table.add("seconds for a day of readings, one each 30 s", number(day))
    return Section([table])
