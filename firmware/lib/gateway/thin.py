# Room in a full outbox; loaded for that, and dropped.
#
# Every second instant is dropped, in the oldest three quarters of the queue: so the older a
# stretch is, the more often it has been thinned. Only when no instants are there the same is done
# to minutes, and only then to half-hours. What is dropped is counted by kind.
from gateway.outbox import FLAG, KIND, NOTHING, SIZE
from gateway.reading import KINDS


def run(box):
    """Make at least one row free."""
    # Perhaps it is enough to close the gaps. What is being sent is spared, unless that is all.
    for spare in (True, False):
        for kind in (None, 0, 2, 1):
            if _squeeze(box, kind, spare):
                return


# Moves the rows together; thins those of one kind, but for what is being sent if that is to be
# spared. -> how many places that made.
def _squeeze(box, kind, spare):
    view = memoryview(box.buf)
    old = box.span * 3 // 4
    to = dropped = seen = 0
    for i in range(box.span):
        at = box.at(i)
        is_kind = view[at + KIND]
        if is_kind == kind and i < old and not (spare and view[at + FLAG] & 1):
            seen += 1
            if seen & 1:
                dropped += 1
                continue
        if is_kind != NOTHING:
            goal = box.at(to)
            view[goal : goal + SIZE] = view[at : at + SIZE]
            to += 1
    made = box.span - to
    box.span = box.live = to
    if dropped and box.count:
        box.count("dropped." + KINDS[kind], dropped)
    return made
