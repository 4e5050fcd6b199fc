"""Frames of the J11 UART protocol as the module sees them: requests in, answers out.

A frame is a unique code (4 bytes), command (2), length L (2: the data and 4), sum of the first 8
bytes (2), sum of the data (2), data. Big-endian throughout; 8 + L bytes in all.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from meterlab.scheduler import Scheduler, Timer

REQUEST = bytes.fromhex("D0EA83FC")
ANSWER = bytes.fromhex("D0F9EE5D")
HEAD = 12
LONGEST = 1_353  # of L
GAP_MS = 1_000  # that the module waits for the next byte of a frame

TIMEOUT, HEADER_SUM, DATA_SUM, TOO_SHORT, TOO_LONG = 0x13, 0xF0, 0xF1, 0xF2, 0xF3
UNREADABLE = 0x2FFF  # the code of the answer to a header that cannot be trusted

_head = struct.Struct(">4sHHHH")


def frame(unique: bytes, command: int, data: bytes) -> bytes:
    """Any frame, its sums worked out."""
    head = struct.pack(">4sHH", unique, command, len(data) + 4)
    return head + struct.pack(">HH", sum(head), sum(data) & 0xFFFF) + data


def answer(command: int, data: bytes) -> bytes:
    """A response or a notification."""
    return frame(ANSWER, command, data)


class J11Input:
    """Bytes in, requests out. Silent until the unique code of a request has come.

    `on_request(command, data)` gets each good frame; `on_fault(code, result)` what is to be
    answered to a bad one: the answer's command code and its result byte.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        on_request: Callable[[int, bytes], None],
        on_fault: Callable[[int, int], None],
    ) -> None:
        self._scheduler = scheduler
        self._on_request = on_request
        self._on_fault = on_fault
        self._buffer = bytearray()
        self._timer: Timer | None = None

    def clear(self) -> None:
        self._buffer.clear()
        self._disarm()

    @property
    def waiting(self) -> bool:
        """A frame has begun and not ended."""
        return self._timer is not None

    def feed(self, data: bytes) -> None:
        self._disarm()
        self._buffer += data
        while self._take():
            pass
        if len(self._buffer) >= len(REQUEST):
            self._timer = self._scheduler.call_later(GAP_MS, self._late)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _late(self) -> None:
        self._timer = None
        code = UNREADABLE
        if len(self._buffer) >= HEAD:
            code = int.from_bytes(self._buffer[4:6], "big") | 0x2000
        self._buffer.clear()
        self._on_fault(code, TIMEOUT)

    def _take(self) -> bool:
        """Consume one frame, or what keeps it from being one; False when more bytes are needed."""
        buffer = self._buffer
        if not buffer.startswith(REQUEST) and not self._seek():
            return False
        if len(buffer) < HEAD:
            return False
        _, command, length, head_sum, data_sum = _head.unpack_from(buffer)
        if sum(buffer[:8]) != head_sum:
            # Its length cannot be trusted; the next frame may begin anywhere behind the code.
            del buffer[: len(REQUEST)]
            self._on_fault(UNREADABLE, HEADER_SUM)
            return True
        if not 4 <= length <= LONGEST:
            del buffer[:HEAD]
            self._on_fault(command | 0x2000, TOO_SHORT if length < 4 else TOO_LONG)
            return True
        if len(buffer) < 8 + length:
            return False
        data = bytes(buffer[HEAD : 8 + length])
        del buffer[: 8 + length]
        if sum(data) & 0xFFFF != data_sum:
            self._on_fault(command | 0x2000, DATA_SUM)
        else:
            self._on_request(command, data)
        return True

    def _seek(self) -> bool:
        """Drop what comes before a unique code, except the beginning of one."""
        buffer = self._buffer
        at = buffer.find(REQUEST)
        if at >= 0:
            del buffer[:at]
            return True
        for keep in range(min(len(REQUEST) - 1, len(buffer)), 0, -1):
            if buffer.endswith(REQUEST[:keep]):
                del buffer[:-keep]
                return False
        buffer.clear()
        return False
