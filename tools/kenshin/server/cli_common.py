"""What the commands share: the database they work on, and how they fail."""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Annotated, NamedTuple, NoReturn, TypeVar

import typer

from kenshin.server.alerts.rules import RuleError
from kenshin.server.gateways import GatewayError
from kenshin.server.people import PeopleError
from kenshin.server.settings import SettingError
from kenshin.server.store import Store, StoreError, Unavailable, database_url

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
Database = Annotated[
    str | None,
    typer.Option(
        "--db",
        metavar="URL",
        envvar="KENSHIN_DB",
        help="Database URL or SQLite file. Default: kenshin/kenshin.db in the user's data "
        "directory ($XDG_DATA_HOME, else ~/.local/share).",
        show_default=False,
    ),
]


Row = TypeVar("Row", bound=NamedTuple)


def fail(message: object) -> NoReturn:
    """End with a message and the exit code 1."""
    typer.echo(f"kenshin: {message}", err=True)
    raise typer.Exit(1)


def show(
    rows: Sequence[Row], as_json: bool, line: Callable[[Row], str], nothing: str | None = None
) -> None:
    """Print a list: as JSON, or a line for each; `nothing` = what is said of an empty one."""
    if as_json:
        typer.echo(json.dumps([row._asdict() for row in rows], ensure_ascii=False))
        return
    if not rows and nothing:
        typer.echo(nothing)
    for row in rows:
        typer.echo(line(row))


@contextmanager
def opened(db: str | None) -> Generator[Store]:
    """The database meant by --db. What cannot be done ends the command in words."""
    try:
        store = Store(database_url(db))
    except StoreError as error:
        fail(error)
    try:
        yield store
    except Unavailable as error:
        fail(f"{store}: {error.why}")
    except (GatewayError, PeopleError, RuleError, SettingError) as error:
        fail(error)
    finally:
        store.close()
