# Readings on their way to the server: first in RAM, in one buffer taken at the start, then on
# flash when the server does not take them in time. A reading leaves only when the server
# acknowledged or rejected it, which is the business of gateway.batch, or when room is short, which
# is that of gateway.thin in RAM and gateway.shrink on flash. docs/durability.md tells the rules.
import struct
import sys
from os import urandom

import gateway
from gateway.reading import KINDS, ORIGINS, QUALITIES
from micropython import const

# seq, kind, flag (1: in the batch under way, 2: was in one), quality, origin, t, power, current R,
# T, normal, reverse
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
HISTORY = const(2)  # origins from here on: the meter can still tell it
TEND_MS = const(15_000)
_RESERVE = const(1024)
_FEW = const(16)  # when that failed: then it is tried again


class Outbox:
    """A queue of readings, numbered within `stream`; `capacity` (48 or more) of them in RAM.

    `store` keeps the stream and how far its numbers are given away, so that none is used twice.
    `root` is the file system's, with a / at its end; None: RAM only. A reading is `window` seconds
    in RAM at most, a half-hour that was just measured not at all. `rejects`: the last [(seq, why)]
    that the server rejected. `count(name, n)` hears of drops and damage. `on_delivered(t, half)`,
    when set, hears of each half-hour that the server acknowledged, `half`: one direction is
    missing; which are still to be sent, gateway.waiting tells.
    """

    # `buf` is a ring: the oldest row has index `first`; from it to the newest there are `span`
    # rows, and `live` of them are not gone. On flash there are `stored` readings, those
    # `undated` that wait for the time, those `lost` whose time will never be known, and `used`
    # bytes. `ahead`: slots acknowledged, [(file, from, to)], that its index does not know of, all
    # in all `unsaved`. `since`: ms since when there are readings in RAM. `sending`: a batch is
    # under way. `job`: see gateway.shrink. `trouble`: what the flash said when it failed last.
    # `shut`: there is no memory for work on flash just now; None when there is some to be done as
    # soon as there is.
    def __init__(self, clock, store, capacity, root=None, window=60, count=None):
        self.clock = clock
        self.store = store
        self.capacity = capacity
        self.root = root
        self.window = window
        self.rejects = []
        self.ahead = []
        self.count = count
        self.on_delivered = self.job = self.trouble = None
        self.buf = bytearray(capacity * SIZE)
        self.first = self.span = self.live = self.since = 0
        self.stored = self.undated = self.lost = self.used = self.unsaved = 0
        self.sending = self.shut = False
        self.aside("opening")

    def __len__(self):
        return self.live + self.stored + self.undated

    # Runs gateway.<name>, loaded for that. What the flash or a lack of memory spoils is tried
    # again later: nothing has left its place.
    def aside(self, name, *args):
        gateway.drop()
        try:
            __import__("gateway." + name)
            sys.modules["gateway." + name].run(self, *args)
        except (OSError, MemoryError) as e:
            self.failed(e)
        finally:
            gateway.drop(name, "shrink", "inscribe", "rebuild", "ledger", "segments")

    def failed(self, e):
        """The flash, or the memory, did not allow what was to be done there."""
        self.trouble = str(e)
        self.since = self.clock.ms()
        if self.count:
            self.count("flash.failed", 1)

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
            # Into a queued value of the same half-hour that says nothing else. If it was sent, the
            # server may have it, and does not look at its number again.
            for at in self.rows():
                have = struct.unpack_from(ROW, self.buf, at)
                if have[1] == row[1] and have[5] == row[5]:
                    a, b = have[9:]
                    c, d = row[9:]
                    if (a == c or c < 0 or (a < 0 and not have[2])) and (
                        b == d or d < 0 or (b < 0 and not have[2])
                    ):
                        struct.pack_into("<qq", self.buf, at + _ENERGY, max(a, c), max(b, d))
                        return have[0]
        if self.span == self.capacity:
            if self.root:
                self.aside("spill")
            if self.span == self.capacity:
                self.aside("thin")
        if self.seq >= self.reserved:
            self.reserve()
        self.seq += 1
        row[0] = self.seq
        struct.pack_into(ROW, self.buf, self.at(self.span), *row)
        if not self.live:
            self.since = self.clock.ms()
        self.span += 1
        self.live += 1
        now = self.window * 1000 <= TEND_MS
        if self.root and (now or (row[1] == HALF_HOUR and row[4] < HISTORY)):
            if self.shut is False:
                self.aside("spill", not now)
            else:
                self.shut = None
        return row[0]

    # Numbers to give away. Before the first reading, or append does it.
    def reserve(self):
        n = _RESERVE
        try:
            self.store.set("seq", self.seq + n)
        except (OSError, MemoryError) as e:
            # These numbers may be given away again: let it be in another stream.
            self.failed(e)
            n = _FEW
            if self.stream == self.store.get("stream"):
                self.stream = struct.unpack("<I", urandom(4))[0]
        self.reserved = self.seq + n

    def tend(self):
        """To be called every 15 s: writes to flash what would wait too long."""
        # While there is room for it; append cannot choose.
        if _FEW < self.reserved - self.seq <= self.capacity:
            self.reserve()
        if self.shut is None:
            self.shut = False
            self.aside("spill", 1)
        if self.undated and self.clock.quality:
            self.fix(self.clock.utc_at(0))
        if self.root and self.live and self.clock.ms() - self.since > self.window * 1000 - TEND_MS:
            self.aside("spill")
        if self.job:
            self.aside("shrink")

    def fix(self, boot_utc):
        """The boot was at UTC second boot_utc: readings that waited for it get their time."""
        self.aside("dating", boot_utc)

    def snapshot(self):
        """For the status."""
        return {"queue": len(self), "seq": self.seq, "undated": self.lost, "flash": self.trouble}

    # Forgets the rows at the front that are gone.
    def trim(self):
        while self.span and self.buf[self.at(0) + KIND] == NOTHING:
            self.first = (self.first + 1) % self.capacity
            self.span -= 1

    # Where row i lies, counted from the oldest.
    def at(self, i):
        return (self.first + i) % self.capacity * SIZE

    # Where the rows lie that are not gone, oldest first.
    def rows(self):
        for i in range(self.span):
            at = self.at(i)
            if self.buf[at + KIND] != NOTHING:
                yield at
