# Property values to bytes: what a meter, or a node that stands for one, has to produce. The
# inverse of meter.py, history.py and values.py. A board that only reads a meter never loads this.
from struct import pack

from echonet import EchonetError, maps
from echonet.dates import jst, utc
from echonet.history import HALF_HOUR, MINUTE, entry_time, set_day, set_time

NO_DATA = b"\xff\xff\xff\xfe"
# E2, E4 before E5 was set; ED, EF before they were; EC, EE then.
DAY_UNSET = b"\0\xff" + NO_DATA * 48
TIME_UNSET = b"\xff\xff\xff\xff\xff\xff\x01"
ENTRIES_UNSET = TIME_UNSET + NO_DATA * 2


def counter(counts):
    """E0, E3 and every counter in a history: four bytes; None is "not measured"."""
    if counts is None:
        return NO_DATA
    return pack(">I", _in(counts, 0, 99_999_999))


def power(watts):
    """E7. None, "overflow" and "underflow" have codes of their own."""
    return pack(">i", _signed(watts, 31))


def currents(r, t):
    """E8, in 0.1 A; codes as for `power`. T is None on two-wire supplies."""
    return pack(">hh", _signed(r, 15), _signed(t, 15))


def moment(t):
    """YYYY MM DD hh mm ss in Japan of UTC second `t`."""
    return pack(">HBBBBB", *jst(t))


def fixed_time(t, counts):
    """EA, EB."""
    return moment(t) + counter(counts)


def minute(t, normal, reverse):
    """D0."""
    return moment(t) + counter(normal) + counter(reverse)


def day_values(day, counts):
    """E2, E4: the day, None when E5 was never set, and the counts of its 48 half-hours."""
    if len(counts) != 48:
        raise EchonetError("%d half-hours" % len(counts))
    head = 0xFF if day is None else _in(day, 0, 99)
    return pack(">H", head) + b"".join([counter(c) for c in counts])


def entries(t, pairs, step=HALF_HOUR):
    """EC, EE (`step` MINUTE): (normal, reverse) at `history.entry_time(t, 0)`, `(t, 1)` ..."""
    if not pairs:
        return ENTRIES_UNSET
    return set_time(t, len(pairs), step) + b"".join([counter(n) + counter(r) for n, r in pairs])


def clock_date(t):
    """98."""
    return moment(t)[:4]


def clock_time(t):
    """97."""
    return moment(t)[4:6]


def text(s, size=12):
    """8C, 8D: ASCII, filled up with NUL."""
    data = s.encode()
    if len(data) > size or max(data + b" ") > 0x7E:
        raise EchonetError("not %d ASCII characters" % size)
    return data + bytes(size - len(data))


def encode(epc, value):
    """The bytes of property `epc` for a value as `values.decode` gives it, or EchonetError."""
    fn = _ENCODERS.get(epc)
    return fn(value) if fn else bytes.fromhex(value)


def _in(n, low, high):
    if not low <= n <= high:
        raise EchonetError("%d is not in %d to %d" % (n, low, high))
    return n


def _signed(v, bits):
    top = 1 << bits
    if v is None:
        return top - 2
    if v == "overflow":
        return top - 1
    if v == "underflow":
        return -top
    return _in(v, 1 - top, top - 3)


def _byte(n, low=0, high=0xFF):
    return bytes([_in(n, low, high)])


def _date(ymd):
    utc(*ymd)
    return pack(">HBB", *ymd)


def _time(hm):
    utc(2000, 1, 1, *hm)
    return bytes(hm)


# 9A: seconds are counted in the smallest unit that holds them.
def _worked(seconds):
    for i, unit in enumerate((1, 60, 3600, 86400)):
        if seconds // unit <= 0xFFFFFFFF and seconds % unit == 0:
            return pack(">BI", 0x41 + i, seconds // unit)
    raise EchonetError("%d seconds" % seconds)


def _history(step):
    def rows_to_bytes(rows):
        t = rows[0][0] if rows else 0
        for i, row in enumerate(rows):
            if row[0] != entry_time(t, i, step):
                raise EchonetError("history entry %d is out of step" % i)
        return entries(t, [row[1:] for row in rows], step)

    return rows_to_bytes


def _request(step):
    return lambda v: set_time(v[0], v[1], step) if v else TIME_UNSET


_ENCODERS = {
    0x80: lambda on: b"\x30" if on else b"\x31",
    0x81: lambda v: _byte(v) if isinstance(v, int) else bytes.fromhex(v),
    0x82: lambda v: bytes([0, 0, ord(v[0]), v[1]]),
    0x88: lambda fault: b"\x41" if fault else b"\x42",
    0x8C: text,
    0x8D: text,
    0x8E: _date,
    0x97: _time,
    0x98: _date,
    0x9A: _worked,
    0x9D: maps.encode,
    0x9E: maps.encode,
    0x9F: maps.encode,
    0xD0: lambda v: minute(*v),
    0xD3: lambda v: pack(">I", _in(v, 0, 999_999)),
    0xD7: lambda v: _byte(v, 1, 8),
    0xE0: counter,
    0xE1: _byte,
    0xE2: lambda v: day_values(*v),
    0xE3: counter,
    0xE4: lambda v: day_values(*v),
    0xE5: lambda v: b"\xff" if v is None else set_day(v),
    0xE7: power,
    0xE8: lambda v: currents(*v),
    0xEA: lambda v: fixed_time(*v),
    0xEB: lambda v: fixed_time(*v),
    0xEC: _history(HALF_HOUR),
    0xED: _request(HALF_HOUR),
    0xEE: _history(MINUTE),
    0xEF: _request(MINUTE),
}
