"""Replies of time servers and of HTTP servers, mutated: `make fuzz` tries a million of each."""

from __future__ import annotations

import importlib
import random
import socket
import struct
import sys
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway import http, https, ntp
from gateway.http import BODY_MAX, Client
from gateway.ntp import NtpError
from gateway.uplink import HttpError

REQUESTS = Path(__file__).parent / "requests_1_1"
UNIX = 2_208_988_800
GOOD_TIME = bytes((0x24, 2, 6, 0xE9)) + bytes(20) + bytes(8)

REPLIES = (
    b"HTTP/1.1 200 OK\r\nContent-Length: 13\r\nContent-Type: application/json\r\n\r\n"
    b'{"ack":[[1]]}',
    b"HTTP/1.0 503 Busy\r\nRetry-After: 30\r\nConnection: close\r\n\r\nlater",
    b"HTTP/1.1 204 No Content\r\n\r\n",
    b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.7/\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\n" + b"X-A: b\r\n" * 30 + b"Content-Length: 99999\r\n\r\n" + b"x" * 300,
)


class Clock:
    """Time that passes when it is asked for."""

    def __init__(self) -> None:
        self.t = 0

    def ms(self) -> int:
        self.t += 1
        return self.t

    async def sleep_ms(self, n: int) -> None:
        self.t += n


class Wire:
    """A socket, and the module it is from, whose other end says `pieces`."""

    AF_INET, SOCK_STREAM, SOCK_DGRAM = socket.AF_INET, socket.SOCK_STREAM, socket.SOCK_DGRAM

    def __init__(self, answer: Callable[[bytes], list[bytes]]) -> None:
        self.answer = answer
        self.pieces: list[bytes] = []
        self.open = False

    def getaddrinfo(self, *_: Any) -> list[tuple[Any, ...]]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 0, "", ("192.0.2.1", 80))]

    def socket(self, *_: Any) -> Wire:
        self.open = True
        self.pieces = []
        return self

    def setblocking(self, _: bool) -> None:
        pass

    def settimeout(self, _: float) -> None:
        pass

    def connect(self, _: Any) -> None:
        pass

    def send(self, data: bytes) -> int:
        if not self.pieces:
            self.pieces = self.answer(bytes(data))
        return len(data)

    def recv(self, n: int) -> bytes:
        if not self.pieces:
            return b""
        piece = self.pieces.pop(0)
        if len(piece) > n:
            self.pieces.insert(0, piece[n:])
        return piece[:n]

    def close(self) -> None:
        self.open = False


def mutated(rng: random.Random, data: bytes) -> bytes:
    """Some bytes changed, lost, doubled or put in, or the end cut off; or nothing."""
    out = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 2, 5))):
        if not out:
            break
        at = rng.randrange(len(out))
        end = min(len(out), at + rng.randrange(1, 9))
        what = rng.randrange(5)
        if what == 0:
            out[at] = rng.randrange(256)
        elif what == 1:
            del out[at:end]
        elif what == 2:
            out[at:at] = out[at:end] * rng.randrange(1, 4)
        elif what == 3:
            out[at:at] = rng.choice((rng.randbytes(4), b"\r\n", b":", b"-1", b"9" * 20, b"\xff"))
        else:
            del out[at:]
    return bytes(out)


def pieces(rng: random.Random, data: bytes) -> list[bytes]:
    size = rng.choice((1, 7, 256, 5_000))
    return [data[i : i + size] for i in range(0, len(data), size)]


# Nothing here waits for anything.
def ended(coroutine: Coroutine[Any, Any, Any]) -> Any:
    try:
        while True:
            coroutine.send(None)
    except StopIteration as end:
        return end.value


@pytest.mark.timeout(1800)
def test_fuzz_time_servers(fuzz_count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(123)
    counts: Counter[str] = Counter()

    def answer(question: bytes) -> list[bytes]:
        sent = struct.pack(">IIII", *[UNIX + 1_794_000_000 & 0xFFFF_FFFF, rng.getrandbits(32)] * 2)
        good = GOOD_TIME[:24] + question[40:48] + sent + sent
        return [mutated(rng, good[:48])[:64] for _ in range(20)]

    wire = Wire(answer)
    monkeypatch.setattr(ntp, "socket", wire)
    for _ in range(fuzz_count):
        clock = Clock()
        try:
            utc, ms = ended(ntp.query("192.0.2.1", clock, 10))
        except NtpError:
            counts["refused"] += 1
            continue
        finally:
            assert not wire.open
        counts["told"] += 1
        assert ntp.EARLIEST <= utc < ntp.LATEST and -1_000 <= ms <= clock.t
    assert counts["told"] > fuzz_count * 0.2 and counts["refused"] > fuzz_count * 0.05


@pytest.fixture
def client() -> Iterator[Any]:
    """The requests of a board, whatever CPython has of that name."""
    kept = sys.modules.pop("requests", None)
    sys.path.insert(0, str(REQUESTS))
    try:
        yield importlib.import_module("requests")
    finally:
        sys.path.remove(str(REQUESTS))
        sys.modules.pop("requests", None)
        if kept is not None:
            sys.modules["requests"] = kept


@pytest.mark.timeout(1800)
def test_fuzz_http_replies(fuzz_count: int, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(80)
    counts: Counter[str] = Counter()
    wire = Wire(lambda _: pieces(rng, mutated(rng, rng.choice(REPLIES))))
    monkeypatch.setattr(http, "socket", wire)
    monkeypatch.setattr(http._Guard, "SOCK_STREAM", socket.SOCK_STREAM)
    for _ in range(fuzz_count):
        sys.modules["requests"] = client
        post = Client(Clock(), "192.0.2.1").post
        try:
            status, headers, body = ended(
                post("http://192.0.2.1/x", {}, (piece for piece in (b"{}",)), 2, 5_000)
            )
        except HttpError as error:
            counts[error.args[0]] += 1
            continue
        finally:
            assert not wire.open
        counts["reply"] += 1
        assert isinstance(status, int) and isinstance(headers, dict) and len(body) <= BODY_MAX
    assert counts["reply"] > fuzz_count * 0.2, counts
    for kind in ("redirect", "closed", "reply"):
        assert counts[kind] > fuzz_count * 0.01, counts


class Stream:
    """What gateway.https reads from and writes to, over a Wire."""

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self.out_buf = b""

    async def drain(self) -> None:
        self.wire.send(self.out_buf)

    async def read(self, n: int) -> bytes:
        return self.wire.recv(n)


class Patient(Clock):
    def wait_for(self, awaitable: Any, _: int) -> Any:
        return awaitable


@pytest.mark.timeout(1800)
def test_fuzz_https_replies(fuzz_count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The client for https:// has a parser of its own, whether TLS is around it or not."""
    rng = random.Random(443)
    counts: Counter[str] = Counter()
    wire = Wire(lambda _: pieces(rng, mutated(rng, rng.choice(REPLIES))))
    monkeypatch.setattr(https, "socket", wire)
    monkeypatch.setattr(https.asyncio, "StreamReader", Stream)
    for i in range(fuzz_count):
        post = https.Client(Patient(), "192.0.2.1").post
        try:
            status, headers, body = ended(post("http://192.0.2.1/x", {}, (b"{}",), 2, 5_000))
        except HttpError as error:
            counts[error.args[0]] += 1
            continue
        finally:
            assert not wire.open
        counts["reply"] += 1
        assert isinstance(status, int) and isinstance(headers, dict)
        assert len(body) <= https.BODY_MAX, i
    assert counts["reply"] > fuzz_count * 0.2, counts
    for kind in ("redirect", "closed"):
        assert counts[kind] > fuzz_count * 0.01, counts
