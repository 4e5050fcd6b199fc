"""The chip's registers as the PC sees them: an anonymous file that is handed to the board's
process.
"""

from __future__ import annotations

import mmap
import os
import struct

from meterlab.board import registers as r

_WORD = struct.Struct("<i")


class Registers:
    """`registers[r.NAME]` reads and writes a word (a signed 32-bit integer); bytes by `get` and
    `put`.
    """

    def __init__(self) -> None:
        self.fd = os.memfd_create("virtual-board")
        os.ftruncate(self.fd, r.SIZE)
        self._map = mmap.mmap(self.fd, r.SIZE)

    def close(self) -> None:
        self._map.close()
        os.close(self.fd)

    def __getitem__(self, word: int) -> int:
        return _WORD.unpack_from(self._map, word * 4)[0]

    def __setitem__(self, word: int, value: int) -> None:
        _WORD.pack_into(self._map, word * 4, value)

    def get(self, offset: int, length: int) -> bytes:
        return self._map[offset : offset + length]

    def put(self, offset: int, data: bytes) -> None:
        self._map[offset : offset + len(data)] = data
