# Room on flash, a step at a time; loaded for each, and dropped. The rule is in docs/durability.md.
#
# A job copies files of one kind that follow one another into a new one, without what has been
# acknowledged and, unless it only joins small files, with one reading in each 30 s << level. Until
# it is whole the new file is not read, from then on the old ones are not: that is one write of the
# index. What is acknowledged in between is sent again.
import os

from gateway import inscribe, ledger, segments
from gateway.reading import KINDS
from micropython import const

_ID = const(0)
_KIND = const(1)
_STATE = const(2)
_FIRST = const(3)
_BASE = const(4)
_SLOTS = const(5)
_BOOT = const(7)
_QUALITY = const(8)
_LEVEL = const(9)
_OPEN = const(0)
_CLOSED = const(1)
_MAKING = const(2)
_DEAD = const(3)
_OWN = const(3)
_UNDATED = const(4)
_STEP = const(128)  # readings
_LEVELS = const(7)
_MANY = const(40)

# `box.job`: True when one is wanted, 28 (ENOSPC) when the flash had no room for a reading, or what
# is known between two steps: number of the new file, number of the one being copied, from which
# slot on, level, period of the last reading kept, how many readings were left out.
_NO_SPACE = const(28)


def run(box):
    """One step."""
    if box.sending:
        return  # what is being sent must stay where it is
    data = segments.load(box)
    if data is None:
        box.job = None
    elif box.job is True or box.job == _NO_SPACE:
        _begin(box, data)
    else:
        try:
            n = 0
            while box.job and n < _STEP:  # several small files in one step
                n += _copy(box, data) + _STEP // 8
        except OSError:
            # Perhaps there is no room to work in: then the oldest makes some.
            data = segments.load(box)
            if data:
                _abandon(box, data)
                drop_oldest(box, data, (0, 2))
            raise


def _begin(box, data):
    large = ledger.largest(data)
    no_space = box.job == _NO_SPACE
    full = no_space or box.used + large > ledger.room(data)
    box.job = None
    found = None
    if full:
        found = _to_thin(data)
    elif segments.count(data) > _MANY:
        found = _to_join(data)
        full = segments.count(data) >= ledger.MOST
    if found is None:
        if full:
            drop_oldest(box, data, (0, 2) if no_space else (0, 2, 1))
        return
    i, level = found
    e = segments.get(data, i)
    kind = e[_KIND]
    if e[_STATE] == _OPEN:  # it gets no more
        size = os.stat(segments.path(box, e[_ID]))[6]
        ledger.change(data, i, _STATE, _CLOSED)
        ledger.change(data, i, _SLOTS, size // segments.SLOT[kind])
    first = e[_FIRST]
    base = e[_BASE]
    new = ledger.add(data, i, kind, _MAKING, first, base, 0, _OWN, level)
    ledger.save(box, data)
    _append(box, new, inscribe.head(kind, first, base, 0))
    box.job = (new[_ID], e[_ID], 1, level, -1, 0)


def _append(box, e, data):
    f = open(segments.path(box, e[_ID]), "ab")
    try:
        f.write(data)
    finally:
        f.close()
    box.used += len(data)


def _may(e):
    return e[_STATE] <= _CLOSED and e[_QUALITY] != _UNDATED


# (place, new level) of the file to be thinned: of the finest the oldest. None: there is none.
def _to_thin(data):
    best = None
    growing = None
    for i in range(segments.count(data)):
        e = segments.get(data, i)
        kind = e[_KIND]
        level = max(e[_LEVEL] + 1, 1 + kind // 2)
        if kind == 1 or level > _LEVELS or not _may(e):
            continue
        if e[_STATE] == _OPEN:
            growing = growing or (i, level)
        elif best is None or level < best[1]:
            best = i, level
    return best or growing


# (place, level) of the first of two neighbours that fit into one file, or None.
def _to_join(data):
    for kind in (0, 1, 2):
        before = None
        for i in range(segments.count(data)):
            e = segments.get(data, i)
            if e[_KIND] == kind:
                if not _may(e) or e[_STATE] == _OPEN:
                    before = None
                    continue
                n = e[_SLOTS]
                level = e[_LEVEL]
                if (
                    before
                    and level == before[1]
                    and (before[2] + n) * segments.SLOT[kind] <= ledger.largest(data)
                ):
                    return before[:2]
                before = i, level, n
    return None


# -> how many readings came by.
def _copy(box, data):
    number, source, start, level, period, gone = box.job
    at = ledger.find(data, number)
    i = ledger.find(data, source)
    if at is None or i is None:
        _abandon(box, data)  # all of it was acknowledged meanwhile
        return 0
    new = segments.get(data, at)
    e = segments.get(data, i)
    kind = e[_KIND]
    out = b""
    best = None
    n = kept = 0
    f = open(segments.path(box, source), "rb")
    try:
        for begin, _, _, row in segments.scan(box, e, f, start):
            if row is None:
                continue
            now = row[5] // (30 << level) if level and kind != 1 else row[0]
            if now != period:
                if n >= _STEP:
                    start = begin
                    break
                more = _slots(best, new)
                out += more
                kept += more != b""
                period = now
                best = row
            elif best and best[9] < 0 and best[10] < 0 and (row[9] >= 0 or row[10] >= 0):
                best = row  # of several the first one, or the first with energies
            n += 1
        else:
            start = 0
    finally:
        f.close()
    more = _slots(best, new)
    out += more
    kept += more != b""
    if out:
        _append(box, new, out)
    gone += n - kept
    if not start:
        source = _next(box, data, i, new)
        start = 1
        if source is None:
            _finish(box, data, at, i, gone)
            return n
    box.job = (number, source, start, level, period, gone)
    return n


# A reading that is months away from its neighbours has no place in their file.
def _slots(row, new):
    return inscribe.encode(row, new[_FIRST], new[_BASE]) or b"" if row else b""


# The number of the file that can be copied behind that at place i, or None.
def _next(box, data, i, new):
    kind = new[_KIND]
    before = segments.get(data, i)[_LEVEL]
    while i + 1 < segments.count(data):
        i += 1
        e = segments.get(data, i)
        if e[_KIND] == kind:
            size = os.stat(segments.path(box, new[_ID]))[6]
            fits = size + e[_SLOTS] * segments.SLOT[kind] <= ledger.largest(data)
            level = e[_LEVEL]
            if (
                fits
                and _may(e)
                and e[_STATE] == _CLOSED
                and (level < new[_LEVEL] or level == before == new[_LEVEL])
            ):
                return e[_ID]
            break
    return None


# The new file, at place `at`, stands for those of its kind up to place i from now on.
def _finish(box, data, at, i, gone):
    kind = segments.get(data, at)[_KIND]
    size = os.stat(segments.path(box, segments.get(data, at)[_ID]))[6]
    kept = size // segments.SLOT[kind]
    ledger.change(data, at, _SLOTS, kept)
    ledger.change(data, at, _STATE, _CLOSED)
    box.stored += kept - 1
    for j in range(at + 1, i + 1):
        e = segments.get(data, j)
        if e[_KIND] == kind:
            ledger.change(data, j, _STATE, _DEAD)
            box.stored -= e[_SLOTS] - segments.done(box, e)
    ledger.save(box, data)
    box.job = None
    if box.count and gone:
        box.count("dropped." + KINDS[kind], gone)
    for j in range(i, at, -1):
        if segments.get(data, j)[_STATE] == _DEAD:
            _remove(box, data, j)
    ledger.save(box, data)


def _remove(box, data, i):
    try:
        size = os.stat(segments.path(box, segments.get(data, i)[_ID]))[6]
    except OSError as e:
        if e.args[0] != 2:
            raise
        size = 0
    ledger.remove(box, data, i)
    box.used -= size


def _abandon(box, data):
    box.job = None
    for i in range(segments.count(data) - 1, -1, -1):
        if segments.get(data, i)[_STATE] == _MAKING:
            _remove(box, data, i)
            ledger.save(box, data)


def drop_oldest(box, data, kinds):
    """Drop the oldest file of the first kind that has any; before, what will never have a time."""
    boot = box.store.boot & 0xFFFF
    for kind in (9,) + kinds:
        for i in range(segments.count(data)):
            e = segments.get(data, i)
            undated = e[_QUALITY] == _UNDATED
            if e[_STATE] > _CLOSED:
                continue
            if undated and e[_BOOT] != boot if kind == 9 else e[_KIND] == kind:
                n, gone = _rest(box, e)
                if kind == 9:
                    box.lost -= n
                elif undated:
                    box.undated -= n
                else:
                    box.stored -= n
                _remove(box, data, i)
                ledger.save(box, data)
                if box.count:
                    box.count("dropped." + KINDS[e[_KIND]], gone)
                return


# -> (slots, readings) of a file that were not acknowledged; without decoding them. One that cannot
# be read, or is gone, is none the less to go.
def _rest(box, e):
    size = segments.SLOT[e[_KIND]]
    done = segments.done(box, e)
    left = max(e[_SLOTS] - done, 0)
    gone = n = 0
    f = None
    try:
        f = open(segments.path(box, e[_ID]), "rb")
        if e[_STATE] == _OPEN:
            left = max(f.seek(0, 2) // size - done, 0)
        f.seek(done * size)
        buf = bytearray(16 * size)
        while n < left:
            have = min(f.readinto(buf) // size, left - n)
            if not have:
                break
            n += have
            for at in range(0, have * size, size):
                gone += buf[at] >> 7  # a reading's first bit, not a wide slot's
    except OSError:
        gone += left - n
    finally:
        if f:
            f.close()
    return left, gone
