# What the outbox costs a flash of 2 MB, and what opening it costs when it is full. On MicroPython,
# on this PC; the last line is JSON:
#
#     micropython wear.py LIB [opening]
#
# With "opening" without the days.
import json
import os
import struct
import sys

sys.path[:] = [sys.argv[1], __file__.rsplit("/", 1)[0], ".frozen"]

from norflash import TEARS, NorFlash, Nvs, Power, PowerCut  # noqa: E402
from vfs import VfsLfs2, mount, umount  # noqa: E402

import gateway  # noqa: E402
from gateway.outbox import Outbox  # noqa: E402
from gateway.reading import Reading  # noqa: E402
from gateway.store import Store  # noqa: E402

T = 1_800_000_000
BLOCKS = 512


class Clock:
    quality = "ntp"
    t = 0

    def ms(self):
        return self.t

    def utc_at(self, ms):
        return T + ms // 1000


# Its power goes as an error does. A PowerCut leaves littlefs in its midst: a file that was being
# opened then is half of one, and what closes it when memory is cleared up may do anything.
class Failing(NorFlash):
    def writeblocks(self, n, buf, offset=0):
        try:
            super().writeblocks(n, buf, offset)
        except PowerCut:
            pass
        return -5 if self.power.gone else 0

    def ioctl(self, op, arg):
        try:
            done = super().ioctl(op, arg)
        except PowerCut:
            done = 0
        return -5 if op == 6 and self.power.gone else done


class Board:
    def __init__(self):
        self.flash = NorFlash(BLOCKS)
        VfsLfs2.mkfs(self.flash)
        self.nvs = Nvs()
        self.open()

    def open(self):
        mount(VfsLfs2(self.flash), "/f")
        self.flash.reset()
        self.clock = Clock()
        self.box = Outbox(self.clock, Store(self.nvs), 48, "/f/")

    def send(self):
        from gateway.batch import Batch

        batch = Batch(self.box, 64)
        for _ in batch.rows():
            pass
        batch.acknowledge([(0, 1 << 32)])
        batch.end()
        gateway.drop("batch")

    # One day of polls every 30 s and half-hours; `alive`: the server takes them each minute.
    def day(self, alive):
        box = self.box
        self.flash.reset()
        writes = self.nvs.writes
        for s in range(0, 86400, 30):
            self.clock.t = s * 1000
            energy = s if s % 300 == 0 else None
            box.append(Reading("instant", T + s, "ntp", 500, 50, 0, energy, None, "get"))
            if s % 1800 == 0:
                box.append(Reading("half-hour", T + s, "meter", None, None, None, s, 0, "inf"))
            if s % 60 == 30:
                if alive:
                    self.send()
                else:
                    self.clock.t += 16_000
                box.tend()
        flash = self.flash
        return {
            "erases": flash.erases,
            "bytes": flash.programmed,
            "nvs": self.nvs.writes - writes,
            "kept": len(box),
        }


# A full outbox: 30 days of minutes and 99 days of half-hours, in files as large as they get.
def fill(board):
    from gateway import inscribe, ledger, segments

    box = board.box
    data = ledger.new(box)
    os.mkdir("/f/outbox")
    seq = 0
    readings = 0
    for kind, total, step in ((0, 43_200, 60), (1, 4_752, 1800)):
        slot = (24, 32)[kind]
        most = ledger.largest(data) // slot - 1
        while total:
            n = min(total, most)
            total -= n
            seq += 1
            i = segments.count(data)
            e = ledger.add(data, i, kind, 0, seq, T, 0, 3, 0)
            with open("/f/outbox/%x" % e[0], "wb") as f:
                f.write(inscribe.head(kind, seq, T, 0))
                for k in range(n):
                    row = (seq, kind, 0, 0, 0, T + step * k, -(1 << 31), -32768, -32768, k, -1)
                    f.write(inscribe.encode(row, e[3], T))
                    seq += 1
            if total:  # all but the last of each kind are closed
                ledger.change(data, i, 2, 1)
                ledger.change(data, i, 5, n + 1)
            readings += n
    ledger.save(box, data)
    box.store.set("seq", seq)
    size = sum(os.stat("/f/outbox/" + name)[6] for name in os.listdir("/f/outbox"))
    room = ledger.room(data)
    files = segments.count(data)
    gateway.drop("inscribe", "ledger", "segments", "record")
    return {"readings": readings, "bytes": size, "room": room, "files": files}


class Counting:
    def __init__(self, decode):
        self.decode = decode
        self.calls = 0

    def __call__(self, *args):
        self.calls += 1
        return self.decode(*args)


# The last slots of the newest files are damaged, on the flash itself.
def spoil(board):
    from gateway import segments

    data = segments.load(board.box)
    n = 0
    for i in range(segments.count(data)):
        e = segments.get(data, i)
        if e[2] == 0:
            size = (24, 32)[e[1]]
            with open("/f/outbox/%x" % e[0], "rb") as f:
                f.seek(-60 * size, 2)
                for _ in range(60):
                    at = board.flash.data.find(f.read(size))
                    if at >= 0:  # or it lies in two blocks
                        board.flash.data[at + size - 1] ^= 1
                        n += 1
    gateway.drop("segments")
    if n < 110:
        raise AssertionError("only %d slots are damaged" % n)


# What opening costs at most while the folder's log grows, and is made short again, by writes of
# the index; the power goes in some of them: at each operation of flash, with each tear.
def worst(board):
    from gateway import ledger, segments

    data = segments.load(board.box)
    out = {"reads": 0, "turns": 0, "blocks": 0, "decoded": 0, "cuts": 0}
    again(board)
    for tear in TEARS + (None,) * 60:
        n = 0
        done = False
        while not done:
            power = board.flash.power = Power(n if tear else None, tear)
            n += 1
            try:
                ledger.save(board.box, data)
                done = not power.gone
            except OSError as e:
                if not power.gone:
                    raise e
            out["cuts"] += power.gone
            again(board)
            found = opening(board)
            if not found["known"]:
                raise AssertionError("the index is gone")
            for name in found:
                if name in out:
                    out[name] = max(out[name], found[name])
    gateway.drop("ledger", "segments")
    return out


def again(board):
    umount("/f")
    board.flash = Failing(BLOCKS, Power(), board.flash.data)
    mount(VfsLfs2(board.flash), "/f")


# The index is damaged. -> what opening costs, and making it anew afterwards.
def rebuilding(board):
    with open("/f/outbox/index", "r+b") as f:
        f.write(b"?")
    out = opening(board)
    board.flash.reset()
    board.box.tend()
    out["anew_reads"] = board.flash.reads
    out["anew_turns"] = board.flash.places
    out["anew_blocks"] = len(board.flash.touched)
    out["anew_known"] = len(board.box)
    return out


# What is read to open it, and for the first batch.
def opening(board):
    umount("/f")
    from gateway import segments

    decode = segments.decode
    segments.decode = counting = Counting(decode)
    board.open()
    flash = board.flash
    out = {"reads": flash.reads, "turns": flash.places, "blocks": len(flash.touched)}
    out["decoded"] = counting.calls
    segments.decode = decode
    out["known"] = len(board.box)
    flash.reset()
    from gateway.batch import Batch

    batch = Batch(board.box, 64)
    out["batch"] = batch.count
    out["batch_reads"] = flash.reads
    out["batch_turns"] = flash.places
    out["batch_blocks"] = len(flash.touched)
    batch.end()
    return out


def main():
    board = Board()
    out = {}
    if sys.argv[2:] != ["opening"]:
        board.day(True)
        out["alive"] = board.day(True)
        out["dead"] = board.day(False)
        umount("/f")
        board = Board()
    out["full"] = fill(board)
    out["opening"] = opening(board)
    out["worst"] = worst(board)
    board.nvs = Nvs()
    out["forgotten"] = opening(board)  # what was known of numbers is lost
    spoil(board)
    board.nvs = Nvs()
    out["spoiled"] = opening(board)
    out["damaged"] = rebuilding(board)
    board.nvs = Nvs()
    out["both"] = rebuilding(board)
    umount("/f")
    print(json.dumps(out))


main()
