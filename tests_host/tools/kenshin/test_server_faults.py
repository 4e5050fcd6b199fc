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
from kenshin.server.store import Store, StoreError, Unavailable, Writer, database_url

T0 = 1_795_392_000


def not_now(answer, detail):
    assert answer.status_code == 503, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert answer.json()["type"] in ("/problems/unavailable", "/problems/clock")
    assert detail in answer.json().get("detail", "")


def upload(rows):
    return {"v": 1, "stream": 1, "readings": rows}


def test_commits_wait_for_the_disk(lab):
    # WAL with synchronous=FULL: what a commit has returned for survives a power cut.
    with lab.store.writing() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1


def test_a_write_has_the_lock_from_its_beginning(lab):
    # Taken later, it could be refused half-way although nobody holds it for long.
    with closing(sqlite3.connect(lab.path, timeout=0, isolation_level=None)) as other:
        with lab.store.reading():
            other.execute("BEGIN IMMEDIATE")
            other.execute("ROLLBACK")
        with lab.store.writing(), pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")


def test_a_locked_database_is_not_now_and_later_all_is_well(lab, board, instant):
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


def test_a_full_disk_is_not_now_and_later_all_is_well(lab, board, instant):
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
        asyncio.run(asyncio.wait_for(body.read(request([half, *then]), 1000, 0.05), 10))
    assert caught.value.name == name


def test_writes_that_wait_are_bounded_in_number_and_time(lab):
    writer = Writer(lab.store, length=2, patience=0.0)
    go, busy = threading.Event(), threading.Event()

    def slow(_connection):
        busy.set()
        assert go.wait(10)
        return "first"

    async def main():
        writer._patience = 10.0
        first = asyncio.create_task(writer.run(slow))
        assert await asyncio.to_thread(busy.wait, 10)
        writer._patience = 0.0
        second = asyncio.create_task(writer.run(lambda _: "second"))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable, match="too many"):
            await writer.run(lambda _: "third")
        go.set()
        assert await first == "first"
        with pytest.raises(Unavailable, match="too slow"):
            await second
        writer._patience = 10.0
        assert await writer.run(lambda _: "fourth") == "fourth"

    try:
        asyncio.run(asyncio.wait_for(main(), 20))
    finally:
        writer.close()


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
        connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
        connection.commit()
    with pytest.raises(StoreError, match="version 99"):
        opened(path)


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
