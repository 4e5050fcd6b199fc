# Readings out of the outbox, for one upload; loaded for that, and dropped.
import struct

from gateway.outbox import FLAG, HALF_HOUR, KIND, NONE, NOTHING, QUALITY, ROW, T
from gateway.reading import KINDS, ORIGINS, QUALITIES


class Batch:
    """The oldest readings of `box`, at most `limit`, whose time is known: `count` of them.

    With `newest` the newest ones, the oldest of them first. rows() makes `length` bytes of JSON of
    them, without the [ ]. A new batch takes the place of the one before: what is acknowledged
    later belongs to the new one.
    """

    def __init__(self, box, limit, newest=False):
        self._box = box
        buf = box.buf
        self.count = 0
        length = 0
        skip = 0
        if newest:
            skip = -limit
            for at in box.rows():
                skip += buf[at + QUALITY] != NOTHING
        for at in box.rows():
            sent = self.count < limit and buf[at + QUALITY] != NOTHING
            if sent and skip > 0:
                skip -= 1
                sent = False
            buf[at + FLAG] = sent
            if sent:
                self.count += 1
                length += len(_json(buf, at)) + 1
        self.length = max(length - 1, 0)

    # Nothing may be appended while it runs.
    def rows(self):
        """Yields the rows as bytes, with their commas."""
        buf = self._box.buf
        left = self.count
        for at in self._box.rows():
            if buf[at + FLAG]:
                left -= 1
                yield (_json(buf, at) + ("," if left else "")).encode()

    def acknowledge(self, ranges):
        """Forget what was in the batch and lies in [(first, last), ...]. -> how many readings.

        The outbox's `on_delivered` hears of the half-hours among them.
        """
        return self._forget(ranges, self._box.on_delivered)

    def _forget(self, ranges, tell):
        box = self._box
        buf = box.buf
        n = box.live
        for at in box.rows():
            if buf[at + FLAG]:
                seq = struct.unpack_from("<I", buf, at)[0]
                for first, last in ranges:
                    if first <= seq <= last:
                        if tell and buf[at + KIND] == HALF_HOUR:
                            tell(struct.unpack_from("<I", buf, at + T)[0])
                        buf[at + KIND] = NOTHING
                        buf[at + FLAG] = 0
                        box.live -= 1
                        break
        while box.span and buf[box.at(0) + KIND] == NOTHING:
            box.first = (box.first + 1) % box.capacity
            box.span -= 1
        return n - box.live

    def reject(self, refused):
        """Set aside what was in the batch and is never wanted: [(seq, why), ...]. -> how many."""
        n = self._forget([(seq, seq) for seq, _ in refused], None)
        if n:
            self._box.rejects = (self._box.rejects + refused)[-4:]
        return n


def _json(buf, at):
    row = struct.unpack_from(ROW, buf, at)
    values = ["null" if v == none else str(v) for v, none in zip(row[6:], NONE)]
    return '[%d,"%s",%d,"%s",%s,"%s"]' % (
        row[0],
        KINDS[row[1]],
        row[5],
        QUALITIES[row[3]],
        ",".join(values),
        ORIGINS[row[4]],
    )
