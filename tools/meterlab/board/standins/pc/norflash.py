# A NOR flash in RAM for VfsLfs2, and NVS beside it, whose power can go at any operation. On
# MicroPython, on this PC.
import random

BLOCK = 4096
# What the last operation leaves behind when the power goes in its midst.
TEARS = ("nothing", "prefix", "noise", "whole")


class PowerCut(BaseException):
    """The power went away. No `except Exception` may hold it up, as none would on a board."""


class Power:
    """Counts operations on flash and NVS alike; at number `cut` (0 is the first) it goes."""

    def __init__(self, cut=None, tear="nothing", seed=1):
        self.cut = cut
        self.tear = tear
        self.operations = 0
        self.gone = False
        random.seed(seed)

    # -> True when the operation that begins is the last one.
    def last(self):
        self.gone = self.operations == self.cut
        self.operations += 1
        return self.gone


class NorFlash:
    """Erasing makes bytes FF, programming can only clear bits. Counts what is done to it.

    `reads`: calls; `places`: how many of these were in another block than the one before.
    `broken`: an errno that every call fails with; `bad`: numbers of blocks that cannot be read;
    `worn`: of blocks that take no writes any more, `refused`: how many these were to take.
    """

    def __init__(self, blocks, power=None, data=None):
        self.blocks = blocks
        self.power = power or Power()
        if data is None:
            data = bytearray(blocks * BLOCK)
            self.data = data
            self.erase()
        self.data = data
        self.broken = None
        self.bad = self.worn = ()
        self.refused = 0
        self.reset()

    def erase(self):
        """As it comes from the factory."""
        for i in range(0, len(self.data), BLOCK):
            self.data[i : i + BLOCK] = _FF

    def reset(self):
        self.reads = self.places = self.programs = self.programmed = self.erases = 0
        self.touched = set()
        self._place = None

    def readblocks(self, n, buf, offset=0):
        if self.power.gone:
            return  # perhaps a finaliser, which must not take memory
        if self.broken or n in self.bad:
            raise OSError(self.broken or 5)
        self.reads += 1
        self.touched.add(n)
        if n != self._place:
            self.places += 1
            self._place = n
        at = n * BLOCK + offset
        buf[:] = memoryview(self.data)[at : at + len(buf)]

    def writeblocks(self, n, buf, offset=0):
        if self.broken:
            raise OSError(self.broken)
        if self.power.gone:
            return  # nobody is there any more: only files that are left are closed
        last = self.power.last()
        at = n * BLOCK + offset
        size = len(buf)
        if n in self.worn:
            self.refused += 1
            size = 0
        if last:
            size = {"nothing": 0, "whole": size}.get(self.power.tear, random.randint(0, size))
        self.programs += 1
        self.programmed += size
        view = memoryview(self.data)
        if view[at : at + size] == _FF_VIEW[:size]:
            view[at : at + size] = memoryview(buf)[:size]
        else:
            for i in range(size):
                view[at + i] &= buf[i]
        if last:
            if self.power.tear == "noise":  # the byte being written is half done
                if size < len(buf):
                    view[at + size] &= buf[size] | random.getrandbits(8)
            raise PowerCut

    def ioctl(self, op, arg):
        if op == 4:
            return self.blocks
        if op == 5:
            return BLOCK
        if op == 6:
            if self.broken:
                raise OSError(self.broken)
            if self.power.gone:
                return 0
            last = self.power.last()
            at = arg * BLOCK
            self.erases += 1
            tear = self.power.tear if last else "whole"
            if tear == "whole":
                self.data[at : at + BLOCK] = _FF
            elif tear == "prefix":
                n = random.randint(0, BLOCK)
                self.data[at : at + n] = _FF[:n]
            elif tear == "noise":  # an erase cut short leaves anything
                for i in range(BLOCK):
                    self.data[at + i] |= random.getrandbits(8)
            if last:
                raise PowerCut
            return 0


_FF = b"\xff" * BLOCK
_FF_VIEW = memoryview(_FF)


class Nvs:
    """Blobs that are visible when set, and sure after commit: before that, or when the power goes
    in it, the last one may be the old one, the new one, gone, or torn.
    """

    def __init__(self, power=None, blobs=None):
        self.power = power or Power()
        self.blobs = {} if blobs is None else blobs
        self._now = dict(self.blobs)
        self.writes = 0
        self.broken = None

    def get(self, name):
        return self._now.get(name)

    def set(self, name, blob):
        if self.broken:
            raise OSError(self.broken)
        if self.power.gone:
            return
        blob = bytes(blob)
        self._now[name] = blob
        self.writes += 1
        if self.power.last():
            self._tear(name, blob)
            raise PowerCut

    def commit(self):
        if self.power.gone:
            return
        if self.power.last():
            for name, blob in self._now.items():
                if self.blobs.get(name) != blob:
                    self._tear(name, blob)
            raise PowerCut
        self.blobs.clear()
        self.blobs.update(self._now)

    def _tear(self, name, blob):
        tear = self.power.tear
        if tear == "whole":
            self.blobs[name] = blob
        elif tear == "prefix":
            self.blobs[name] = blob[: random.randint(0, len(blob))]
        elif tear == "noise":
            self.blobs.pop(name, None)
