"""Virtual registers S02-SFF of both SKSTACK editions: what they hold and may hold."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Register:
    """A number of `digits` hex digits in `low`..`high`. `dual`: only in the dual-stack edition."""

    default: int
    digits: int
    low: int = 0
    high: int = 1
    writable: bool = True
    dual: bool = False


CHANNEL, PAN, FRAMES, PAIRING = 0x02, 0x03, 0x07, 0x0A
RENEW, RSSI, ENABLED, SIDE = 0x17, 0xA2, 0xA9, 0xF0
LIMITED, AIRTIME, ECHO, AUTOLOAD = 0xFB, 0xFD, 0xFE, 0xFF

REGISTERS: dict[int, Register] = {
    CHANNEL: Register(0x21, 2, 0x21, 0x3C),
    PAN: Register(0xFFFF, 4, 0, 0xFFFF),
    FRAMES: Register(0, 8, 0, 0xFFFFFFFF, writable=False),
    0x15: Register(0, 1),
    0x16: Register(900, 8, 0x3C, 0xFFFFFFFF),
    RENEW: Register(1, 1),
    0x1C: Register(0, 8, 0, 0xFFFFFFFF, dual=True),
    0x1F: Register(0, 1, dual=True),
    0x20: Register(0, 4, 0, 0xFFFF, dual=True),
    0x23: Register(0, 4, 0, 0xFFFF, dual=True),
    0xA0: Register(1, 1),
    0xA1: Register(1, 1),
    RSSI: Register(0, 1, dual=True),
    ENABLED: Register(1, 1, dual=True),
    SIDE: Register(0, 1, dual=True),
    LIMITED: Register(0, 1, writable=False),
    AIRTIME: Register(0, 16, 0, 0),
    ECHO: Register(1, 1),
    AUTOLOAD: Register(0, 1),
}

_DUAL_LIFETIME = 86_400


class Registers:
    """Plain register values; those that mirror the radio are kept by the personality. `power`: a
    single-hop edition whose SA2 is the transmit power."""

    def __init__(self, *, dual: bool, echo: bool, power: bool = False) -> None:
        self.dual = dual
        self.values = {
            code: register.default
            for code, register in REGISTERS.items()
            if dual or not register.dual or (power and code == RSSI)
        }
        self.values[ECHO] = int(echo)
        if dual:
            self.values[0x16] = _DUAL_LIFETIME

    def __getitem__(self, code: int) -> int:
        return self.values[code]

    def __setitem__(self, code: int, value: int) -> None:
        self.values[code] = value

    def __contains__(self, code: object) -> bool:
        return code in self.values

    def parse(self, code: int, text: str) -> int | None:
        """The value `text` means for a register; None when it may not hold it."""
        register = REGISTERS[code]
        value = number(text, register.digits)
        if value is None or not register.writable or not register.low <= value <= register.high:
            return None
        return value

    def show(self, code: int, value: int) -> str:
        return f"{value:0{REGISTERS[code].digits}X}"


def number(text: str, digits: int) -> int | None:
    """1 to `digits` hex digits without sign or prefix; None for anything else."""
    if not 1 <= len(text) <= digits or not all(c in "0123456789ABCDEFabcdef" for c in text):
        return None
    return int(text, 16)
