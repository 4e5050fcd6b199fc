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
import struct
from binascii import crc32

from gateway import record
from micropython import const

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


def load(box):
    """The index, made anew when it is damaged; None when there is none. OSError from the flash."""
    try:
        f = open(box.root + "outbox/index", "rb")
    except OSError as e:
        if e.args[0] == 2:  # no such file
            return None
        raise
    try:
        data = bytearray(f.read())
    finally:
        f.close()
    if (
        len(data) < _HEAD_SIZE
        or (len(data) - _HEAD_SIZE) % _SIZE
        or data[:4] != b"KSO1"
        or struct.unpack_from("<H", data, 10)[0] != crc(data)
    ):
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
    size = record.SLOT[kind]
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
        row = record.decode(buf, at, kind, e[_FIRST], e[_BASE], quality, wide)
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
