# Readings on their way to the server. In RAM, in one buffer taken at the start; a flash outbox
# will have the same face. A reading leaves only when the server acknowledged or rejected it, or
# when room is short.
#
# When full, every second instant is dropped, in the oldest three quarters of the queue: so the
# older a stretch is, the more often it has been thinned. Only when no instants are there the same
# is done to minutes, and only then to half-hours. What is dropped is counted by kind.
import struct
from os import urandom

from gateway.reading import KINDS, ORIGINS, QUALITIES
from micropython import const

# seq, kind, flag: in the batch under way, quality, origin, t, power, current R, T, normal, reverse
_ROW = "<IBBBBIihhqq"
_SIZE = const(36)
_KIND = const(4)
_FLAG = const(5)
_QUALITY = const(6)
_T = const(8)
_ENERGY = const(20)
_GONE = const(255)  # as kind: this row is no more
_UNKNOWN = const(255)  # as quality: t counts from the boot
# What stands for None in power, currents and energies: the least that fits, or less than nothing.
_NONE = (-0x8000_0000, -0x8000, -0x8000, -1, -1)
_MOST = (0x7FFF_FFFF, 0x7FFF, 0x7FFF, 0x7FFF_FFFF_FFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF)
_RESERVE = const(1024)


class Outbox:
    """A queue of at most `capacity` (100 or more) readings, numbered within `stream`.

    `store` keeps the stream and how far its numbers are given away, so that none is used twice.
    `rejects`: the last [(seq, why)] that the server rejected. `count(name, n)` hears of drops.
    """

    def __init__(self, clock, store, capacity):
        self.clock = clock
        self.store = store
        self.capacity = capacity
        self.rejects = []
        self.count = None
        self.stream = store.get("stream")
        # A damaged memory may have forgotten the last numbers given away: begin another stream.
        if self.stream is None or store.damage:
            self.stream = struct.unpack("<I", urandom(4))[0]
            store.set("stream", self.stream)
        self._seq = self._reserved = store.get("seq", 0)
        self._buf = bytearray(capacity * _SIZE)
        self._first = 0  # index of the oldest row
        self._span = 0  # rows from the oldest to the newest, with those gone between them
        self._live = 0

    def __len__(self):
        return self._live

    def append(self, r):
        """Queue a Reading. -> its number, or that of the queued half-hour that it completes.

        ValueError when a field does not fit its place: better no reading than another one.
        """
        row = [
            0,
            KINDS.index(r.kind),
            0,
            _UNKNOWN if r.quality is None else QUALITIES.index(r.quality),
            ORIGINS.index(r.origin),
            r.t,
        ]
        for i, value in enumerate(r[3:8]):
            if value is not None and not _NONE[i] < value <= _MOST[i]:
                raise ValueError("reading: %d is too large for %s" % (value, i))
            row.append(_NONE[i] if value is None else value)
        if r.kind == "half-hour":
            for at in self._rows():
                seq = self._merge(at, row)
                if seq:
                    return seq
        if self._span == self.capacity:
            # Perhaps it is enough to close the gaps. There is always something to thin otherwise,
            # for a batch under way is smaller than what may be thinned.
            for kind in (None, 0, 2, 1):
                if self._squeeze(kind):
                    break
        if self._seq == self._reserved:
            self._reserved += _RESERVE
            self.store.set("seq", self._reserved)
        self._seq += 1
        row[0] = self._seq
        struct.pack_into(_ROW, self._buf, self._at(self._span), *row)
        self._span += 1
        self._live += 1
        return self._seq

    def batch(self, limit):
        """The oldest `limit` readings whose time is known, as a Batch, or None. One at a time."""
        count = 0
        length = -1
        for at in self._rows():
            sent = count < limit and self._buf[at + _QUALITY] != _UNKNOWN
            self._buf[at + _FLAG] = sent
            if sent:
                count += 1
                length += len(self._json(at)) + 1
        return Batch(self, count, length) if count else None

    def acknowledge(self, ranges):
        """Forget what was in the batch and lies in [(first, last), ...]. -> how many readings."""
        n = self._live
        for at in self._rows():
            if self._buf[at + _FLAG]:
                seq = self._seq_at(at)
                for first, last in ranges:
                    if first <= seq <= last:
                        self._buf[at + _KIND] = _GONE
                        self._buf[at + _FLAG] = 0
                        self._live -= 1
                        break
        while self._span and self._buf[self._at(0) + _KIND] == _GONE:
            self._first = (self._first + 1) % self.capacity
            self._span -= 1
        return n - self._live

    def reject(self, refused):
        """Set aside what was in the batch and is never wanted: [(seq, why), ...]. -> how many."""
        n = self.acknowledge([(seq, seq) for seq, _ in refused])
        if n:
            self.rejects = (self.rejects + refused)[-4:]
        return n

    def fix(self, boot_utc):
        """The boot was at UTC second boot_utc: readings that waited for it get their time."""
        quality = QUALITIES.index(self.clock.quality)
        for at in self._rows():
            if self._buf[at + _QUALITY] == _UNKNOWN:
                self._buf[at + _QUALITY] = quality
                t = struct.unpack_from("<I", self._buf, at + _T)[0]
                struct.pack_into("<I", self._buf, at + _T, t + boot_utc)

    def snapshot(self):
        """For the status."""
        return {"queue": self._live}

    # -- rows

    def _at(self, i):
        return (self._first + i) % self.capacity * _SIZE

    # Offsets of the rows that are not gone, oldest first.
    def _rows(self):
        for i in range(self._span):
            at = self._at(i)
            if self._buf[at + _KIND] != _GONE:
                yield at

    def _seq_at(self, at):
        return struct.unpack_from("<I", self._buf, at)[0]

    def _json(self, at):
        row = struct.unpack_from(_ROW, self._buf, at)
        values = ["null" if v == none else str(v) for v, none in zip(row[6:], _NONE)]
        return '[%d,"%s",%d,"%s",%s,"%s"]' % (
            row[0],
            KINDS[row[1]],
            row[5],
            QUALITIES[row[3]],
            ",".join(values),
            ORIGINS[row[4]],
        )

    # Into a queued value of the same half-hour that says nothing else. -> its number, or None.
    def _merge(self, at, row):
        have = struct.unpack_from(_ROW, self._buf, at)
        if have[1] != row[1] or have[2] or have[5] != row[5]:
            return None
        both = []
        for a, b in zip(have[9:], row[9:]):
            if a != b and a >= 0 and b >= 0:
                return None
            both.append(max(a, b))
        struct.pack_into("<qq", self._buf, at + _ENERGY, *both)
        return have[0]

    # Moves the rows together; thins those of one kind. -> how many places that made.
    def _squeeze(self, kind):
        view = memoryview(self._buf)
        old = self._span * 3 // 4
        to = dropped = seen = 0
        for i in range(self._span):
            at = self._at(i)
            is_kind = view[at + _KIND]
            if is_kind == kind and i < old and not view[at + _FLAG]:
                seen += 1
                if seen & 1:
                    dropped += 1
                    continue
            if is_kind != _GONE:
                goal = self._at(to)
                view[goal : goal + _SIZE] = view[at : at + _SIZE]
                to += 1
        made = self._span - to
        self._span = self._live = to
        if dropped and self.count:
            self.count("dropped." + KINDS[kind], dropped)
        return made


class Batch:
    """Readings to send: `count` of them. rows() makes `length` bytes of JSON, without the [ ]."""

    def __init__(self, outbox, count, length):
        self._outbox = outbox
        self.count = count
        self.length = length

    # Nothing may be appended while it runs.
    def rows(self):
        """Yields the rows as bytes, with their commas."""
        box = self._outbox
        left = self.count
        for at in box._rows():
            if box._buf[at + _FLAG]:
                left -= 1
                yield (box._json(at) + ("," if left else "")).encode()
