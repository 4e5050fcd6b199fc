# The low-voltage smart meter, class 0x0288 (Appendix 3.3.25, Release R): what its properties mean.
# Every decoder takes an EDT, or a whole frame's `data` with the offset that `Frame.find` gave.
# None is "no measurement" (sentinels and reserved codes); a wrong size or an impossible date is an
# EchonetError.
from echonet import EchonetError
from echonet.dates import utc
from micropython import const

METER = const(0x028801)
CONTROLLER = const(0x05FF01)
NODE = const(0x0EF001)

# Unit of energy by its code E1: 0.1 Wh per count, as a power of ten (0 to 8).
_UNITS = const(b"\4\3\2\1\0-----\5\6\7\10")


# Refuses an EDT that has not `n` bytes. In a frame the length stands just before the data.
def sized(b, at, n):
    size = b[at - 1] if at else len(b)
    if size != n:
        raise EchonetError("%d bytes instead of %d at byte %d" % (size, n, at))


def u16(b, at):
    return b[at] << 8 | b[at + 1]


# The counter at `at`, size unseen. Values past 99,999,999 are none: FFFFFFFE is "not measured".
# The first byte tells most of them without a big integer.
def value(b, at):
    if b[at] > 5:
        return None
    v = u16(b, at) << 16 | u16(b, at + 2)
    return v if v <= 99_999_999 else None


# A date and time in Japan, YYYY MM DD hh mm, to UTC seconds.
def when(b, at, second=0):
    return utc(u16(b, at), b[at + 2], b[at + 3], b[at + 4], b[at + 5], second)


def u32(b, at=0):
    """Four bytes as they are: the coefficient D3."""
    sized(b, at, 4)
    return u16(b, at) << 16 | u16(b, at + 2)


def counter(b, at=0):
    """E0, E3: cumulative energy in counts, 0 to 99,999,999."""
    sized(b, at, 4)
    return value(b, at)


def power(b, at=0):
    """E7: instantaneous power in W, negative when exporting."""
    sized(b, at, 4)
    high = u16(b, at)
    if high >= 0x8000:
        high -= 0x10000
    v = high << 16 | u16(b, at + 2)
    return v if -0x80000000 < v < 0x7FFFFFFE else None


def currents(b, at=0):
    """E8: (R, T) in 0.1 A, signed; T is None on two-wire supplies."""
    sized(b, at, 4)
    return _current(b, at), _current(b, at + 2)


def _current(b, at):
    v = u16(b, at)
    if v < 0x7FFE:
        return v
    return v - 0x10000 if v > 0x8000 else None


def fixed_time(b, at=0):
    """EA, EB: (UTC seconds, counts or None) of the last full or half hour."""
    sized(b, at, 11)
    return when(b, at, b[at + 6]), value(b, at + 7)


def minute(b, at=0):
    """D0: (UTC seconds, normal, reverse), counts or None, of the last full minute."""
    sized(b, at, 15)
    return when(b, at, b[at + 6]), value(b, at + 7), value(b, at + 11)


def clock(date, time):
    """98 and 97: UTC seconds of the meter's clock, which shows minutes."""
    sized(date, 0, 4)
    sized(time, 0, 2)
    return when(bytes(date) + bytes(time), 0)


def release(b, at=0):
    """82: the letter of the Appendix that the object follows, "F" or "R" ..."""
    sized(b, at, 4)
    return chr(b[at + 2])


def text(b):
    """8C, 8D: the printable ASCII of it, without padding (NUL or blanks)."""
    s = ""
    for c in b:
        if 32 <= c < 127:
            s += chr(c)
    return s.strip()


class Scale:
    """From counts to 0.1 Wh, exactly: counts x D3 x unit(E1). Roll-over at 10 ** D7 counts.

    `coefficient`: D3; None, the meter has none, means 1. `unit`: the code E1. `digits`: D7.
    `count`: 0.1 Wh per count. It is 0, `known` is False and every energy None when the unit or the
    coefficient is missing or not a valid one.
    """

    def __init__(self, coefficient, unit, digits):
        self.count = 0
        if unit is not None and (unit <= 4 or 10 <= unit <= 13):
            if coefficient is None:
                coefficient = 1
            if coefficient <= 999_999:
                self.count = coefficient * 10 ** _UNITS[unit]
        self.known = self.count > 0
        self.turn = 10**digits if digits and digits <= 8 else 0

    def energy(self, counts):
        """0.1 Wh of a counter value, or None."""
        return counts * self.count if self.known and counts is not None else None

    def delta(self, older, newer):
        """0.1 Wh from one counter value to a later one, or None.

        A step back is a roll-over when it makes at most a tenth of the counter's range; more than
        that is another meter or a reset one, and no one knows the energy between.
        """
        if older is None or newer is None:
            return None
        counts = newer - older
        if counts < 0:
            counts += self.turn
            if not 0 < counts <= self.turn // 10:
                return None
        return self.energy(counts)
