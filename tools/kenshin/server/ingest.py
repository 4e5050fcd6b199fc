"""Putting an upload into the database, in one transaction.

Two layers make sending again harmless. Sequence numbers already received are acknowledged and
skipped. Below that, merging by (gateway, kind, t) is idempotent by itself, so forgetting old
sequence numbers (`MOST_SPANS`) loses nothing.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_json
from sqlalchemy import Connection, bindparam, delete, insert, select, update

from kenshin.server import ranges, wire
from kenshin.server.ranges import Span
from kenshin.server.schema import Conflict, Reading, Received, Rejection, State
from kenshin.server.slots import Different, Slot, Values, merge

# Ranges remembered per gateway and stream. One while nothing is missing; a full outbox thins
# itself and leaves holes. The oldest are forgotten first.
MOST_SPANS = 500
# Rejected readings kept to be looked at, per gateway; all are counted.
MOST_REJECTIONS = 500

_Moment = tuple[str, int]  # kind, t


# Built once: building a statement costs more than running it.
_STATE = (
    select(State.stored, State.conflicts, State.rejected)
    .where(State.gateway_id == bindparam("gateway"))
    .with_for_update()
)
_SET_STATE = update(State).where(State.gateway_id == bindparam("gateway"))
_SPANS = (
    select(Received.first, Received.last)
    .where(
        Received.gateway_id == bindparam("gateway"),
        Received.stream == bindparam("stream"),
        Received.first <= bindparam("highest"),
        Received.last >= bindparam("lowest"),
    )
    .order_by(Received.first)
)
_OLDEST_SPAN_KEPT = (
    select(Received.first)
    .where(Received.gateway_id == bindparam("gateway"), Received.stream == bindparam("stream"))
    .order_by(Received.first.desc())
    .offset(MOST_SPANS - 1)
    .limit(1)
)
_SLOTS = select(
    Reading.t,
    Reading.power,
    Reading.current_r,
    Reading.current_t,
    Reading.normal,
    Reading.reverse,
    Reading.quality,
    Reading.origins,
).where(
    Reading.gateway_id == bindparam("gateway"),
    Reading.kind == bindparam("of_kind"),
    Reading.t.in_(bindparam("times", expanding=True)),
)
_NEW_SLOTS = insert(Reading)
_CHANGED_SLOTS = update(Reading).where(
    Reading.gateway_id == bindparam("gateway"),
    Reading.kind == bindparam("of_kind"),
    Reading.t == bindparam("at"),
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an upload."""

    ack: list[Span]
    rejected: list[tuple[int, str]]
    stored: int  # rows that are new
    conflicts: int  # values that disagree with those that stand, new


def ingest(connection: Connection, gateway_id: int, batch: wire.Batch, now: int) -> Outcome:
    """Store `batch` of one gateway; `now` = UTC seconds.

    To be run in a transaction that may write; nothing is acknowledged before that is committed.
    """
    # Uploads of one gateway follow one another; on SQLite all do.
    state = connection.execute(_STATE, {"gateway": gateway_id}).one()
    known = _known(connection, gateway_id, batch)
    rows: dict[int, wire.Row] = {}
    rejected: list[tuple[int, str]] = []
    for seq, row in batch.rows.items():
        if not ranges.holds(known, seq):
            checked = wire.check(row, now)
            if isinstance(checked, str):
                rejected.append((seq, checked))
            else:
                rows[seq] = checked
    stored, conflicts = _store(connection, gateway_id, list(rows.values()), now)
    newly_rejected = _set_aside(connection, gateway_id, batch, rejected, now)
    if state.rejected and rows:
        _forgive(connection, gateway_id, batch.stream, list(rows))
    _remember(connection, gateway_id, batch.stream, known, list(rows))

    changes: dict[str, Any] = {
        "last_seen": now,
        "stored": state.stored + stored,
        "conflicts": state.conflicts + conflicts,
        "rejected": state.rejected + newly_rejected,
    }
    if batch.status is not None:
        changes |= {"status": to_json(batch.status).decode(), "status_t": now}
    connection.execute(_SET_STATE, {"gateway": gateway_id, **changes})
    refused = {seq for seq, _ in rejected}
    ack = ranges.spans_of(seq for seq in batch.rows if seq not in refused)
    return Outcome(ack, rejected, stored, conflicts)


def _known(connection: Connection, gateway_id: int, batch: wire.Batch) -> list[Span]:
    """The spans already received that hold, or touch, a number of this batch."""
    if not batch.rows:
        return []
    lowest, highest = min(batch.rows) - 1, max(batch.rows) + 1
    place = {"gateway": gateway_id, "stream": batch.stream, "lowest": lowest, "highest": highest}
    return [(first, last) for first, last in connection.execute(_SPANS, place)]


def _remember(
    connection: Connection, gateway_id: int, stream: int, known: list[Span], seqs: list[int]
) -> None:
    if not seqs:
        return
    spans = ranges.union([*known, *ranges.spans_of(seqs)])
    here = (Received.gateway_id == gateway_id, Received.stream == stream)
    kept = set(spans)
    gone = [first for first, last in known if (first, last) not in kept]
    if gone:
        connection.execute(delete(Received).where(*here, Received.first.in_(gone)))
    there = set(known)
    connection.execute(
        insert(Received),
        [
            {"gateway_id": gateway_id, "stream": stream, "first": first, "last": last}
            for first, last in spans
            if (first, last) not in there
        ],
    )
    oldest = connection.scalar(_OLDEST_SPAN_KEPT, {"gateway": gateway_id, "stream": stream})
    if oldest is not None:
        connection.execute(delete(Received).where(*here, Received.first < oldest))


def _store(
    connection: Connection, gateway_id: int, rows: Sequence[wire.Row], now: int
) -> tuple[int, int]:
    """Merge `rows` into the table; (new rows, new conflicts)."""
    before = _slots(connection, gateway_id, rows)
    after = dict(before)
    different: dict[tuple[_Moment, Different], Slot] = {}
    for row in rows:
        moment = (row.kind, row.t)
        after[moment], disagreeing = merge(after.get(moment), row.slot)
        for value in disagreeing:
            different.setdefault((moment, value), row.slot)
    new = [
        {
            "gateway_id": gateway_id,
            "kind": kind,
            "t": t,
            "received": now,
            **_columns(slot),
        }
        for (kind, t), slot in after.items()
        if (kind, t) not in before
    ]
    changed = [
        {"gateway": gateway_id, "of_kind": kind, "at": t, **_columns(after[kind, t])}
        for (kind, t), slot in before.items()
        if after[kind, t] is not slot
    ]
    if new:
        connection.execute(_NEW_SLOTS, new)
    if changed:
        connection.execute(_CHANGED_SLOTS, changed)
    return len(new), _keep_conflicts(connection, gateway_id, different, now)


def _slots(
    connection: Connection, gateway_id: int, rows: Sequence[wire.Row]
) -> dict[_Moment, Slot]:
    times: dict[str, set[int]] = defaultdict(set)
    for row in rows:
        times[row.kind].add(row.t)
    slots: dict[_Moment, Slot] = {}
    for kind, moments in times.items():
        place = {"gateway": gateway_id, "of_kind": kind, "times": sorted(moments)}
        for t, *values, quality, origins in connection.execute(_SLOTS, place):
            slots[kind, t] = Slot(Values(*values), quality, tuple(origins.split()))
    return slots


def _columns(slot: Slot) -> dict[str, Any]:
    return {
        **slot.values._asdict(),
        "quality": slot.quality,
        "origins": " ".join(slot.origins),
    }


def _keep_conflicts(
    connection: Connection,
    gateway_id: int,
    different: dict[tuple[_Moment, Different], Slot],
    now: int,
) -> int:
    if not different:
        return 0
    times = {t for (_, t), _ in different}
    found = connection.execute(
        select(Conflict.kind, Conflict.t, Conflict.field, Conflict.value).where(
            Conflict.gateway_id == gateway_id,
            Conflict.kind.in_({kind for (kind, _), _ in different}),
            Conflict.t.in_(times),
        )
    )
    there = {((kind, t), Different(field, value)) for kind, t, field, value in found}
    new = [
        {
            "gateway_id": gateway_id,
            "kind": kind,
            "t": t,
            "field": field,
            "value": value,
            "quality": slot.quality,
            "origin": slot.origins[0],
            "received": now,
        }
        for ((kind, t), (field, value)), slot in different.items()
        if ((kind, t), (field, value)) not in there
    ]
    if new:
        connection.execute(insert(Conflict), new)
    return len(new)


def _forgive(connection: Connection, gateway_id: int, stream: int, seqs: list[int]) -> None:
    """What is stored now is no longer set aside (our own clock may have been wrong before)."""
    connection.execute(
        delete(Rejection).where(
            Rejection.gateway_id == gateway_id,
            Rejection.stream == stream,
            Rejection.seq.in_(seqs),
        )
    )


def _set_aside(
    connection: Connection,
    gateway_id: int,
    batch: wire.Batch,
    rejected: list[tuple[int, str]],
    now: int,
) -> int:
    """Keep the rejected readings to be looked at; how many are new."""
    here = (Rejection.gateway_id == gateway_id, Rejection.stream == batch.stream)
    if not rejected:
        return 0
    seqs = [seq for seq, _ in rejected]
    there = connection.execute(
        delete(Rejection).where(*here, Rejection.seq.in_(seqs)).returning(Rejection.seq)
    ).all()
    connection.execute(
        insert(Rejection),
        [
            {
                "gateway_id": gateway_id,
                "stream": batch.stream,
                "seq": seq,
                "why": why[:200],
                "row": to_json(batch.rows[seq]).decode()[:400],
                "received": now,
            }
            for seq, why in rejected
        ],
    )
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
