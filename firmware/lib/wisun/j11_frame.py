"""J11 frames: bytes in, frames out, and the other way round. No clock, no I/O.

    parser.received(uart.readinto(parser.space()))

A frame, big-endian throughout: unique code (4 bytes), command code (2), length of what follows the
header checksum's place (2: 4 + the data's), sum of the 8 bytes so far (2), sum of the data (2),
data. At most 1361 bytes.
"""

from struct import pack

from micropython import const

# What the unique codes say: from the host; from the module.
REQUEST = b"\xd0\xea\x83\xfc"
RESPONSE = b"\xd0\xf9\xee\x5d"

_HEADER = const(12)
_LONGEST = const(1353)  # in the length field
# A whole frame, and always some room behind an incomplete one.
_SIZE = const(1408)
_NOISE = const(1024)  # is told at the latest when there is so much of it


def frame(code: int, data=b"", unique=REQUEST) -> bytes:
    """The frame that carries a command code and data, at most 1349 bytes."""
    head = unique + pack(">HH", code, 4 + len(data))
    return head + pack(">HH", sum(head), sum(data) & 0xFFFF) + data


class Parser:
    """Splits what comes, told by calls:

    on_frame(code, data)   data: memoryview, valid only during the call
    on_garbage(size)       bytes were dropped

    A frame is what its two sums say, whatever it holds; where they are wrong, the next unique code
    counts, also one inside what would have been data. The memory is taken once.
    """

    def __init__(self, on_frame, on_garbage, unique=RESPONSE):
        self._on_frame = on_frame
        self._on_garbage = on_garbage
        self._unique = unique
        self._buf = bytearray(_SIZE)
        self._view = memoryview(self._buf)
        self._pos = 0
        self._end = 0
        self._dropped = 0

    def space(self):
        """A memoryview to read into, never empty."""
        if self._pos == self._end:
            self._pos = self._end = 0
        elif _SIZE - self._end < 256 and self._pos:
            n = self._end - self._pos
            self._view[:n] = self._view[self._pos : self._end]
            self._pos = 0
            self._end = n
        return self._view[self._end :]

    def received(self, n: int, late: bool = False):
        """The first n bytes of the space have been filled.

        Late: so long after what came before that a frame which these do not complete never will
        be; then they are taken for the start of another one.
        """
        pos = self._pos
        waiting = self._end > pos
        self._end += n
        self._split()
        if late and waiting and self._pos == pos:
            self._drop(pos + 1)
            self._split()

    def give_up(self):
        """What is incomplete will not be completed. Space that was given out stays where it is."""
        while self._pos < self._end:
            self.received(0, True)
        self._tell()

    def _split(self):
        buf = self._buf
        view = self._view
        end = self._end
        while True:
            at = buf.find(self._unique, self._pos, end)
            if at < 0:
                # The last three bytes may be the start of a unique code.
                at = buf.find(b"\xd0", max(self._pos, end - 3), end)
                return self._drop(end if at < 0 else at)
            self._drop(at)
            if end - at < _HEADER:
                return
            size = buf[at + 6] << 8 | buf[at + 7]
            stop = at + 8 + size
            if sum(view[at : at + 8]) != buf[at + 8] << 8 | buf[at + 9] or not (
                4 <= size <= _LONGEST
            ):
                self._drop(at + 1)
            elif stop > end:
                return
            elif sum(view[at + 12 : stop]) & 0xFFFF != buf[at + 10] << 8 | buf[at + 11]:
                self._drop(at + 1)
            else:
                self._pos = stop
                self._tell()
                self._on_frame(buf[at + 4] << 8 | buf[at + 5], view[at + 12 : stop])

    def _drop(self, pos):
        self._dropped += pos - self._pos
        self._pos = pos
        if self._dropped >= _NOISE:
            self._tell()

    def _tell(self):
        n = self._dropped
        if n:
            self._dropped = 0
            self._on_garbage(n)
