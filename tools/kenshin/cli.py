"""The `kenshin` command."""

import sys
from typing import Annotated

import typer

from kenshin import __version__
from kenshin.board.cli import app as board_app

# Locals stay out of tracebacks: they may hold a token.
app = typer.Typer(
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,
    help="Kenshin: your electricity meter's readings on your own server.",
)
app.add_typer(board_app, name="board")
# It takes a second to load, for which no board has to wait.
if sys.argv[1:2] != ["board"]:
    from kenshin.server.cli import app as server_app

    app.add_typer(server_app, name="server")


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"kenshin {__version__}")
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    """Kenshin: your electricity meter's readings on your own server."""


if __name__ == "__main__":
    app()
