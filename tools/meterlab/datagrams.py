"""Servers on loopback that answer one datagram with one: time and names, for virtual boards."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from types import TracebackType

_UNIX = 2_208_988_800  # 1970 in seconds since 1900
_A_IN = b"\x00\x01\x00\x01"
_NO_SUCH_NAME = 3
_TTL = 60


class DatagramServer:
    """`with DatagramServer(answer) as server:` answers at 127.0.0.1, server.port.

    `answer(request)` gives the reply, or None for silence.
    """

    def __init__(self, answer: Callable[[bytes], bytes | None]) -> None:
        self._answer = answer
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="datagrams", daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                request, address = self._socket.recvfrom(512)
            except OSError:
                return  # closed: the end
            reply = self._answer(request) if request else None
            if reply is not None:
                self._socket.sendto(reply, address)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        # A blocked recvfrom is not woken by close; an empty datagram to itself wakes it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._socket.close()
        self._thread.join(1)

    def __enter__(self) -> DatagramServer:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _stamp(now_ns: int) -> bytes:
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return struct.pack(">II", (seconds + _UNIX) & 0xFFFF_FFFF, (rest << 32) // 1_000_000_000)


def tell_time(request: bytes, ahead: int = 0) -> bytes | None:
    """An SNTP answer with this PC's time, `ahead` seconds later (RFC 4330, stratum 1)."""
    if len(request) < 48:
        return None
    now = _stamp(time.time_ns() + ahead * 1_000_000_000)
    head = struct.pack(">BBBbII4s", 0x24, 1, 6, -20, 0, 0, b"LOCL")
    return head + now + request[40:48] + now + now


class TimeServer(DatagramServer):
    """A time server that is `ahead` seconds ahead, see DatagramServer."""

    def __init__(self, ahead: int = 0) -> None:
        super().__init__(lambda request: tell_time(request, ahead))


def tell_name(request: bytes, address_of: Callable[[str], str | None]) -> bytes | None:
    """The answer of a name server that knows IPv4 addresses only (RFC 1035)."""
    try:
        if len(request) < 17 or request[2] & 0xF8:
            return None
        labels: list[str] = []
        at = 12
        while request[at]:
            labels.append(request[at + 1 : at + 1 + request[at]].decode("ascii"))
            at += 1 + request[at]
    except (IndexError, UnicodeDecodeError):
        return None
    question = request[12 : at + 5]
    address = address_of(".".join(labels)) if question[-4:] == _A_IN else None
    code = 0 if address else _NO_SUCH_NAME
    reply = request[:2] + struct.pack(">BBHHHH", 0x81, 0x80 | code, 1, int(bool(address)), 0, 0)
    if address is None:
        return reply + question
    data = bytes(int(part) for part in address.split("."))
    return reply + question + b"\xc0\x0c" + _A_IN + struct.pack(">IH", _TTL, 4) + data


class NameServer(DatagramServer):
    """A name server that knows what `address_of(name)` knows, see DatagramServer."""

    def __init__(self, address_of: Callable[[str], str | None]) -> None:
        super().__init__(lambda request: tell_name(request, address_of))
