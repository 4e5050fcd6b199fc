"""A file system for a board in a test, on both Pythons: real littlefs in RAM on MicroPython, a
temporary folder on CPython. `with FlashRoom() as room:` and then `room.root`.
"""

import os
import sys

UPY = sys.implementation.name == "micropython"
BLOCKS = 24  # of 4 KB
_kept = None  # the flash's bytes: one large piece of the heap, taken once


class FlashRoom:
    """On MicroPython `flash` is the device, a NorFlash."""

    def __init__(self):
        global _kept
        self.flash = None
        if UPY:
            if "tools/meterlab/board/standins/pc" not in sys.path:
                sys.path.append("tools/meterlab/board/standins/pc")
            from norflash import NorFlash  # pyright: ignore[reportMissingImports]

            self.flash = NorFlash(BLOCKS, data=_kept)
            _kept = self.flash.data
            self.root = "/room/"
        else:
            from tempfile import TemporaryDirectory

            self._folder = TemporaryDirectory()
            self.root = self._folder.name + "/"

    def __enter__(self):
        if UPY:
            from vfs import VfsLfs2, mount  # pyright: ignore[reportMissingImports]

            self.flash.erase()
            VfsLfs2.mkfs(self.flash)
            mount(VfsLfs2(self.flash), "/room")
        else:
            from campaign import firmware

            self._quick = firmware.quick()
            self._quick.__enter__()
            self._statvfs = os.statvfs
            os.statvfs = lambda path: (4096, 4096, BLOCKS, BLOCKS)
        return self

    def __exit__(self, *_):
        if UPY:
            from vfs import umount  # pyright: ignore[reportMissingImports]

            umount("/room")
        else:
            os.statvfs = self._statvfs
            self._quick.__exit__(None, None, None)
            self._folder.cleanup()

    def names(self):
        """The names of the outbox's files, without the index."""
        try:
            return sorted(n for n in os.listdir(self.root + "outbox") if n != "index")
        except OSError:
            return []

    def used(self):
        """Bytes of all its files."""
        return sum(os.stat(self.root + "outbox/" + name)[6] for name in self.names())

    def read(self, name):
        with open(self.root + "outbox/" + name, "rb") as f:
            return f.read()

    def write(self, name, data):
        with open(self.root + "outbox/" + name, "wb") as f:
            f.write(data)
