# Which half-hours lie in the outbox, not yet acknowledged; loaded for that, and dropped.
import struct

from gateway.outbox import HALF_HOUR, KIND, T
from micropython import const

_SLOT = const(1800)


def mark(box, start, bits):
    """Set bit i (`bits[i >> 3]`, from the lowest) of a bytearray for each half-hour of `box` whose
    time is `start` + 1800 i, UTC seconds.
    """
    for at in box.rows():
        if box.buf[at + KIND] == HALF_HOUR:
            i = struct.unpack_from("<I", box.buf, at + T)[0] - start
            if i >= 0 and i % _SLOT == 0 and i // _SLOT < 8 * len(bits):
                bits[i // _SLOT >> 3] |= 1 << (i // _SLOT & 7)
