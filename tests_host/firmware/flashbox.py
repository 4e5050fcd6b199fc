"""An outbox on a file system of its own, and what a test does to it. Runs on both Pythons."""

import json
import os
import struct

from fakeboard import FakeNvs
from fakeclock import FakeClock
from gateway import drop
from gateway.batch import Batch
from gateway.outbox import Outbox
from gateway.reading import Reading
from gateway.store import Store

T = 1_800_000_000


class Counts(dict):
    def __bool__(self):
        return True

    def __call__(self, name, n=1):
        self[name] = self.get(name, 0) + n


# A board whose power can go: `again()` is the outbox after that.
class Board:
    def __init__(self, room, utc=T, window=60):
        self.room = room
        self.nvs = FakeNvs()
        self.utc = utc
        self.window = window
        self.counts = Counts()
        self.again()

    def again(self, utc=0):
        self.clock = FakeClock(self.utc if utc == 0 else utc)
        self.box = Outbox(
            self.clock, Store(self.nvs), 48, self.room.root, self.window, self.counts
        )
        return self.box

    # The window is over; everything is on flash.
    def pass_time(self, seconds=60):
        self.clock.t += seconds * 1000
        for _ in range(6):
            self.box.tend()
            self.clock.t += 60_000


def instant(t, power=100, normal=None, quality="ntp", reverse=None):
    return Reading("instant", t, quality, power, 12, None, normal, reverse, "get")


def half_hour(t, normal=None, reverse=None, origin="inf"):
    return Reading("half-hour", t, "meter", None, None, None, normal, reverse, origin)


# What the server would read.
def rows(box, limit=1000, newest=False):
    batch = Batch(box, limit, newest)
    text = b"".join(batch.rows())
    assert len(text) == batch.length
    assert b"".join(batch.rows()) == text, "can be sent again"
    box.batch = batch
    out = json.loads("[" + text.decode() + "]")
    assert len(out) == batch.count
    return out


def send(box, limit=64):
    """Deliver one batch. -> its rows"""
    got = rows(box, limit)
    assert box.batch.acknowledge([(row[0], row[0]) for row in got]) == len(got)
    box.batch.end()
    return got


ROOM = 28_672


# An index that grants so little room that a test need not be long.
def small(room):
    from gateway import segments

    data = bytearray(struct.pack("<4sIHH", b"KSO1", ROOM, 1, 0))
    struct.pack_into("<H", data, 10, segments.crc(data))
    os.mkdir(room.root + "outbox")
    room.write("index", data)
    drop("segments")


# A dead server for so many minutes: two instants each, a half-hour every thirtieth.
def outage(board, minutes, start=0):
    most = 0
    for i in range(start, start + minutes):
        for half in (0, 30):
            energy = i if i % 5 == 0 and not half else None
            board.box.append(instant(T + 60 * i + half, i, energy))
        if i % 30 == 0:
            board.box.append(half_hour(T + 60 * i, i))
        board.clock.t += 60_000
        if i % 10 == 0:
            board.box.tend()
            board.box.tend()
        most = max(most, board.box.used)
    return most


# Delivers all, a batch at a time. Yields the rows.
def each(box):
    while len(box):
        got = send(box, 20)
        assert got
        yield from got


def all_of(box):
    return list(each(box))


# What was given away: (stream, number); what lies on flash goes out in the stream of now, too.
class Given:
    def __init__(self):
        self.all = {}

    def append(self, box, r):
        self.note(box, box.append(r), r.t)

    def send(self, box):
        while len(box):
            for row in send(box):
                self.note(box, row[0], row[2])

    def note(self, box, number, t):
        have = self.all.setdefault((box.stream, number), t)
        assert have == t, "number %d stands for two readings" % number
