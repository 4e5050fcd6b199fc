"""The rules by which two reports of the same moment become one row. Pure.

A moment is (gateway, kind, t). Whatever brings a value for it merges into one row:
`None` never overwrites a value, the same value again is nothing, and a different one is kept
beside the row as a conflict. The value that stands is the one that came first, because what was
once shown or exported must not change silently.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple

KINDS = ("instant", "half-hour", "minute")
QUALITIES = ("ntp", "meter", "server")
ORIGINS = ("get", "inf", "E2", "E4", "EC", "D0", "EE")
# In the tables they are numbers: a kind's and a quality's place, and a bit for each origin.
KIND_CODES = {kind: code for code, kind in enumerate(KINDS)}
QUALITY_CODES = {quality: code for code, quality in enumerate(QUALITIES)}
ORIGIN_BITS = {origin: 1 << bit for bit, origin in enumerate(ORIGINS)}
INSTANT, HALF_HOUR, MINUTE = range(3)
FIELDS = ("power", "current_r", "current_t", "normal", "reverse")

# From the clock most to be trusted to the least. A row is as good as the worst that made it.
_WORST = {"ntp": 0, "meter": 1, "server": 2}


class Values(NamedTuple):
    """What was measured; None = not measured."""

    power: int | None  # W; negative = fed into the grid
    current_r: int | None  # 0.1 A
    current_t: int | None  # 0.1 A
    normal: int | None  # cumulative energy, 0.1 Wh
    reverse: int | None  # cumulative energy, 0.1 Wh


class Different(NamedTuple):
    """A value that disagrees with the one that stands."""

    field: str
    value: int


@dataclass(frozen=True, slots=True)
class Slot:
    """One moment: its values, the quality of its time, and which reports its values came from."""

    values: Values
    quality: str
    origins: tuple[str, ...]


def origins_of(bits: int) -> tuple[str, ...]:
    """The origins whose bits are set."""
    return tuple(origin for origin, bit in ORIGIN_BITS.items() if bits & bit)


def bits_of(origins: tuple[str, ...]) -> int:
    """The bits of `origins`."""
    return sum(ORIGIN_BITS[origin] for origin in origins)


def merge(slot: Slot | None, new: Slot) -> tuple[Slot, list[Different]]:
    """The slot after a further report, and what in the report disagrees.

    Returns `slot` itself (the same object) when nothing changes.
    """
    if slot is None:
        return new, []
    values: list[int | None] = []
    different: list[Different] = []
    for name, old, value in zip(FIELDS, slot.values, new.values, strict=True):
        if old is not None and value is not None and old != value:
            different.append(Different(name, value))
        values.append(value if old is None else old)
    merged = Values(*values)
    if merged == slot.values:
        return slot, different
    return (
        replace(
            slot,
            values=merged,
            quality=max(slot.quality, new.quality, key=lambda quality: _WORST[quality]),
            origins=tuple(o for o in ORIGINS if o in slot.origins or o in new.origins),
        ),
        different,
    )
