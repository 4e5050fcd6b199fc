# Readings on their way to the server. In RAM, in one buffer taken at the start; a flash outbox
# will have the same face. A reading leaves only when the server acknowledged or rejected it, which
# is the business of gateway.batch, or when room is short, which is that of gateway.thin.
import struct

import gateway
from gateway.reading import KINDS, ORIGINS, QUALITIES
from micropython import const

# seq, kind, flag: in the batch under way, quality, origin, t, power, current R, T, normal, reverse
ROW = "<IBBBBIihhqq"
SIZE = const(36)
KIND = const(4)
FLAG = const(5)
QUALITY = const(6)
NOTHING = const(255)  # as kind: this row is no more; as quality: t counts from the boot
T = const(8)
HALF_HOUR = const(1)  # as kind
_ENERGY = const(20)
# What stands for None in power, currents and energies: the least that fits, or less than nothing.
NONE = (-0x8000_0000, -0x8000, -0x8000, -1, -1)
_BITS = b"\x1f\x0f\x0f\x3f\x3f"  # and what they hold beside the sign
_RESERVE = const(1024)


class Outbox:
    """A queue of at most `capacity` (100 or more) readings, numbered within `stream`.

    `store` keeps the stream and how far its numbers are given away, so that none is used twice.
    `rejects`: the last [(seq, why)] that the server rejected. `count(name, n)` hears of drops.
    `on_delivered(t)`, when set, hears of each half-hour that the server acknowledged; which are
    still to be sent, gateway.waiting tells.
    """

    # `buf` is a ring: the oldest row has index `first`; from it to the newest there are `span`
    # rows, and `live` of them are not gone.
    def __init__(self, clock, store, capacity):
        self.clock = clock
        self.store = store
        self.capacity = capacity
        self.rejects = []
        self.count = self.on_delivered = None
        self.stream = store.get("stream")
        # A damaged memory may have forgotten the last numbers given away: begin another stream.
        if self.stream is None or store.damage:
            from os import urandom

            self.stream = struct.unpack("<I", urandom(4))[0]
            store.set("stream", self.stream)
        self._seq = self._reserved = store.get("seq", 0)
        self.buf = bytearray(capacity * SIZE)
        self.first = self.span = self.live = 0

    def __len__(self):
        return self.live

    def append(self, r):
        """Queue a Reading. -> its number, or that of the queued half-hour that it completes.

        ValueError when a field does not fit its place: better no reading than another one.
        """
        row = [
            0,
            KINDS.index(r.kind),
            0,
            NOTHING if r.quality is None else QUALITIES.index(r.quality),
            ORIGINS.index(r.origin),
            r.t,
        ]
        for i, value in enumerate(r[3:8]):
            if value is None:
                value = NONE[i]
            elif value <= NONE[i] or abs(value) >> _BITS[i]:
                raise ValueError("reading: %d is too large for %s" % (value, i))
            row.append(value)
        if r.kind == "half-hour":
            # Into a queued value of the same half-hour that says nothing else.
            for at in self.rows():
                have = struct.unpack_from(ROW, self.buf, at)
                if have[1] == row[1] and not have[2] and have[5] == row[5]:
                    a, b = have[9:]
                    c, d = row[9:]
                    if (a == c or a < 0 or c < 0) and (b == d or b < 0 or d < 0):
                        struct.pack_into("<qq", self.buf, at + _ENERGY, max(a, c), max(b, d))
                        return have[0]
        if self.span == self.capacity:
            gateway.drop()  # nothing: it is the collection that counts
            from gateway import thin

            thin.make_room(self)
            del thin
            gateway.drop("thin")
        if self._seq == self._reserved:
            self._reserved += _RESERVE
            self.store.set("seq", self._reserved)
        self._seq += 1
        row[0] = self._seq
        struct.pack_into(ROW, self.buf, self.at(self.span), *row)
        self.span += 1
        self.live += 1
        return self._seq

    def fix(self, boot_utc):
        """The boot was at UTC second boot_utc: readings that waited for it get their time."""
        quality = QUALITIES.index(self.clock.quality)
        for at in self.rows():
            if self.buf[at + QUALITY] == NOTHING:
                self.buf[at + QUALITY] = quality
                t = struct.unpack_from("<I", self.buf, at + T)[0]
                struct.pack_into("<I", self.buf, at + T, t + boot_utc)

    def snapshot(self):
        """For the status."""
        return {"queue": self.live}

    # Where row i lies, counted from the oldest.
    def at(self, i):
        return (self.first + i) % self.capacity * SIZE

    # Where the rows lie that are not gone, oldest first.
    def rows(self):
        for i in range(self.span):
            at = self.at(i)
            if self.buf[at + KIND] != NOTHING:
                yield at
