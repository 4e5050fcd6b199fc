"""The meters that a gateway has read, one after the other, by what they said of themselves.

A row is made when the meter is told for the first time, and when it says something else: another
meter, or one whose unit, coefficient or digits were changed. When exactly that was nobody knows:
between the last that was heard of the one before, and the first status of the new one.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, TypedDict, cast

from pydantic_core import from_json, to_json
from sqlalchemy import Connection, delete, select, update

from kenshin.server import units
from kenshin.server.schema import MeterTold, State
from kenshin.server.upserts import insert_new

# What tells one meter, and one way of counting, from another.
FIELDS = ("maker", "serial", "release", "coefficient", "unit", "digits")
# Of EPC E1: the unit of the meter's counters as a power of ten of 0.1 Wh.
UNITS = {**{code: 4 - code for code in range(5)}, **{9 + n: 4 + n for n in range(1, 5)}}
_FOREVER = 2**62
_MOST = 500  # kept; more is no household


class Side(TypedDict, total=False):
    """What the meter said of itself before, or after; what did not change is left out."""

    maker: str | None
    serial: str | None
    release: str | None
    coefficient: int | None
    unit: int | None
    digits: int | None


class Change(NamedTuple):
    """Another meter, or other settings of it; `old` and `new` have what differs."""

    t: int  # it was so when this status came
    before: int | None  # and not yet then
    old: Side
    new: Side


class Turn(NamedTuple):
    """From `since` to `until` one meter was read, whose counters begin again at `turn`, 0.1 Wh."""

    since: int
    until: int
    turn: int


def note(
    connection: Connection, gateway_id: int, told: dict[str, Any], read: int | None, now: int
) -> None:
    """A meter said something that differs from what it said last. Before the state is changed.

    `read` = the newest energy before this upload: none of the new meter's.
    """
    rows = _rows(connection, gateway_id, 1)
    told = {name: told[name] for name in FIELDS if told.get(name) is not None}
    if not rows:
        _keep(connection, gateway_id, now, None, told)
        return
    t, _, last = rows[-1]
    merged = {**last, **told}
    if all(last.get(name) in (None, value) for name, value in told.items()):
        if merged != last:  # the same, and it says more of itself
            connection.execute(
                update(MeterTold)
                .where(MeterTold.gateway_id == gateway_id, MeterTold.t == t)
                .values(meter=to_json(merged).decode())
            )
        return
    status_t = connection.scalar(select(State.status_t).where(State.gateway_id == gateway_id))
    # A gateway that cannot reach its meter goes on to tell of the one it knew.
    before = min((at for at in (status_t, read) if at is not None), default=now)
    # Of another meter nothing is taken over; the same one need not say all again.
    same = all(told.get(name, last.get(name)) == last.get(name) for name in ("maker", "serial"))
    now = max(now, t + 1)  # our clock may have been ahead
    _keep(connection, gateway_id, now, min(before, now), merged if same else told)
    of_it = MeterTold.gateway_id == gateway_id
    too_old = select(MeterTold.t).where(of_it).order_by(MeterTold.t.desc()).offset(_MOST).limit(1)
    connection.execute(delete(MeterTold).where(of_it, MeterTold.t <= too_old.scalar_subquery()))


def _keep(
    connection: Connection, gateway_id: int, t: int, before: int | None, meter: dict[str, Any]
) -> None:
    row = {"gateway_id": gateway_id, "t": t, "before": before, "meter": to_json(meter).decode()}
    insert_new(connection, MeterTold, [row])


def unit(code: int | None) -> str | None:
    """The unit in kWh, by its code in EPC E1; None = there is no such code."""
    places = None if code is None else UNITS.get(code)
    return None if places is None else units.decimal(10**places, 4)


def _rows(
    connection: Connection, gateway_id: int, most: int = _MOST
) -> list[tuple[int, int | None, dict[str, Any]]]:
    """The newest, in time order."""
    found = connection.execute(
        select(MeterTold.t, MeterTold.before, MeterTold.meter)
        .where(MeterTold.gateway_id == gateway_id)
        .order_by(MeterTold.t.desc())
        .limit(most)
    )
    return [(t, before, from_json(meter)) for t, before, meter in found][::-1]


def changes(
    connection: Connection, gateway_id: int, start: int = 0, end: int = _FOREVER
) -> list[Change]:
    """Those with start <= t < end, in time order."""
    rows = _rows(connection, gateway_id)
    found: list[Change] = []
    for (_, _, old), (t, before, new) in zip(rows, rows[1:], strict=False):
        differ = [name for name in FIELDS if old.get(name) != new.get(name)]
        if start <= t < end:
            sides = [Side(**{name: each.get(name) for name in differ}) for each in (old, new)]
            found.append(Change(t, before, *sides))
    return found


# A change, and of each field: its name, before, after.
Shown = tuple[Change, list[tuple[str, str | None, str | None]]]


def shown(
    connection: Connection, gateway_id: int, start: int = 0, end: int = _FOREVER
) -> list[Shown]:
    """Changes as people read them: (field, before, after) of each; units in kWh."""

    def words(side: Side, name: str) -> str | None:
        value = side.get(name)
        if name == "unit" and value is not None:
            return f"{unit(cast(int, value)) or '?'} kWh"
        return None if value is None else str(value)

    return [
        (each, [(name, words(each.old, name), words(each.new, name)) for name in each.new])
        for each in changes(connection, gateway_id, start, end)
    ]


def turns(connection: Connection, gateway_id: int) -> Sequence[Turn]:
    """When counters of which range were read; nothing where the meter did not tell its digits.

    The first meter counts from the first reading on. What was told by an older server has the
    time of its last status as `before`: it counts from then on.
    """
    rows = _rows(connection, gateway_id)
    found: list[Turn] = []
    for place, (t, before, meter) in enumerate(rows):
        places, digits = UNITS.get(meter.get("unit", -1)), int(meter.get("digits") or 0)
        coefficient = 1 if meter.get("coefficient") is None else meter["coefficient"]
        if places is not None and digits in range(1, 9) and 0 < coefficient <= 999_999:
            later = rows[place + 1 : place + 2]
            until = (later[0][1] or 0) if later else _FOREVER
            turn = 10 ** (digits + places) * int(coefficient)
            found.append(Turn(0 if before is None else t, until, turn))
    return found
