# Readings from RAM are written to flash. Loaded for that, and dropped.
import os
import struct

from gateway import inscribe, ledger, segments
from gateway.outbox import FLAG, HALF_HOUR, KIND, NOTHING, QUALITY, ROW
from micropython import const

_ID = const(0)
_KIND = const(1)
_STATE = const(2)
_FIRST = const(3)
_BASE = const(4)
_SLOTS = const(5)
_DONE = const(6)
_BOOT = const(7)
_QUALITY = const(8)
_OPEN = const(0)
_CLOSED = const(1)
_OWN = const(3)
_UNDATED = const(4)
_STEP = const(16)
_NO_SPACE = const(28)
_SPARE = const(1088)  # more than a step can write
_MANY = const(40)  # files: then small ones are joined


def run(box, what=0):
    """Write all readings but those that are being sent, up to 16 of one kind at a time.

    `what` 1: only half-hours; 2: also what is acknowledged.
    """
    while _step(box, what == 1):
        pass
    if what == 2 and box.unsaved:
        data = segments.load(box)
        if data:
            ledger.save(box, data)


# -> how many.
def _step(box, half_hours):
    buf = box.buf
    places = []
    what = (0, False)  # kind, undated
    left = 0
    for at in box.rows():
        kind = buf[at + KIND]
        undated = buf[at + QUALITY] == NOTHING
        if buf[at + FLAG] & 1 or (half_hours and kind != HALF_HOUR):
            left += 1
            continue
        if not places:
            what = (kind, undated)
        if (kind, undated) == what and len(places) < _STEP:
            places.append(at)
        else:
            left += 1
    n = 0
    if places:
        try:
            n = _write(box, places, what[0], what[1])
        except OSError as e:
            if e.args[0] == _NO_SPACE:
                box.job = box.job or _NO_SPACE
            raise
    if n == len(places) and not left:
        box.since = box.clock.ms()
    return n


def _write(box, places, kind, undated):
    data = segments.load(box)
    if data is None:
        try:
            os.mkdir(box.root + "outbox")
        except OSError as error:
            if error.args[0] != 17:  # it exists
                raise
        data = ledger.new(box)
    if box.used + _SPARE > ledger.room(data):
        # The job did not keep up with a flood.
        if box.sending:
            raise OSError(_NO_SPACE)
        from gateway import shrink

        shrink.drop_oldest(box, data, (0, 2, 1))
    size = segments.SLOT[kind]
    quality = _UNDATED if undated else _OWN
    boot = box.store.boot & 0xFFFF if undated else 0
    f = None
    have = n = 0
    out = b""
    i = _growing(data, kind)
    e = segments.get(data, i or 0) if segments.count(data) else ()
    try:
        if i is not None:
            f = open(segments.path(box, e[_ID]), "ab")
            have = f.seek(0, 2)
            out, n = _encode(box, places, e, ledger.largest(data) - have)
            # The wrong file, a full one, one whose last write failed half-way, or one that is
            # gone though its entry knows of readings.
            if (
                not n
                or (e[_QUALITY], e[_BOOT]) != (quality, boot)
                or have % size
                or (e[_DONE] > 1 and have < e[_DONE] * size)
            ):
                f.close()
                f = None
                ledger.change(data, i, _STATE, _CLOSED)
                ledger.change(data, i, _SLOTS, have // size)
        if f is None:
            row = struct.unpack_from(ROW, box.buf, places[0])
            _clear(box, data)
            i = segments.count(data)
            if i >= ledger.MOST:
                raise OSError(_NO_SPACE)
            base = 0 if kind and undated else row[5]
            e = ledger.add(data, i, kind, _OPEN, row[0], base, boot, quality, 0)
            ledger.save(box, data)
            f = open(segments.path(box, e[_ID]), "ab")
            have = 0
            out, n = _encode(box, places, e, ledger.largest(data))
        if not have:
            out = inscribe.head(kind, e[_FIRST], e[_BASE], boot) + out
        f.write(out)
        f.close()
    except OSError as error:
        # Perhaps its last block cannot be read, and nothing can be added: then another file can.
        if have and error.args[0] != _NO_SPACE:
            ledger.change(data, i, _STATE, _CLOSED)
            ledger.change(data, i, _SLOTS, have // size)
            ledger.save(box, data)
        raise
    finally:
        if f:
            f.close()
    for at in places[:n]:
        box.buf[at + KIND] = NOTHING
    box.live -= n
    box.trim()
    box.used += len(out)
    slots = len(out) // size - (not have)
    if undated:
        box.undated += slots
    else:
        box.stored += slots
    if box.job == _NO_SPACE:
        box.job = None  # there is some
    full = box.used + ledger.largest(data) > ledger.room(data)
    if full or segments.count(data) > _MANY:
        box.job = box.job or True
    return n


# The place of the file of a kind that takes more, or None.
def _growing(data, kind):
    for i in range(segments.count(data)):
        e = segments.get(data, i)
        if e[_KIND] == kind and e[_STATE] == _OPEN:
            return i
    return None


# Entries of which nothing is left.
def _clear(box, data):
    for i in range(segments.count(data) - 1, -1, -1):
        e = segments.get(data, i)
        if e[_STATE] == _CLOSED and segments.done(box, e) >= e[_SLOTS]:
            box.used -= e[_SLOTS] * segments.SLOT[e[_KIND]]
            ledger.remove(box, data, i)


# -> (bytes, of how many of the places) that fit a file and its room.
def _encode(box, places, e, room):
    out = b""
    n = 0
    for at in places:
        row = struct.unpack_from(ROW, box.buf, at)
        slots = inscribe.encode(row, e[_FIRST], e[_BASE])
        if slots is None or len(out) + len(slots) > room - segments.SLOT[row[1]]:
            break
        out += slots
        n += 1
    return out, n
