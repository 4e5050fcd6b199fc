# Readings out of the outbox, for one upload; loaded for that, and dropped.
import struct

import gateway
from gateway.outbox import FLAG, HALF_HOUR, KIND, NONE, NOTHING, QUALITY, ROW
from gateway.reading import KINDS, ORIGINS, QUALITIES


class Batch:
    """The oldest readings of `box`, at most `limit`, whose time is known: `count` of them.

    With `newest` the newest ones, the oldest of them first; what is already on flash counts as
    old, unless there is nothing else. rows() makes `length` bytes of JSON of them, without the
    [ ]; it reads what lies on flash again, one by one. A new batch takes the place of the one
    before: what is acknowledged later belongs to the new one. Call end() when the server has
    answered, or will not: until then what is in RAM stays there.
    """

    # `stored`: how many are on flash, see gateway.backlog, as `index` describes it.
    def __init__(self, box, limit, newest=False):
        self.box = box
        self.stored = self.count = self.length = 0
        self.index = None
        box.sending = True
        buf = box.buf
        dated = 0
        for at in box.rows():
            buf[at + FLAG] &= 2
            dated += buf[at + QUALITY] != NOTHING
        if box.stored > 0 and not (newest and dated):
            try:
                from gateway import backlog

                backlog.read(self, limit)
            except (OSError, MemoryError) as e:
                box.failed(e)
        self._began = box.clock.ms()
        skip = dated - limit if newest else 0
        idle = box.live
        for at in box.rows():
            if buf[at + QUALITY] != NOTHING:
                skip -= 1
                if skip < 0 and self.count < limit:
                    buf[at + FLAG] = 3
                    idle -= 1
                    self.add(_row(buf, at))
        self.length = max(self.length - 1, 0)
        self._all = not idle  # that is in RAM

    def add(self, row):
        self.count += 1
        self.length += len(text(row)) + 1

    # Nothing may be added while it runs.
    def rows(self):
        """Yields the rows as bytes, with their commas."""
        left = self.count
        for one in self._texts():
            left -= 1
            yield (one + ("," if left else "")).encode()

    def _texts(self):
        if self.stored:
            from gateway import backlog

            yield from backlog.rows(self)
        buf = self.box.buf
        for at in self.box.rows():
            if buf[at + FLAG] & 1:
                yield text(_row(buf, at))

    def acknowledge(self, ranges):
        """Forget what was in the batch and lies in [(first, last), ...]. -> how many readings.

        The outbox's `on_delivered` hears of the half-hours among them.
        """
        return self._forget(ranges, self.box.on_delivered)

    def _forget(self, ranges, tell):
        box = self.box
        buf = box.buf
        n = left = 0
        for at in box.rows():
            if buf[at + FLAG] & 1:
                if within(_row(buf, at), ranges, tell):
                    buf[at + KIND] = NOTHING
                    n += 1
                else:
                    left += 1
        box.live -= n
        box.trim()
        if self._all and not left:
            box.since = max(box.since, self._began)
        if self.stored:
            try:
                from gateway import settle

                n += settle.acknowledge(self, ranges, tell)
            except (OSError, MemoryError) as e:
                box.failed(e)
        return n

    def reject(self, refused):
        """Set aside what was in the batch and is never wanted: [(seq, why), ...]. -> how many.

        `on_delivered` hears of the half-hours among them, with None for `half`: the meter would
        tell the same again.
        """
        tell = self.box.on_delivered
        n = self._forget([(seq, seq) for seq, _ in refused], tell and (lambda t, _: tell(t, None)))
        if n:
            self.box.rejects = (self.box.rejects + refused)[-4:]
        return n

    def end(self):
        """The upload is over: what the server did not take may go to flash."""
        box = self.box
        for at in box.rows():
            box.buf[at + FLAG] &= 2
        box.sending = False
        gateway.drop("backlog", "settle", "ledger", "segments")


def _row(buf, at):
    return struct.unpack_from(ROW, buf, at)


def within(row, ranges, tell):
    """Is it in one of [(first, last), ...]? When it is a half-hour, `tell` hears its time, and
    whether one of its energies is missing."""
    for first, last in ranges:
        if first <= row[0] <= last:
            if tell and row[1] == HALF_HOUR:
                tell(row[5], row[9] < 0 or row[10] < 0)
            return True
    return False


def text(row):
    """A row as JSON."""
    values = ["null" if v == none else str(v) for v, none in zip(row[6:], NONE)]
    return '[%d,"%s",%d,"%s",%s,"%s"]' % (
        row[0],
        KINDS[row[1]],
        row[5],
        QUALITIES[row[3]],
        ",".join(values),
        ORIGINS[row[4]],
    )
