# The readings on flash, on their way to the server. Loaded for one batch, and dropped.
from gateway import segments
from gateway.batch import text
from micropython import const

_ID = const(0)
_KIND = const(1)
_STATE = const(2)
_SLOTS = const(5)
_QUALITY = const(8)
_CLOSED = const(1)
_UNDATED = const(4)


def pending(box, data, kinds=(0, 1, 2)):
    """What is to be sent of the files in the index `data`, oldest first.

    Yields (number of the file, begin, end, bad, row); see segments.scan.
    """
    streams = [_kind(box, data, kind) for kind in kinds]
    try:
        heads = [next(one, None) for one in streams]
        while True:
            at = None
            for i, head in enumerate(heads):
                if head and (at is None or _seq(head) < _seq(heads[at])):
                    at = i
            if at is None:
                return
            yield heads[at]
            heads[at] = next(streams[at], None)
    finally:
        for one in streams:
            one.close()


def _seq(head):
    return head[4][0] if head[4] else -1


def _kind(box, data, kind):
    for i in range(segments.count(data)):
        e = segments.get(data, i)
        if e[_KIND] != kind or e[_STATE] > _CLOSED or e[_QUALITY] == _UNDATED:
            continue
        f = None
        gone = False
        try:
            f = open(segments.path(box, e[_ID]), "rb")
            for begin, end, bad, row in segments.scan(box, e, f):
                yield e[_ID], begin, end, bad, row
        except OSError as error:
            # No file: an empty one, or the power went just after it was done with. Otherwise the
            # rest of it is tried again with the next batch.
            gone = error.args[0] == 2
            if not gone:
                box.failed(error)
        finally:
            if f:
                f.close()
        if gone and e[_STATE] == _CLOSED:
            yield e[_ID], segments.done(box, e), e[_SLOTS], 0, None


def read(batch, limit):
    """Put the first readings on flash into a new `batch`."""
    box = batch.box
    bad = []
    data = segments.load(box)
    if data is None:
        return
    batch.index = data  # what it says of the files must hold until the end
    flow = pending(box, data)
    try:
        for one in flow:
            if batch.stored == limit:
                break
            if one[4]:
                batch.stored += 1
                batch.add(one[4])
            else:
                bad.append(one[:4])
    finally:
        flow.close()
    if bad:
        from gateway import settle

        settle.settle(box, bad)


def rows(batch):
    """Yields them again, as JSON."""
    flow = pending(batch.box, batch.index)
    try:
        n = batch.stored
        while n:
            row = next(flow)[4]
            if row:
                n -= 1
                yield text(row)
    finally:
        flow.close()
