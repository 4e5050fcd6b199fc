"""`kenshin server ...` as real commands, and a real server on loopback."""

import contextlib
import http.client
import json
import resource
import signal
import socket
import stat
import threading
import time

import pytest
import uvicorn

from kenshin.server import heads

LIMIT = 60.0


def test_adding_and_listing_gateways(cli):
    assert "gateway add" in cli("server", "gateway", "list").stdout
    done = cli("server", "gateway", "add", "home")
    assert done.returncode == 0, done.stderr
    fields = dict(line.split(None, 1) for line in done.stdout.splitlines()[:3])
    assert fields["Gateway"] == "home"
    assert fields["Code"].startswith("psw") and len(fields["Code"]) == 11
    assert len(fields["Token"]) == 43
    listed = cli("server", "gateway", "list")
    assert fields["Code"] in listed.stdout and "never seen" in listed.stdout
    # The token was shown once, and is nowhere now.
    assert fields["Token"] not in listed.stdout
    (row,) = json.loads(cli("server", "gateway", "list", "--json").stdout)
    assert (row["code"], row["name"], row["stored"]) == (fields["Code"], "home", 0)
    again = cli("server", "gateway", "add", "home")
    assert again.returncode == 1
    assert fields["Code"] in again.stderr and "already" in again.stderr


@pytest.mark.parametrize(
    ("data_home", "place"),
    [
        (None, "h/.local/share"),
        ("relative", "h/.local/share"),
        ("", "h/.local/share"),
        ("/x", "x"),
    ],
)
def test_the_default_database_lies_in_the_users_data_directory(cli, tmp_path, data_home, place):
    if data_home == "/x":
        data_home = str(tmp_path / "x")
    home = {"HOME": str(tmp_path / "h"), "KENSHIN_DB": None, "XDG_DATA_HOME": data_home}
    done = cli("server", "gateway", "list", env=home)
    assert done.returncode == 0, done.stderr
    folder = tmp_path / place / "kenshin"
    assert stat.S_IMODE((folder / "kenshin.db").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["server", "gateway", "list", "--db", "nonsense://x"], "no driver"),
        (["server", "run", "--db", "/nowhere/k.db"], "No such file"),
        (["server", "run", "--port", "0", "--host", "256.1.1.1"], "cannot listen on 256.1.1.1"),
        (["server", "gateway", "add", "  "], "printable"),
    ],
)
def test_a_wrong_command_is_answered_in_words_and_not_with_a_traceback(cli, arguments, words):
    done = cli(*arguments)
    assert done.returncode == 1
    assert words in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_a_port_in_use_is_told(cli, start):
    server = start()
    port = server.url.rsplit(":", 1)[1]
    done = cli("server", "run", "--port", port)
    assert done.returncode == 1
    assert f"cannot listen on 127.0.0.1 port {port}" in done.stderr


def test_the_server_listens_on_loopback_only_and_is_silent_about_it(start):
    server = start()
    assert server.url.startswith("http://127.0.0.1:")
    assert server.client.get("/healthz").text == "ok\n"
    assert server.end() == 0
    text = server.errors.read_text()
    assert "WARNING" not in text and "Traceback" not in text


def test_listening_beyond_loopback_is_warned_of(start):
    server = start("--host", "0.0.0.0")
    # What is printed is an address a board can be given.
    assert "0.0.0.0" not in server.url
    assert server.client.get("/healthz").status_code == 200
    assert server.end(signal.SIGTERM) in (0, -signal.SIGTERM)
    text = server.errors.read_text()
    assert "WARNING: listening on 0.0.0.0 without encryption" in text


def test_a_refusal_is_readable_although_the_body_was_not_wanted(start, new_board):
    # Bytes left unread would reset the connection and the answer with it.
    server = start()
    board = new_board(server)
    host, port = server.url.removeprefix("http://").split(":")
    for token, size, status in (
        ("wrong", 200_000, 401),
        (board.token, 900_000, 413),
        ("wrong", 900_000, 401),
    ):
        connection = http.client.HTTPConnection(host, int(port), timeout=LIMIT)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", "/api/v1/readings", b" " * size, headers)
        answer = connection.getresponse()
        assert answer.status == status
        assert json.loads(answer.read())["status"] == status
        assert connection.sock is not None  # still open: the next upload can use it
        connection.close()


def test_http_1_0_is_served_as_boards_speak_it(start, new_board, instant):
    server = start()
    board = new_board(server)
    host, port = server.url.removeprefix("http://").split(":")
    body = json.dumps({"v": 1, "stream": 1, "readings": [instant(1, t=int(time.time()))]})
    request = (
        f"POST /api/v1/readings HTTP/1.0\r\nHost: {host}\r\n"
        f"Authorization: Bearer {board.token}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    )
    with socket.create_connection((host, int(port)), LIMIT) as connection:
        connection.sendall(request.encode())
        answer = b""
        while data := connection.recv(4096):  # to the end: the server closes
            answer += data
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: %d\r\n" % len(content) in head + b"\r\n"
    assert b"chunked" not in head
    assert json.loads(content)["ack"] == [[1, 1]]


def test_a_board_that_still_writes_hears_why_it_is_refused(start):
    server = start()
    host, port = server.url.removeprefix("http://").split(":")
    body = b" " * 20_000
    head = (
        f"POST /api/v1/readings HTTP/1.0\r\nHost: {host}\r\n"
        f"Authorization: Bearer wrong\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), LIMIT) as connection:
        connection.sendall(head.encode() + body[:100])
        # Nothing comes, and nothing breaks, before it has said all.
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(LIMIT)
        connection.sendall(body[100:])
        assert connection.recv(4096).startswith(b"HTTP/1.1 401 ")


def test_a_half_sent_upload_hurts_nobody(start, new_board, instant):
    server = start()
    board = new_board(server)
    host, port = server.url.removeprefix("http://").split(":")
    half = (
        f"POST /api/v1/readings HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {board.token}\r\nContent-Length: 1000\r\n\r\n"
    ).encode() + b'{"v":1,"stream":1,'
    with socket.create_connection((host, int(port)), LIMIT) as connection:
        connection.sendall(half)
        board.upload(instant(1, t=int(time.time())))  # others are served meanwhile
    with socket.create_connection((host, int(port)), LIMIT) as connection:
        connection.sendall(b"nonsense\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert board.detail()["stored"] == 1
    assert server.end() == 0
    assert "Traceback" not in server.errors.read_text()


def test_an_endless_head_is_not_read(start):
    server = start()
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), LIMIT) as connection:
        connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX: ")
        sent = 0
        with contextlib.suppress(ConnectionError):
            while sent < 100 * 2**20:
                connection.sendall(b"x" * 2**16)
                sent += 2**16
    assert sent < 50 * 2**20  # what lies in the system's buffers, not in the server
    # A long one in pieces is well.
    with socket.create_connection((host, int(port)), LIMIT) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in (b"GET /healthz HTTP/1.1\r\nHo", b"st: x\r\nX: " + b"x" * 20_000):
            connection.sendall(piece)
        connection.sendall(b"\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 200")


def test_who_says_nothing_is_not_waited_for(monkeypatch):
    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    monkeypatch.setattr(heads, "HEAD_SECONDS", 0.2)
    config = uvicorn.Config(app, http=heads.BoundedHeads, lifespan="off", log_level="warning")
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            for said in (b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / "):
                with socket.create_connection(listener.getsockname(), LIMIT) as connection:
                    connection.settimeout(LIMIT)
                    connection.sendall(said)
                    answer = b""
                    while data := connection.recv(4096):  # to the end: the server closes
                        answer += data
                    assert answer.count(b"HTTP/1.1 204") == said.count(b"\r\n\r\n")
        finally:
            server.should_exit = True
            thread.join(LIMIT)


def test_a_gateway_added_while_the_server_runs_is_known_at_once(cli, start, new_board, instant):
    server = start()
    board = new_board(server, "other")
    added = json.loads(cli("server", "gateway", "add", "home", "--json").stdout)
    board.code, board.token = added["code"], added["token"]
    assert board.upload(instant(1, t=int(time.time())))["ack"] == [[1, 1]]
    listed = cli("server", "gateway", "list").stdout
    assert f"{board.code}  home  1 readings  seen 2" in listed


def test_no_token_reaches_the_servers_output(start, new_board, instant):
    server = start()
    board = new_board(server)
    board.upload(instant(1, t=int(time.time())), instant(2, t=5))
    board.post(b"{")
    board.post(b"{}", Authorization=f"Bearer {board.token}x")
    server.end()
    assert server.process.stdout is not None
    text = server.errors.read_text()
    assert "1 readings rejected" in text
    assert board.token not in text + server.first


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs Linux")
def test_a_disk_that_takes_no_more_loses_nothing_acknowledged(start, new_board, instant, db):
    server = start()
    board = new_board(server)
    now = int(time.time())
    pid = server.process.pid
    # The kernel lets no file of the server grow beyond this, as on a full disk.
    size = 256 * 1024 + max(path.stat().st_size for path in db.parent.glob("kenshin.db*"))
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    uploads = [[instant(n, t=now - n) for n in range(k, k + 500)] for k in range(0, 20_000, 500)]
    acked = 0
    while True:
        answer = board.post({"v": 1, "stream": 1, "readings": uploads[acked]})
        if answer.status_code != 200:
            break
        acked += 1
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert acked > 0
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    for rows in uploads[acked : acked + 2]:
        assert board.post({"v": 1, "stream": 1, "readings": rows}).status_code == 200
    server.kill()
    board.client = start().client
    assert len(board.readings()) == 500 * (acked + 2)
    assert board.detail()["streams"] == [{"stream": 1, "received": [[0, 500 * (acked + 2) - 1]]}]
