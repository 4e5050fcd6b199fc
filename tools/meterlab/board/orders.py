"""Orders for a running virtual board, in words: what its owner or the weather would do to it.

wifi ok|no-ap|wrong-key|no-address|dead|drop      rssi DBM         lan plug|unplug
button press|down|up                              pin NUMBER 0|1|free
power on|off|cycle|cut-at N [TORN]                uart plug|unplug
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from meterlab.board.board import VirtualBoard
from meterlab.board.network import FAULTS


class OrderError(ValueError):
    """An order that makes no sense; the text says what would."""


T = TypeVar("T")
_PLUGS = {"plug": True, "unplug": False}


def _choice(word: str, value: str, choices: dict[str, T]) -> T:
    if value not in choices:
        raise OrderError(f"{word} takes one of {', '.join(choices)}, not {value!r}")
    return choices[value]


def _number(word: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise OrderError(f"{word} takes a number, not {value!r}") from None


def _wifi(board: VirtualBoard, value: str, _: list[str]) -> None:
    if value == "drop":
        board.wifi_drop()
        return
    board.wifi(
        _choice("wifi", value, {"ok": None, **{fault: fault for fault in FAULTS}, "drop": None})
    )


def _button(board: VirtualBoard, value: str, _: list[str]) -> None:
    _choice(
        "button",
        value,
        {
            "press": board.press_button,
            "down": lambda: board.button(True),
            "up": lambda: board.button(False),
        },
    )()


def _pin(board: VirtualBoard, value: str, rest: list[str]) -> None:
    level = _choice("pin", rest[0] if rest else "", {"0": 0, "1": 1, "free": None})
    board.set_pin(_number("pin", value), level)


def _power(board: VirtualBoard, value: str, rest: list[str]) -> None:
    if value == "cut-at":
        numbers = [_number("power cut-at", x) for x in rest] or [1]
        board.power_cut_at(*numbers[:2])
        return
    _choice(
        "power",
        value,
        {"on": board.power_on, "off": board.power_cut, "cycle": board.power_cycle, "cut-at": int},
    )()


_ORDERS: dict[str, Callable[[VirtualBoard, str, list[str]], None]] = {
    "wifi": _wifi,
    "rssi": lambda board, value, _: board.wifi_rssi(_number("rssi", value)),
    "lan": lambda board, value, _: board.lan_cable(_choice("lan", value, _PLUGS)),
    "uart": lambda board, value, _: board.uart_cable(_choice("uart", value, _PLUGS)),
    "button": _button,
    "pin": _pin,
    "power": _power,
}


def obey(board: VirtualBoard, order: str) -> None:
    """Carry out one order; OrderError when it makes no sense."""
    word, *rest = order.replace("=", " ", 1).split() or [""]
    if word not in _ORDERS:
        raise OrderError(f"no order {word!r}; there are: {', '.join(_ORDERS)}")
    _ORDERS[word](board, rest[0] if rest else "", rest[1:])
