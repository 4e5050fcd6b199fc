"""Servers on loopback that behave as told by the first part of the path; with TLS or without."""

from __future__ import annotations

import json
import socket
import ssl
import struct
import threading
from typing import Any

Socket = socket.socket


class Servers:
    """One listening socket; the first part of the path says how the server behaves."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
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
        connection.settimeout(60)
        try:
            if self.tls:
                connection = self.tls.wrap_socket(connection, server_side=True)
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
            if not data.startswith(b"POST"):
                break  # a TLS greeting
        head, _, body = data.partition(b"\r\n\r\n")
        return head, body

    def _behave(self, connection: Socket) -> None:
        head, body = self._head(connection)
        if not head.startswith(b"POST /"):
            connection.sendall(_reply(b"?", "400 Bad Request"))
            return
        case = head.split(b" ")[1].split(b"/")[1].decode()
        if case == "slam":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return  # with the body unread, so the client is reset
        if case.startswith("early"):  # the same, with an answer before it or without
            connection.sendall(FIXED[case])
            return
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
        self._until_closed(connection)  # for the client gave up
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
    "continue": _raw("HTTP/1.1 100 Continue\n\n") + _reply(b'{"v":1}'),
    "torn-chunk": _raw('HTTP/1.1 200 OK\nTransfer-Encoding: chunked\n\n7\n{"v'),
    "linger": _reply(b'{"v":1}'),
    "early": _reply(b"{}", "413 Content Too Large"),
    "early-nothing": b"",
}
