"""Who may upload: new tokens, ended ones, and what other processes changed meanwhile."""

import threading
import time

import pytest
from sqlalchemy import select, text

from kenshin.server import gateways, ingest, wire
from kenshin.server.store import Store

T0 = 1_795_392_000
LIMIT = 60.0


def upload(n, instant):
    return {"v": 1, "stream": 1, "readings": [instant(n, T0 - n)]}


def test_a_new_token_and_the_old_one_work_side_by_side_for_a_while(lab, board, instant):
    board.upload(instant(1, T0 - 1))
    with lab.store.writing() as connection:
        known = gateways.find(connection, board.code)
        new = gateways.rotate(connection, known, lab.now, 100)
    old, board.token = board.token, new
    board.upload(instant(2, T0 - 2))
    board.token = old
    board.upload(instant(3, T0 - 3))
    lab.now += 100
    answer = board.post(upload(4, instant))
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/token-expired")
    board.token = new
    board.upload(instant(4, T0 - 4))
    assert len(board.readings()) == 4
    # The next one does not make an old one live longer.
    with lab.store.writing() as connection:
        newest = gateways.rotate(connection, known, lab.now, 0)
    assert board.post(upload(5, instant)).status_code == 403
    board.token = newest
    board.upload(instant(5, T0 - 5))


@pytest.mark.parametrize("how", ["revoke", "remove"])
def test_a_token_revoked_by_another_process_stores_nothing_more(lab, instant, how):
    board, other = lab.board(), lab.board("other")
    board.upload(instant(1))
    other.upload(instant(1))
    elsewhere = Store(lab.store.url)  # as another process has it
    with elsewhere.writing() as connection:
        known = gateways.find(connection, board.code)
        getattr(gateways, how)(connection, known)
    elsewhere.close()
    answer = board.post(upload(2, instant))
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-token")
    with lab.store.reading() as connection:
        count = connection.exec_driver_sql("SELECT count(*) FROM readings").scalar()
    assert count == (2 if how == "revoke" else 1)
    assert other.upload(instant(2, T0 - 9))["ack"] == [[2, 2]]


def test_a_token_revoked_while_its_upload_waits_stores_nothing(lab, board, instant):
    board.upload(instant(1))
    prepare = lab.service.writer.before
    reached, go = threading.Event(), threading.Event()

    def wait(items):
        prepare(items)
        reached.set()
        assert go.wait(LIMIT)

    lab.service.writer.before = wait
    answers = []
    thread = threading.Thread(target=lambda: answers.append(board.post(upload(2, instant))))
    thread.start()
    assert reached.wait(LIMIT)
    with lab.store.writing() as connection:
        gateways.revoke(connection, gateways.find(connection, board.code))
    go.set()
    thread.join(LIMIT)
    assert answers[0].status_code == 401
    with lab.store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM readings").scalar() == 1


def test_of_a_gateway_removed_while_it_uploads_nothing_is_left(postgres_lab, instant):
    lab = postgres_lab
    board = lab.board()
    with lab.store.reading() as connection:
        known = gateways.find(connection, board.code)

    def remove():
        with lab.store.writing() as connection:
            gateways.remove(connection, known)

    removing = threading.Thread(target=remove)
    batch = wire.Batch(1, {1: instant(1)}, None, ())
    ingest.prepare(lab.store, [ingest.Upload(known.id, batch, T0)])
    with lab.store.writing() as connection:
        ingest.ingest(connection, known.id, batch, T0)
        removing.start()
        until = time.monotonic() + LIMIT
        blocked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
        while time.monotonic() < until and not connection.scalar(blocked):
            time.sleep(0.01)
    removing.join(LIMIT)
    with lab.store.reading() as connection:
        for table in gateways.OF_A_GATEWAY:
            assert connection.execute(select(table)).all() == [], table
