# What the server acknowledged of the readings on flash. Loaded for one answer, and dropped.
import os

from gateway import backlog, ledger, segments
from gateway.batch import within
from gateway.segments import SLOT
from micropython import const

_STATE = const(2)
_SLOTS = const(5)
_DONE = const(6)
_KIND = const(1)
_OPEN = const(0)
_CLOSED = const(1)
_AHEAD = const(12)
_UNSAVED = const(512)


def acknowledge(batch, ranges, tell):
    """Forget what `batch` has on flash in these ranges; see Batch.acknowledge. -> how many."""
    box = batch.box
    n = 0
    marks = []
    flow = backlog.pending(box, batch.index)
    try:
        left = batch.stored
        while left:
            number, begin, end, bad, row = next(flow)  # pyright: ignore
            if not row:
                continue
            left -= 1
            if within(row, ranges, tell):
                n += 1
                if marks and marks[-1][0] == number and marks[-1][2] == begin:
                    _, begin, _, more = marks.pop()
                    bad += more
                marks.append((number, begin, end, bad))
    finally:
        flow.close()
    batch.stored -= n
    settle(box, marks)
    return n


def settle(box, marks):
    """Never send again what takes these slots: [(number of the file, begin, end, bad), ...]."""
    for number, a, b, bad in marks:
        _mark(box, number, a, b)
        if bad and box.count:
            box.count("flash.corrupt", bad)
    try:
        _tidy(box, {one[0] for one in marks})
    except OSError as e:
        box.failed(e)  # what is done is known all the same, until the power goes
    # Only a server that acknowledges neither in order nor all comes here: it will get the latest
    # of them a second time.
    while len(box.ahead) > _AHEAD:
        last = max(box.ahead)
        box.ahead.remove(last)
        box.stored += last[2] - last[1]


def _mark(box, number, a, b):
    box.stored -= b - a
    box.unsaved += b - a
    for one in box.ahead[:]:
        if one[0] == number and a <= one[2] and one[1] <= b:
            a = min(a, one[1])
            b = max(b, one[2])
            box.ahead.remove(one)
    box.ahead.append((number, a, b))


# Remove those of these files that are done; write down what is done now and then.
def _tidy(box, numbers):
    data = segments.load(box)
    if data is None:
        return
    save = box.unsaved >= _UNSAVED
    for number in numbers:
        i = ledger.find(data, number)
        if i is None:
            continue
        e = segments.get(data, i)
        where = segments.path(box, number)
        try:
            size = os.stat(where)[6]
        except OSError as error:
            if error.args[0] != 2:
                raise
            size = e[_SLOTS] * SLOT[e[_KIND]]
        n = size // SLOT[e[_KIND]]
        if e[_STATE] == _CLOSED:
            n = e[_SLOTS]
        if segments.done(box, e) < n:
            continue
        box.used -= size
        box.ahead = [one for one in box.ahead if one[0] != number]
        if e[_STATE] == _OPEN and e[_DONE] == 1:
            os.remove(where)  # and its entry will serve for the next one
        else:
            ledger.remove(box, data, i)
            save = True
    if save:
        ledger.save(box, data)
