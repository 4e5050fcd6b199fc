# Which half-hours lie in the outbox, not yet acknowledged; loaded for that, and dropped.
import struct

import gateway
from gateway.outbox import HALF_HOUR, KIND, T
from micropython import const

_SLOT = const(1800)


def mark(box, start, bits):
    """Set bit i (`bits[i >> 3]`, from the lowest) of a bytearray for each half-hour of `box` whose
    time is `start` + 1800 i, UTC seconds. OSError when the flash cannot be read.
    """
    for at in box.rows():
        if box.buf[at + KIND] == HALF_HOUR:
            _set(struct.unpack_from("<I", box.buf, at + T)[0] - start, bits)
    if box.stored > 0:
        from gateway import backlog, segments

        data = segments.load(box)
        if data:
            for one in backlog.pending(box, data, (1,)):
                if one[4]:
                    _set(one[4][5] - start, bits)
        gateway.drop("backlog", "segments")


def _set(i, bits):
    if i >= 0 and i % _SLOT == 0 and i // _SLOT < 8 * len(bits):
        bits[i // _SLOT >> 3] |= 1 << (i // _SLOT & 7)
