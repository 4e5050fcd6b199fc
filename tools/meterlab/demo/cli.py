"""`meterlab demo`: from the simulated meter to the server, watched from outside."""

from __future__ import annotations

import secrets
import signal
import string
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from meterlab.board import AccessPoint, BoardError, FlashError, VirtualBoard
from meterlab.datagrams import TimeServer
from meterlab.demo.owner import Console, OwnerError, configure
from meterlab.demo.parts import Part, PartError, Server
from meterlab.demo.show import Show, lines

ROOT = Path(__file__).resolve().parents[3]
BUILT = ROOT / "build" / "board"

WIFI = "demo network"
HOST = "server.home"
PORT = 8000
TIME_HOST = "time.home"
STEP_SECONDS = 0.5
FIRST_STATE_SECONDS = 60
LAST_UPLOAD_SECONDS = 30


@dataclass
class Tally:
    """How it ended. `made`: readings that the board numbered; `received`: of these, at the
    server, which stored `stored` (a half hour read twice is one)."""

    made: int
    received: int
    stored: int

    @property
    def lost(self) -> int:
        return self.made - self.received


class Stopped(Exception):
    """Ctrl-C, or SIGTERM."""


class Demo:
    """`with`-less on purpose: `run` starts everything, `stack` ends it in the opposite order."""

    def __init__(self, kind: str, seed: int, solar: int, heap: str, seconds: float | None) -> None:
        self.kind = kind
        self.seed = seed
        self.solar = solar
        self.heap = heap
        self.seconds = seconds

    def run(self) -> Tally:
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kenshin-demo-")))
            server = Server(folder)
            stack.callback(server.stop)
            # Invented anew each time; the same pair goes to the meter and to the board.
            rbid = secrets.token_hex(16).upper()
            password = "".join(
                secrets.choice(string.ascii_uppercase + string.digits) for _ in range(12)
            )
            radio = Part(
                "meterlab module",
                ["meterlab", "module", "--kind", self.kind, "--link", str(folder / "radio")]
                + ["--fast", "--seed", str(self.seed), "--solar", str(self.solar)],
                {"METERLAB_ID": rbid, "METERLAB_PASSWORD": password},
            )
            stack.callback(radio.stop)
            clock = stack.enter_context(TimeServer())
            url = server.ready()
            radio.ready()
            wifi_key = secrets.token_urlsafe(12)
            board = stack.enter_context(
                VirtualBoard(
                    BUILT,
                    link=folder / "serial",
                    uart=folder / "radio",
                    heap=self.heap,
                    networks=[AccessPoint(WIFI, wifi_key, rssi=-52)],
                    forwards={
                        (HOST, PORT): ("127.0.0.1", server.port),
                        (TIME_HOST, 123): ("127.0.0.1", clock.port),
                    },
                )
            )
            typer.echo(
                f"module {self.kind}, board {board.runtime} with {self.heap} of heap, page {url}"
            )
            configure(
                folder / "serial",
                {
                    "broute.id": rbid,
                    "broute.password": password,
                    "wifi.ssid": WIFI,
                    "wifi.key": wifi_key,
                    "server.url": f"http://{HOST}:{PORT}",
                    "server.token": server.token,
                    "server.interval": 10,
                    "poll.interval": 10,
                    "poll.energy": 30,
                    "time.ntp": TIME_HOST,
                },
            )
            console = Console(folder / "serial")
            stack.callback(console.close)
            if not console.wait_state(FIRST_STATE_SECONDS):
                raise OwnerError("the board's console is silent; it said:\n" + console.said())
            self._watch(board, console, server, [server, radio])
            tally = self._tally(console, server)
            if console.restarts:
                raise OwnerError("the board started anew; it said last:\n" + console.said())
            if tally.lost:
                typer.echo("the board said last:\n" + console.said(), err=True)
            return tally

    def _watch(
        self, board: VirtualBoard, console: Console, server: Server, parts: list[Part]
    ) -> None:
        end = None if self.seconds is None else time.monotonic() + self.seconds
        show = Show()
        try:
            while end is None or time.monotonic() < end:
                stored = int(server.gateway()["stored"])
                show.update(lines(str(board.led), console.state, stored, server.url))
                for part in parts:
                    if not part.alive:
                        raise PartError(f"{part.name} ended: {part.last_words()}")
                time.sleep(STEP_SECONDS)
        except Stopped:
            pass  # the ordinary end; what waits is still uploaded
        finally:
            show.close()

    @staticmethod
    def _tally(console: Console, server: Server) -> Tally:
        end = time.monotonic() + LAST_UPLOAD_SECONDS
        while True:
            console.check("server", LAST_UPLOAD_SECONDS)
            before = console.state.get("uptime", 0)
            # The next line tells of the time after that upload.
            while console.state.get("uptime", 0) < before + 2 and time.monotonic() < end:
                time.sleep(0.1)
            state = console.state
            if not state.get("queue") or time.monotonic() >= end:
                break
        return Tally(state["seq"], server.received(), int(server.gateway()["stored"]))


def _stop(_number: int, _frame: object) -> None:
    raise Stopped


def register(app: typer.Typer) -> None:
    """Add `demo` to the command."""

    @app.command()
    def demo(  # pyright: ignore[reportUnusedFunction]
        seconds: Annotated[
            float | None, typer.Option(min=1, help="End by itself after so long.")
        ] = None,
        kind: Annotated[str, typer.Option(help="The radio module.")] = "bp35a1",
        seed: Annotated[int, typer.Option(help="Another household.")] = 1,
        solar: Annotated[int, typer.Option(min=0, help="Watts at peak on the roof.")] = 4000,
        heap: Annotated[str, typer.Option(help="The board's memory for Python.")] = "100K",
    ) -> None:
        """Meter, radio module, virtual board and server at work, until Ctrl-C."""
        if not (BUILT / "main.py").exists():
            typer.echo("The board's files are not built yet: make build", err=True)
            raise typer.Exit(2)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, _stop)
        try:
            tally = Demo(kind, seed, solar, heap, seconds).run()
        except Stopped:
            typer.echo("stopped before the gateway ran")
            raise typer.Exit(1) from None
        except (PartError, OwnerError, BoardError, FlashError) as error:
            typer.echo(f"demo: {error}", err=True)
            raise typer.Exit(1) from None
        typer.echo(
            f"readings made {tally.made}, received {tally.received}, "
            f"stored {tally.stored} moments, lost {tally.lost}"
        )
        if tally.lost or not tally.made:
            raise typer.Exit(1)
