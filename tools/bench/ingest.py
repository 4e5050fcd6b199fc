"""The part about how much the server takes in."""

from __future__ import annotations

import http.client
import json
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.report import Section, Table, number
from meterlab.demo.parts import Server

_SECONDS = 3.0
_TIMEOUT = 20
_MOST = 4
_CASES = ((1, 1), (64, 1), (64, _MOST))  # readings per request, clients
_APART = 2_000_000  # seconds from one client's first reading to another's: more than it uploads


@dataclass
class _Client(threading.Thread):
    """Uploads batches until told to stop; each in a connection of its own, as a board does."""

    server: Server
    stream: int
    batch: int
    first: int  # time of the first reading
    requests: int = 0
    error: str | None = None

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self.stopping = threading.Event()

    def __hash__(self) -> int:
        return id(self)

    def run(self) -> None:
        try:
            while not self.stopping.is_set():
                self._post()
                self.requests += 1
        except (OSError, http.client.HTTPException, RuntimeError) as error:
            self.error = repr(error)

    def _post(self) -> None:
        done = self.requests * self.batch
        body: dict[str, object] = {"v": 1, "stream": self.stream, "readings": self._rows(done)}
        link = http.client.HTTPConnection("127.0.0.1", self.server.port, timeout=_TIMEOUT)
        try:
            link.request(
                "POST",
                "/api/v1/readings",
                json.dumps(body),
                {
                    "Authorization": f"Bearer {self.server.token}",
                    "Content-Type": "application/json",
                    "Connection": "close",
                },
            )
            reply = link.getresponse()
            told = reply.read()
            if reply.status != 200 or json.loads(told)["rejected"]:
                raise RuntimeError(f"status {reply.status}: {told[:200]!r}")
        finally:
            link.close()

    def _rows(self, done: int) -> list[list[object]]:
        rows: list[list[object]] = []
        for i in range(done, done + self.batch):
            energy = 12_345_000 + i * 40
            values = (500 + i % 1_000, 40, 20, energy, None)
            rows.append([i + 1, "instant", self.first + i, "ntp", *values, "get"])
        return rows


def _measure(server: Server, case: int, batch: int, clients: int) -> tuple[float, float]:
    """(requests per second, readings per second)."""
    now = int(time.time())
    # Each client of each case has a time of its own, so that all readings are new.
    crowd = [
        _Client(server, stream, batch, now - (stream + 1) * _APART)
        for stream in range(case * _MOST, case * _MOST + clients)
    ]
    begun = time.monotonic()
    for client in crowd:
        client.start()
    time.sleep(_SECONDS)
    for client in crowd:
        client.stopping.set()
    for client in crowd:
        client.join(_TIMEOUT)
    seconds = time.monotonic() - begun
    errors = [client.error for client in crowd if client.error]
    if errors:
        raise RuntimeError(f"upload: {errors[0]}")
    requests = sum(client.requests for client in crowd)
    return requests / seconds, requests * batch / seconds


def section() -> Section:
    """Starts a server of its own, with an empty SQLite database."""
    table = Table(
        "Server",
        f"Real HTTP on the loopback to `kenshin server run` with SQLite, {_SECONDS:.0f} s each, "
        "a connection for every request, all readings new. The clients run on the same "
        "processor, so this is rough, and rather too low.",
        ("upload", "requests/s", "readings/s"),
    )
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder))
        try:
            server.ready()
            for i, (batch, clients) in enumerate(_CASES):
                requests, readings = _measure(server, i, batch, clients)
                who = "1 gateway" if clients == 1 else f"{clients} at once"
                table.add(
                    f"{batch} reading{'s' if batch > 1 else ''} each, {who}",
                    number(requests),
                    number(readings),
                )
        finally:
            server.stop()
    return Section([table])
