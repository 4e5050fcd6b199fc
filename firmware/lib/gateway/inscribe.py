# Makes the slots of the outbox's files; see gateway.segments. Loaded to write them, and dropped.
import struct
from binascii import crc32

from gateway.outbox import NONE
from micropython import const

_FILE = const(0x41)
_WIDE = const(0x40)
_READING = const(0x80)
_WITH_WIDE = const(0x20)
_REACH = const(0x80_0000)  # seconds from the file's time: 97 days; W
_SEQ = const(0x100_0000)
_FULL = const(0xFFFF_FFFF)


def _seal(size, form, *values):
    buf = bytearray(size)
    struct.pack_into(form, buf, 0, *values)
    struct.pack_into("<H", buf, size - 2, crc32(memoryview(buf)[: size - 2]) & 0xFFFF)
    return buf


def head(kind, first, base, boot):
    """Slot 0 of a file that begins with number `first` at time `base`; boot 0: dated readings."""
    return _seal(32 if kind else 24, "<BBIIH", _FILE, kind, first, base, boot)


def encode(row, first, base):
    """A row of the outbox as slots; None when it is out of reach of `first` and `base`."""
    seq, kind, _, quality, origin, t, power, r, c, normal, reverse = row
    meta = _READING | (quality & 3) << 3 | origin
    wide = b""
    if kind:
        if (power, r, c) != NONE[:3]:
            meta |= _WITH_WIDE
            wide = _seal(32, "<Bihh", _WIDE, power, r, c)
        return wide + _seal(32, "<BIIqq", meta, seq, t, normal, reverse)
    seq -= first
    t += _REACH - base
    if not (0 <= seq < _SEQ and 0 <= t < 2 * _REACH):
        return None
    if normal >= _FULL or reverse >= _FULL or (power != NONE[0] and not -_REACH < power < _REACH):
        meta |= _WITH_WIDE
        wide = _seal(24, "<Biqq", _WIDE, power, normal, reverse)
        power = NONE[0]
        normal = reverse = -1
    if power == NONE[0]:
        power = -_REACH
    return wide + _seal(
        24,
        "<BHBHBHbhhII",
        meta,
        seq & 0xFFFF,
        seq >> 16,
        t & 0xFFFF,
        t >> 16,
        power & 0xFFFF,
        power >> 16,
        r,
        c,
        normal & _FULL,
        reverse & _FULL,
    )
