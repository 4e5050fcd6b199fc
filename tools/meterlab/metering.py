"""What the measuring half of a low-voltage smart meter (class 0x0288) can tell.

Typed numbers come from a `Household`; this turns them into the EDT bytes of each property, as the
ECHONET Appendix lays them out: counters cut to their effective digits, half-hour histories E2/E4
by day and EC by slot, fixed-time values EA/EB, the clock 97/98; and since Release R the values of
each minute, D0 and the history EE.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from meterlab.household import DAY, JST, Household, day_of

NO_DATA = 0xFFFFFFFE
SLOT = 1_800
MINUTE = 60
_ZONE = timezone(timedelta(seconds=JST))

# E1: unit of the cumulative energies -> watt-seconds per count.
UNITS = {
    0x00: 3_600_000,
    0x01: 360_000,
    0x02: 36_000,
    0x03: 3_600,
    0x04: 360,
    0x0A: 36_000_000,
    0x0B: 360_000_000,
    0x0C: 3_600_000_000,
    0x0D: 36_000_000_000,
}


@dataclass(frozen=True, slots=True)
class Equipment:
    """What a meter is and has. The defaults are a first-generation meter with everything.

    `coefficient`: D3, or None when the meter lacks it. `reverse`: E3, E4, EB and the second half
    of EC. `slots`: EC and ED. `history_days`: how far back E2, E4 and EC go; `strict_days`: a day
    beyond is refused, not answered with "no data". `initial`: counts at installation, to bring a
    roll-over near. `two_wire`: no current on phase T. `clock_offset`: seconds by which the meter's
    clock is wrong. `release`: F, or R of the second generation, which has C0, D0, EE and EF.
    `minutes_kept`: how far back EE goes. `lacks`: properties that it does not have, in spite of
    all that.
    """

    coefficient: int | None = 1
    unit: int = 0x02
    digits: int = 7
    reverse: bool = True
    slots: bool = True
    history_days: int = 99
    strict_days: bool = False
    whole_amperes: bool = False
    two_wire: bool = False
    initial: int = 0
    clock_offset: int = 0
    maker: bytes = b"\x00\x00\x16"
    serial: bytes = b"K24A012345"
    release: str = "F"
    minutes_kept: int = 1_440
    lacks: frozenset[int] = frozenset()

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise ValueError(f"unit code {self.unit:02X} is not one of E1's")
        if not 1 <= self.digits <= 8:
            raise ValueError("a counter has 1 to 8 digits")
        if len(self.serial) > 12:
            raise ValueError("a production number has at most 12 characters")
        if self.release not in ("F", "R"):
            raise ValueError(f"a meter is of release F or R, not {self.release!r}")
        if not 0 <= self.history_days <= 99:
            raise ValueError("a meter keeps 0 to 99 days")
        for epc in self.lacks:
            if epc in _NEEDED or not 0x80 <= epc <= 0xFF:
                raise ValueError(f"no meter lacks {epc:02X}")


# Without these a host cannot even learn what there is.
_NEEDED = frozenset((0x80, 0x82, 0x9D, 0x9E, 0x9F))

# Meters as they are met, by a name for them.
METERS = {
    "full": Equipment(),
    "kansai": Equipment(coefficient=None, reverse=False, slots=False),
    "14-days": Equipment(history_days=14),
    "two-wire": Equipment(two_wire=True, whole_amperes=True),
    "tenths": Equipment(unit=0x01, digits=6),
    "second": Equipment(release="R"),
    "bare": Equipment(
        coefficient=None,
        reverse=False,
        slots=False,
        history_days=14,
        strict_days=True,
        lacks=frozenset((0x8D, 0x97, 0x98)),
    ),
}


def property_map(epcs: Iterable[int]) -> bytes:
    """EDT of 9D, 9E and 9F: a list of fewer than 16 codes, a bitmap of more."""
    codes = sorted(set(epcs))
    if len(codes) < 16:
        return bytes([len(codes), *codes])
    bitmap = bytearray(17)
    bitmap[0] = len(codes)
    for code in codes:
        bitmap[1 + (code & 0x0F)] |= 1 << ((code >> 4) - 8)
    return bytes(bitmap)


class Metering:
    """Properties of one meter by EPC. `clock` gives UTC seconds."""

    def __init__(
        self, household: Household, equipment: Equipment, clock: Callable[[], int]
    ) -> None:
        self.household = household
        self.equipment = equipment
        self._clock = clock
        self._divisor = UNITS[equipment.unit] * (equipment.coefficient or 1)
        self._modulus = 10**equipment.digits
        self.location = b"\x61"  # garden, number 1
        self._day = 0xFF
        self._slots = b"\xff" * 6 + b"\x01"
        self._minutes = b"\xff" * 6 + b"\x01"
        self.getters: dict[int, Callable[[], bytes]] = self._table()
        self.setters: dict[int, Callable[[bytes], bool]] = {
            0x81: self._set_location,
            0xE5: self._set_day,
        }
        if equipment.slots:
            self.setters[0xED] = self._set_slots
        if equipment.release == "R":
            self.setters[0xEF] = self._set_minutes
        for epc in equipment.lacks:
            self.getters.pop(epc, None)
            self.setters.pop(epc, None)

    def get(self, epc: int) -> bytes | None:
        """EDT of a property; None when this meter does not have it."""
        getter = self.getters.get(epc)
        return getter() if getter else None

    def set(self, epc: int, edt: bytes) -> bool:
        """Write a property; False when it cannot be written or the value is not allowed."""
        setter = self.setters.get(epc)
        return setter(edt) if setter else False

    def _table(self) -> dict[int, Callable[[], bytes]]:
        kit = self.equipment

        def fixed(edt: bytes) -> Callable[[], bytes]:
            return lambda: edt

        table: dict[int, Callable[[], bytes]] = {
            0x80: fixed(b"\x30"),
            0x81: lambda: self.location,
            0x82: fixed(b"\x00\x00F\x00" if kit.release == "F" else b"\x00\x00R\x04"),
            0x88: fixed(b"\x42"),
            0x8A: fixed(kit.maker),
            0x8D: fixed(kit.serial.ljust(12, b"\x00")),
            0x97: lambda: struct.pack(">BB", *self._local().timetuple()[3:5]),
            0x98: lambda: struct.pack(">HBB", *self._local().timetuple()[:3]),
            0x9D: fixed(property_map((0x80, 0x81, 0x88))),
            0x9E: lambda: property_map(self.setters),
            0x9F: lambda: property_map(self.getters),
            0xD7: fixed(bytes([kit.digits])),
            0xE0: lambda: struct.pack(">I", self.counters()[0]),
            0xE1: fixed(bytes([kit.unit])),
            0xE2: lambda: self._history(0),
            0xE5: lambda: bytes([self._day]),
            0xE7: lambda: struct.pack(">i", self.household.power(self.now())),
            0xE8: self._currents,
            0xEA: lambda: self.fixed_time(0),
        }
        if kit.coefficient is not None:
            table[0xD3] = fixed(struct.pack(">I", kit.coefficient))
        if kit.reverse:
            table[0xE3] = lambda: struct.pack(">I", self.counters()[1])
            table[0xE4] = lambda: self._history(1)
            table[0xEB] = lambda: self.fixed_time(1)
        if kit.slots:
            table[0xEC] = self._slot_history
            table[0xED] = lambda: self._slots
        if kit.release == "R":
            table[0xC0] = fixed(b"\x00" + kit.maker + kit.serial.rjust(12, b"0"))
            table[0xD0] = self._last_minute
            table[0xEE] = self._minute_history
            table[0xEF] = lambda: self._minutes
        return table

    # -- time

    def now(self) -> int:
        """UTC seconds as the meter believes."""
        return self._clock() + self.equipment.clock_offset

    def _local(self) -> datetime:
        return datetime.fromtimestamp(self.now(), _ZONE)

    # -- energy

    def counters(self) -> tuple[int, int]:
        """The counters (normal, reverse) now, in counts."""
        normal, reverse = self.household.energy(self.now())
        return self._counts(normal), self._counts(reverse)

    def _counts(self, watt_seconds: int) -> int:
        return (watt_seconds // self._divisor + self.equipment.initial) % self._modulus

    def slot(self, utc: int) -> tuple[int, int]:
        """The counters at a full half-hour, as E0 and E3 showed them then."""
        at, rest = divmod(utc + JST, SLOT)
        if rest:
            raise ValueError("not a full half-hour")
        day, index = divmod(at, 48)
        values = self.household.day(day)
        if values is None:
            return NO_DATA, NO_DATA
        reverse = self._counts(values.reverse[index]) if self.equipment.reverse else NO_DATA
        return self._counts(values.normal[index]), reverse

    def _remembered(self, utc: int) -> tuple[int, int]:
        now = self.now()
        if utc > now or day_of(utc) < day_of(now) - self.equipment.history_days:
            return NO_DATA, NO_DATA
        return self.slot(utc)

    def fixed_time(self, direction: int, utc: int | None = None) -> bytes:
        """EDT of EA (0) and EB (1): the last full half-hour, or the one at `utc`."""
        if utc is None:
            utc = self.now() // SLOT * SLOT
        return stamp(utc) + struct.pack(">I", self.slot(utc)[direction])

    def _history(self, direction: int) -> bytes:
        if self._day == 0xFF:
            return b"\x00\xff" + struct.pack(">I", NO_DATA) * 48
        midnight = (day_of(self.now()) - self._day) * DAY - JST
        slots = (self._remembered(midnight + SLOT * i)[direction] for i in range(48))
        return struct.pack(">H48I", self._day, *slots)

    def _slot_history(self) -> bytes:
        if self._slots[0] == 0xFF:
            return self._slots + struct.pack(">II", NO_DATA, NO_DATA)
        utc, count = moment(self._slots)
        pairs = (struct.pack(">II", *self._remembered(utc - SLOT * i)) for i in range(count))
        return self._slots + b"".join(pairs)

    def _minute(self, utc: int) -> bytes:
        """The counters at a full minute, as far as the meter still knows them."""
        now = self.now()
        oldest = (now // MINUTE - self.equipment.minutes_kept) * MINUTE
        known = oldest <= utc <= now
        if not known or day_of(utc) < self.household.installed:
            return struct.pack(">II", NO_DATA, NO_DATA)
        normal, reverse = (self._counts(energy) for energy in self.household.energy(utc))
        return struct.pack(">II", normal, reverse if self.equipment.reverse else NO_DATA)

    def _last_minute(self) -> bytes:
        utc = self.now() // MINUTE * MINUTE
        return stamp(utc) + self._minute(utc)

    def _minute_history(self) -> bytes:
        if self._minutes[0] == 0xFF:
            return self._minutes + struct.pack(">II", NO_DATA, NO_DATA)
        utc, count = moment(self._minutes)
        return self._minutes + b"".join(self._minute(utc - MINUTE * i) for i in range(count))

    # -- current

    def _currents(self) -> bytes:
        r, t = self.household.currents(self.now())
        if self.equipment.two_wire:
            return struct.pack(">hH", self._ampere(r + t), 0x7FFE)
        return struct.pack(">hh", self._ampere(r), self._ampere(t))

    def _ampere(self, tenths: int) -> int:
        return (tenths + 5) // 10 * 10 if self.equipment.whole_amperes else tenths

    # -- what may be written

    def _set_location(self, edt: bytes) -> bool:
        if len(edt) != (17 if edt[:1] == b"\x01" else 1):
            return False
        self.location = edt
        return True

    def _set_day(self, edt: bytes) -> bool:
        if len(edt) != 1 or edt[0] > 99:
            return False
        if self.equipment.strict_days and edt[0] > self.equipment.history_days:
            return False
        self._day = edt[0]
        return True

    def _set_slots(self, edt: bytes) -> bool:
        if len(edt) != 7 or edt[5] not in (0, 30) or not 1 <= edt[6] <= 12 or not _is_time(edt):
            return False
        self._slots = edt
        return True

    def _set_minutes(self, edt: bytes) -> bool:
        if len(edt) != 7 or not 1 <= edt[6] <= 10 or not _is_time(edt):
            return False
        self._minutes = edt
        return True


def stamp(utc: int) -> bytes:
    """The seven bytes YYYY MM DD hh mm ss of a moment, JST."""
    return struct.pack(">HBBBBB", *datetime.fromtimestamp(utc, _ZONE).timetuple()[:6])


def moment(edt: bytes) -> tuple[int, int]:
    """(UTC seconds, count) of ED or EF: YYYY MM DD hh mm n, JST. ValueError when there is no such
    time."""
    year, month, day, hour, minute, count = struct.unpack(">HBBBBB", edt)
    return int(datetime(year, month, day, hour, minute, tzinfo=_ZONE).timestamp()), count


def _is_time(edt: bytes) -> bool:
    try:
        moment(edt)
    except ValueError:
        return False
    return True
