# A new index of the outbox, from the files themselves; loaded when the old one is damaged.
#
# What the index knew is lost: what was acknowledged is sent again, which the server notices, and
# readings that waited for their time have lost it for good. It takes thousands of small reads, for
# littlefs looks through its folder for each name: so it is no part of opening the outbox.
import os
import struct

from gateway import ledger, segments
from micropython import const

_ID = const(0)
_SLOTS = const(5)
_CLOSED = const(1)
_OWN = const(3)
_UNDATED = const(4)
_MOST = const(32)
_FILE = const(0x41)


def index(box):
    """-> the index, written."""
    data = ledger.new(box)
    found = []
    for name in os.listdir(box.root + "outbox"):
        try:
            number = int(name, 16)
        except ValueError:
            continue  # the index, or nothing of ours
        f = open(box.root + "outbox/" + name, "rb")
        try:
            size = f.seek(0, 2)
            f.seek(0)
            what = _head(f.read(_MOST))
        finally:
            f.close()
        if what:
            found.append((what[1], what, number, size))
        elif box.count:
            box.count("flash.corrupt")  # nobody knows what it is: it stays, and is not read
    found.sort()
    stored = lost = used = 0
    for first, what, number, size in found[-ledger.MOST :]:
        kind, first, base, boot = what
        i = segments.count(data)
        slots = size // segments.SLOT[kind]
        quality = _UNDATED if boot else _OWN
        ledger.add(data, i, kind, _CLOSED, first, base, boot, quality, 0)
        ledger.change(data, i, _ID, number)
        ledger.change(data, i, _SLOTS, slots)
        used += size
        if boot:
            lost += max(slots - 1, 0)
        else:
            stored += max(slots - 1, 0)
    box.ahead = []
    ledger.save(box, data)
    box.stored = stored
    box.lost = lost
    box.used = used
    box.undated = 0
    if box.count:
        box.count("flash.rebuilt")
    return data


# -> (kind, first, base, boot) of a slot 0, or None when it is damaged.
def _head(buf):
    kind = buf[1] if len(buf) > 1 else 9
    if kind > 2 or len(buf) < segments.SLOT[kind]:
        return None
    if buf[0] != _FILE or not segments.whole(buf, 0, segments.SLOT[kind]):
        return None
    return struct.unpack_from("<BIIH", buf, 1)
