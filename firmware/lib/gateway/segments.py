# The outbox's files on flash: `index` says which there are, each other one is named by its number
# in hexadecimal. Loaded when flash is read, and dropped; gateway.ledger changes the index.
#
# Every file operation is whole or has not happened, so it is their order that keeps things: a file
# is in the index before it exists, and leaves the index after it is gone. An entry without its
# file is an empty one.
#
# An entry of the index is a tuple: number, kind, state, number of its first reading, its time,
# slots, slots done, boot, quality, level.
#   state    0: it grows; 1: closed; 2: being made, not yet to be read; 3: not to be read any more
#   slots    how many, once it is closed; slot 0 counts
#   done     so many from the start are acknowledged
#   quality  3: readings have their own; 4: they count from the `boot`, of unknown time; less: they
#            counted from it, and got their time with this quality
#   level    thinned to one reading in 30 s << level; 0: as measured
#
# What a slot holds; gateway.inscribe makes them.
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

_HEAD_SIZE = const(12)
_ENTRY = "<HBBIIHHHBB"
_SIZE = const(20)
_ID = const(0)
_KIND = const(1)
_STATE = const(2)
_FIRST = const(3)
_BASE = const(4)
_SLOTS = const(5)
_DONE = const(6)
_QUALITY = const(8)
_CLOSED = const(1)
_OWN = const(3)


def path(box, number):
    return "%soutbox/%x" % (box.root, number)


def load(box, mend=True):
    """The index, made anew when it is damaged, or else False; None when there is none. OSError
    from the flash.
    """
    try:
        f = open(box.root + "outbox/index", "rb")
    except OSError as e:
        if e.args[0] == 2:  # no such file
            return None
        raise
    data = b""
    try:
        data = bytearray(f.read())
    except OSError:
        pass  # a block that cannot be read is a damaged one
    finally:
        f.close()
    if (
        len(data) < _HEAD_SIZE
        or (len(data) - _HEAD_SIZE) % _SIZE
        or data[:4] != b"KSO1"
        or struct.unpack_from("<H", data, 10)[0] != crc(data)
    ):
        if not mend:
            return False
        from gateway import rebuild

        return rebuild.index(box)
    return data


def crc(data):
    view = memoryview(data)
    return crc32(view[_HEAD_SIZE:], crc32(view[:10])) & 0xFFFF


def count(data):
    return (len(data) - _HEAD_SIZE) // _SIZE


def get(data, i):
    """Entry i."""
    return struct.unpack_from(_ENTRY, data, _HEAD_SIZE + i * _SIZE)


def done(box, e):
    """So many slots of an entry are acknowledged from the start, or skipped."""
    n = e[_DONE]
    for number, a, b in box.ahead:
        if number == e[_ID] and a <= n < b:
            n = b
    return n


def scan(box, e, f, start=1):
    """What is to be sent of an entry's open file `f`, from slot `start` on.

    Yields (begin, end, bad, row): a reading, and `bad` damaged slots before it, take the slots
    from `begin` to `end`. When damaged slots come last, row is None.
    """
    kind = e[_KIND]
    size = SLOT[kind]
    end = f.seek(0, 2) // size
    if e[_STATE] == _CLOSED:
        end = min(end, e[_SLOTS])
    quality = e[_QUALITY] if e[_QUALITY] < _OWN else 255
    buf = bytearray(16 * size)
    have = at = 0  # so many slots in `buf` from byte `at` on
    begin = slot = max(done(box, e), start)
    wide = None
    bad = 0
    while slot < end:
        for number, a, b in box.ahead:
            if number == e[_ID] and a == slot:
                begin = slot = b
                have = bad = 0
                wide = None
        if slot >= end:
            break
        if not have:
            f.seek(slot * size)
            have = f.readinto(buf) // size
            at = 0
            if not have:
                break
        row = decode(buf, at, kind, e[_FIRST], e[_BASE], quality, wide)
        have -= 1
        at += size
        slot += 1
        if wide and (row is None or len(row) == 3):
            bad += 1  # a wide slot alone
        wide = None
        if row is None:
            bad += 1
        elif len(row) == 3:
            wide = row
        else:
            yield begin, slot, bad, row
            begin = slot
            bad = 0
    if begin < end:
        yield begin, end, bad + bool(wide), None


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
