"""The part about what a bad radio path costs in readings."""

from __future__ import annotations

from bench.report import Section, Table, number
from campaign import loss

_DAYS = 5.0


def section() -> Section:
    result = Section()
    table = Table(
        "Readings on a bad radio path",
        "One poll a minute in virtual time, the gateway's own code on CPython against a simulated "
        f"module and meter, {_DAYS:g} days each. The air loses so many of the datagrams each way, "
        "beyond what the radio repeats by itself. Without a reading: minutes, counted from when a "
        "poll is due to when the next one is, from which the server got none.",
        ("module", *(f"{share:.0%} lost" for share in loss.SHARES)),
    )
    for kind in loss.KINDS:
        found = [loss.measure(kind, share, _DAYS) for share in loss.SHARES]
        table.add(kind, *(f"{number(lost.gap * 100, 2)}%" for lost in found))
        for lost in found:
            if lost.share <= loss.AIM[0] and lost.gap >= loss.AIM[1]:
                result.missed.append(
                    f"loss: {kind} has no reading in {lost.gap:.2%} of the minutes at "
                    f"{lost.share:.0%} loss each way, under {loss.AIM[1]:.0%} wanted"
                )
    result.tables.append(table)
    return result
