"""Which serial port the board is at."""

from __future__ import annotations

import os

from serial.tools import list_ports

# Silicon Labs, WCH, FTDI, Prolific, Espressif's own USB: what ESP32 boards come with.
_USB = {0x10C4, 0x1A86, 0x0403, 0x067B, 0x303A}
# The radio sticks have an FTDI chip too, but say what they are.
_NOT_A_BOARD = ("stick-d", "wi-sun", "rs-wsuha", "bp35c2")


class BoardError(Exception):
    """The board, or the way to it, does not do what was asked; the text says what to do."""


def taken(port: str) -> BoardError:
    """What to say when a port that is there, and that we may use, does not open."""
    return BoardError(
        f"{port} is in use by another program, most likely a terminal or `kenshin board monitor`. "
        "Close that, and run the same command again."
    )


def boards_in_sight() -> list[str]:
    """The ports that look like a board's."""
    found: list[str] = []
    for port in list_ports.comports():
        words = f"{port.manufacturer or ''} {port.product or ''} {port.description or ''}".lower()
        if port.vid in _USB and not any(word in words for word in _NOT_A_BOARD):
            found.append(port.device)
    return sorted(found)


def find_port(port: str | None) -> str:
    """The port to use: the one named, else $KENSHIN_PORT, else the only one in sight."""
    port = port or os.environ.get("KENSHIN_PORT")
    if port:
        if os.name == "posix" and not os.path.exists(port):
            others = boards_in_sight()
            words = f"there is {', '.join(others)}" if others else "no board is plugged in"
            raise BoardError(f"There is no port {port}; {words}.")
        if os.name == "posix" and not os.access(port, os.R_OK | os.W_OK):
            raise BoardError(
                f"You may not use {port}. On Linux add yourself to the group that may: "
                "sudo usermod -aG dialout $USER, then log in anew."
            )
        return port
    found = boards_in_sight()
    if not found:
        raise BoardError(
            "No board is plugged in. If it is: use a cable that carries data, not only power, or "
            "name the port, as in --port /dev/ttyUSB0."
        )
    if len(found) > 1:
        raise BoardError(f"There are several ports: {', '.join(found)}. Name one with --port.")
    return found[0]
