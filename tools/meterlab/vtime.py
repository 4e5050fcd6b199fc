"""Virtual time for asyncio: a loop that never sleeps.

`run(coro)` is `asyncio.run` on a loop whose clock jumps to the next timer as soon as nothing is
left to do now. Ten days of a gateway's life take as long as its work takes. Nothing here touches
the operating system: no selector, no sockets, no signals, no threads; asking for them raises
NotImplementedError, so a hidden real wait cannot creep in.

A run ends in an error, never in a hang:
* `Deadlock` when the main coroutine waits and no timer is left that could wake it,
* `TimeLimit` when virtual time passes the limit given,
* `Livelock` when callbacks go on and on without time moving,
* `Unhandled` when a task died of an exception that nobody looked at.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import heapq
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

T = TypeVar("T")

_push, _pop = heapq.heappush, heapq.heappop
_Future: type[asyncio.Future[Any]] = asyncio.Future

LIVELOCK = 2_000_000  # callbacks at one instant


class VirtualTimeError(RuntimeError):
    """A run in virtual time that cannot go on."""


class Deadlock(VirtualTimeError):
    pass


class TimeLimit(VirtualTimeError):
    pass


class Livelock(VirtualTimeError):
    pass


class Unhandled(VirtualTimeError):
    """Exceptions that reached the loop; `contexts` as asyncio hands them to its handler."""

    def __init__(self, contexts: list[dict[str, Any]]) -> None:
        self.contexts = contexts
        super().__init__("; ".join(_describe(c) for c in contexts))


def _describe(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return f"{context.get('message')}: {error!r}" if error else str(context.get("message"))


class _Handle(list[Any]):
    """A callback to come: [due, number, callback, arguments, context]; cancelled, its callback is
    None. A list, for the heap compares lists as they are, and an object with fields takes twice
    as long to make: there are forty in each minute of a gateway's life.
    """

    __slots__ = ()

    def cancel(self) -> None:
        self[2] = None  # let go of what it holds
        self[3] = ()

    def cancelled(self) -> bool:
        return self[2] is None

    def when(self) -> float:
        return self[0]

    def __repr__(self) -> str:
        return f"<{self[2] or 'cancelled'!r} at {self[0]:.3f}>"


class VirtualLoop(asyncio.AbstractEventLoop):
    """An event loop on virtual seconds, starting at `start`.

    `limit`: virtual time (absolute, seconds) that may not be passed; None = no limit.
    `now`: what time() tells. `timers`: how many were ever set, a measure of work that no machine's
    speed changes.
    """

    def __init__(self, *, start: float = 0.0, limit: float | None = None) -> None:
        self.limit = limit
        self.exceptions: list[dict[str, Any]] = []
        self.now = start
        self._ready: deque[_Handle] = deque()
        self._heap: list[_Handle] = []
        self.timers = 0
        self._running = False
        self._stopping = False
        self._closed = False
        self._handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None = None

    # -- what tasks and futures use

    def time(self) -> float:
        return self.now

    def call_soon(
        self,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        handle = _Handle((self.now, 0, callback, args, context))
        self._ready.append(handle)
        return handle

    # There are no other threads; libraries call it all the same.
    call_soon_threadsafe = call_soon

    def call_later(
        self,
        delay: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        # As call_at does: a call more, a hundred thousand times a day, is felt.
        self.timers = number = self.timers + 1
        handle = _Handle((self.now + delay, number, callback, args, context))
        _push(self._heap, handle)
        return handle

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> Any:
        self.timers = number = self.timers + 1
        handle = _Handle((when, number, callback, args, context))
        _push(self._heap, handle)
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return _Future(loop=self)

    def create_task(
        self,
        coro: Any,
        *,
        name: str | None = None,
        context: contextvars.Context | None = None,
        **kwargs: Any,
    ) -> asyncio.Task[Any]:
        return asyncio.Task(coro, loop=self, name=name, context=context, **kwargs)

    # -- running

    def run_forever(self) -> None:
        if self._running:
            raise RuntimeError("the loop is running already")
        if self._closed:
            raise RuntimeError("the loop is closed")
        self._running = True
        asyncio._set_running_loop(self)  # pyright: ignore[reportPrivateUsage]
        try:
            self._spin()
        finally:
            self._stopping = False
            self._running = False
            asyncio._set_running_loop(None)  # pyright: ignore[reportPrivateUsage]

    def _spin(self) -> None:
        ready, heap, pop, take = self._ready, self._heap, _pop, self._ready.popleft
        left = LIVELOCK
        while not self._stopping:
            if ready:
                handle = take()
            else:
                if not heap:
                    raise Deadlock(f"nothing left to happen at {self.now:.3f} s" + self._who())
                handle = pop(heap)
                if handle[2] is None:
                    continue
                now = handle[0]
                if now > self.now:
                    if self.limit is not None and now > self.limit:
                        _push(heap, handle)
                        raise TimeLimit(f"past {self.limit:.3f} s of virtual time" + self._who())
                    self.now = now
                    left = LIVELOCK
                else:
                    now = self.now
                while heap and heap[0][0] <= now:
                    ready.append(pop(heap))
            _, _, callback, args, context = handle
            if callback is None:
                continue
            left -= 1
            if not left:
                ready.appendleft(handle)  # so that its task can still be cancelled
                raise Livelock(f"time stands still at {self.now:.3f} s: {handle!r}")
            try:
                if context is None:
                    callback(*args)
                else:
                    context.run(callback, *args)
            except Exception as error:  # noqa: BLE001  kept, and raised by run() at the end
                self.call_exception_handler(
                    {"message": f"exception in callback {handle!r}", "exception": error}
                )

    def _who(self) -> str:
        lines = [""]
        for task in asyncio.all_tasks(self):
            frames = task.get_stack(limit=1)
            where = f"{frames[0].f_code.co_filename}:{frames[0].f_lineno}" if frames else "?"
            lines.append(f"  {task.get_name()} waits at {where}")
        return "\n".join(lines)

    def run_until_complete(self, future: Any) -> Any:
        task = asyncio.ensure_future(future, loop=self)

        def done(_: asyncio.Future[Any]) -> None:
            self.stop()

        task.add_done_callback(done)
        try:
            self.run_forever()
        finally:
            task.remove_done_callback(done)
        if not task.done():
            raise RuntimeError("the loop was stopped before the future was done")
        return task.result()

    def stop(self) -> None:
        self._stopping = True

    def is_running(self) -> bool:
        return self._running

    def is_closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        if self._running:
            raise RuntimeError("a running loop cannot be closed")
        self._closed = True
        self._ready.clear()
        self._heap.clear()

    async def shutdown_asyncgens(self) -> None:
        pass  # they are finalised when they are collected

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        pass  # there is none

    # -- errors and debug

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        if self._handler is not None:
            self._handler(self, context)
        else:
            self.exceptions.append(context)

    def default_exception_handler(self, context: dict[str, Any]) -> None:
        self.exceptions.append(context)

    def set_exception_handler(
        self, handler: Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None
    ) -> None:
        self._handler = handler

    def get_exception_handler(
        self,
    ) -> Callable[[asyncio.AbstractEventLoop, dict[str, Any]], object] | None:
        return self._handler

    # Asked for by each future that is made: a class is called faster than a method.
    get_debug: Any = staticmethod(bool)

    def set_debug(self, enabled: bool) -> None:
        if enabled:
            raise NotImplementedError("virtual time has no debug mode")


def run(main: Coroutine[Any, Any, T], *, limit_s: float | None = None, start: float = 0.0) -> T:
    """Run `main` to its end in virtual time, cancel what is left, and return its result.

    `limit_s`: virtual seconds that it may take. Raises what `main` raises, or a VirtualTimeError.
    """
    loop = VirtualLoop(start=start, limit=None if limit_s is None else start + limit_s)
    gc.freeze()  # so that the collection at the end looks at this run's objects only
    try:
        try:
            result = loop.run_until_complete(main)
        finally:
            # A deadlocked or cancelled rest must not be able to deadlock the cleaning up.
            loop.limit = loop.time() + 3600.0
            _cancel_all(loop)
            loop.close()
        gc.collect()  # tasks whose exception nobody fetched speak up when they go
    finally:
        gc.unfreeze()
    if loop.exceptions:
        raise Unhandled(loop.exceptions)
    return result


def _cancel_all(loop: VirtualLoop) -> None:
    tasks = asyncio.all_tasks(loop)
    if not tasks:
        return
    for task in tasks:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    for task in tasks:
        if not task.cancelled() and task.exception() is not None:
            loop.call_exception_handler(
                {
                    "message": f"exception while {task.get_name()} was cancelled",
                    "exception": task.exception(),
                }
            )
