# What a slot of the outbox's files holds. Loaded when flash is read, and dropped; gateway.inscribe
# makes them.
#
# A file is a row of slots, 24 bytes each for instants, 32 for the rest. Slot 0 tells what the file
# is, each other one holds a reading: number and time against those of the file for an instant,
# in full otherwise. What does not fit the short form has a wide slot before it. Each slot ends
# with 16 bits of a CRC32. The first byte is 41 hex in slot 0, 40 in a wide one, and 80 in a
# reading, with its quality << 3 (3: none yet), its origin, and 20 when a wide slot belongs to it.
import struct
from binascii import crc32

from gateway.outbox import NONE
from micropython import const

SLOT = b"\x18\x20\x20"  # bytes, by kind

_WIDE = const(0x40)
_READING = const(0x80)
_WITH_WIDE = const(0x20)
_REACH = const(0x80_0000)
_FULL = const(0xFFFF_FFFF)


def whole(buf, at, size):
    """Does the slot's checksum hold?"""
    crc = crc32(memoryview(buf)[at : at + size - 2]) & 0xFFFF
    return struct.unpack_from("<H", buf, at + size - 2)[0] == crc


def decode(buf, at, kind, first, base, quality, wide):
    """What a slot holds: a row as encode() takes it, the values of a wide slot, or None.

    `quality` is told of readings that have none; `wide`: what the slot before it gave.
    """
    if not whole(buf, at, SLOT[kind]):
        return None
    meta = buf[at]
    if meta == _WIDE:
        return struct.unpack_from("<ihh" if kind else "<iqq", buf, at + 1)
    if not meta & _READING:
        return None
    # A wide slot belongs to the reading behind it; when one of the two is damaged, both are lost.
    if meta & _WITH_WIDE and not wide:
        return None
    if kind:
        _, seq, t, normal, reverse = struct.unpack_from("<BIIqq", buf, at)
        power, r, c = wide if meta & _WITH_WIDE else NONE[:3]
        if meta >> 3 & 3 == 3:
            t += base  # it counts from the boot
    else:
        _, a, b, d, e, f, g, r, c, normal, reverse = struct.unpack_from("<BHBHBHbhhII", buf, at)
        seq = first + (a | b << 16)
        t = base - _REACH + (d | e << 16)
        power = f | g << 16
        if power == -_REACH:
            power = NONE[0]
        normal = -1 if normal == _FULL else normal
        reverse = -1 if reverse == _FULL else reverse
        if meta & _WITH_WIDE:
            power, normal, reverse = wide
    q = meta >> 3 & 3
    return seq, kind, 0, quality if q == 3 else q, meta & 7, t, power, r, c, normal, reverse
