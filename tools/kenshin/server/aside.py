"""What an upload seldom needs: conflicts, rejected readings, sequence numbers with holes."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, Select, delete, insert, select

from kenshin.server.hot import Moment, Row
from kenshin.server.hours import HOUR
from kenshin.server.ranges import Span
from kenshin.server.schema import Conflict, Hour, Reading, Received, Rejection
from kenshin.server.slots import FIELDS, INSTANT, Different

# Rejected readings kept to be looked at, per gateway; all are counted.
MOST_REJECTIONS = 500


def keep_conflicts(
    connection: Connection, different: dict[tuple[Moment, Different], Row]
) -> dict[int, int]:
    """Keep values that disagree with those that stand; how many are new, by gateway."""
    counts: dict[int, int] = {}
    for gateway in {moment[0] for moment, _ in different}:
        mine = {key: row for key, row in different.items() if key[0][0] == gateway}
        found = connection.execute(
            select(Conflict.kind, Conflict.t, Conflict.field, Conflict.value).where(
                Conflict.gateway_id == gateway,
                Conflict.kind.in_({moment[1] for moment, _ in mine}),
                Conflict.t.in_({moment[2] for moment, _ in mine}),
            )
        )
        there = {((gateway, kind, t), Different(name, value)) for kind, t, name, value in found}
        new = [
            {
                "gateway_id": gateway,
                "kind": moment[1],
                "t": moment[2],
                "field": value.field,
                "value": value.value,
                "quality": row[3],
                "origins": row[9],
                "received": row[10],
            }
            for (moment, value), row in mine.items()
            if (moment, value) not in there
        ]
        if new:
            connection.execute(insert(Conflict), new)
        counts[gateway] = len(new)
    return counts


def not_there(
    connection: Connection, gateway_id: int, rows: Sequence[Row], purged: int
) -> list[Row]:
    """Of rows of one gateway those that are not stored, or bring a value that is not.

    Instants from before `purged` are left out: whether they were stored nobody can tell.
    """
    stored: dict[tuple[int, int], Sequence[Any]] = {}
    for kind in {row[1] for row in rows}:
        times = [row[2] for row in rows if row[1] == kind]
        found = connection.execute(
            select(Reading.t, *[getattr(Reading, name) for name in FIELDS]).where(
                Reading.gateway_id == gateway_id,
                Reading.kind == kind,
                Reading.t.in_(times),
                Reading.t.between(min(times), max(times)),  # on PostgreSQL: only these months
            )
        )
        stored |= {(kind, t): values for t, *values in found}
    return [
        row
        for row in rows
        if not (row[1] == INSTANT and row[2] < purged) and _new(stored.get(row[1:3]), row)
    ]


def _new(stands: Sequence[Any] | None, row: Row) -> bool:
    if stands is None:
        return True
    return any(value not in (None, old) for old, value in zip(stands, row[4:9], strict=True))


def closed(connection: Connection, gateway_id: int, asked: Collection[int]) -> set[int]:
    """Of these hours those that are folded and whose instants were dropped.

    They are dropped by whole hours: where one is still there, all are.
    """
    kept = connection.scalars(
        select(Hour.t).where(Hour.gateway_id == gateway_id, Hour.t.in_(asked))
    )
    raw = connection.scalars(
        select(Reading.t // HOUR)
        .distinct()
        .where(
            Reading.gateway_id == gateway_id,
            Reading.kind == INSTANT,
            Reading.t.between(min(asked), max(asked) + HOUR - 1),
        )
    )
    return set(kept).difference(hour * HOUR for hour in raw)


def replace_spans(
    connection: Connection,
    gateway_id: int,
    stream: int,
    known: Sequence[Span],
    spans: Sequence[Span],
    oldest_kept: Select[int],
) -> None:
    """Put `spans` in the place of `known`; forget what is older than `oldest_kept` finds."""
    here = (Received.gateway_id == gateway_id, Received.stream == stream)
    kept, there = set(spans), set(known)
    gone = [span[0] for span in known if span not in kept]
    if gone:
        connection.execute(delete(Received).where(*here, Received.first.in_(gone)))
    connection.execute(
        insert(Received),
        [
            {"gateway_id": gateway_id, "stream": stream, "first": first, "last": last}
            for first, last in spans
            if (first, last) not in there
        ],
    )
    forget_spans(connection, gateway_id, stream, oldest_kept)


def forget_spans(
    connection: Connection, gateway_id: int, stream: int, oldest_kept: Select[int]
) -> None:
    """Forget the spans of a stream that are older than `oldest_kept` finds."""
    here = (Received.gateway_id == gateway_id, Received.stream == stream)
    oldest = connection.scalar(oldest_kept, {"gateway": gateway_id, "stream": stream})
    if oldest is not None:
        connection.execute(delete(Received).where(*here, Received.first < oldest))


def forgive(connection: Connection, gateway_id: int, stream: int, seqs: Iterable[int]) -> None:
    """What is stored now is no longer set aside (our own clock may have been wrong before)."""
    connection.execute(
        delete(Rejection).where(
            Rejection.gateway_id == gateway_id,
            Rejection.stream == stream,
            Rejection.seq.in_(seqs),
        )
    )


def set_aside(
    connection: Connection,
    gateway_id: int,
    stream: int,
    readings: Mapping[int, Sequence[Any]],
    rejected: Sequence[tuple[int, str]],
    now: int,
) -> int:
    """Keep the rejected ones of `readings` to be looked at; how many are new."""
    if not rejected:
        return 0
    here = (Rejection.gateway_id == gateway_id, Rejection.stream == stream)
    seqs = [seq for seq, _ in rejected]
    there = connection.execute(
        delete(Rejection).where(*here, Rejection.seq.in_(seqs)).returning(Rejection.seq)
    ).all()
    rows: list[dict[str, Any]] = [
        {
            "gateway_id": gateway_id,
            "stream": stream,
            "seq": seq,
            "why": why[:200],
            "row": to_json(readings[seq], inf_nan_mode="constants").decode()[:400],
            "received": now,
        }
        for seq, why in rejected
    ]
    connection.execute(insert(Rejection), rows)
    mine = select(Rejection.received, Rejection.stream, Rejection.seq).where(
        Rejection.gateway_id == gateway_id
    )
    surplus = connection.execute(
        mine.order_by(Rejection.received.desc(), Rejection.seq.desc()).offset(MOST_REJECTIONS)
    ).all()
    for _, stream, seq in surplus:
        connection.execute(
            delete(Rejection).where(
                Rejection.gateway_id == gateway_id,
                Rejection.stream == stream,
                Rejection.seq == seq,
            )
        )
    return len(rejected) - len(there)
