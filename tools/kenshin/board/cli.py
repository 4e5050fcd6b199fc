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
    except (KeyboardInterrupt, typer.Abort):
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


class _Terminal:
    """Asks at this terminal; a secret is not echoed."""

    def text(self, question: str, default: str) -> str:
        return str(typer.prompt(question, default=default, show_default=bool(default)))

    def secret(self, question: str) -> str:
        return str(typer.prompt(question, default="", show_default=False, hide_input=True))


@app.command("configure")
def configure_command(
    port: Port = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="FILE.toml",
            help='Take settings from a file. A secret may be {env = "NAME"} there.',
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set", metavar="KEY=VALUE", help="One setting; not for secrets. KEY= unsets."
        ),
    ] = None,
    ask: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY", help="Ask for this again: a setting, or wifi, broute, server."
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Test network, server and radio at the end.")
    ] = True,
) -> None:
    """Ask for what is missing, check each answer on the board, then test it all."""
    from kenshin.board import configure
    from kenshin.board.repl import Repl

    with told():
        values = configure.read_toml(source) if source else {}
        for pair in set_ or []:
            key, found, value = pair.partition("=")
            if not found:
                raise BoardError(f"--set {pair}: write it as KEY=VALUE")
            values[key] = value or None
        with Repl(port) as repl:
            settings = configure.Settings(repl)
            exposed = [pair.partition("=")[0] for pair in set_ or [] if not pair.endswith("=")]
            for key in exposed:
                if key in settings.secret:
                    raise BoardError(
                        f"--set {key}: a command stays in the shell's history. Leave it out and "
                        'it is asked for, or use --from with {env = "NAME"}.'
                    )
            if values:
                settings.put(values)
                typer.echo(f"set: {', '.join(sorted(values))}")
            if sys.stdin.isatty():
                configure.ask_all(settings, _Terminal(), typer.echo, ask or [])
            if settings.missing:
                raise BoardError(f"Still missing: {', '.join(settings.missing)}")
            for problem in settings.problems:
                raise BoardError(problem)
            typer.echo("The settings are complete.")
            if not check:
                repl.restart()
        if check and not configure.test_all(port, typer.echo, ("network", "server", "radio")):
            raise typer.Exit(1)


@app.command("monitor")
def monitor_command(port: Port = None) -> None:
    """Watch the gateway live in this terminal. It works on undisturbed; q ends the page."""
    from kenshin.board import monitor

    with told():
        if not sys.stdout.isatty():
            raise BoardError("The monitor is a page for a terminal. Programs type: json on")
        monitor.run(port)


@app.command("doctor")
def doctor_command(
    port: Port = None,
    file: Annotated[Path, typer.Argument(help="Where to write it.")] = Path("doctor.txt"),
    files: Annotated[Path, typer.Option(help="A board's files, to compare with.")] = BUILT,
) -> None:
    """Collect what somebody who helps you needs, in one file that is safe to post."""
    from kenshin.board import doctor

    with told():
        doctor.examine(port, file, files, typer.echo)


@app.command("backup")
def backup_command(
    file: Annotated[Path, typer.Argument(help="Where to write it.")],
    port: Port = None,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="With IDs, passwords and tokens: keep it safe.")
    ] = False,
) -> None:
    """Copy settings and readings that no server has yet into a file."""
    from kenshin.board import backup

    with told():
        done = backup.backup(port, file, secrets)
        typer.echo(f"{file}: {done['settings']} settings, {done['files']} files of readings")
        if not secrets:
            typer.echo("Secrets are not in it; --secrets would put them in.")


@app.command("restore")
def restore_command(
    file: Annotated[Path, typer.Argument(help="A backup.")], port: Port = None
) -> None:
    """Put a backup on a board that Kenshin is flashed on."""
    from kenshin.board import backup

    with told():
        done = backup.restore(port, file)
        typer.echo(f"restored {done['settings']} settings, {done['files']} files")
        if done["missing"]:
            typer.echo("Some settings are missing. Run: kenshin board configure")


@app.command("erase")
def erase_command(
    port: Port = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Remove everything from the board: program, settings, readings. MicroPython stays."""
    from kenshin.board import backup

    with told():
        if not yes and not typer.confirm(
            "Program, settings and readings that no server has yet will be gone. Go on?"
        ):
            raise typer.Exit(1)
        typer.echo(f"removed {backup.erase(port)} files and all settings")
