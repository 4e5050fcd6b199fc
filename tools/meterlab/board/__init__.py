"""A virtual board: a board's files on real MicroPython, with stand-ins for the hardware."""

from meterlab.board.board import VirtualBoard
from meterlab.board.events import Event, EventLog, WaitTimeout
from meterlab.board.flash import FlashError
from meterlab.board.led import LedState
from meterlab.board.network import AccessPoint
from meterlab.board.process import BoardError

__all__ = [
    "AccessPoint",
    "BoardError",
    "Event",
    "EventLog",
    "FlashError",
    "LedState",
    "VirtualBoard",
    "WaitTimeout",
]
