# Readings that count from this boot get their time. Loaded for that, and dropped.
import struct

from gateway.outbox import NOTHING, QUALITY, T
from gateway.reading import QUALITIES
from micropython import const

_BASE = const(4)
_BOOT = const(7)
_QUALITY = const(8)
_UNDATED = const(4)


def run(box, boot_utc):
    """The boot was at UTC second `boot_utc`. What is dated now is never dated again."""
    quality = QUALITIES.index(box.clock.quality)
    for at in box.rows():
        if box.buf[at + QUALITY] == NOTHING:
            box.buf[at + QUALITY] = quality
            t = struct.unpack_from("<I", box.buf, at + T)[0]
            struct.pack_into("<I", box.buf, at + T, t + boot_utc)
    if not box.undated:
        return
    from gateway import ledger, segments

    data = segments.load(box)
    boot = box.store.boot & 0xFFFF
    for i in range(segments.count(data) if data else 0):
        e = segments.get(data, i)
        if e[_QUALITY] == _UNDATED and e[_BOOT] == boot:
            ledger.change(data, i, _BASE, e[_BASE] + boot_utc)
            ledger.change(data, i, _QUALITY, quality)
    if data:
        ledger.save(box, data)
    box.stored += box.undated
    box.undated = 0
