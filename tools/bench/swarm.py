"""Many simulated gateways that upload as fast as a server takes it, in one process."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from dataclasses import dataclass, field
from typing import cast

import uvloop

from kenshin.server import gateways
from kenshin.server.store import Store, database_url

_PATIENCE = 60.0
_APART = 40  # seconds between two readings of a gateway


@dataclass(slots=True)
class Gateway:
    """One of the swarm. `sent` readings are acknowledged."""

    token: str
    begin: int
    sent: int = 0


@dataclass(frozen=True, slots=True)
class Load:
    """`batch` readings per request; `at_once` requests; `keep` = connections are used again.

    It ends after `seconds`, or when `most` requests were made.
    """

    batch: int
    at_once: int
    keep: bool
    seconds: float
    most: int = sys.maxsize


@dataclass
class Result:
    """What the server took."""

    begun: int = 0
    requests: int = 0
    readings: int = 0
    seconds: float = 0.0
    waits: list[float] = field(default_factory=list[float])

    def wait_ms(self, share: float) -> float:
        """How long a request waited for its answer: this share of them was faster."""
        if not self.waits:
            return 0.0
        return sorted(self.waits)[min(len(self.waits) - 1, int(share * len(self.waits)))] * 1000


def register(database: str, count: int) -> list[Gateway]:
    """Add `count` gateways to a database."""
    now = int(time.time())
    store = Store(database_url(database))
    try:
        with store.writing() as connection:
            found = connection.exec_driver_sql("SELECT count(*) FROM gateways").scalar() or 0
            tokens = [
                gateways.add(connection, f"swarm {found + n}", now).token for n in range(count)
            ]
    finally:
        store.close()
    return [Gateway(token, now - 30 * 86_400) for token in tokens]


def _request(gateway: Gateway, load: Load) -> bytes:
    first, begin = gateway.sent, gateway.begin
    rows = ",".join(
        [
            '[%d,"instant",%d,"ntp",%d,40,20,%d,null,"get"]'
            % (n, begin + n * _APART, 400 + n % 600, 12_345_000 + 40 * n)
            for n in range(first, first + load.batch)
        ]
    )
    body = (
        f'{{"v":1,"stream":7,"readings":[{rows}],"status":{{"word":null,"fw":"0.1.0",'
        f'"uptime":{first},"rssi":-71,"queue":0,"counters":{{"polls":{first}}}}}}}'
    )
    kind = "keep-alive" if load.keep else "close"
    return (
        "POST /api/v1/readings HTTP/1.1\r\nHost: swarm\r\n"
        f"Authorization: Bearer {gateway.token}\r\nContent-Type: application/json\r\n"
        f"Connection: {kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    ).encode()


class _Exchange(asyncio.Protocol):
    """One connection: a request, its answer, and perhaps the next."""

    def __init__(self) -> None:
        self.answer = bytearray()
        self.done: asyncio.Future[bytes] | None = None
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop has its own class

    def data_received(self, data: bytes) -> None:
        self.answer += data
        head = self.answer.find(b"\r\n\r\n")
        if head < 0 or self.done is None or self.done.done():
            return
        at = self.answer.lower().find(b"content-length:", 0, head)
        end = self.answer.find(b"\r\n", at)
        if len(self.answer) >= head + 4 + int(self.answer[at + 15 : end]):
            self.done.set_result(bytes(self.answer))
            self.answer.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        if self.done is not None and not self.done.done():
            self.done.set_exception(exc or ConnectionError("closed without an answer"))

    async def ask(self, request: bytes) -> bytes:
        self.done = asyncio.get_running_loop().create_future()
        assert self.transport is not None
        self.transport.write(request)
        return await self.done


async def _upload(port: int, ring: asyncio.Queue[Gateway], load: Load, result: Result) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + load.seconds
    link: _Exchange | None = None
    while loop.time() < until and result.begun < load.most:
        result.begun += 1
        gateway = ring.get_nowait()
        request = _request(gateway, load)
        begun = loop.time()
        if link is None:
            _, link = await loop.create_connection(_Exchange, "127.0.0.1", port)
        answer = await link.ask(request)
        result.waits.append(loop.time() - begun)
        wanted = b'"ack":[[%d,%d]]' % (gateway.sent, gateway.sent + load.batch - 1)
        if not answer.startswith(b"HTTP/1.1 200 ") or wanted not in answer:
            raise RuntimeError(f"not acknowledged: {answer[:400]!r}")
        gateway.sent += load.batch
        result.requests += 1
        result.readings += load.batch
        ring.put_nowait(gateway)
        if not load.keep and link.transport is not None:
            link.transport.close()
            link = None
    if link is not None and link.transport is not None:
        link.transport.close()


async def _run(port: int, swarm: list[Gateway], load: Load) -> Result:
    ring: asyncio.Queue[Gateway] = asyncio.Queue()
    for gateway in itertools.islice(itertools.cycle(swarm), len(swarm)):
        ring.put_nowait(gateway)
    result = Result()
    begun = time.monotonic()
    async with asyncio.timeout(load.seconds + _PATIENCE), asyncio.TaskGroup() as group:
        for _ in range(min(load.at_once, len(swarm))):
            group.create_task(_upload(port, ring, load, result))
    result.seconds = time.monotonic() - begun
    return result


def run(port: int, swarm: list[Gateway], load: Load) -> Result:
    """Upload for a while. Raises RuntimeError when something is not acknowledged."""
    try:
        return uvloop.run(_run(port, swarm, load))
    except* (OSError, RuntimeError, TimeoutError) as errors:
        raise RuntimeError(f"upload: {errors.exceptions[0]!r}") from errors
