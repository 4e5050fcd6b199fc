"""ECHONET Lite frames for the simulator: the firmware's codec behind typed functions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import echonet
import echonet.frame

METER = 0x028801
CONTROLLER = 0x05FF01
NODE = 0x0EF001

SETI_SNA, SETC_SNA, GET_SNA, INF_SNA, SETGET_SNA = 0x50, 0x51, 0x52, 0x53, 0x5E
SETI, SETC, GET, INF_REQ, SETGET = 0x60, 0x61, 0x62, 0x63, 0x6E
SET_RES, GET_RES, INF, INFC, INFC_RES = 0x71, 0x72, 0x73, 0x74, 0x7A

Property = tuple[int, bytes]

# The codec is written for two Pythons and carries no annotations.
_codec: Any = echonet.frame
_Error: type[ValueError] = echonet.EchonetError
_frame: Any = _codec.Frame()
_buffer = bytearray(4096)


@dataclass(slots=True)
class Message:
    """One frame of format 1. `more` is the second list of a SetGet. Neither is to be changed."""

    tid: int
    source: int
    target: int
    service: int
    properties: list[Property]
    more: list[Property]


_last: tuple[bytes, Message | None] = b"", None


def parse(data: bytes) -> Message | None:
    """The frame in `data`; None for what the specification says to discard."""
    global _last
    if data is _last[0]:  # who watches a datagram takes it apart, and then the meter does
        return _last[1]
    message = _parse(data)
    _last = bytes(data), message
    return message


def _parse(data: bytes) -> Message | None:
    frame = _frame
    try:
        frame.parse(data)
    except _Error:
        return None
    first = _properties(data, frame.first, frame.opc)
    more = _properties(data, frame.first2, frame.opc2)
    return Message(frame.tid, frame.seoj, frame.deoj, frame.esv, first, more)


def _properties(data: bytes, at: int, count: int) -> list[Property]:
    """So many of them from byte `at` on, in a frame that is known to be whole."""
    found: list[Property] = []
    for _ in range(count):
        end = at + 2 + data[at + 1]
        found.append((data[at], bytes(data[at + 2 : end])))
        at = end
    return found


def build(
    tid: int,
    source: int,
    target: int,
    service: int,
    properties: Sequence[Property],
    more: Sequence[Property] | None = None,
) -> bytes:
    """A frame of format 1. ValueError when a field does not fit."""
    length: int = _codec.build(_buffer, tid, source, target, service, properties, more)
    return bytes(_buffer[:length])
