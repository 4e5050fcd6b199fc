# Room in a full outbox; loaded for that, and dropped.
#
# Every second instant is dropped, in the oldest three quarters of the queue: so the older a
# stretch is, the more often it has been thinned. Only when no instants are there the same is done
# to minutes, and only then to half-hours. What is dropped is counted by kind.
from gateway.outbox import FLAG, KIND, NOTHING, SIZE
from gateway.reading import KINDS


def make_room(box):
    """Make at least one row free."""
    # Perhaps it is enough to close the gaps. There is always something to thin otherwise, for a
    # batch under way is smaller than what may be thinned.
    for kind in (None, 0, 2, 1):
        if _squeeze(box, kind):
            break


# Moves the rows together; thins those of one kind. -> how many places that made.
def _squeeze(box, kind):
    view = memoryview(box.buf)
    old = box.span * 3 // 4
    to = dropped = seen = 0
    for i in range(box.span):
        at = box.at(i)
        is_kind = view[at + KIND]
        if is_kind == kind and i < old and not view[at + FLAG]:
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
