# The board's firmware in place of a board's: stand-ins in, flash mounted, boot.py, main.py, REPL.
import builtins
import gc
import sys

import vb_chip as chip
import vb_regs as r
import vfs

_modules = {
    "sys": "vb_sys",
    "os": "vb_os",
    "time": "vb_time",
    "micropython": "vb_micropython",
    "machine": "vb_machine",
    "network": "vb_network",
    "esp32": "vb_esp32",
    "socket": "vb_socket",
}


# One after the other with a collection in between, so that what stays lies together at the heap's
# bottom.
def _stand_in():
    loaded = {}
    for name, own in _modules.items():
        module = __import__(own)
        module.__name__ = name
        loaded[name] = module
        gc.collect()
    for name, module in loaded.items():
        sys.modules[name] = module
        if name not in ("network", "esp32"):
            sys.modules["u" + name] = module
    for name in list(sys.modules):
        if name.startswith("vb_") and name != "vb_start":
            del sys.modules[name]


# A module that a board has frozen: it costs its memory when it is first used.
class _Frozen:
    def __init__(self, name, rom):
        self.__name__ = name
        self._rom = rom

    def __getattr__(self, attribute):
        name = self.__name__
        sys.modules.pop(name)
        path = sys.path[:]
        vfs.mount(vfs.VfsPosix(self._rom), "/.rom", readonly=True)
        try:
            sys.path[:] = ["/.rom", ".frozen"]
            module = __import__(name)
        finally:
            sys.path[:] = path
            vfs.umount("/.rom")
            sys.modules[name] = self
        sys.modules[name] = module
        for known in dir(module):
            setattr(self, known, getattr(module, known))
        return getattr(module, attribute)


# The stand-ins leave holes between them. Fill these, so that the firmware finds its heap in one
# piece, as after a board's start. -> what fills them, to be kept.
def _fill_holes():
    gc.collect()
    low, high = 0, gc.mem_free()
    while high - low > 64:
        middle = (low + high) // 2
        try:
            bytearray(middle)
            low = middle
        except MemoryError:
            high = middle
        gc.collect()
    block = 4 * chip.WORD
    filler = ()
    for _ in range((gc.mem_free() - low) // block - 4):
        filler = (filler,)  # one block each, from the lowest address on
    return filler


# MicroPython's table of names doubles when it is full: at 20 names, 60, 140 ... 620, 1260. The
# stand-ins have filled it to some place that is none of a board's. So they fill it up; what the
# firmware finds is the next part, paid for. Instead it gets what a board with up to 620 names
# pays, in a board's pieces; `make build` sees to it that there are no more. -> these, to be kept.
_PART = 7  # bytes a name, on 32 bits: address, length, hash


def _names():
    n = 0
    while True:
        gc.collect()
        used = gc.mem_alloc()
        for _ in range(8):
            getattr(gc, "~%d" % n, None)  # keeps the name
            n += 1
        gc.collect()
        if gc.mem_alloc() - used > 6000:  # it has grown
            return


def _table():
    size = _PART if chip.WORD == 4 else 11
    return [bytearray(size * n) for n in (20, 40, 80, 160, 320)]


# `flash` and `rom` are paths on the PC. Does not return: the process ends with the board's reset.
def run(flash, rom, space):
    import vb_flash
    import vb_line
    import vb_repl

    builtins.input = vb_line.ask
    _stand_in()
    root = vfs.VfsPosix()
    device = vb_flash.Flash(root.open(flash, "r+b"))
    vfs.umount("/")
    try:
        fs = vfs.VfsLfs2(device)
    except OSError:
        vfs.VfsLfs2.mkfs(device)
        fs = vfs.VfsLfs2(device)
    vfs.mount(fs, "/")
    for name in ("neopixel", "ntptime", "ssl", "urequests"):
        sys.modules[name] = _Frozen(name, rom)
    sys.path[:] = ["", ".frozen", "/lib"]
    del sys.argv[:]
    for name in list(space):
        if name != "__name__":
            del space[name]
    sys.modules.pop("vb_start", None)
    chip.start()
    raw = chip.R[r.BOOT_RAW] == 1
    _names()
    keep = _fill_holes()
    gc.collect()
    chip.R[r.HEAP_FREE] = gc.mem_free()
    chip.R[r.HEAP_USED] = gc.mem_alloc()
    keep = keep, _table()
    chip.event("B")
    did = vb_repl.run_file("boot.py", space)
    if did == "ok" and not raw:
        did = vb_repl.run_file("main.py", space)
    if did != "exit":
        raw = vb_repl.serve("raw" if raw else "friendly", space)
    chip.event("R", 1, raw, len(keep))
    sys.stdout.write("MPY: soft reboot\n")
    chip.stop()
