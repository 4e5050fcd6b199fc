"""`kenshin board ...`: what an owner does with a board at the serial line."""

from __future__ import annotations

import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from kenshin.board.ports import BoardError

app = typer.Typer(
    no_args_is_help=True,
    help="Your board at its serial line: flash, configure, watch, back up.",
)

BUILT = Path(__file__).resolve().parents[3] / "build" / "board"

Port = Annotated[
    str | None,
    typer.Option(
        "--port",
        "-p",
        metavar="PORT",
        envvar="KENSHIN_PORT",
        help="Such as /dev/ttyUSB0 or COM3. Default: the only board that is plugged in.",
        show_default=False,
    ),
]


@contextmanager
def told() -> Generator[None]:
    """An error ends the command with a text that says what to do."""
    try:
        yield
    except BoardError as error:
        typer.echo(f"kenshin: {error}", err=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        typer.echo("\nkenshin: stopped; the same command again goes on", err=True)
        raise typer.Exit(130) from None


def progress(path: str, n: int, of: int) -> None:
    """One line that changes on a terminal, lines elsewhere."""
    if sys.stdout.isatty():
        typer.echo(f"\r\x1b[K{n}/{of} {path}", nl=n == of)
    else:
        typer.echo(f"{n}/{of} {path}")


@app.command("flash")
def flash_command(
    port: Port = None,
    files: Annotated[
        Path, typer.Option(help="A board's files.", show_default="build/board, from make build")
    ] = BUILT,
) -> None:
    """Copy to the board what changed, restart it, and show its first lines.

    Settings and readings on the board stay. Can be interrupted and run again at any time.
    """
    from kenshin.board.flash import flash

    with told():
        flash(port, files, typer.echo, progress)
