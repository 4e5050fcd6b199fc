"""The part about what the simulator itself costs."""

from __future__ import annotations

from bench import simulator
from bench.report import Section, Table, number


def section() -> Section:
    table = Table(
        "Simulator",
        "A day of one poll (E7 and E8) a minute in virtual time, meter, radio and module: the "
        "best of three runs, in processor time of this PC.",
        ("module", "us/poll", "polls/s", "timers/poll"),
    )
    for cost in simulator.measure():
        if cost.answered != simulator.POLLS:
            raise RuntimeError(f"{cost.kind}: {cost.answered} of {simulator.POLLS} polls answered")
        name = f"{cost.kind}, {'paced' if cost.paced else 'unpaced'}"
        name += f", {cost.solar} W of solar" if cost.solar else ""
        table.add(name, number(cost.us, 1), number(1e6 / cost.us), number(cost.timers, 1))
    return Section([table])
