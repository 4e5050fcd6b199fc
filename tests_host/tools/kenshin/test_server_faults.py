"""Disk full, database locked, no clock: nothing acknowledged, nothing lost, later all is well."""

import asyncio
import sqlite3
import threading
from contextlib import closing

import pytest
from fastapi import Request
from sqlalchemy import event

from kenshin.server import body, routes_ingest
from kenshin.server.problems import Problem
from kenshin.server.store import Store, StoreError, Unavailable, database_url
from kenshin.server.writer import Limits, Writer

T0 = 1_795_392_000
HOUR, DAY = 3600, 86_400
LIMIT = 60.0  # seconds; the longest wait for anything here


def not_now(answer, detail):
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["type"] in ("/problems/unavailable", "/problems/clock")
    assert detail in answer.json().get("detail", "")


def upload(rows):
    return {"v": 1, "stream": 1, "readings": rows}


def test_commits_wait_for_the_disk(sqlite_lab):
    lab = sqlite_lab
    # WAL with synchronous=FULL: what a commit has returned for survives a power cut.
    with lab.store.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_write_has_the_lock_from_its_beginning(sqlite_lab):
    lab = sqlite_lab
    # Taken later, it could be refused half-way although nobody holds it for long.
    with closing(sqlite3.connect(lab.path, timeout=0, isolation_level=None)) as other:
        with lab.store.reading():
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
        with lab.store.writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")


def test_a_locked_database_is_not_now_and_later_all_is_well(sqlite_lab, instant):
    lab, board = sqlite_lab, sqlite_lab.board()
    sent = upload([instant(1)])
    with closing(sqlite3.connect(lab.path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        not_now(board.post(sent), "locked by another program")
        # Looking is still possible.
        assert board.detail()["last_seen"] is None
        assert lab.client.get("/healthz").status_code == 200
        other.execute("ROLLBACK")
    assert board.upload(instant(1))["ack"] == [[1, 1]]
    assert len(board.readings()) == 1


def test_a_full_disk_is_not_now_and_later_all_is_well(sqlite_lab, instant):
    lab, board = sqlite_lab, sqlite_lab.board()
    pages = {"limit": 0}

    # SQLite's own "disk full", on every connection: no page beyond those there are.
    @event.listens_for(lab.store.engine, "checkout")
    def limit(connection, _record, _proxy):
        there = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages['limit'] or there}")

    acked, refused, answer = set(), None, None
    for start in range(0, 100_000, 1000):
        rows = [instant(n, t=T0 - n) for n in range(start, start + 1000)]
        answer = board.post(upload(rows))
        if answer.status_code != 200:
            refused = rows
            break
        assert answer.json()["ack"] == [[start, start + 999]]
        acked.update(range(start, start + 1000))
    assert refused is not None
    not_now(answer, "disk is full")
    # Nothing of the refused upload is there, not even its status.
    assert {T0 - r["t"] for r in board.readings()} == acked
    assert board.detail()["stored"] == len(acked)
    pages["limit"] = 2**30
    assert board.post(upload(refused)).status_code == 200
    assert len(board.readings()) == len(acked) + 1000


def test_a_server_that_does_not_know_the_time_takes_nothing(lab, board, instant):
    lab.now = routes_ingest.CLOCK_FLOOR - 1  # a small computer without a clock, before NTP
    sent = upload([instant(1, t=T0)])
    not_now(board.post(sent), "")
    assert board.readings() == []
    lab.now = T0
    assert board.upload(instant(1, t=T0))["ack"] == [[1, 1]]


@pytest.mark.parametrize("quality", ["ntp", "meter"])
def test_a_server_whose_clock_is_behind_throws_no_reading_away(
    lab, board, instant, slot, caplog, quality
):
    real, lab.now = T0, T0 - 3 * DAY  # as a small computer is after its start, until NTP is heard
    backlog = [instant(n, lab.now + n * 6 * HOUR, quality=quality) for n in range(4)]
    assert board.upload(*backlog)["ack"] == [[0, 3]]
    # The day's history is from the past, but it was sent after the instant.
    rows = [instant(7, real, quality=quality), slot(8, T0 - 4 * DAY, 1, quality="meter")]
    answer = board.post(upload(rows))
    not_now(answer, "here it is 2026-11-20T09:00:00+09:00")
    assert answer.json()["type"] == "/problems/clock"
    assert f"{board.code}: a reading is from 2026-11-23T09:00:00+09:00, but here" in caplog.text
    # Nor is one that was taken before it, and comes after it.
    not_now(board.post(upload([instant(6, real - 30, quality=quality)])), "here it is")
    lab.now = real
    assert board.upload(*rows, instant(6, real - 30, quality=quality))["ack"] == [[6, 8]]
    assert board.detail()["rejected"] == 0


def test_a_board_whose_clock_was_wrong_is_not_held_up(lab, board, instant):
    late = "t: lies in the future"
    wrong = instant(5, T0 + 40 * DAY)
    # One that was taken later has a time that fits ours: in the same upload, or before it.
    assert board.upload(wrong, instant(6))["rejected"] == [[5, late]]
    assert board.upload(instant(4, T0 + 40 * DAY))["rejected"] == [[4, late]]
    assert board.post(upload([instant(7, T0 + 40 * DAY)])).status_code == 503
    # The numbers of another stream say nothing, and no other gateway's either.
    body = upload([instant(2, T0 + 40 * DAY)])
    assert board.post({**body, "stream": 2}).status_code == 503
    assert lab.board("other").post(body).status_code == 503
    # The time that we told it ourselves it gets anew with the answer; nonsense is not waited for.
    server = instant(8, T0 + 40 * DAY, quality="server")
    assert board.upload(server, instant(9, 2**40))["rejected"] == [[8, late], [9, late]]


def test_a_mistake_in_an_upload_undoes_all_of_it(lab, board, instant):
    with lab.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE received RENAME TO elsewhere")
    answer = board.post(upload([instant(1)]))
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/broken")
    with lab.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO received")
    assert board.readings() == []
    assert board.upload(instant(1))["ack"] == [[1, 1]]


def request(messages):
    async def receive():
        if messages:
            return messages.pop(0)
        await asyncio.Event().wait()
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/", "headers": []}
    return Request(scope, receive)


@pytest.mark.parametrize(
    ("then", "name"), [([], "too-slow"), ([{"type": "http.disconnect"}], "incomplete")]
)
def test_a_body_that_does_not_come_to_its_end_is_given_up(then, name):
    half = {"type": "http.request", "body": b'{"v":1', "more_body": True}
    with pytest.raises(Problem) as caught:
        asyncio.run(asyncio.wait_for(body.read(request([half, *then]), 1000, 0.05), LIMIT))
    assert caught.value.name == name


def test_writes_that_wait_are_bounded_in_number_and_time(lab):
    go, busy = threading.Event(), threading.Event()

    def work(_connection, items):
        if "slow" in items:
            busy.set()
            assert go.wait(LIMIT)
        return [item.upper() for item in items]

    writer = Writer(lab.store, work, Limits(length=1, patience=LIMIT))

    async def main():
        first = asyncio.create_task(writer.put("slow"))
        assert await asyncio.to_thread(busy.wait, LIMIT)
        writer.limits.patience = 0.0
        second = asyncio.create_task(writer.put("second"))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="too many"):
            await writer.put("third")
        go.set()
        assert await first == "SLOW"
        with pytest.raises(Unavailable, match="too slow"):
            await second
        writer.limits.patience = LIMIT
        assert await writer.put("fourth") == "FOURTH"

    try:
        asyncio.run(asyncio.wait_for(main(), 2 * LIMIT))
    finally:
        writer.close()


def test_writes_that_wait_together_share_one_commit(lab):
    go, busy = threading.Event(), threading.Event()
    groups = []

    def work(_connection, items):
        groups.append(list(items))
        if items == [0]:
            busy.set()
            assert go.wait(LIMIT)
        return items

    writer = Writer(lab.store, work, Limits(group=4, weight=100))

    async def main():
        first = asyncio.create_task(writer.put(0))
        assert await asyncio.to_thread(busy.wait, LIMIT)
        rest = [
            asyncio.create_task(writer.put(n, weight))
            for n, weight in [(1, 1), (2, 1), (3, 1), (4, 1), (5, 60), (6, 60), (7, 500), (8, 1)]
        ]
        await asyncio.sleep(0)
        go.set()
        assert await asyncio.gather(first, *rest) == list(range(9))

    try:
        asyncio.run(asyncio.wait_for(main(), 2 * LIMIT))
    finally:
        writer.close()
    # Bounded in number and in weight; one that is too heavy goes alone.
    assert groups == [[0], [1, 2, 3, 4], [5], [6], [7], [8]]
    assert (writer.counts.groups, writer.counts.items, writer.counts.largest) == (6, 9, 4)


def test_one_bad_write_does_not_fail_its_group(lab):
    go, busy = threading.Event(), threading.Event()

    def work(_connection, items):
        if items == [0]:
            busy.set()
            assert go.wait(LIMIT)
        if 2 in items:
            raise ValueError("two")
        return items

    writer = Writer(lab.store, work)

    async def main():
        tasks = [asyncio.create_task(writer.put(0))]
        assert await asyncio.to_thread(busy.wait, LIMIT)
        tasks += [asyncio.create_task(writer.put(n)) for n in (1, 2, 3)]
        await asyncio.sleep(0)
        go.set()
        return await asyncio.gather(*tasks, return_exceptions=True)

    try:
        zero, one, two, three = asyncio.run(asyncio.wait_for(main(), 2 * LIMIT))
    finally:
        writer.close()
    assert (zero, one, three) == (0, 1, 3)
    assert isinstance(two, ValueError)
    assert writer.counts.alone == 3


def test_a_writer_that_stops_tells_those_who_wait(lab):
    go, busy = threading.Event(), threading.Event()

    def work(_connection, items):
        busy.set()
        assert go.wait(LIMIT)
        return items

    writer = Writer(lab.store, work)

    async def main():
        under_way = asyncio.create_task(writer.put(0))
        assert await asyncio.to_thread(busy.wait, LIMIT)
        waiting = asyncio.create_task(writer.put(1))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(writer.close))
        while not writer._closing:  # pyright: ignore
            await asyncio.sleep(0)
        go.set()
        await closing
        assert await under_way == 0
        with pytest.raises(Unavailable, match="stop"):
            await waiting
        with pytest.raises(Unavailable, match="stop"):
            await writer.put(2)

    asyncio.run(asyncio.wait_for(main(), 2 * LIMIT))


# ---- opening ----


def opened(url):
    Store(database_url(str(url))).close()


def test_the_database_is_for_its_owner_only(tmp_path):
    path = tmp_path / "k.db"
    opened(path)
    assert path.stat().st_mode & 0o777 == 0o600
    opened(path)  # and again


def test_what_is_not_a_database_of_ours_is_left_alone(tmp_path):
    text = tmp_path / "notes.txt"
    text.write_text("not a database, but long enough to be looked at " * 40)
    with pytest.raises(StoreError, match="not a database"):
        opened(text)
    assert text.read_text().startswith("not a database")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE recipes (name TEXT)")
        connection.commit()
    with pytest.raises(StoreError, match="another program"):
        opened(other)
    with closing(sqlite3.connect(other)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    assert tables == [("recipes",)]


def test_a_newer_database_is_refused(tmp_path):
    path = tmp_path / "k.db"
    opened(path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
        connection.commit()
    with pytest.raises(StoreError, match="version 9999.*update the program"):
        opened(path)
    # Whoever closes the last connection clears the log away: none was left open.
    assert [file.name for file in tmp_path.iterdir()] == ["k.db"]


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("sqlite://", "file"),
        ("sqlite:///:memory:", "file"),
        ("nonsense://x", "no driver"),
        ("postgresql+nothing://x/y", "no driver"),
        ("://", "neither"),
        ("/nowhere/at/all/k.db", "No such file"),
        ("/", "directory"),
    ],
)
def test_a_wrong_database_is_told_in_words(url, why):
    with pytest.raises(StoreError, match=why):
        opened(url)


def test_a_database_url_never_shows_its_password():
    url = database_url("postgresql://kenshin:hunter2@localhost/kenshin")
    assert "hunter2" not in url.render_as_string(hide_password=True)
