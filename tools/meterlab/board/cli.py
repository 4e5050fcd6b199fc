"""`meterlab board`: runs a board's files on real MicroPython until it is told to stop."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Annotated, TextIO

import typer

from meterlab.board.board import VirtualBoard
from meterlab.board.calls import Address
from meterlab.board.events import Event
from meterlab.board.flash import FlashError
from meterlab.board.hardware import HARDWARE
from meterlab.board.network import AccessPoint
from meterlab.board.orders import OrderError, obey
from meterlab.board.process import BoardError
from meterlab.board.serialline import TerminalLine

ORDERS = "METERLAB_BOARD"  # orders for the start, with ";" between them
_JSON_KINDS = {"boot", "crash", "led", "off", "ready", "reset", "uart", "wifi"}


def _forward(text: str) -> tuple[Address, Address]:
    try:
        left, right = text.split("=")
        (name, port), (to, to_port) = left.rsplit(":", 1), right.rsplit(":", 1)
        return (name, int(port)), (to, int(to_port))
    except ValueError:
        raise BoardError(f"{text!r} is not NAME:PORT=ADDRESS:PORT") from None


def _pair(text: str, between: str, form: str) -> tuple[str, str]:
    name, found, value = text.partition(between)
    if not found or not name:
        raise BoardError(f"{text!r} is not {form}")
    return name, value


def _uarts(values: list[str]) -> dict[int, Path]:
    uarts: dict[int, Path] = {}
    for value in values:
        number, found, path = value.partition("=")
        if found and number in ("1", "2"):
            uarts[int(number)] = Path(path)
        else:
            uarts[0] = Path(value)
    return uarts


def _describe(event: Event) -> str:
    if event.kind == "led":
        return f"LED: {event['text']}"
    if event.kind == "wifi":
        return f"Wi-Fi: {'connected' if event['connected'] else event['status']}"
    return str(event).replace(" ", ": ", 1).replace("cause=", "")


class Display:
    """Shows events: as JSON lines, as plain lines, or the LED as one line that changes, or in a
    terminal's title.
    """

    def __init__(self, stream: TextIO, *, as_json: bool, title: bool) -> None:
        self._stream = stream
        self._json = as_json
        self._title = title
        self._line = not as_json and not title and stream.isatty()
        self._open = False  # the cursor stands on the LED's line
        self._lock = threading.Lock()

    def say(self, text: str) -> None:
        """A line of its own."""
        self._put(("\n" if self._open else "") + text + "\n", False)

    def _put(self, text: str, stays: bool) -> None:
        with self._lock:
            self._stream.write(text)
            self._stream.flush()
            self._open = stays

    def show(self, event: Event) -> None:
        """One event, as this display shows them."""
        if self._json:
            if event.kind in _JSON_KINDS:
                details = {**event.details, "event": event.kind}
                self._put(json.dumps(details, default=str, sort_keys=True) + "\n", False)
        elif self._title:
            if event.kind == "led":
                self._put(f"\x1b]2;LED: {event['text']}\x07", False)
        elif event.kind == "led" and self._line:
            self._put(f"\r\x1b[KLED: {event['text']}", True)
        elif event.kind in ("led", "reset", "off", "crash", "wifi"):
            self.say(_describe(event))


class Orders:
    """Takes orders, one a line, from a stream until it ends; the answers go to `say`."""

    def __init__(self, board: VirtualBoard, say: Callable[[str], None]) -> None:
        self._board = board
        self._say = say
        self._rest = b""

    def feed(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            order = line.decode("utf-8", "replace").strip()
            if not order:
                continue
            try:
                obey(self._board, order)
            except (OrderError, BoardError) as error:
                self._say(f"error: {error}")
            else:
                self._say(f"ok: {order}")


def _about(board: VirtualBoard) -> str:
    return (
        f"{board.runtime}, {board.heap} bytes of heap for the firmware, "
        f"stand-ins and REPL take {board.standins_cost} more"
    )


def _run(board: VirtualBoard, display: Display, sources: list[int]) -> None:
    """Until SIGINT, SIGTERM or Ctrl-]; heeds orders meanwhile."""
    orders = Orders(board, display.say)
    wake_read, wake_write = os.pipe()

    def stop(_number: int, _frame: FrameType | None) -> None:
        os.write(wake_write, b"!")

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)

    def watch() -> None:
        board.join(threading.TIMEOUT_MAX)
        os.write(wake_write, b"!")

    threading.Thread(target=watch, daemon=True).start()
    while True:
        ready, _, _ = select.select([wake_read, *sources], [], [])
        if wake_read in ready:
            return
        for fd in ready:
            data = os.read(fd, 4096)
            if data:
                orders.feed(data)
            else:
                sources.remove(fd)


def board(
    flash: Annotated[
        Path, typer.Option(help="An image file, or a folder with the board's files.")
    ],
    link: Annotated[
        Path | None,
        typer.Option(help="Where to put the serial line; without it, this terminal is it."),
    ] = None,
    uart: Annotated[
        list[str] | None, typer.Option(metavar="[N=]PATH", help="The terminal of a radio module.")
    ] = None,
    heap: Annotated[str, typer.Option(help="Heap for the firmware.")] = "100K",
    image: Annotated[
        Path | None, typer.Option(help="Keep the image made of a folder here.")
    ] = None,
    flash_size: Annotated[str, typer.Option(help="Size of a flash that is made.")] = "2M",
    runtime: Annotated[
        str | None, typer.Option(help="A MicroPython by name or bits; by itself the 32-bit one.")
    ] = None,
    hardware: Annotated[
        str, typer.Option(help="One of: " + ", ".join(HARDWARE) + ".")
    ] = "generic",
    wifi: Annotated[
        list[str] | None,
        typer.Option(metavar="SSID:KEY", help="A network in the air; without any, all are good."),
    ] = None,
    online: Annotated[
        bool, typer.Option("--online/--offline", help="Whether packets may leave this PC.")
    ] = True,
    host: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=ADDRESS", help="A name the board can resolve."),
    ] = None,
    forward: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME:PORT=ADDRESS:PORT", help="Send this to another place."),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="ORDER", help="An order for the start; also $METERLAB_BOARD."
        ),
    ] = None,
    control: Annotated[
        bool, typer.Option("--control", help="Take orders from standard input, with --link.")
    ] = False,
    control_file: Annotated[
        Path | None, typer.Option(help="Take orders from this FIFO, which is made.")
    ] = None,
    events: Annotated[
        Path | None, typer.Option(help="Write events as JSON lines to this file or FIFO.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --link: show events as JSON lines.")
    ] = False,
) -> None:
    """A board's files on real MicroPython, with stand-ins for the hardware, until Ctrl-C."""
    made = False
    try:
        with contextlib.ExitStack() as stack:
            the_board = VirtualBoard(
                flash,
                link=link,
                uart=_uarts(uart or []),
                heap=heap,
                runtime=runtime,
                hardware=hardware,
                image=image,
                flash_size=flash_size,
                networks=[AccessPoint(*_pair(item, ":", "SSID:KEY")) for item in wifi or []],
                online=online,
                hosts=dict(_pair(item, "=", "NAME=ADDRESS") for item in host or []),
                forwards=dict(_forward(item) for item in forward or []),
                line=None if link else TerminalLine(),
            )
            # With the serial line on this terminal, what else there is to say must not mix with
            # it.
            beside = sys.stdout if link else sys.stderr
            title = link is None and sys.stderr.isatty()
            display = Display(beside, as_json=as_json and link is not None, title=title)
            if events is not None:
                file = stack.enter_context(open(events, "a", encoding="utf-8"))
                the_board.events.listen(Display(file, as_json=True, title=False).show)
            sources: list[int] = []
            if control and link is not None:
                sources.append(sys.stdin.fileno())
            if control_file is not None:
                os.mkfifo(control_file)
                made = True
                sources.append(os.open(control_file, os.O_RDWR | os.O_NONBLOCK))
            stack.callback(the_board.stop)
            the_board.prepare()
            if link is None:
                display.say(f"{_about(the_board)}; Ctrl-] ends it\r")
            the_board.power_on()
            the_board.events.listen(display.show)
            for order in [*(set_ or []), os.environ.get(ORDERS, "")]:
                for part in order.split(";"):
                    if part.strip():
                        obey(the_board, part)
            the_board.events.add(
                "ready",
                serial=str(the_board.serial) if link else "",
                heap=the_board.heap_free,
                standins=the_board.standins_cost,
                runtime=str(the_board.runtime),
            )
            if link and not as_json:
                display.say(f"board ready on {the_board.serial}: {_about(the_board)}")
            _run(the_board, display, sources)
    except (BoardError, FlashError, OrderError, FileExistsError) as error:
        typer.echo(f"meterlab board: {error}", err=True)
        raise typer.Exit(1) from None
    finally:
        if made and control_file is not None:
            control_file.unlink(missing_ok=True)


def register(app: typer.Typer) -> None:
    """Add `board` to the `meterlab` command."""
    app.command()(board)
