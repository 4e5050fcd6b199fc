"""Two server processes on one PostgreSQL, as behind a proxy: they share that and nothing else."""

import re
import time

import pytest

from kenshin.server import gateways, keys, people, queries, rates, settings
from kenshin.server.slots import KINDS
from kenshin.server.store import Store, database_url

PASSWORD = "correct horse battery"
RATE = 8


@pytest.fixture
def store(postgres):
    made = Store(database_url(postgres))
    with made.writing() as connection:
        settings.write(connection, {"api.rate": RATE})
        people.add(connection, "Anna", "owner", 1, PASSWORD)
    yield made
    made.close()


def post(server, token, rows):
    body = {"v": 1, "stream": 1, "readings": rows}
    headers = {"Authorization": f"Bearer {token}"}
    return server.client.post("/api/v1/readings", json=body, headers=headers)


def log_in(server, password):
    page = server.client.get("/login")
    found = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert found is not None
    fields = {"csrf": found[1], "name": "Anna", "password": password}
    return server.client.post("/login", data=fields)


def test_uploads_limits_and_sessions_hold_across_processes(postgres, store, start, instant):
    one, two = start("--db", postgres), start("--db", postgres)
    now = int(time.time())
    with store.writing() as connection:
        added = gateways.add(connection, "home", now)
        key = keys.add(connection, "k", now)

    # Uploads: by turns, overlapping, and again by way of the other: each is stored once.
    for n in range(0, 60, 10):
        first, second = (one, two) if n % 20 else (two, one)
        rows = [instant(k, now - k) for k in range(n, n + 12)]
        for server in (first, second):
            answer = post(server, added.token, rows)
            assert answer.json()["ack"] == [[n, n + 11]], answer.text
    with store.reading() as connection:
        known = gateways.find(connection, "home")
        page = queries.readings(connection, known.id, KINDS, 0, 2**40, 1000)
        spans = queries.streams(connection, known.id)
    assert sorted(row.t for row in page.readings) == [now - k for k in range(61, -1, -1)]
    assert page.conflicts == [] and spans == {1: [(0, 61)]}

    # A token that one of them knows well, ended from outside: neither takes it any more.
    with store.writing() as connection:
        gateways.revoke(connection, known)
    for server in (one, two):
        assert post(server, added.token, [instant(99, now)]).status_code == 401

    # Requests of a key are counted for both together.
    def ask(n):
        server = two if n % 2 else one
        return server.client.get("/api/v1/gateways", auth=(key.access_key, key.secret)).status_code

    answers = []
    for _ in range(3):  # not across the end of a minute
        minute = int(time.time()) // 60
        answers = [ask(n) for n in range(RATE + 2)]
        if int(time.time()) // 60 == minute:
            break
    assert answers == [200] * RATE + [429] * 2

    # A session of one opens the pages of the other, and its end there is its end here.
    assert log_in(one, PASSWORD).status_code == 303
    cookie = one.client.cookies["kenshin"]
    two.client.cookies.set("kenshin", cookie)
    page = two.client.get("/settings")
    assert page.status_code == 200 and "Anna" in page.text
    found = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert found is not None
    assert two.client.post("/logout", data={"csrf": found[1]}).status_code == 303
    assert one.client.get("/settings").status_code == 303

    # Passwords that are guessed at are counted for both together.
    with store.writing() as connection:
        connection.execute(rates.Rate.__table__.delete())  # pyright: ignore
        for _ in range(9):
            rates.take(connection, "login:anna", 10, int(time.time()), 900)
    codes = {log_in(server, "wrong password").status_code for server in (one, two, one, two)}
    assert codes == {401, 429} or codes == {429}
    one.client.cookies.clear()
    assert log_in(one, PASSWORD).status_code == 429

    # One of them is killed: the other goes on as if nothing had been.
    one.kill()
    with store.writing() as connection:
        token = gateways.rotate(connection, known, now)
    assert post(two, token, [instant(200, now - 200)]).json()["ack"] == [[200, 200]]
    assert two.client.get("/healthz").status_code == 200
