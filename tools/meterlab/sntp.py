"""A time server for virtual boards: answers SNTP requests on loopback with this PC's time."""

from __future__ import annotations

import socket
import struct
import threading
import time
from types import TracebackType

_UNIX = 2_208_988_800  # 1970 in seconds since 1900


def _stamp(now_ns: int) -> bytes:
    seconds, rest = divmod(now_ns, 1_000_000_000)
    return struct.pack(">II", (seconds + _UNIX) & 0xFFFF_FFFF, (rest << 32) // 1_000_000_000)


class TimeServer:
    """`with TimeServer() as server:` answers at 127.0.0.1, server.port (RFC 4330, stratum 1)."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, name="sntp", daemon=True)

    def _serve(self) -> None:
        while True:
            try:
                request, address = self._socket.recvfrom(64)
            except OSError:
                return  # closed: the end
            if not request or len(request) < 48:
                continue
            now = _stamp(time.time_ns())
            head = struct.pack(">BBBbII4s", 0x24, 1, 6, -20, 0, 0, b"LOCL")
            self._socket.sendto(head + now + request[40:48] + now + now, address)

    def __enter__(self) -> TimeServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # A blocked recvfrom is not woken by close; an empty datagram to itself wakes it.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._socket.close()
        self._thread.join(1)
