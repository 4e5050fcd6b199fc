# The outbox finds what an earlier run left on flash. Loaded at the start, and dropped.
#
# It reads the index and the size of the few files that still grow: not the readings.
import struct
from os import urandom

from gateway import ledger, segments
from micropython import const

_ID = const(0)
_KIND = const(1)
_STATE = const(2)
_FIRST = const(3)
_SLOTS = const(5)
_DONE = const(6)
_BOOT = const(7)
_QUALITY = const(8)
_OPEN = const(0)
_CLOSED = const(1)
_UNDATED = const(4)
_TAIL = const(48)  # slots of each kind
_REACH = const(0x100_0000)  # see gateway.inscribe
_UNDATED_MOST = const(4)  # files of readings whose time will never be known


def run(box):
    store = box.store
    box.seq = box.reserved = store.get("seq", 0)
    box.stream = store.get("stream")
    # A damaged memory may have forgotten the last numbers given away, and one that took no writes
    # never knew them. None is given again in a stream: neither of those that are still on flash,
    # nor, once these are gone, those that went from there in the stream of now.
    new = box.stream is None or store.damage
    if new:
        _begin(box)
    if box.root:
        data = segments.load(box, False)
        if data:
            box.seq = max(box.seq, _take_stock(box, data))
        elif data is False:
            # It is damaged. To make it anew is the first job there is; until then nobody knows the
            # numbers on flash: go on where there are none.
            box.job = True
            box.seq += _REACH
            if new:
                box.seq = struct.unpack("<I", urandom(4))[0] >> 3 | _REACH
    try:
        if box.seq > box.reserved:
            store.set("seq", box.seq)
            box.reserved = box.seq
        if new:
            store.set("stream", box.stream)
    except (OSError, MemoryError):
        _begin(box)
        raise


def _begin(box):
    box.stream = struct.unpack("<I", urandom(4))[0]


# -> a number that none on flash exceeds.
def _take_stock(box, data):
    box.used = box.stored = box.undated = 0
    boot = box.store.boot & 0xFFFF
    save = False
    undated = best = 0
    left = [_TAIL, _TAIL, _TAIL]
    for i in range(segments.count(data) - 1, -1, -1):
        e = segments.get(data, i)
        kind = e[_KIND]
        if e[_STATE] > _CLOSED:
            ledger.remove(box, data, i)  # a job was cut short, or just done
            save = True
            continue
        slots = e[_SLOTS]
        best = max(best, e[_FIRST])
        if e[_STATE] == _OPEN or left[kind]:
            slots, number = _look(box, e, left)
            best = max(best, number)
        box.used += slots * segments.SLOT[kind]
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
    return best


# -> slots of a file, and the highest number in it. Only the newest of a kind are read, `left` of
# each: what was being sent when others went there comes after these, and that is no more than RAM
# holds.
def _look(box, e, left):
    kind = e[_KIND]
    slots = e[_SLOTS]
    best = 0
    f = None
    try:
        f = open(segments.path(box, e[_ID]), "rb")
        if e[_STATE] == _OPEN:
            slots = f.seek(0, 2) // segments.SLOT[kind]
        start = max(slots - left[kind], 1)
        if start < slots:
            left[kind] -= slots - start
            for _, _, _, row in segments.scan(box, e, f, start):
                # What is damaged cannot have been further on than this.
                best = max(best, row[0] if row else e[_FIRST] + _REACH)
    except OSError as error:
        if error.args[0] != 2:  # else nothing was written to it yet
            box.failed(error)
            best = e[_FIRST] + _REACH
    finally:
        if f:
            f.close()
    return slots, best
