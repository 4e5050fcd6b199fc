"""The judge: what must hold after every seed. Each check is a function that yields what it found,
with the time and the place; nothing here knows how the gateway works."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from campaign.house import START
from campaign.watch import Ask, Happened, Record, Row, energy
from meterlab.trouble import Fault

if TYPE_CHECKING:
    from campaign.play import Trial

POLLING_S = 7 * 60  # after the last fault's end
HALF_HOURS = 0.99
JOINS_FIRST = 15  # in the first silent hour
JOINS_LATER = 12  # in each after
SLOT = 1_800

# By how many seconds a request may lie before and after its reading's time, by who set the clock:
# the server tells whole seconds, the meter whole minutes of its own, maybe wrong, time.
_OFF = {"ntp": (1, 2), "server": (3, 3), "meter": (2, 62)}
_PLAN_S = 120  # a poll's further requests, for what the first answer lacked


def no_exception(record: Record, _: Trial) -> Iterator[Happened]:
    """No exception reached the loop, no task died, no error was logged."""
    yield from record.exceptions


def polling_again(record: Record, house: Trial) -> Iterator[Happened]:
    """Within 7 minutes of the end of the last fault, of every spell of faults, a reading."""
    faults = house.scenario.faults
    for end, last in all_clear(faults, house.scenario.days * 86_400):
        i = bisect_right(record.kept, end)
        if i == len(record.kept) or record.kept[i] > end + POLLING_S:
            after = f"{record.kept[i] - end:.0f} s" if i < len(record.kept) else "never"
            yield Happened(end, "gateway", f"no reading within 7 min of: {last}; then {after}")


def all_clear(faults: list[Fault], end: float) -> Iterator[tuple[float, Fault]]:
    """When all faults are over and none comes in the next 7 minutes, and which was the last."""
    over, last = 0.0, None
    for fault in [*faults, Fault(end, 0, ())]:
        if last is not None and fault.at_s > over + POLLING_S:
            yield over, last
        if fault.end_s >= over:
            over, last = fault.end_s, fault


def half_hours(record: Record, house: Trial) -> Iterator[Happened]:
    """99 % of the half-hour values that the meter made while it could be reached were received."""
    made, missing = slots(record, house)
    if made and len(missing) > (1 - HALF_HOURS) * len(made):
        at = missing[0] - record.start_utc
        share = 1 - len(missing) / len(made)
        text = f"{share:.2%} of {len(made)} half-hours: {len(missing)} are missing, first this one"
        yield Happened(at, "server", text)


def slots(record: Record, house: Trial) -> tuple[list[int], list[int]]:
    """UTC of the half-hours that were made while the meter could be reached, and of those of them
    that did not arrive. From the gateway's first reading on."""
    faults = [fault for fault in house.scenario.faults if fault.cuts]
    first = record.kept[0] if record.kept else 0.0
    end = house.scenario.days * 86_400 - SLOT
    offset = house.world.meter.metering.equipment.clock_offset
    had = {row.t for row in record.rows if row.kind == "half-hour"}
    made: list[int] = []
    slot = (record.start_utc + int(first)) // SLOT * SLOT + SLOT
    while (at := slot - offset - record.start_utc) < end:
        if at > first and not any(fault.at_s <= at < fault.end_s for fault in faults):
            made.append(slot)
        slot += SLOT
    return made, [slot for slot in made if slot not in had]


def no_wrong_value(record: Record, house: Trial) -> Iterator[Happened]:
    """Every reading is what the meter measured, at the time at which it was asked for."""
    asks: dict[int, list[Ask]] = {}
    for ask in record.asks:
        asks.setdefault(ask.utc_ms // 1000, []).append(ask)
    offset = house.world.meter.metering.equipment.clock_offset
    for row in record.rows:
        if row.kind == "half-hour":
            wrong = _wrong_slot(row, house)
        else:
            wrong = _wrong_instant(row, asks, offset if row.quality == "meter" else 0)
        if wrong:
            yield Happened(row.t - record.start_utc, "server", f"{wrong}: {row[:10]}")


def _wrong_slot(row: Row, house: Trial) -> str | None:
    metering = house.world.meter.metering
    if row.t % SLOT or row.t > row.at + START + metering.equipment.clock_offset:
        return "no time of a half-hour"
    normal, reverse = (energy(house.world.meter, count) for count in metering.slot(row.t))
    if row.normal not in (None, normal) or row.reverse not in (None, reverse):
        return f"the meter had {normal} and {reverse}"
    if row.normal is None and row.reverse is None or row.power is not None:
        return "not a half-hour's values"
    return None


def _wrong_instant(row: Row, asks: dict[int, list[Ask]], offset: int) -> str | None:
    before, after = _OFF.get(row.quality or "", (0, 0))
    first, last = row.t - offset - before, row.t - offset + after
    near = [ask for s in range(first, last + 1) for ask in asks.get(s, ())]
    if not near:
        return "nothing was asked then"
    if any(ask.truth and _fits(row, ask.truth) for ask in near):
        return None
    # The first answer lacked something, which the next ones brought.
    if not any(ask.truth for ask in near):
        return "what was asked then never came to the meter"
    later = near + [ask for s in range(last + 1, last + _PLAN_S) for ask in asks.get(s, ())]
    for name in ("power", "currents", "normal", "reverse"):
        value = _value(row, name)
        if value is not None and not any(
            ask.truth is not None and ask.truth.get(_EPCS[name]) == value for ask in later
        ):
            return f"{name} is not what the meter told"
    return None


_EPCS = {"power": 0xE7, "currents": 0xE8, "normal": 0xE0, "reverse": 0xE3}


def _value(row: Row, name: str) -> Any:
    if name == "currents":
        pair = row.current_r, row.current_t
        return None if pair == (None, None) else pair
    return getattr(row, name)


def _fits(row: Row, truth: dict[int, Any]) -> bool:
    return all(
        (value := _value(row, name)) is None or truth.get(epc) == value
        for name, epc in _EPCS.items()
    )


def not_doubled(record: Record, _: Trial) -> Iterator[Happened]:
    """No measurement has two rows, no number two meanings."""
    yield from record.doubled
    seen: dict[tuple[str, int], Row] = {}
    for row in record.rows:
        had = seen.setdefault((row.kind, row.t), row)
        if had is row:
            continue
        # The same half-hour may come again, with the other direction or from another source: the
        # server makes one row of them, unless they differ.
        if row.kind != "half-hour" or not (
            _agree(had.normal, row.normal) and _agree(had.reverse, row.reverse)
        ):
            yield Happened(row.at, "server", f"{had[:10]} again as {row[:10]}")


def _agree(a: int | None, b: int | None) -> bool:
    return a is None or b is None or a == b


def joins_bounded(record: Record, _: Trial) -> Iterator[Happened]:
    """At most 15 joins in the first silent hour, and 12 in each after. Silent is what lies between
    two readings, or from the board's start to the first."""
    for begin, number, joins in silent_hours(record):
        most = JOINS_LATER if number else JOINS_FIRST
        if len(joins) > most:
            text = f"{len(joins)} joins in silent hour {number + 1} since {begin:.0f} s"
            yield Happened(joins[most], "module", text)


def silent_hours(record: Record) -> Iterator[tuple[float, int, list[float]]]:
    """The joins of each silent hour that has any: since when it is silent, which hour, when."""
    marks = sorted([*record.kept, *record.starts])
    hours: dict[tuple[float, int], list[float]] = {}
    for at in record.joins:
        i = bisect_right(marks, at)
        begin = marks[i - 1] if i else 0.0
        hours.setdefault((begin, int((at - begin) // 3600)), []).append(at)
    for (begin, number), joins in hours.items():
        yield begin, number, joins


def gate_respected(record: Record, _: Trial) -> Iterator[Happened]:
    """The module was given nothing to send while it authenticated or was over its budget."""
    yield from record.gate


def one_request(record: Record, _: Trial) -> Iterator[Happened]:
    """The meter was never asked a second thing while an answer was awaited."""
    yield from record.outstanding


def no_secret(record: Record, _: Trial) -> Iterator[Happened]:
    """No secret in the log, on the console, in an upload and its status, or in a file of the
    flash."""
    yield from record.secrets


CHECKS: dict[str, Callable[[Record, Trial], Iterator[Happened]]] = {
    check.__name__.replace("_", "-"): check
    for check in (
        no_exception,
        polling_again,
        half_hours,
        no_wrong_value,
        not_doubled,
        joins_bounded,
        gate_respected,
        one_request,
        no_secret,
    )
}


def judge(record: Record, house: Trial) -> list[tuple[str, Happened]]:
    """Everything that must not have been, in the order of time."""
    found = [(name, item) for name, check in CHECKS.items() for item in check(record, house)]
    return sorted(found, key=lambda pair: pair[1].at)


def figures(record: Record, house: Trial) -> dict[str, float]:
    """Numbers to add up over all seeds."""
    made, missing = slots(record, house)
    worst = max((len(joins) for _, _, joins in silent_hours(record)), default=0)
    return {
        "polls": len(record.kept),
        "requests": len(record.asks),
        "readings": len(record.rows),
        "half-hours": len(made),
        "missing half-hours": len(missing),
        "joins": len(record.joins),
        "most joins in an hour": worst,
        "faults": len(house.scenario.faults),
    }
