"""Group commit: uploads that wait together become durable together, with one sync of the disk.

A thread of its own takes whatever waits, stores it in one transaction, and answers all of it
after the commit. While the disk syncs the next group gathers, so the busier the server the
cheaper a commit. Bounded in length and in time: a stuck disk shows as "not now", not as memory.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection

from kenshin.server.store import Store, Unavailable

log = logging.getLogger("kenshin.server")

In = TypeVar("In")
Out = TypeVar("Out")
Work = Callable[[Connection, Sequence[In]], Sequence[Out | Exception]]


@dataclass(slots=True)
class _Waiting(Generic[In, Out]):
    item: In
    weight: int
    until: float  # monotonic: not begun by then, it is given up
    loop: asyncio.AbstractEventLoop
    future: "asyncio.Future[Out]"


@dataclass
class Counts:
    """What the writer has done, for those who watch it."""

    groups: int = 0
    items: int = 0
    alone: int = 0  # items stored by themselves because their group failed
    failed: int = 0
    seconds: float = 0.0  # in transactions
    largest: int = 0


@dataclass
class Limits:
    """`length` = most items waiting; `patience` = longest wait of one, in s; a group's bounds."""

    length: int = 4096
    patience: float = 20.0
    group: int = 512
    weight: int = 20_000


@dataclass
class Writer(Generic[In, Out]):
    """Runs `work(connection, items)` for groups of items, each group in a durable transaction."""

    store: Store
    work: Work[In, Out]
    limits: Limits = field(default_factory=Limits)
    before: Callable[[Sequence[In]], None] | None = None  # outside of the transaction

    def __post_init__(self) -> None:
        self.counts = Counts()
        self._queue: deque[_Waiting[In, Out]] = deque()
        self._some = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """How many items wait now."""
        return len(self._queue)

    async def put(self, item: In, weight: int = 1) -> Out:
        """What `work` returns for `item`, once it is durable. Raises Unavailable."""
        if len(self._queue) >= self.limits.length:
            raise Unavailable("too many uploads are waiting")
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Out] = loop.create_future()
        until = time.monotonic() + self.limits.patience
        with self._some:
            if self._closing:
                raise Unavailable("the server is about to stop")
            self._queue.append(_Waiting(item, weight, until, loop, future))
            self._some.notify()
        return await future

    def close(self) -> None:
        """Finish the group under way; whoever waits still is told "not now"."""
        with self._some:
            self._closing = True
            self._some.notify()
        self._thread.join()

    # ---- on the writer's thread ----

    def _run(self) -> None:
        while True:
            with self._some:
                while not self._queue and not self._closing:
                    self._some.wait()
                if self._closing:
                    left = list(self._queue)
                    self._queue.clear()
                    break
                group = self._take()
            self._carry_out(group)
        _tell(left, [Unavailable("the server is about to stop")] * len(left))

    def _take(self) -> list[_Waiting[In, Out]]:
        group: list[_Waiting[In, Out]] = []
        weight = 0
        while self._queue and len(group) < self.limits.group:
            weight += self._queue[0].weight
            if group and weight > self.limits.weight:
                break
            group.append(self._queue.popleft())
        return group

    def _carry_out(self, group: list[_Waiting[In, Out]]) -> None:
        now = time.monotonic()
        late = [waiting for waiting in group if waiting.until < now]
        if late:
            why = "the database is too slow for the uploads that are waiting"
            _tell(late, [Unavailable(why)] * len(late))
            group = [waiting for waiting in group if waiting.until >= now]
        if not group:
            return
        results = self._attempt(group)
        if len(group) > 1 and isinstance(results, Exception):
            if not isinstance(results, Unavailable):
                # One of them is at fault: the others shall not suffer for it.
                log.error("a group of %d uploads failed: one by one now", len(group))
                self.counts.alone += len(group)
                for waiting in group:
                    alone = self._attempt([waiting])
                    _tell([waiting], [alone] if isinstance(alone, Exception) else alone)
                return
        if isinstance(results, Exception):
            self.counts.failed += len(group)
            results = [results] * len(group)
        self.counts.groups += 1
        self.counts.items += len(group)
        self.counts.largest = max(self.counts.largest, len(group))
        self.counts.seconds += time.monotonic() - now
        _tell(group, results)

    def _attempt(self, group: list[_Waiting[In, Out]]) -> "Sequence[Out | Exception] | Exception":
        items = [waiting.item for waiting in group]
        try:
            if self.before is not None:
                self.before(items)
            with self.store.writing() as connection:
                results = self.work(connection, items)
        except Exception as error:  # noqa: BLE001 - whoever waits gets it raised
            return error
        return results


def _tell(group: Sequence[_Waiting[Any, Any]], results: Sequence[Any]) -> None:
    """Answer everybody, with one wake-up for each event loop."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[asyncio.Future[Any], Any]]] = {}
    for waiting, result in zip(group, results, strict=True):
        loops.setdefault(waiting.loop, []).append((waiting.future, result))
    for loop, pairs in loops.items():
        try:
            loop.call_soon_threadsafe(_settle, pairs)
        except RuntimeError:  # the loop has ended, and with it everyone who waited
            log.warning("%d uploads ended with nobody waiting for the answer", len(pairs))


def _settle(pairs: Sequence[tuple[asyncio.Future[Any], Any]]) -> None:
    for future, result in pairs:
        if future.done():  # whoever waited is gone
            continue
        if isinstance(result, Exception):
            future.set_exception(result)
        else:
            future.set_result(result)
