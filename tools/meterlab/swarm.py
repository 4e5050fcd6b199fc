"""Ten thousand gateways that come back together: does the server survive it?

The rule by which a gateway waits is the board's own file, gateway/pace.py. Everything else of a
gateway is left out: it has readings that wait, and uploads them 64 at a time.
"""

from __future__ import annotations

import asyncio
import heapq
import importlib.util
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

RULE = Path(__file__).resolve().parents[2] / "firmware" / "lib" / "gateway" / "pace.py"
BATCH = 64
POLL_MS = 30_000
DEADLINE_MS = 20_000
_BAR = 60


def load_rule() -> Any:
    """The board's own pace.py; it imports nothing but constants."""
    spec = importlib.util.spec_from_file_location("swarm_pace", RULE)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(RULE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@dataclass
class Plan:
    """What happens. Times in seconds.

    `away`: how long the server was out of reach before it comes back, at second 0. With `power`
    the gateways were off for that long, too, and all get their power back at second 0. `rate`:
    requests a second that the server can do; `queue`: how many may wait before it says 503 and
    Retry-After `retry_after`. `naive`: gateways that try again every interval, and send a backlog
    at once.
    """

    gateways: int = 10_000
    away: int = 7200
    power: bool = False
    seconds: int = 1800
    interval: int = 60
    rate: int = 250
    queue: int | None = None
    retry_after: int = 30
    naive: bool = False
    seed: int = 1


@dataclass(slots=True)
class Gateway:
    """One of them. Times in ms; `since`: the oldest reading that waits is of then."""

    rule: Any
    plan: Plan
    rng: random.Random
    since: int
    last: int = 0

    def first(self) -> int:
        return 0 if self.plan.naive else int(self.rule.first(self.rng.getrandbits(8)))

    def took(self, now: int, took: int) -> int:
        """A batch was taken, after `took` ms. -> ms until the next upload."""
        self.last = 0
        self.since = min(now, self.since + BATCH * POLL_MS)
        if now - self.since < POLL_MS:
            return self.plan.interval * 1000
        return 0 if self.plan.naive else int(self.rule.backlog(took, self.rng.getrandbits(8)))

    def failed(self, wait_s: int = 0) -> int:
        """-> ms until the next try."""
        if self.plan.naive:
            return self.plan.interval * 1000
        self.last = self.rule.pause(self.last, False)
        return int(self.rule.spread(self.last, wait_s, self.rng.getrandbits(8)))


@dataclass
class Curve:
    """What came of it. Counters by second; `current`: when all were up to date, or None."""

    arrived: Counter[int] = field(default_factory=Counter[int])
    answered: Counter[int] = field(default_factory=Counter[int])
    late: int = 0  # gave up before their answer came
    shed: int = 0  # were told to come again later
    slowest: int = 0  # ms that an answer took
    current: int | None = None

    def peak(self) -> int:
        """The most that came in one second."""
        return max(self.arrived.values(), default=0)

    def lines(self, seconds: int, rows: int = 30) -> Iterator[str]:
        """The arrivals as a bar chart: a line is the mean over so many seconds."""
        step = max(1, seconds // rows)
        means = [
            sum(self.arrived[s] for s in range(at, at + step)) / step
            for at in range(0, seconds, step)
        ]
        most = max([*means, 1])
        for i, mean in enumerate(means):
            bar = "#" * round(mean * _BAR / most)
            yield f"{i * step:6d} s {mean:8.1f}/s {bar}".rstrip()

    def csv(self, seconds: int) -> Iterable[str]:
        yield "second,arrived,answered"
        for s in range(seconds):
            yield f"{s},{self.arrived[s]},{self.answered[s]}"


def simulate(plan: Plan) -> Curve:
    """Play the plan in simulated time: gateways one by one against a server with one queue."""
    rng = random.Random(plan.seed)
    rule = load_rule()
    curve = Curve()
    start = -plan.away * 1000
    end = plan.seconds * 1000
    heap: list[tuple[int, int]] = []
    gateways: list[Gateway] = []
    for number in range(plan.gateways):
        gateway = Gateway(rule, plan, rng, start)
        gateways.append(gateway)
        if plan.power:
            # Nothing was measured meanwhile.
            gateway.since = 0
            heap.append((gateway.first(), number))
        else:
            # Some time in the interval after the server went.
            heap.append((start + rng.randrange(plan.interval * 1000), number))
    heapq.heapify(heap)
    waiting = set(range(plan.gateways))
    free = 0.0  # when the server has done all that it holds
    cost = 1000 / plan.rate
    while heap:
        now, number = heapq.heappop(heap)
        if now >= end:
            continue
        gateway = gateways[number]
        if now < 0:
            heapq.heappush(heap, (now + gateway.failed(), number))
            continue
        second = now // 1000
        curve.arrived[second] += 1
        ahead = max(free - now, 0) / cost
        if plan.queue is not None and ahead >= plan.queue:
            curve.shed += 1
            heapq.heappush(heap, (now + gateway.failed(plan.retry_after), number))
            continue
        free = max(free, now) + cost
        took = round(free - now)
        curve.answered[round(free) // 1000] += 1
        if took > DEADLINE_MS:
            # The server does the work all the same.
            curve.late += 1
            pause = gateway.failed()
            took = DEADLINE_MS
        else:
            curve.slowest = max(curve.slowest, took)
            pause = gateway.took(now + took, took)
            if waiting and gateway.since >= now - POLL_MS:
                waiting.discard(number)
                if not waiting:
                    curve.current = second
        heapq.heappush(heap, (now + took + pause, number))
    return curve


# -- against a real server


async def _post(url: str, token: str, body: bytes) -> tuple[int, str]:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port or 80)
    try:
        head = (
            f"POST {parts.path}/api/v1/readings HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            f"Authorization: Bearer {token}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        await writer.drain()
        reply = (await reader.read(65536)).decode(errors="replace")
        status = int(reply.split(None, 2)[1])
        wait = next((x for x in reply.split("\r\n") if x.lower().startswith("retry-after:")), ":")
        return status, wait.partition(":")[2].strip()
    finally:
        writer.close()


def _body(number: int, stream: int, first: int, count: int) -> bytes:
    # Far apart, so that no two of them speak of the same moment.
    t = 1_500_000_000 + number * 100_000 + first
    rows = [
        [first + i, "instant", t + i, "ntp", 500, 50, None, None, None, "get"]
        for i in range(count)
    ]
    return json.dumps({"v": 1, "stream": stream, "readings": rows}).encode()


async def play(
    plan: Plan, url: str, token: str, say: Callable[[str], None] = lambda text: None
) -> Curve:
    """Play the plan in real time against the server at `url`; its own speed counts."""
    rule = load_rule()
    rng = random.Random(plan.seed)
    curve = Curve()
    begun = time.monotonic()
    up_to_date: set[int] = set()

    def now() -> int:
        return int((time.monotonic() - begun) * 1000)

    async def live(number: int) -> None:
        gateway = Gateway(rule, plan, rng, 0 if plan.power else -plan.away * 1000)
        stream = rng.getrandbits(32)
        sent = 1
        # Those whose server was away are somewhere in their pause when it comes back.
        pause = gateway.first() if plan.power else rng.randrange(int(gateway.failed() * 2))
        while now() + pause < plan.seconds * 1000:
            await asyncio.sleep(pause / 1000)
            at = now()
            curve.arrived[at // 1000] += 1
            count = min(BATCH, max((at - gateway.since) // POLL_MS, 0))
            try:
                status, wait = await asyncio.wait_for(
                    _post(url, token, _body(number, stream, sent, count)), DEADLINE_MS / 1000
                )
            except (OSError, IndexError, ValueError, TimeoutError):
                curve.late += 1
                pause = gateway.failed()
                continue
            took = now() - at
            if status != 200:
                curve.shed += 1
                pause = gateway.failed(rule.retry_after(wait, "", None))
                continue
            sent += count
            curve.answered[now() // 1000] += 1
            curve.slowest = max(curve.slowest, took)
            pause = gateway.took(now(), took)
            if pause == plan.interval * 1000:
                up_to_date.add(number)
                if len(up_to_date) == plan.gateways and curve.current is None:
                    curve.current = now() // 1000

    say(f"{plan.gateways} gateways against {url} for {plan.seconds} s")
    async with asyncio.TaskGroup() as group:
        for number in range(plan.gateways):
            group.create_task(live(number))
    return curve
