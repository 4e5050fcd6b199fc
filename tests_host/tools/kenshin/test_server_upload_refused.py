"""Uploads: who may, and what is none."""

import logging

import pytest
from sqlalchemy import insert, select
from tests_host.tools.kenshin.conftest import T0

from kenshin.server import gateways, problems, tokens
from kenshin.server.schema import Gateway, Token
from kenshin.server.service import Limits


def problem(answer, status, name):
    """The problem details of an answer, which must be these."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found = answer.json()
    assert found["type"] == f"/problems/{name}"
    assert found["status"] == status
    assert found["title"] == problems.KINDS[name].title
    return found


# ---- who may ----


@pytest.mark.parametrize(
    "header", [None, "", "Bearer", "Bearer ", "Basic aG9tZTpob21l", "Bearer " + "x" * 300]
)
def test_without_a_token_nothing_is_taken(board, header):
    headers = {} if header is None else {"Authorization": header}
    answer = board.client.post("/api/v1/readings", content=b"{}", headers=headers)
    problem(answer, 401, "no-token")
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("change", [lambda t: t[:-1], lambda t: t + "A", lambda t: t.swapcase()])
def test_a_token_that_is_nearly_right_is_wrong(board, instant, change):
    right, board.token = board.token, change(board.token)
    problem(board.post({"v": 1, "stream": 1, "readings": [instant(1)]}), 401, "wrong-token")
    board.token = right
    assert board.readings() == []


def test_the_scheme_may_be_written_in_any_case(board):
    answer = board.post(b'{"v":1,"stream":1,"readings":[]}', Authorization=f"bearer {board.token}")
    assert answer.status_code == 200


def test_an_expired_token_is_refused_and_told_apart(lab, board):
    with lab.store.writing() as connection:
        ours = connection.scalar(select(Gateway.id).where(Gateway.code == board.code))
        token = tokens.new_token()
        connection.execute(
            insert(Token).values(
                sha256=tokens.sha256(token), gateway_id=ours, created=T0, expires=T0 + 100
            )
        )
    body = {"v": 1, "stream": 1, "readings": []}
    old = board.post(body, Authorization=f"Bearer {token}")
    assert old.status_code == 200  # rotation: both work for a while
    lab.now = T0 + 100
    problem(board.post(body, Authorization=f"Bearer {token}"), 403, "token-expired")
    assert board.post(body).status_code == 200


def test_a_gateway_writes_only_to_itself(lab, instant):
    ours, theirs = lab.board("ours"), lab.board("theirs")
    ours.upload(instant(1))
    assert len(ours.readings()) == 1
    assert theirs.readings() == []
    assert theirs.detail()["last_seen"] is None
    assert theirs.upload(instant(1, power=7))["ack"] == [[1, 1]]
    assert [r["power"] for r in ours.readings()] == [500]


def test_tokens_are_256_random_bits_stored_as_their_hash(sqlite_lab):
    lab = sqlite_lab
    found = {tokens.new_token() for _ in range(100)}
    assert len(found) == 100
    assert all(len(token) == 43 for token in found)  # 43 * 6 bits hold 256
    board = lab.board()
    with lab.store.reading() as connection:
        (stored,) = connection.execute(select(Token.sha256)).scalars()
    assert stored == tokens.sha256(board.token)
    assert board.token.encode() not in lab.path.read_bytes()
    wal = lab.path.with_name(lab.path.name + "-wal")
    assert board.token.encode() not in wal.read_bytes()


def test_service_codes_have_the_services_form(lab):
    for n in range(50):
        code = lab.board(f"home {n}").code
        assert len(code) == 11
        assert code.startswith("psw")
        assert set(code[3:]) <= set(tokens.ALPHABET)
    assert not set(tokens.ALPHABET) & set("il1o0")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "two\nlines", "bell\a"])
def test_a_gateways_name_can_be_printed(lab, name):
    with pytest.raises(gateways.GatewayError), lab.store.writing() as connection:
        gateways.add(connection, name, T0)


def test_no_token_is_ever_logged(lab, board, instant, caplog):
    caplog.set_level(logging.DEBUG)
    board.upload(instant(1), instant(2, power="x"), status={"rssi": "near"})
    board.post(b"{")
    board.post(b"{}")
    board.post(b"x" * (Limits().body + 1))
    board.post({}, Authorization=f"Basic {board.token}")
    board.post({}, Authorization=f"Bearer x{board.token}")
    with lab.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE gateway_state RENAME TO elsewhere")
    problem(board.post({"v": 1, "stream": 1, "readings": []}), 500, "broken")
    with lab.store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE elsewhere RENAME TO gateway_state")
    assert caplog.text
    assert board.token not in caplog.text
    assert tokens.sha256(board.token) not in caplog.text


# ---- what is not an upload ----


def test_a_body_that_is_not_json_is_a_problem(board):
    found = problem(board.post(b"<html>"), 400, "not-json")
    assert "column 1" in found["detail"]


def test_a_wrong_envelope_is_a_problem_that_points_at_it(board):
    found = problem(board.post({"v": 1, "stream": -1, "readings": [], "x": 1}), 422, "invalid")
    assert found["errors"] == [{"where": "/stream", "why": "must be greater than or equal to 0"}]
    assert board.detail()["last_seen"] is None


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_a_body_beyond_the_limit_is_refused_before_it_is_looked_at(board, size):
    limit = Limits().body
    fitting = b'{"v":1,"stream":1,"readings":[]}'
    assert board.post(fitting.ljust(limit)).status_code == 200
    problem(board.post(b"[" * (limit + 1 + size)), 413, "too-large")


def test_a_body_without_a_length_is_bounded_too(board):
    def chunks(count):
        for _ in range(count):
            yield b" " * 65536

    headers = {"Authorization": f"Bearer {board.token}"}
    for count, status, name in ((3, 400, "not-json"), (5, 413, "too-large")):
        answer = board.client.post("/api/v1/readings", content=chunks(count), headers=headers)
        problem(answer, status, name)


def test_a_compressed_body_is_refused(board):
    answer = board.post(b"\x1f\x8b", **{"Content-Encoding": "gzip"})
    problem(answer, 415, "encoding")


def test_other_methods_and_paths_are_problems_too(board):
    answer = board.client.get("/api/v1/readings")
    assert (answer.status_code, answer.json()["title"]) == (405, "Method Not Allowed")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["allow"] == "POST"
    problem(board.client.get("/api/v1/nothing"), 404, "not-found")


@pytest.mark.parametrize("name", sorted(problems.KINDS))
def test_the_type_of_a_problem_leads_to_its_meaning(board, name):
    answer = board.client.get(f"/problems/{name}")
    assert answer.text == f"{problems.KINDS[name].status} {problems.KINDS[name].title}.\n"
