"""Looking whether all is well, and saying in words what is not and what helps."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Connection, func, select, text

from kenshin.server import hot, people, queries, rollup
from kenshin.server.routes_ingest import CLOCK_FLOOR
from kenshin.server.schema import Stale, State
from kenshin.server.store import Store

_ROOM = 500 * 2**20  # bytes


class Finding(NamedTuple):
    """Something that was looked at."""

    good: bool
    what: str
    words: str


def examine(store: Store, now: int) -> list[Finding]:
    """All findings. Raises Unavailable when the database cannot even be asked."""
    with store.reading() as connection:
        findings = [
            *_clock(now),
            *_database(store, connection, now),
            *_people(connection),
            *_gateways(connection, now),
        ]
    return findings


def _clock(now: int) -> Iterator[Finding]:
    good = now >= CLOCK_FLOOR
    yield Finding(good, "clock", "set" if good else "not set: uploads are refused until it is")


def _database(store: Store, connection: Connection, now: int) -> Iterator[Finding]:
    if store.postgres:
        size = connection.scalar(text("SELECT pg_database_size(current_database())")) or 0
        yield Finding(True, "database", f"PostgreSQL, {size / 2**20:,.0f} MB")
        durable = connection.scalar(text("SHOW fsync")) == "on"
        words = "on" if durable else "off: a power cut loses readings. Set fsync = on"
        yield Finding(durable, "fsync", words)
        name = hot.month(now)[0]
        there = connection.scalar(text(f"SELECT to_regclass('{name}') IS NOT NULL"))
        words = f"{name} is there" if there else f"{name} comes with the first upload"
        yield Finding(True, "partition", words)
        return
    path = Path(str(store.url.database))
    verdict = connection.scalar(text("PRAGMA quick_check(1)"))
    size = path.stat().st_size
    words = f"SQLite, {size / 2**20:,.0f} MB"
    if verdict != "ok":
        words = f"damaged ({verdict}): stop the server and put a backup in its place"
    yield Finding(verdict == "ok", "database", words)
    free = shutil.disk_usage(path.parent).free
    words = f"{free / 2**20:,.0f} MB free"
    if free < _ROOM:
        words += ": make room, or uploads will be refused"
    yield Finding(free >= _ROOM, "disk", words)
    private = path.stat().st_mode & 0o077 == 0
    words = "for its owner only" if private else f"others can read it: chmod 600 {path}"
    yield Finding(private, "permissions", words)


def _people(connection: Connection) -> Iterator[Finding]:
    owners = [row for row in people.listed(connection) if row.role == "owner" and row.ready]
    words = ", ".join(row.name for row in owners)
    if not owners:
        words = "nobody: open the link that `kenshin server run` prints"
    yield Finding(bool(owners), "owners", words)


def _gateways(connection: Connection, now: int) -> Iterator[Finding]:
    total = connection.scalar(select(func.count()).select_from(State)) or 0
    yield Finding(total > 0, "gateways", str(total) if total else "none: add one")
    silent = connection.scalar(
        select(func.count()).select_from(State).where(State.last_seen < now - queries.SILENT)
    )
    words = f"{silent} of {total} for more than 15 minutes: look at their LEDs"
    yield Finding(not silent, "silent", words if silent else "none")
    behind = connection.scalar(
        select(func.count())
        .select_from(State)
        .where(State.rolled < rollup.target(now) - 7200, rollup.known())
    )
    stale = connection.scalar(select(func.count()).select_from(Stale))
    words = f"{behind} gateways behind, {stale} late hours"
    yield Finding(
        not behind, "hours and days", words + (": is the server running?" if behind else "")
    )
