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
    """One frame of format 1. `more` is the second list of a SetGet."""

    tid: int
    source: int
    target: int
    service: int
    properties: list[Property]
    more: list[Property]


def parse(data: bytes) -> Message | None:
    """The frame in `data`; None for what the specification says to discard."""
    frame = _frame
    try:
        frame.parse(data)
    except _Error:
        return None
    first = [(frame.epc(i), bytes(frame.edt(i))) for i in range(frame.opc)]
    more = [(frame.epc2(i), bytes(frame.edt2(i))) for i in range(frame.opc2)]
    return Message(frame.tid, frame.seoj, frame.deoj, frame.esv, first, more)


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
