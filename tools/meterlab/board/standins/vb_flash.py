# The flash: an image file, 4096-byte blocks, erased to 0xFF, programmed in place. The power may
# go at any operation.
import vb_chip as chip
import vb_regs as r

BLOCK = 4096
_SYNC = 3
_COUNT = 4
_SIZE = 5
_ERASE = 6
_blank = b"\xff" * BLOCK


class Flash:
    # `file` is the image, open for reading and writing.
    def __init__(self, file):
        self._file = file
        self._count = file.seek(0, 2) // BLOCK

    def readblocks(self, n, buf, offset=0):
        self._file.seek(n * BLOCK + offset)
        self._file.readinto(buf)

    def writeblocks(self, n, buf, offset=None):
        if offset is None:
            self.ioctl(_ERASE, n)
            offset = 0
        chip.R[r.FLASH_PROGRAMS] += 1
        chip.R[r.FLASH_BYTES] += len(buf)
        self._put(n * BLOCK + offset, buf)

    def ioctl(self, op, arg):
        if op == _SYNC:
            return 0
        if op == _COUNT:
            return self._count
        if op == _SIZE:
            return BLOCK
        if op == _ERASE:
            chip.R[r.FLASH_ERASES] += 1
            self._put(arg * BLOCK, _blank)
            return 0

    # Ctrl-C does not stop a flash controller half-way; only a power cut does.
    def _put(self, place, data):
        chip.hold()
        try:
            fuse = chip.R[r.FLASH_FUSE]
            if fuse:
                chip.R[r.FLASH_FUSE] = fuse - 1
                if fuse == 1:
                    data = memoryview(data)[: chip.R[r.FLASH_TORN]]
            self._file.seek(place)
            self._file.write(data)
            if fuse == 1:
                chip.event("X")
                chip.stop()
        finally:
            chip.release()
