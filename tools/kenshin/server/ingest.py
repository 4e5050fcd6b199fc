"""Putting uploads into the database: a group of them in one transaction.

Two layers make sending again harmless. Sequence numbers already received are acknowledged, and
skipped when what they bring is there. Below that, merging by (gateway, kind, t) is idempotent by
itself, so forgetting old sequence numbers (`MOST_SPANS`) loses nothing, and a board that gives a
number twice loses nothing either.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, bindparam, select

from kenshin.server import aside, hot, newest, ranges, told, wire
from kenshin.server.hot import Hot, Moment, Row, Seen, SpanRow, StateRow
from kenshin.server.newest import Newest
from kenshin.server.ranges import Span
from kenshin.server.schema import Received
from kenshin.server.slots import (
    INSTANT,
    KIND_CODES,
    ORIGIN_BITS,
    QUALITIES,
    QUALITY_CODES,
    Different,
    Slot,
    Values,
    bits_of,
    merge,
    origins_of,
)
from kenshin.server.store import Store

# Ranges remembered per gateway and stream. One while nothing is missing; a full outbox thins
# itself and leaves holes. The oldest are forgotten first.
MOST_SPANS = 500

HOUR = 3600

_OLDEST_SPAN_KEPT = (
    select(Received.first)
    .where(Received.gateway_id == bindparam("gateway"), Received.stream == bindparam("stream"))
    .order_by(Received.first.desc())
    .offset(MOST_SPANS - 1)
    .limit(1)
)


class Gone(Exception):
    """The gateway is not in the directory any more."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an upload."""

    ack: list[Span]
    rejected: list[tuple[int, str]]
    stored: int  # rows that are new
    conflicts: int  # values that disagree with those that stand, new


@dataclass(frozen=True, slots=True)
class Upload:
    """A batch of one gateway; `now` = UTC seconds when it came."""

    gateway_id: int
    batch: wire.Batch
    now: int


def prepare(store: Store, uploads: Sequence[Upload]) -> None:
    """What `ingest_all` needs that is not to be done in its transaction: partitions."""
    if not store.postgres:
        return
    wanted: dict[str, int] = {}
    for upload in uploads:
        latest = upload.now + wire.T_AHEAD
        times = [row[2] for _, row in upload.batch.readings() if len(row) > 2]
        times = [t for t in times if type(t) is int and wire.T_MIN <= t <= latest]
        if times:
            low, high = hot.month(min(times)), hot.month(max(times))
            wanted[low[0]], wanted[high[0]] = low[1], high[1]
            if low[2] < high[1]:  # there are months between
                wanted |= {hot.month(t)[0]: t for t in times}
    for name, t in wanted.items():
        if name not in store.partitions:
            with store.writing() as connection:
                hot.make_partition(connection, t)
            store.partitions.add(name)


def ingest(connection: Connection, gateway_id: int, batch: wire.Batch, now: int) -> Outcome:
    """Store one batch; see `ingest_all`. Raises Gone."""
    (outcome,) = ingest_all(connection, [Upload(gateway_id, batch, now)])
    if isinstance(outcome, Exception):
        raise outcome
    return outcome


def ingest_all(connection: Connection, uploads: Sequence[Upload]) -> list[Outcome | Exception]:
    """Store uploads, in their order; what became of each (Gone: nothing).

    To be run in a transaction that may write; nothing is acknowledged before that is committed.
    """
    outcomes: dict[int, Outcome | Exception] = {}
    left = list(enumerate(uploads))
    while left:
        # Of one gateway only one at a time: they follow one another.
        once: dict[int, tuple[int, Upload]] = {}
        again: list[tuple[int, Upload]] = []
        for place, upload in left:
            if once.setdefault(upload.gateway_id, (place, upload))[0] != place:
                again.append((place, upload))
        outcomes |= _Round(connection, [upload for _, upload in once.values()]).run(
            [place for place, _ in once.values()]
        )
        left = again
    return [outcomes[place] for place in range(len(uploads))]


@dataclass(slots=True)
class _Work:
    """One upload on its way."""

    upload: Upload
    state: StateRow
    known: list[Span]
    rows: list[Row] = field(default_factory=list["Row"])
    seqs: list[int] = field(default_factory=list[int])
    rejected: list[tuple[int, str]] = field(default_factory=list[tuple[int, str]])
    again: list[Row] = field(default_factory=list["Row"])  # with numbers already received
    twins: dict[int, Sequence[Any]] = field(default_factory=dict[int, Sequence[Any]])  # rejected
    stored: int = 0
    conflicts: int = 0


class _Round:
    """Uploads of different gateways."""

    def __init__(self, connection: Connection, uploads: Sequence[Upload]) -> None:
        self._connection = connection
        self._hot: Hot = hot.hot(connection)
        self._uploads = uploads
        self._stands: dict[Moment, Row] = {}  # where several reports met, and the others with them

    def run(self, places: Sequence[int]) -> dict[int, Outcome | Exception]:
        states = self._hot.states([upload.gateway_id for upload in self._uploads])
        spans = self._spans()
        works = [
            _Work(upload, states[upload.gateway_id], spans.get(upload.gateway_id, []))
            for upload in self._uploads
            if upload.gateway_id in states
        ]
        for work in works:
            _check(work)
            if work.state.purged:
                self._refuse_closed(work)
            if work.again:
                gateway, purged = work.upload.gateway_id, work.state.purged
                work.rows += aside.not_there(self._connection, gateway, work.again, purged)
        self._store(works)
        self._remember(works)
        self._tell(works)
        done = {id(work.upload): _outcome(work) for work in works}
        return {
            place: done.get(id(upload), Gone())
            for place, upload in zip(places, self._uploads, strict=True)
        }

    def _spans(self) -> dict[int, list[Span]]:
        """The spans already received that hold, or touch, a number of the uploads."""
        asked: list[SpanRow] = []
        for upload in self._uploads:
            seqs = upload.batch.rows
            if seqs:
                asked.append(
                    (upload.gateway_id, upload.batch.stream, min(seqs) - 1, max(seqs) + 1)
                )
        return self._hot.spans(asked) if asked else {}

    def _refuse_closed(self, work: _Work) -> None:
        """Instants of hours whose raw values are not kept any more: counted there already."""
        old = {
            row[2] // HOUR * HOUR
            for row in work.rows
            if row[1] == INSTANT and row[2] < work.state.purged
        }
        if not old:
            return
        closed = aside.closed(self._connection, work.upload.gateway_id, old)
        pairs = list(zip(work.seqs, work.rows, strict=True))
        work.seqs, work.rows = [], []
        refused: set[int] = set()
        for seq, row in pairs:
            if row[1] == INSTANT and row[2] // HOUR * HOUR in closed:
                refused.add(seq)
            else:
                work.seqs.append(seq)
                work.rows.append(row)
        refused.difference_update(seq for seq, _ in work.rejected)
        why = "t: this hour is closed: only its sums are kept"
        work.rejected += [(seq, why) for seq in sorted(refused)]

    def _store(self, works: Sequence[_Work]) -> None:
        first: dict[Moment, Row] = {}
        more: list[Row] = []
        for work in works:
            for row in work.rows:
                if first.setdefault(row[:3], row) is not row:
                    more.append(row)
        if not first:
            return
        there = self._hot.put(list(first.values()))
        for work in works:
            moments = {row[:3] for row in work.rows}
            work.stored = len(moments) - len(moments & there.keys()) if there else len(moments)
        if there:
            more = [first[moment] for moment in there] + more
        if more:
            self._stands = {**first, **there}
            self._merge(self._stands, more, works)
        # What is read on the hour ends one hour and begins another.
        late = {
            (row[0], hour)
            for work in works
            for row in work.rows
            for hour in ((row[2] - 1) // HOUR * HOUR, row[2] // HOUR * HOUR)
            if hour < work.state.rolled
        }
        if late:
            self._hot.stale(sorted(late))

    def _merge(self, stands: dict[Moment, Row], more: list[Row], works: Sequence[_Work]) -> None:
        changed: dict[Moment, Row] = {}
        different: dict[tuple[Moment, Different], Row] = {}
        for row in more:
            moment = row[:3]
            slot, disagreeing = merge(_slot(stands[moment]), _slot(row))
            for value in disagreeing:
                different.setdefault((moment, value), row)
            merged = _row(moment, slot, stands[moment][10])
            if merged != stands[moment]:
                stands[moment] = changed[moment] = merged
        if changed:
            self._hot.change(list(changed.values()))
        if different:
            counts = aside.keep_conflicts(self._connection, different)
            for work in works:
                work.conflicts = counts.get(work.upload.gateway_id, 0)

    def _remember(self, works: Sequence[_Work]) -> None:
        growing: list[SpanRow] = []
        beginning: list[SpanRow] = []
        for work in works:
            if not work.seqs:
                continue
            upload, known = work.upload, work.known
            spans = ranges.union([*known, *ranges.spans_of(work.seqs)])
            if spans == known:
                continue
            place = (upload.gateway_id, upload.batch.stream)
            if len(known) == len(spans) == 1 and known[0][0] == spans[0][0]:
                growing.append((*place, *spans[0]))
            elif not known and len(spans) == 1:
                beginning.append((*place, *spans[0]))
            else:
                aside.replace_spans(self._connection, *place, known, spans, _OLDEST_SPAN_KEPT)
        if growing:
            self._hot.grow(growing)
        if beginning:
            for gateway, stream in self._hot.begin(beginning, MOST_SPANS):
                aside.forget_spans(self._connection, gateway, stream, _OLDEST_SPAN_KEPT)

    def _tell(self, works: Sequence[_Work]) -> None:
        seen: list[Seen] = []
        for work in works:
            upload = work.upload
            if work.rejected or work.state.rejected:
                place = (upload.gateway_id, upload.batch.stream)
                rows = {**upload.batch.rows, **work.twins}
                right = set(work.seqs).difference(seq for seq, _ in work.rejected)
                if right:
                    aside.forgive(self._connection, *place, right)
                newly = aside.set_aside(self._connection, *place, rows, work.rejected, upload.now)
            else:
                newly = 0
            counts = (upload.now, work.stored, work.conflicts, newly)
            seen.append(Seen(*counts, *self._newest(work), upload.gateway_id))
        self._hot.seen(seen)
        telling = [
            (work.state, work.upload.batch.status, work.upload.now)
            for work in works
            if work.upload.batch.status is not None
        ]
        if telling:
            told.tell(self._connection, self._hot, telling)

    def _newest(self, work: _Work) -> Newest:
        before, rows = Newest(*work.state[-6:]), work.rows
        if self._stands:
            # Which of the values at a moment stands was for the merging to say.
            rows = [self._stands[row[:3]] for row in rows]
        return newest.after(before, rows)


def _check(work: _Work) -> None:
    """Sort the readings into rows, rows with a number already received, and rejected ones."""
    upload, known = work.upload, work.known
    gateway, now, batch = upload.gateway_id, upload.now, upload.batch
    for seq, row in batch.readings():
        received = bool(known) and ranges.holds(known, seq)
        if batch.typed:
            _, kind, t, quality, *values, origin = row
            why = wire.misplaced(kind, t, values, now)
            if why is not None:
                if not received:
                    _reject(work, seq, row, why)
                continue
        else:
            checked = wire.check(row, now)
            if isinstance(checked, str):
                if not received:
                    _reject(work, seq, row, checked)
                continue
            kind, t, slot = checked
            quality, values, origin = slot.quality, slot.values, slot.origins[0]
        power, current_r, current_t, normal, reverse = values
        found: Row = (
            gateway,
            KIND_CODES[kind],
            t,
            QUALITY_CODES[quality],
            power,
            current_r,
            current_t,
            normal,
            reverse,
            ORIGIN_BITS[origin],
            now,
        )
        if received:
            work.again.append(found)
        else:
            work.seqs.append(seq)
            work.rows.append(found)


def _reject(work: _Work, seq: int, row: Sequence[Any], why: str) -> None:
    if row is not work.upload.batch.rows[seq]:
        if any(seq == number for number, _ in work.rejected):
            return
        work.twins[seq] = row
    work.rejected.append((seq, why))


def _slot(row: Row) -> Slot:
    return Slot(Values(*row[4:9]), QUALITIES[row[3]], origins_of(row[9]))


def _row(moment: Moment, slot: Slot, received: int) -> Row:
    power, current_r, current_t, normal, reverse = slot.values
    return (
        *moment,
        QUALITY_CODES[slot.quality],
        *(power, current_r, current_t, normal, reverse),
        *(bits_of(slot.origins), received),
    )


def _outcome(work: _Work) -> Outcome:
    rows = work.upload.batch.rows
    refused = {seq for seq, _ in work.rejected}
    if refused:
        ack = ranges.spans_of(seq for seq in rows if seq not in refused)
    else:
        ack = ranges.spans_of(rows)
    return Outcome(ack, work.rejected, work.stored, work.conflicts)
