"""Any sending again, any splitting, any order: the same rows."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from kenshin.server import gateways, queries, wire
from kenshin.server import ingest as ingesting
from kenshin.server.ingest import Upload, ingest, prepare
from kenshin.server.slots import FIELDS, KINDS, ORIGINS, QUALITIES
from kenshin.server.store import Store, database_url

T0 = 1_795_392_000
names = itertools.count()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest) -> Iterator[Store]:
    if request.param == "postgresql":
        cluster = request.getfixturevalue("cluster")
        cluster.create("idempotence")
        store = Store(database_url(cluster.address("idempotence")))
    else:
        folder = request.getfixturevalue("tmp_path_factory").mktemp("idempotence")
        store = Store(database_url(str(folder / "kenshin.db")))
    yield store
    store.close()


def gateway(store: Store) -> int:
    with store.writing() as connection:
        added = gateways.add(connection, f"home {next(names)}", T0)
        found = gateways.holder(connection, added.token, T0)
    assert found is not None
    return found.id


def send(store: Store, gateway_id: int, stream: int, rows: list[list[Any]]) -> set[int]:
    """Upload; the numbers that are done with: acknowledged or rejected."""
    body = to_json({"v": 1, "stream": stream, "readings": rows})
    batch = wire.parse(body)
    prepare(store, [Upload(gateway_id, batch, T0)])
    with store.writing() as connection:
        outcome = ingest(connection, gateway_id, batch, T0)
    done = {seq for seq, _ in outcome.rejected}
    for first, last in outcome.ack:
        done |= set(range(first, last + 1))
    return done


def stored(store: Store, gateway_id: int) -> tuple[dict[Any, Any], set[Any]]:
    """What lies in the tables: rows by moment, and conflicts."""
    with store.reading() as connection:
        page = queries.readings(connection, gateway_id, KINDS, 0, T0 * 2, 10_000)
    rows = {(row.kind, row.t): tuple(getattr(row, f) for f in FIELDS) for row in page.readings}
    return rows, {(c.kind, c.t, c.field, c.value) for c in page.conflicts}


small = st.none() | st.integers(0, 3)


@st.composite
def reports(draw: st.DrawFn, consistent: bool) -> list[list[Any]]:
    """Rows with sequence numbers, several for one moment; some are wrong.

    `consistent`: there is one truth, and each report tells a part of it.
    """
    rows: list[list[Any]] = []
    for seq in range(draw(st.integers(1, 14))):
        kind = draw(st.sampled_from(KINDS))
        t = T0 + 1800 * draw(st.integers(0, 2))
        values = [draw(small) for _ in FIELDS]
        if consistent:
            truth = [(t // 1800 + n) % 7 for n in range(len(FIELDS))]
            values = [None if v is None else w for v, w in zip(values, truth, strict=True)]
        if kind != "instant":
            values[:3] = [None] * 3
        if draw(st.integers(0, 9)) == 0:
            values[4] = -1
        quality = draw(st.sampled_from(QUALITIES))
        rows.append([seq, kind, t, quality, *values, draw(st.sampled_from(ORIGINS))])
    return rows


def sendings(rows: list[list[Any]]) -> st.SearchStrategy[list[list[list[Any]]]]:
    """Uploads that hold each row at least once: split, repeated, in any order."""
    more = st.lists(st.lists(st.sampled_from(rows), max_size=6, unique_by=lambda r: r[0]))
    whole = st.permutations(rows).flatmap(
        lambda order: st.integers(1, len(order)).map(
            lambda size: [order[i : i + size] for i in range(0, len(order), size)]
        )
    )
    return st.tuples(more, whole, more).map(lambda parts: [*parts[0], *parts[1], *parts[2]])


def right(rows: list[list[Any]]) -> list[list[Any]]:
    return [row for row in rows if row[8] != -1]


@given(st.data())
def test_when_reports_agree_any_sending_gives_the_same_rows(store, data):
    rows = data.draw(reports(consistent=True))
    # What must come out, said without the code under test.
    expected: dict[Any, Any] = {}
    for _, kind, t, _, *values, _ in right(rows):
        old = expected.get((kind, t), (None,) * len(FIELDS))
        expected[kind, t] = tuple(b if a is None else a for a, b in zip(old, values, strict=True))
    ours = gateway(store)
    for upload in data.draw(sendings(rows)):
        assert send(store, ours, 1, upload) == {row[0] for row in upload}
    assert stored(store, ours) == (expected, set())
    with store.reading() as connection:
        state = queries.gateways(connection, "", 10**6)
        (mine,) = [row for row in state if row.id == ours]
        spans = queries.streams(connection, ours).get(1, [])
    assert (mine.stored, mine.conflicts) == (len(expected), 0)
    assert mine.rejected == len(rows) - len(right(rows))
    numbers = {n for first, last in spans for n in range(first, last + 1)}
    assert numbers == {row[0] for row in right(rows)}


@given(st.data())
def test_when_reports_disagree_no_value_is_lost_and_none_is_doubled(store, data):
    rows = data.draw(reports(consistent=False))
    expected = {
        (kind, t, field, value)
        for _, kind, t, _, *values, _ in right(rows)
        for field, value in zip(FIELDS, values, strict=True)
        if value is not None
    }
    ours = gateway(store)
    for upload in data.draw(sendings(rows)):
        send(store, ours, 1, upload)
    slots, beside = stored(store, ours)
    stands = {
        (kind, t, field, value)
        for (kind, t), values in slots.items()
        for field, value in zip(FIELDS, values, strict=True)
        if value is not None
    }
    assert stands | beside == expected
    assert not stands & beside
    # And all of it again, as another stream of the same board: nothing changes.
    send(store, ours, 2, rows)
    assert stored(store, ours) == (slots, beside)


def test_numbers_with_gaps_between_them_are_remembered_within_bounds(
    lab, board, instant, monkeypatch
):
    """Each upload leaves a gap: many spans, of which the oldest are forgotten."""
    most = 20
    oldest = ingesting._OLDEST_SPAN_KEPT.offset(most - 1)  # pyright: ignore
    monkeypatch.setattr(ingesting, "MOST_SPANS", most)
    monkeypatch.setattr(ingesting, "_OLDEST_SPAN_KEPT", oldest)
    for seq in range(0, 60, 2):
        board.upload(instant(seq, T0 - seq))
    (stream,) = board.detail()["streams"]
    assert stream["received"] == [[seq, seq] for seq in range(20, 60, 2)]
    # What was forgotten may come again: it is known by its moment.
    board.upload(instant(0, T0))
    assert board.detail()["stored"] == len(board.readings()) == 30
