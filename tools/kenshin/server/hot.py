"""The few statements that every upload needs, each for many gateways at once, per database.

They go to the driver's own cursor: building a statement in SQLAlchemy costs more than running it.
Both databases give the same answers (`SqliteHot`, `PostgresHot`); `ingest` has the rules.
All numbers; the only texts are JSON and words that were checked before.
"""

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import psycopg
from sqlalchemy import Connection

from kenshin.server.partitions import make_partition as make_partition
from kenshin.server.partitions import month as month

# gateway, kind, t, quality, power, current_r, current_t, normal, reverse, origins, received
Row = tuple[
    int, int, int, int, int | None, int | None, int | None, int | None, int | None, int, int
]
Moment = tuple[int, int, int]  # gateway, kind, t

_COLUMNS = (
    "gateway_id, kind, t, quality, power, current_r, current_t, normal, reverse, origins, received"
)


class StateRow(NamedTuple):
    """What ingest needs to know of a gateway."""

    gateway_id: int
    stored: int
    conflicts: int
    rejected: int
    word: str | None
    fw: str | None
    uptime: int | None
    meter: str | None
    health_t: int
    rolled: int
    purged: int
    power_t: int | None
    power: int | None
    normal_t: int | None
    normal: int | None
    reverse_t: int | None
    reverse: int | None


_STATE = ", ".join(StateRow._fields)


class Seen(NamedTuple):
    """Changes of a gateway's state: an upload without a status."""

    last_seen: int
    stored: int
    conflicts: int
    rejected: int
    power_t: int | None
    power: int | None
    normal_t: int | None
    normal: int | None
    reverse_t: int | None
    reverse: int | None
    gateway_id: int


# Those that are set as they are, not added.
_NEWEST = Seen._fields[4:10]


class Told(NamedTuple):
    """Changes of a gateway's state: what its status says. `meter` = None leaves it as it is."""

    status: str
    status_t: int
    meter: str | None
    word: str | None
    code: str | None
    fw: str | None
    rssi: int | None
    queue: int | None
    uptime: int | None
    health_t: int
    gateway_id: int


class HealthRow(NamedTuple):
    """A row of `health`."""

    gateway_id: int
    t: int
    word: str | None
    rssi: int | None
    net_rssi: int | None
    queue: int | None
    uptime: int | None


SpanRow = tuple[int, int, int, int]  # gateway, stream, first, last


class Hot(Protocol):
    """Statements in the transaction of a group of uploads."""

    def states(self, ids: Sequence[int]) -> dict[int, StateRow]:
        """The states, locked until the transaction ends."""
        ...

    def spans(self, asked: Sequence[SpanRow]) -> dict[int, list[tuple[int, int]]]:
        """By gateway, the stored spans of a stream that touch [first, last]."""
        ...

    def put(self, rows: Sequence[Row]) -> dict[Moment, Row]:
        """Insert the rows whose moment is not there; the rows that are there for the others."""
        ...

    def change(self, rows: Sequence[Row]) -> None:
        """Overwrite rows that are there."""

    def grow(self, spans: Sequence[SpanRow]) -> None:
        """Set the `last` of spans that are there."""

    def begin(self, spans: Sequence[SpanRow], most: int) -> list[tuple[int, int]]:
        """Add spans; the (gateway, stream) that now have more than `most`."""
        ...

    def seen(self, changes: Sequence[Seen]) -> None:
        """Set counts."""

    def told(self, changes: Sequence[Told]) -> None:
        """Set what a status says."""

    def health(self, rows: Sequence[HealthRow]) -> None:
        """Add rows; one that is there stays."""

    def stale(self, hours: Iterable[tuple[int, int]]) -> None:
        """Mark (gateway, hour) to be counted again."""


def hot(connection: Connection) -> Hot:
    """The statements for the database of `connection`."""
    if connection.dialect.name == "postgresql":
        return PostgresHot(connection)
    return SqliteHot(connection)


_SET = ", ".join(f"{name} = ?" for name in _NEWEST)


def _marks(count: int) -> str:
    return ", ".join("?" * count)


class SqliteHot:
    """Prepared once, run for each row: in the same process a call costs little."""

    def __init__(self, connection: Connection) -> None:
        self._cursor = connection.connection.cursor()

    def states(self, ids: Sequence[int]) -> dict[int, StateRow]:
        run = self._cursor.execute
        found: dict[int, StateRow] = {}
        for number in ids:
            run(f"SELECT {_STATE} FROM gateway_state WHERE gateway_id = ?", (number,))
            for row in self._cursor.fetchall():
                found[number] = StateRow(*row)
        return found

    def spans(self, asked: Sequence[SpanRow]) -> dict[int, list[tuple[int, int]]]:
        found: dict[int, list[tuple[int, int]]] = {}
        for gateway, stream, first, last in asked:
            self._cursor.execute(
                "SELECT first, last FROM received WHERE gateway_id = ? AND stream = ?"
                " AND first <= ? AND last >= ? ORDER BY first",
                (gateway, stream, last, first),
            )
            rows = self._cursor.fetchall()
            if rows:
                found[gateway] = [(row[0], row[1]) for row in rows]
        return found

    def put(self, rows: Sequence[Row]) -> dict[Moment, Row]:
        times: dict[tuple[int, int], list[int]] = {}
        for row in rows:
            times.setdefault((row[0], row[1]), []).append(row[2])
        there: dict[Moment, Row] = {}
        for (gateway, kind), wanted in times.items():
            self._cursor.execute(
                f"SELECT {_COLUMNS} FROM readings WHERE gateway_id = ? AND kind = ?"
                " AND t IN (SELECT value FROM json_each(?))",
                (gateway, kind, json.dumps(wanted)),
            )
            for found in self._cursor.fetchall():
                there[found[0], found[1], found[2]] = found
        new = [row for row in rows if row[:3] not in there] if there else rows
        self._cursor.executemany(f"INSERT INTO readings ({_COLUMNS}) VALUES ({_marks(11)})", new)
        return there

    def change(self, rows: Sequence[Row]) -> None:
        self._cursor.executemany(
            "UPDATE readings SET quality = ?, power = ?, current_r = ?, current_t = ?,"
            " normal = ?, reverse = ?, origins = ? WHERE gateway_id = ? AND kind = ? AND t = ?",
            [(*row[3:10], *row[:3]) for row in rows],
        )

    def grow(self, spans: Sequence[SpanRow]) -> None:
        self._cursor.executemany(
            "UPDATE received SET last = ? WHERE gateway_id = ? AND stream = ? AND first = ?",
            [(last, gateway, stream, first) for gateway, stream, first, last in spans],
        )

    def begin(self, spans: Sequence[SpanRow], most: int) -> list[tuple[int, int]]:
        self._cursor.executemany(
            f"INSERT INTO received (gateway_id, stream, first, last) VALUES ({_marks(4)})", spans
        )
        found: list[tuple[int, int]] = []
        for gateway, stream, _, _ in spans:
            self._cursor.execute(
                "SELECT count(*) FROM received WHERE gateway_id = ? AND stream = ?",
                (gateway, stream),
            )
            if self._cursor.fetchall()[0][0] > most:
                found.append((gateway, stream))
        return found

    def seen(self, changes: Sequence[Seen]) -> None:
        self._cursor.executemany(
            "UPDATE gateway_state SET last_seen = ?, stored = stored + ?,"
            f" conflicts = conflicts + ?, rejected = rejected + ?, {_SET} WHERE gateway_id = ?",
            changes,
        )

    def told(self, changes: Sequence[Told]) -> None:
        self._cursor.executemany(
            "UPDATE gateway_state SET status = ?, status_t = ?, meter = COALESCE(?, meter),"
            " word = ?, code = ?, fw = ?, rssi = ?, queue = ?, uptime = ?, health_t = ?"
            " WHERE gateway_id = ?",
            changes,
        )

    def health(self, rows: Sequence[HealthRow]) -> None:
        self._cursor.executemany(
            "INSERT OR IGNORE INTO health (gateway_id, t, word, rssi, net_rssi, queue, uptime)"
            f" VALUES ({_marks(7)})",
            rows,
        )

    def stale(self, hours: Iterable[tuple[int, int]]) -> None:
        self._cursor.executemany(
            "INSERT OR IGNORE INTO stale (gateway_id, t) VALUES (?, ?)", list(hours)
        )


def _array(column: Iterable[int | None]) -> str:
    """Integers as PostgreSQL writes an array: one text is much faster than a list."""
    return "{%s}" % ",".join(["NULL" if value is None else str(value) for value in column])


def _records(rows: Sequence[Told] | Sequence[HealthRow]) -> str:
    """Rows with texts in them, as one JSON text for the whole group."""
    return json.dumps([row._asdict() for row in rows])


_TYPES = (
    *("int", "smallint", "bigint", "smallint"),
    *("bigint", "int", "int", "bigint", "bigint", "smallint", "bigint"),
)
_UNNEST = "unnest(%s)" % ", ".join(f"%s::{name}[]" for name in _TYPES)


class PostgresHot:
    """One statement for the whole group: what costs is the way to the server and back."""

    def __init__(self, connection: Connection) -> None:
        self._cursor = connection.connection.cursor()

    def states(self, ids: Sequence[int]) -> dict[int, StateRow]:
        # In the order of their numbers: two servers that lock the same ones never wait crosswise.
        self._cursor.execute(
            f"SELECT {_STATE} FROM gateway_state WHERE gateway_id = ANY(%s::bigint[])"
            " ORDER BY gateway_id FOR UPDATE",
            (_array(ids),),
        )
        return {row[0]: StateRow(*row) for row in self._cursor.fetchall()}

    def spans(self, asked: Sequence[SpanRow]) -> dict[int, list[tuple[int, int]]]:
        self._cursor.execute(
            "SELECT r.gateway_id, r.first, r.last"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])"
            " AS v (gateway_id, stream, first, last) CROSS JOIN LATERAL (SELECT * FROM received r"
            " WHERE r.gateway_id = v.gateway_id AND r.stream = v.stream AND r.first <= v.last"
            " AND r.last >= v.first ORDER BY r.first) r",
            tuple(_array(column) for column in zip(*asked, strict=True)),
        )
        found: dict[int, list[tuple[int, int]]] = {}
        for gateway, first, last in self._cursor.fetchall():
            found.setdefault(gateway, []).append((first, last))
        return found

    def put(self, rows: Sequence[Row]) -> dict[Moment, Row]:
        columns = tuple(_array(column) for column in zip(*rows, strict=True))
        insert = f"INSERT INTO readings ({_COLUMNS}) SELECT * FROM {_UNNEST}"
        # Nearly always all are new, and then nobody needs to be told which.
        run = self._cursor.execute
        run("SAVEPOINT put")
        try:
            run(insert, columns)
        except psycopg.errors.UniqueViolation:
            run("ROLLBACK TO SAVEPOINT put")
        else:
            run("RELEASE SAVEPOINT put")
            return {}
        run(f"{insert} ON CONFLICT DO NOTHING RETURNING gateway_id, kind, t", columns)
        new = self._cursor.fetchall()
        inserted = set(new)
        asked = [row[:3] for row in rows if row[:3] not in inserted]
        there: dict[Moment, Row] = {}
        for gateway in {moment[0] for moment in asked}:
            for kind in {moment[1] for moment in asked if moment[0] == gateway}:
                times = [t for g, k, t in asked if (g, k) == (gateway, kind)]
                self._cursor.execute(
                    f"SELECT {_COLUMNS} FROM readings WHERE gateway_id = %s AND kind = %s"
                    " AND t = ANY(%s::bigint[]) AND t BETWEEN %s AND %s",
                    (gateway, kind, _array(times), min(times), max(times)),
                )
                for row in self._cursor.fetchall():
                    there[row[0], row[1], row[2]] = row
        return there

    def change(self, rows: Sequence[Row]) -> None:
        self._cursor.executemany(
            "UPDATE readings SET quality = %s, power = %s, current_r = %s, current_t = %s,"
            " normal = %s, reverse = %s, origins = %s"
            " WHERE gateway_id = %s AND kind = %s AND t = %s",
            [(*row[3:10], *row[:3]) for row in rows],
        )

    def grow(self, spans: Sequence[SpanRow]) -> None:
        self._cursor.execute(
            "UPDATE received r SET last = v.last"
            " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])"
            " AS v (gateway_id, stream, first, last)"
            " WHERE r.gateway_id = v.gateway_id AND r.stream = v.stream AND r.first = v.first",
            tuple(_array(column) for column in zip(*spans, strict=True)),
        )

    def begin(self, spans: Sequence[SpanRow], most: int) -> list[tuple[int, int]]:
        gateways, streams, firsts, lasts = (_array(one) for one in zip(*spans, strict=True))
        self._cursor.execute(
            "INSERT INTO received (gateway_id, stream, first, last) SELECT * FROM"
            " unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[])",
            (gateways, streams, firsts, lasts),
        )
        self._cursor.execute(
            "SELECT r.gateway_id, r.stream FROM received r"
            " JOIN unnest(%s::bigint[], %s::bigint[]) AS v (gateway_id, stream)"
            " ON r.gateway_id = v.gateway_id AND r.stream = v.stream"
            " GROUP BY r.gateway_id, r.stream HAVING count(*) > %s",
            (gateways, streams, most),
        )
        return [(row[0], row[1]) for row in self._cursor.fetchall()]

    def seen(self, changes: Sequence[Seen]) -> None:
        self._cursor.execute(
            "UPDATE gateway_state s SET last_seen = v.last_seen, stored = s.stored + v.stored,"
            " conflicts = s.conflicts + v.conflicts, rejected = s.rejected + v.rejected,"
            f" {', '.join(f'{name} = v.{name}' for name in _NEWEST)}"
            f" FROM unnest({', '.join(['%s::bigint[]'] * len(Seen._fields))})"
            f" AS v ({', '.join(Seen._fields)}) WHERE s.gateway_id = v.gateway_id",
            tuple(_array(column) for column in zip(*changes, strict=True)),
        )

    def told(self, changes: Sequence[Told]) -> None:
        self._cursor.execute(
            "UPDATE gateway_state s SET status = v.status, status_t = v.status_t,"
            " meter = COALESCE(v.meter, s.meter), word = v.word, code = v.code, fw = v.fw,"
            " rssi = v.rssi, queue = v.queue, uptime = v.uptime, health_t = v.health_t"
            " FROM json_to_recordset(%s::json) AS v (status text, status_t bigint, meter text,"
            " word text, code text, fw text, rssi smallint, queue bigint, uptime bigint,"
            " health_t bigint, gateway_id bigint) WHERE s.gateway_id = v.gateway_id",
            (_records(changes),),
        )

    def health(self, rows: Sequence[HealthRow]) -> None:
        self._cursor.execute(
            "INSERT INTO health (gateway_id, t, word, rssi, net_rssi, queue, uptime)"
            " SELECT * FROM json_to_recordset(%s::json) AS v (gateway_id bigint, t bigint,"
            " word text, rssi smallint, net_rssi smallint, queue bigint, uptime bigint)"
            " ON CONFLICT DO NOTHING",
            (_records(rows),),
        )

    def stale(self, hours: Iterable[tuple[int, int]]) -> None:
        self._cursor.execute(
            "INSERT INTO stale (gateway_id, t) SELECT * FROM unnest(%s::bigint[], %s::bigint[])"
            " ON CONFLICT DO NOTHING",
            tuple(_array(column) for column in zip(*hours, strict=True)),
        )
