# The outbox finds what an earlier run left on flash. Loaded at the start, and dropped.
#
# It reads the index and the size of the few files that still grow: not the readings.
import struct
from os import urandom

from gateway import ledger, record, segments
from micropython import const

_ID = const(0)
_KIND = const(1)
_STATE = const(2)
_SLOTS = const(5)
_DONE = const(6)
_BOOT = const(7)
_QUALITY = const(8)
_OPEN = const(0)
_CLOSED = const(1)
_UNDATED = const(4)
_UNDATED_MOST = const(4)  # files of readings whose time will never be known


def run(box):
    store = box.store
    box.seq = box.reserved = store.get("seq", 0)
    box.stream = store.get("stream")
    # A damaged memory may have forgotten the last numbers given away: begin another stream, and
    # do not give those again that are still on flash.
    new = box.stream is None or store.damage
    if new:
        box.stream = struct.unpack("<I", urandom(4))[0]
    if box.root:
        data = segments.load(box)
        if data:
            _take_stock(box, data)
            if new:
                box.seq = max(box.seq, _highest(box, data))
    if new:
        store.set("stream", box.stream)


def _take_stock(box, data):
    box.used = box.stored = box.undated = 0
    boot = box.store.boot & 0xFFFF
    save = False
    undated = 0
    for i in range(segments.count(data) - 1, -1, -1):
        e = segments.get(data, i)
        kind = e[_KIND]
        if e[_STATE] > _CLOSED:
            ledger.remove(box, data, i)  # a job was cut short, or just done
            save = True
            continue
        slots = e[_SLOTS]
        if e[_STATE] == _OPEN:
            slots = _slots(box, e)
        box.used += slots * record.SLOT[kind]
        n = max(slots - e[_DONE], 0)
        if e[_QUALITY] != _UNDATED:
            box.stored += n
        elif e[_BOOT] == boot:
            box.undated += n
        else:
            undated += 1
            if undated > _UNDATED_MOST:
                ledger.remove(box, data, i)
                save = True
            else:
                box.lost += n
    if save:
        ledger.save(box, data)


def _slots(box, e):
    try:
        f = open(segments.path(box, e[_ID]), "rb")
    except OSError as error:
        if error.args[0] == 2:
            return 0  # nothing was written to it yet
        raise
    try:
        return f.seek(0, 2) // record.SLOT[e[_KIND]]
    finally:
        f.close()


# The highest number of a reading on flash.
def _highest(box, data):
    best = 0
    for i in range(segments.count(data)):
        e = segments.get(data, i)
        try:
            f = open(segments.path(box, e[_ID]), "rb")
        except OSError as error:
            if error.args[0] == 2:
                continue
            raise
        try:
            n = f.seek(0, 2) // record.SLOT[e[_KIND]]
            # Among the last few; in the whole file only when these are damaged.
            for start in (max(n - 16, 1), 1):
                for _, _, _, row in segments.scan(box, e, f, start):
                    if row:
                        best = max(best, row[0])
                        n = 0
                if not n:
                    break
        finally:
            f.close()
    return best
