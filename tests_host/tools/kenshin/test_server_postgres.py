"""A real server process on PostgreSQL: killed, and its database taken away."""

import os
import signal
import time

import pytest

from bench.postgres import Cluster, NoPostgres
from kenshin.server import gateways, queries
from kenshin.server.slots import KINDS
from kenshin.server.store import Store, database_url

LIMIT = 60.0


@pytest.fixture
def own_cluster():
    """A PostgreSQL of this test's own, whose commits wait for the disk."""
    try:
        cluster = Cluster(durable=True)
    except NoPostgres as error:
        pytest.skip(str(error))
    yield cluster
    cluster.close()


@pytest.fixture
def board_on(start, own_cluster):
    url = own_cluster.create("kenshin")
    store = Store(database_url(url))
    with store.writing() as connection:
        added = gateways.add(connection, "home", 1)
    yield store, added, lambda: start("--db", url)
    store.close()


def post(server, token, rows):
    return server.client.post(
        "/api/v1/readings",
        json={"v": 1, "stream": 1, "readings": rows},
        headers={"Authorization": f"Bearer {token}"},
    )


def stored(store, code):
    with store.reading() as connection:
        known = gateways.find(connection, code)
        return {
            reading.t
            for reading in queries.readings(connection, known.id, KINDS, 0, 2**40, 10_000).readings
        }


def test_commits_wait_for_the_disk(board_on):
    store, _, _ = board_on
    with store.writing() as connection:
        for name in ("fsync", "synchronous_commit"):
            assert connection.exec_driver_sql(f"SHOW {name}").scalar() == "on"


@pytest.mark.timeout(240)
def test_what_was_acknowledged_survives_the_end_of_server_and_database(
    board_on, own_cluster, instant
):
    store, added, begin = board_on
    server = begin()
    now = int(time.time())
    acked = set()
    for k in range(0, 300, 10):
        rows = [instant(n, now - n) for n in range(k, k + 10)]
        assert post(server, added.token, rows).status_code == 200
        acked |= {row[2] for row in rows}
    # The database dies without a word, and the server is told "not now" to say.
    os.kill(own_cluster.pid, signal.SIGQUIT)
    own_cluster.stop()
    answer = post(server, added.token, [instant(900, now - 900)])
    assert (answer.status_code, answer.json()["type"]) == (503, "/problems/unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert server.client.get("/healthz").status_code == 503
    own_cluster.start(durable=True)
    # The server finds it again by itself.
    until = time.monotonic() + LIMIT
    while (answer := post(server, added.token, [instant(900, now - 900)])).status_code == 503:
        assert time.monotonic() < until
        time.sleep(0.1)
    assert answer.status_code == 200
    server.end(signal.SIGKILL)
    assert stored(store, added.code) == acked | {now - 900}
    assert "Traceback" not in server.errors.read_text()
