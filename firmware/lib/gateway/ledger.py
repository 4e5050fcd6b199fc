# Changes to the index of the outbox's files; see gateway.segments. Loaded to write to flash, and
# dropped.
import os
import struct

from gateway.segments import count, crc, done, get, path
from micropython import const

_HEAD = "<4sIHH"  # magic, most bytes of all files, next number, CRC16 of what follows
_HEAD_SIZE = const(12)
_ENTRY = "<HBBIIHHHBB"
_SIZE = const(20)
_ID = const(0)
_DONE = const(6)
MOST = const(46)  # files: the index stays under 1 KB
_LARGEST = const(65536)
_BLOCK = const(4096)
_ROOM = const(1_310_720)


def new(box):
    """An index without entries. Its room: the smaller of 1.25 MB and 60 % of the partition."""
    s = os.statvfs(box.root)
    room = min(_ROOM, s[1] * s[2] * 3 // 5)
    return bytearray(struct.pack(_HEAD, b"KSO1", room, 1, 0))


def _fold(box, data):
    """Bring up to date how much is done."""
    for i in range(count(data)):
        e = get(data, i)
        change(data, i, _DONE, done(box, e))


def save(box, data):
    """Write it, with what was acknowledged since."""
    _fold(box, data)
    struct.pack_into("<H", data, 10, crc(data))
    f = open(box.root + "outbox/index", "wb")
    try:
        f.write(data)
    finally:
        f.close()
    box.unsaved = 0
    if not box.sending:  # a batch goes by an older copy of the index
        box.ahead = [one for one in box.ahead if _further(data, one)]


# Was it not folded in?
def _further(data, one):
    i = find(data, one[0])
    return i is not None and one[1] > get(data, i)[_DONE]


def room(data):
    """Bytes that all files may have together."""
    return struct.unpack_from("<I", data, 4)[0]


def largest(data):
    """Bytes that one file may have: a twentieth of all, in whole blocks."""
    return max(min(room(data) // 20, _LARGEST) // _BLOCK, 1) * _BLOCK


def change(data, i, field, value):
    e = list(get(data, i))
    e[field] = value
    struct.pack_into(_ENTRY, data, _HEAD_SIZE + i * _SIZE, *e)


def find(data, number):
    """Where the entry of a file is, or None."""
    for i in range(count(data)):
        if get(data, i)[_ID] == number:
            return i
    return None


def add(data, i, kind, state, first, base, boot, quality, level):
    """Put a new entry at place i. -> its tuple"""
    number = struct.unpack_from("<H", data, 8)[0]
    while find(data, number) is not None:
        number = number % 0xFFFF + 1
    struct.pack_into("<H", data, 8, number % 0xFFFF + 1)
    e = (number, kind, state, first, base, 0, 1, boot, quality, level)
    at = _HEAD_SIZE + i * _SIZE
    data[at:at] = struct.pack(_ENTRY, *e)
    return e


def remove(box, data, i):
    """Remove a file, and its entry from `data`."""
    e = get(data, i)
    try:
        os.remove(path(box, e[_ID]))
    except OSError as error:
        if error.args[0] != 2:
            raise
    at = _HEAD_SIZE + i * _SIZE
    data[at : at + _SIZE] = b""
