# The outbox, store and settings of the board on real littlefs, and a power cut at every operation
# of flash and NVS. On MicroPython, on this PC:
#
#     micropython powercut.py LIB [every] [from] [control] [show]
#
# LIB: the compiled firmware. Tries every `every`th cut beginning with number `from`, each with one
# of the tears in turn; with every 1 each cut with each tear. After each the power comes back, and
# goes once more while the board recovers. "control": nothing is flushed, so that readings must get
# lost; "hide": one instant is hidden from the judge, who must miss it. "show": prints what was
# uploaded, for the real server. The last line is JSON with the counts.
import json
import os
import struct
import sys

sys.path[:] = [sys.argv[1], __file__.rsplit("/", 1)[0], ".frozen"]

from norflash import TEARS, NorFlash, Nvs, Power, PowerCut  # noqa: E402
from vfs import VfsLfs2, mount, umount  # noqa: E402

import gateway  # noqa: E402
from gateway.outbox import NOTHING, Outbox  # noqa: E402
from gateway.reading import Reading  # noqa: E402
from gateway.settings import Settings  # noqa: E402
from gateway.store import Store  # noqa: E402

T = 1_800_000_000
BLOCKS = 24
ROOM = 12_288  # so small that it must be thinned in a short story
INSTANTS = 230
AGAIN = 40  # operations of flash and NVS that a recovery takes, and more


class Clock:
    def __init__(self, utc):
        self.t = 0
        self.quality = None
        self.base = None
        if utc:
            self.tell(utc)

    def tell(self, utc):
        self.base = utc * 1000 - self.t
        self.quality = "ntp"

    def ms(self):
        return self.t

    def utc_at(self, ms):
        return None if self.base is None else (self.base + ms) // 1000


class Server:
    """Keeps rows by (stream, number), as the real one does, and knows of each value by itself."""

    def __init__(self):
        self.rows = {}
        self.values = {}
        self.bodies = []

    # -> the ranges acknowledged: but for some, when `part`.
    def take(self, stream, text, part=False):
        self.bodies.append((stream, text))
        ack = []
        for row in json.loads("[" + text + "]"):
            key = stream, row[0]
            if self.rows.setdefault(key, row) != row:
                raise AssertionError("%r is now %r" % (self.rows[key], row))
            moment = row[1], row[2]
            if self.values.setdefault(moment, row[3:]) != row[3:]:
                raise AssertionError("%r has two values" % (moment,))
            if not part or row[0] % 7:
                ack.append((row[0], row[0]))
        return ack


class Life:
    """What a board does, boot after boot. `promised`: readings that may not get lost any more."""

    def __init__(self, data=None, blobs=None, server=None):
        self.data = data
        self.blobs = {} if blobs is None else blobs
        self.server = server or Server()
        self.made = {}  # name of a reading: how it must come to the server
        self.promised = set()
        self.given = set()  # numbers
        self.setting = None  # saved for sure
        self.next_setting = None
        self.thinned = False
        self.dropped = 0  # instants, as the outbox counted them
        self.counted = []
        self.box = None

    def boot(self, power, utc=None):
        self.power = power
        self.flash = NorFlash(BLOCKS, power, self.data)
        self.data = self.flash.data
        self.nvs = Nvs(power, self.blobs)
        mount(VfsLfs2(self.flash), "/f")
        if self.box is not None:  # an empty one is false, too
            # What was dropped with the last write, of which nobody could hear any more.
            for new, old in replaced(self.box):
                if (new, old) not in self.counted:
                    self.dropped += sum([readings(self.box, e) for e in old])
                    self.dropped -= readings(self.box, new)
            # What was in RAM only is gone, and so is one whose number was still being reserved.
            self.made = {name: self.made[name] for name in self.promised}
        self.clock = Clock(utc)
        self.settings = Settings(self.nvs)
        self.box = Outbox(self.clock, Store(self.nvs), 48, "/f/", count=self.count)

    def count(self, name, n=1):
        if self.power.gone:
            return
        if name == "dropped.instant":
            self.thinned = True
            self.dropped += n
            self.counted = replaced(self.box)
        elif name != "flash.failed":
            raise AssertionError("%s %d" % (name, n))

    def append(self, name, r, utc=None):
        self.made[name] = (r.kind, utc or r.t)
        seq = self.box.append(r)
        self.alive()
        key = self.box.stream, seq
        if key in self.given and r.kind != "half-hour":
            raise AssertionError("%r was given before" % (key,))
        self.given.add(key)
        self.look()

    # The cut may have come out as another exception, which the code under test survived: what it
    # did since then did not happen.
    def alive(self):
        if self.power.gone:
            raise PowerCut

    # What is no longer in RAM is promised.
    def look(self):
        self.alive()
        in_ram = set()
        box = self.box
        for at in box.rows():
            kind, t = box.buf[at + 4], struct.unpack_from("<I", box.buf, at + 8)[0]
            in_ram.add((kind, t if box.buf[at + 6] != NOTHING else t + T))
        for name, (kind, t) in self.made.items():
            if (0 if kind == "instant" else 1, t) not in in_ram:
                self.promised.add(name)
        if box.job:
            self.thinned = True

    def tend(self):
        self.clock.t += 50_000
        self.box.tend()
        self.look()

    def upload(self, limit, part=False):
        from gateway.batch import Batch

        batch = Batch(self.box, limit)
        text = b"".join(batch.rows()).decode()
        if len(text) != batch.length:
            raise AssertionError("length")
        self.alive()
        ack = self.server.take(self.box.stream, text, part) if batch.count else []
        n = batch.acknowledge(ack)
        batch.end()
        gateway.drop("batch")
        self.look()
        return n

    def save(self, value):
        self.next_setting = value
        self.settings.set("net.hostname", value)
        self.alive()
        self.setting = value


# The run that is cut. Its first boot knows no time at first.
def story(life, power):
    life.boot(power)
    life.alive()
    box = life.box
    life.save("kenshin-1")
    for i in range(3):
        r = Reading("instant", 5 + i, None, 50 + i, 1, None, None, None, "get")
        life.append("u%d" % i, r, T + 5 + i)
    life.tend()
    life.append("h-", Reading("half-hour", T, "meter", None, None, None, 7, None, "inf"))
    life.clock.tell(T + life.clock.t // 1000)
    box.fix(T)
    box.seq = max(box.seq, 1000)
    for i in range(INSTANTS):
        t = T + 600 + 30 * i
        energy = 1 << 40 if i % 2 else None  # every second one needs a wide slot
        life.append("i%d" % i, Reading("instant", t, "ntp", i, 3, None, energy, None, "get"))
        if i % 20 == 19:
            t = T + 1800 * i
            life.append("h%d" % i, Reading("half-hour", t, "meter", None, None, None, i, 2, "inf"))
        if i % 12 == 11:
            life.tend()
        if i in (30, 90):
            life.upload(20, True)
        if i == 60:
            life.save("kenshin-2")
    for _ in range(6):
        life.tend()
    for i in range(7):
        life.upload(48, i == 2)
    box.aside("spill", 2)
    life.look()
    life.save("kenshin-3")
    umount("/f")


# Files that are not to be read any more, with the one in their place: [(entry, [entry, ...])].
def replaced(box):
    from gateway import segments

    data = segments.load(box)
    found = []
    for i in range(segments.count(data)):
        e = segments.get(data, i)
        if e[2] != 3:
            new = e
        elif found and found[-1][0] == new:
            found[-1][1].append(e)
        else:
            found.append((new, [e]))
    gateway.drop("segments", "record")
    return found


def readings(box, e):
    from gateway import segments

    with open(segments.path(box, e[0]), "rb") as f:
        n = sum([1 for one in segments.scan(box, e, f) if one[3]])
    gateway.drop("segments", "record")
    return n


# The board is on again for a while; the power may go a second time.
def recovery(life, power):
    life.boot(power, T + 100_000)
    life.alive()
    life.append("r0", Reading("instant", T + 80_000, "ntp", 1, 2, None, None, None, "get"))
    life.append("hr", Reading("half-hour", T + 81_000, "meter", None, None, None, 5, 6, "inf"))
    life.upload(40, True)
    life.append("r1", Reading("instant", T + 80_030, "ntp", 1, 2, None, 1 << 40, None, "get"))
    for _ in range(3):
        life.tend()
    life.save("kenshin-3")
    life.upload(40)
    life.tend()
    umount("/f")


# Everything that is still there goes to the server.
def drain(life):
    for _ in range(100):
        if not len(life.box):
            return
        life.upload(64)
    raise AssertionError("%d readings are not sent" % len(life.box))


def here(life):
    return {(row[1], row[2]) for row in life.server.rows.values()}


# Is an instant that is gone one that the rule lets go? Of the story's two in a minute the second
# one has energies, and stays.
def thinned(there, t):
    return t % 60 == 0 and ("instant", t + 30) in there


# The power is back. -> names of promised readings that are gone.
def check(life, hide=False):
    life.boot(Power(), T + 100_000)
    box = life.box
    if box.trouble:
        raise AssertionError("after the cut: %s" % box.trouble)
    if life.settings["net.hostname"] not in (life.setting, life.next_setting):
        raise AssertionError("settings: %r" % life.settings["net.hostname"])
    undated = box.lost
    drain(life)
    there = here(life)
    if hide:
        there.remove(min([one for one in there if one[0] == "instant" and one[1] >= T + 600]))
    lost = []
    gone = []
    for name in life.promised:
        kind, t = life.made[name]
        if (kind, t) in there:
            continue
        if name[0] == "u" and undated:
            undated -= 1  # kept, and counted; its time is not known
        elif name[0] == "i" and thinned(there, t):
            gone.append(name)
        else:
            lost.append(name)
    # Each one that is gone was counted as dropped, or it is lost. (What the server took without
    # saying so may have been dropped afterwards: then fewer are gone.)
    lost += gone[life.dropped :]
    # and it goes on as if nothing had been
    for i in range(3):
        r = Reading("instant", T + 90_000 + i, "ntp", 1, 2, None, None, None, "get")
        life.append("n%d" % i, r)
    life.append("hn", Reading("half-hour", T + 90_000, "meter", None, None, None, 5, 6, "get"))
    life.save("kenshin-4")
    life.tend()
    umount("/f")
    life.boot(Power(), T + 100_000)
    drain(life)
    for name in ("n0", "n1", "n2", "hn"):
        if life.made[name] not in here(life):
            lost.append(name)
    files = [name for name in os.listdir("/f/outbox") if name != "index"]
    if not Late.waiting and len(files) > (life.box.lost > 0):
        raise AssertionError("left over: %s, %d bytes" % (files, life.box.used))
    umount("/f")
    return lost


# What is written stays in RAM until the file is opened again: the fault that the run must notice.
class Late:
    waiting = []

    def __init__(self, real):
        self.real = real

    def __call__(self, path, mode="r"):
        f = self.real(path, mode)
        if mode != "ab":
            return f
        for one in self.waiting:
            one.close()
        self.waiting.clear()
        self.f = f
        return self

    def seek(self, *where):
        return self.f.seek(*where)

    def write(self, data):
        self.waiting.append(self.f)
        return self.f.write(data)

    def close(self):
        if self.f not in self.waiting:
            self.f.close()


# Plays a part of the story until the power goes. -> True when it did.
def cut(life, part, power):
    try:
        part(life, power)
        return False
    except PowerCut:
        pass
    except OSError as e:
        if not power.gone:
            raise e
    umount("/f")
    Late.waiting.clear()
    return True


def main(words):
    every = int(words[0]) if words else 1
    start = int(words[1]) if len(words) > 1 else 0
    if "control" in words:
        import builtins

        builtins.open = Late(open)
    flash = NorFlash(BLOCKS)
    VfsLfs2.mkfs(flash)
    mount(VfsLfs2(flash), "/f")
    os.mkdir("/f/outbox")
    with open("/f/outbox/index", "wb") as f:
        from gateway import segments

        data = bytearray(struct.pack("<4sIHH", b"KSO1", ROOM, 1, 0))
        struct.pack_into("<H", data, 10, segments.crc(data))
        f.write(data)
        gateway.drop("segments", "record")
    umount("/f")
    image = bytes(flash.data)
    whole = Life(bytearray(image))
    power = Power()
    story(whole, power)
    if not whole.thinned or len(whole.promised) < INSTANTS:
        raise AssertionError("the story is too short")
    out = {"operations": power.operations, "cuts": 0, "again": 0, "promised": 0, "lost": 0}
    cuts = [(n, tear) for n in range(power.operations) for tear in range(len(TEARS))]
    if every > 1:
        cuts = [(n, n // every % len(TEARS)) for n in range(start, power.operations, every)]
    for n, tear in cuts:
        life = Life(bytearray(image))
        if not cut(life, story, Power(n, TEARS[tear], 7 * n + tear)):
            raise AssertionError("cut %d did not come" % n)
        try:
            # Somewhere in the recovery; when that has ended before, there is no second cut.
            again = Power((7 * n + tear) % AGAIN, TEARS[(tear + n) % len(TEARS)], n)
            out["again"] += cut(life, recovery, again)
            lost = check(life, "hide" in words)
        except Exception as e:
            print("cut %d, %s" % (n, TEARS[tear]))
            raise e
        out["cuts"] += 1
        out["lost"] += len(lost)
        out["promised"] += len(life.promised)
        if lost and "control" not in words and "hide" not in words:
            print("cut %d, %s: lost %s" % (n, TEARS[tear], lost[:9]))
        if "show" in words:
            print(json.dumps({"cut": n, "bodies": life.server.bodies}))
    print(json.dumps(out))


main(sys.argv[2:])
