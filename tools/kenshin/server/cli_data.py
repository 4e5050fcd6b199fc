"""`kenshin server export`, `import`, `backup` and `doctor`."""

import os
import sys
import time
from pathlib import Path
from typing import Annotated

import typer
from sqlalchemy import select

from kenshin.server import backups, gateways, imports, units
from kenshin.server import export as exports
from kenshin.server.cli_common import Database, fail, opened
from kenshin.server.doctor import examine
from kenshin.server.schema import Gateway, Group


def export(
    db: Database = None,
    out: Annotated[str, typer.Option(help="File to write; - = print it.")] = "-",
    kind: Annotated[str, typer.Option(help="half-hour, instant, minute or day.")] = "half-hour",
    gateway: Annotated[str | None, typer.Option(help="Only this gateway.")] = None,
    group: Annotated[str | None, typer.Option(help="Only this group.")] = None,
    month: Annotated[str | None, typer.Option(help="Such as 2026-11.")] = None,
    from_: Annotated[str | None, typer.Option("--from", help="A day, or a moment.")] = None,
    to: Annotated[str | None, typer.Option(help="The end, not included.")] = None,
    format: Annotated[str, typer.Option(help="csv or json.")] = "csv",
    bom: Annotated[bool, typer.Option("--bom", help="For Excel.")] = False,
) -> None:
    """Write readings as CSV or JSON; without a time, all there are."""
    if kind not in exports.COLUMNS or format not in exports.MEDIA:
        fail("--kind is half-hour, instant, minute or day; --format is csv or json")
    try:
        if month is not None:
            start, end = units.month(month)
        else:
            start = units.parse_time(from_) if from_ else 0
            end = units.parse_time(to) if to else int(time.time()) + 86_400
    except ValueError as error:
        fail(error)
    with opened(db) as store:
        with store.reading() as connection:
            statement = select(Gateway.id, Gateway.code, Gateway.name, Gateway.zone)
            if gateway is not None:
                known = gateways.find(connection, gateway)
                statement = statement.where(Gateway.id == known.id)
            if group is not None:
                number = connection.scalar(select(Group.id).where(Group.name == group))
                if number is None:
                    fail(f'there is no group "{group}"')
                statement = statement.where(Gateway.group_id == number)
            rows = connection.execute(statement.order_by(Gateway.code))
            sources = tuple(exports.Source(*row) for row in rows)
        pieces = exports.stream(store, exports.What(sources, kind, start, end, format, bom))
        try:
            if out == "-":
                for piece in pieces:
                    sys.stdout.buffer.write(piece)
            else:
                # Readings tell when a home is empty: for the owner's eyes only, as the database.
                with open(out, "wb", opener=_private) as file:
                    for piece in pieces:
                        file.write(piece)
        except OSError as error:
            fail(f"{out}: {error.strerror}")


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def import_(
    file: Annotated[
        str, typer.Argument(help="A CSV that export wrote: half-hour, instant or minute.")
    ],
    db: Database = None,
    gateway: Annotated[
        str | None, typer.Option(help="Put all of it into this gateway, whatever the file says.")
    ] = None,
) -> None:
    """Read readings back in. Again and again is harmless: what is there stays."""
    with opened(db) as store:
        try:
            with Path(file).open("rb") as source:
                done = imports.read(store, source, gateway, int(time.time()))
        except imports.ImportFault as error:
            fail(f"{file}: {error}")
        except OSError as error:
            fail(f"{file}: {error.strerror}")
    typer.echo(f"{done.rows} readings: {done.stored} new, {done.rejected} rejected")
    for why in done.reasons:
        typer.echo(f"  {why}", err=True)


def backup(
    file: Annotated[str, typer.Argument(help="File to write; must not be there yet.")],
    db: Database = None,
) -> None:
    """Copy the database while it is in use (SQLite; for PostgreSQL use pg_dump)."""
    with opened(db) as store:
        try:
            size = backups.copy(store, Path(file))
        except backups.BackupError as error:
            fail(error)
    place = store.url.database
    typer.echo(f"{file}: {size:,} bytes, checked.")
    typer.echo(f"To go back: stop the server, delete {place}-wal and {place}-shm, and put this in")
    typer.echo("the place of the database: what is in those two is of the other one.")


def doctor(db: Database = None) -> None:
    """Look whether all is well; the exit code is 1 when something is not."""
    with opened(db) as store:
        findings = examine(store, int(time.time()))
    for finding in findings:
        typer.echo(f"{'ok ' if finding.good else 'BAD'}  {finding.what}: {finding.words}")
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)
