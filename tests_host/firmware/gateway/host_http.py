"""The HTTP client and the uplink against real servers that misbehave, over loopback.

Run on every MicroPython of this machine, with its own frozen `requests` and with one that behaves
like the next version's, and on CPython with the latter.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from meterlab.runtimes import find_runtimes

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
COMPILED = ROOT / ".cache" / "upy" / "lib"
HELPERS = ROOT / "tests_host" / "firmware"
STANDIN = HERE / "requests_1_1"

Socket = socket.socket


class Servers:
    """One listening socket; the first part of the path says how the server behaves."""

    def __init__(self) -> None:
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        self.stop = threading.Event()
        self.rows: dict[int, list[Any]] = {}
        self.seen: list[int] = []  # sequence numbers as they came, repeats included
        self.requests: list[bytes] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self.stop.set()
        self.listening.close()

    def _accept(self) -> None:
        while not self.stop.is_set():
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Socket) -> None:
        connection.settimeout(10)
        try:
            with connection:
                self._behave(connection)
        except OSError:
            pass  # the client went away, as it should

    def _head(self, connection: Socket) -> tuple[bytes, bytes]:
        data = b""
        while b"\r\n\r\n" not in data:
            more = connection.recv(4096)
            if not more:
                return data, b""
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        return head, body

    def _behave(self, connection: Socket) -> None:
        head, body = self._head(connection)
        case = head.split(b" ")[1].split(b"/")[1].decode()
        if case == "slam":
            return  # with the body unread, so the client is reset
        length = int(_header(head, "content-length") or 0)
        while len(body) < length:
            more = connection.recv(4096)
            if not more:
                return
            body += more
        self.requests.append(head)
        answer = getattr(self, "do_" + case.replace("-", "_"), None)
        if answer is None:
            connection.sendall(FIXED[case])
            if case == "linger":
                self._until_closed(connection)
        else:
            answer(connection, head, body)

    def _until_closed(self, connection: Socket) -> None:
        while connection.recv(4096):
            pass

    def do_echo(self, connection: Socket, head: bytes, body: bytes) -> None:
        seen = {
            "line": head.split(b"\r\n")[0].decode(),
            "host": _header(head, "host"),
            "authorization": _header(head, "authorization"),
            "length": _header(head, "content-length"),
            "encoding": _header(head, "transfer-encoding"),
            "body": len(body),
            "right": body == b"0123456789" * 500,
        }
        connection.sendall(_reply(json.dumps(seen).encode()))

    def do_split(self, connection: Socket, head: bytes, body: bytes) -> None:
        for byte in _reply(b'{"v":1}'):
            connection.sendall(bytes((byte,)))

    def do_silent(self, connection: Socket, head: bytes, body: bytes) -> None:
        self._until_closed(connection)

    def _trickle(self, connection: Socket, start: bytes, drip: bytes) -> None:
        connection.sendall(start)
        while not self.stop.wait(0.05):
            connection.sendall(drip)

    def do_trickle_status(self, connection: Socket, head: bytes, body: bytes) -> None:
        self._trickle(connection, b"HTTP/1.1 200 ", b"O")

    def do_trickle_headers(self, connection: Socket, head: bytes, body: bytes) -> None:
        self._trickle(connection, b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")

    def do_trickle_body(self, connection: Socket, head: bytes, body: bytes) -> None:
        self._trickle(connection, b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n", b"x")

    def do_reset(self, connection: Socket, head: bytes, body: bytes) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def do_long_line(self, connection: Socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nX-A: " + b"x" * 1_000_000)

    def do_many_headers(self, connection: Socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 100_000)

    def do_big_untold(self, connection: Socket, head: bytes, body: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000)

    # -- as a server of readings

    def _keep(self, body: bytes) -> bytes:
        message = json.loads(body)
        numbers: list[int] = []
        for row in message["readings"]:
            assert self.rows.setdefault(row[0], row) == row
            numbers.append(row[0])
        self.seen += numbers
        ack = [[numbers[0], numbers[-1]]] if numbers else []
        return json.dumps({"v": 1, "time": 1_800_000_000, "ack": ack, "rejected": []}).encode()

    def do_good(self, connection: Socket, head: bytes, body: bytes) -> None:
        connection.sendall(_reply(self._keep(body)))

    def do_late(self, connection: Socket, head: bytes, body: bytes) -> None:
        reply = _reply(self._keep(body))
        time.sleep(2)
        connection.sendall(reply)


def _header(head: bytes, name: str) -> str | None:
    for line in head.decode().split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return None


def _reply(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}"]
    return "\r\n".join([*lines, *headers, "", ""]).encode() + body


def _raw(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


FIXED = {
    "ok": _reply(b'{"v":1}'),
    "open-end": _raw('HTTP/1.0 200 OK\n\n{"v":1}'),
    "redirect-302": _raw("HTTP/1.1 302 Found\nLocation: http://127.0.0.1/\nContent-Length: 0\n\n"),
    "redirect-307": _raw("HTTP/1.1 307 T\nlocation: /elsewhere\nContent-Length: 0\n\n"),
    "redirect-bare": _raw("HTTP/1.1 301 Moved\nContent-Length: 0\n\n"),
    "html": _raw("HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: 7\n\n<html>\n"),
    "short-body": _raw('HTTP/1.1 200 OK\nContent-Length: 100\n\n{"v":1,"ack":'),
    "no-reply": b"",
    "no-headers-end": _raw("HTTP/1.1 200 OK\nContent-Le"),
    "bad-status": b"\x00\x01\x02\x03 hello\r\n\r\n",
    "word-status": _raw("HTTP/1.1 fine OK\n\n"),
    "no-code": _raw("HTTP/1.1\n\n"),
    "blank": _raw("\n\n"),
    "big-told": _raw("HTTP/1.1 200 OK\nContent-Length: 100000\n\n") + b"x" * 100_000,
    "chunked": _raw('HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n3\n{"v\n4\n":1}\n0\n\n'),
    "chunked-small": _raw('HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n7\n{"v":1}\n0\n\n'),
    "bad-length": _raw("HTTP/1.1 200 OK\nContent-Length: many\n\nx"),
    "negative-length": _raw("HTTP/1.1 200 OK\nContent-Length: -5\n\nx"),
    "no-content": _raw("HTTP/1.1 204 No Content\nContent-Length: 0\n\n"),
    "unauthorized": _reply(b'{"detail":"no"}', "401 Unauthorized"),
    "busy": _reply(b"{}", "503 Busy", "Retry-After: 17"),
    "linger": _reply(b'{"v":1}'),
}

# kind of failure, or status, by case; a tuple: with the frozen requests 0.10, with 1.1
WANTED: dict[str, Any] = {
    "ok": 200,
    "echo": 200,
    "split": 200,
    "open-end": 200,
    "nobody": "refused",
    "silent": "timeout",
    "trickle-status": "timeout",
    "trickle-headers": "timeout",
    "trickle-body": "timeout",
    "redirect-302": "redirect",
    "redirect-307": "redirect",
    "redirect-bare": "redirect",
    "html": 200,
    "short-body": ("closed", "reply"),
    "no-reply": "closed",
    "no-headers-end": "closed",
    "slam": "closed",
    "reset": "closed",
    "bad-status": "reply",
    "word-status": "reply",
    "no-code": "reply",
    "blank": "reply",
    "long-line": "reply",
    "many-headers": "reply",
    "big-told": "reply",
    "big-untold": "reply",
    "chunked": ("reply", 200),
    "chunked-small": ("reply", 200),
    "bad-length": "reply",
    "negative-length": "reply",
    "no-content": 204,
    "unauthorized": 401,
    "busy": 503,
    "linger": 200,
}


class Play:
    """One Python going through all cases, against servers of its own."""

    def __init__(self, argv: list[str], standin: Path | None, what: str) -> None:
        self.servers = Servers()
        self.nobody = Socket()  # holds a port on which nobody listens
        self.nobody.bind(("127.0.0.1", 0))
        lib = ROOT / "firmware" / "lib" if argv[0] == sys.executable else COMPILED
        ports = [str(self.servers.port), str(self.nobody.getsockname()[1])]
        command = [*argv, str(HERE / "http_driver.py"), str(lib), str(HELPERS)]
        self.process = subprocess.Popen(
            [*command, str(standin or "-"), *ports, what],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools" / "shim")},
        )

    def told(self) -> list[dict[str, Any]]:
        """What it printed, when it has ended."""
        said, errors = self.process.communicate(timeout=100)
        assert self.process.returncode == 0, said[-2000:] + errors
        return [json.loads(line) for line in said.splitlines()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.servers.close()
        self.nobody.close()


def _players() -> dict[str, tuple[list[str], Path | None]]:
    players: dict[str, tuple[list[str], Path | None]] = {
        "cpython-1.1": ([sys.executable], STANDIN)
    }
    for runtime in find_runtimes():
        argv = [*runtime.argv, "-X", "heapsize=256k"]
        players[f"{runtime.name}-frozen"] = (argv, None)
        players[f"{runtime.name}-1.1"] = (argv, STANDIN)
    return players


PLAYERS = _players()


@pytest.fixture(scope="module")
def plays() -> Iterator[dict[tuple[str, str], Play]]:
    """All at once, for most of their time is waiting."""
    plays = {
        (name, what): Play(*PLAYERS[name], what)
        for name in PLAYERS
        for what in ("client", "uplink")
    }
    yield plays
    for play in plays.values():
        play.close()


@pytest.mark.parametrize("name", PLAYERS)
def test_client(name: str, plays: dict[tuple[str, str], Play]) -> None:
    play = plays[name, "client"]
    frozen = PLAYERS[name][1] is None
    cases = {out["case"]: out for out in play.told()}
    for case, wanted in WANTED.items():
        out = cases[case]
        if isinstance(wanted, tuple):
            wanted = wanted[not frozen]
        assert out.get("kind", out.get("status")) == wanted, out
        assert out["leaked"] == 0, out
        assert out["ms"] < 5000, "the deadline is 0.7 s, in whole seconds"
        if wanted == "timeout":
            assert out["ms"] >= 700
        if wanted == 200 and case not in ("echo", "html"):
            assert out["body"] == '{"v":1}', out
        assert len(out.get("detail", "")) < 140, out
    echo = json.loads(cases["echo"]["body"])
    assert echo["right"] and echo["length"] == "5000" and echo["encoding"] is None
    assert echo["host"] == f"127.0.0.1:{play.servers.port}"
    assert echo["authorization"] == "Bearer x"
    assert echo["line"] == f"POST /echo HTTP/1.{0 if frozen else 1}"
    assert cases["busy"]["headers"]["retry-after"] == "17"
    assert cases["html"]["headers"]["content-type"] == "text/html"
    assert not any(b"/elsewhere" in head for head in play.servers.requests)
    # A body that is not as long as it says is our own fault, and not the server's.
    for length in ("length 4999", "length 5001"):
        assert "off the length" in cases[length]["error"] and cases[length]["leaked"] == 0


@pytest.mark.parametrize("name", PLAYERS)
def test_uplink(name: str, plays: dict[tuple[str, str], Play]) -> None:
    play = plays[name, "uplink"]
    told = play.told()
    assert [(out["case"], out["code"]) for out in told] == [
        ("good", None),
        ("html", "bad-reply"),
        ("no-reply", "bad-reply"),
        ("redirect-302", "redirect"),
        ("late", "timeout"),
        ("short-body", "bad-reply"),
        ("silent", "timeout"),
        ("busy", "broken"),
        ("unauthorized", "refused"),
        ("nobody", "unreachable"),
        ("good", None),
    ]
    assert [out["left"] for out in told] == [0, *range(10, 100, 10), 0]
    assert [out["says"] for out in told if out["code"] is None] == [None, None]
    # Every reading is there, once, though some were sent twice.
    rows = play.servers.rows
    assert sorted(rows) == list(range(1, 111))
    assert [rows[n][4] for n in range(1, 111)] == list(range(1, 111))
    assert len(play.servers.seen) > 110
