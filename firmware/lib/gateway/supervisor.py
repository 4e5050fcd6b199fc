# Keeps the tasks alive. It compares deadlines and sleeps; nobody is polled.
import asyncio
import gc
import io
import sys

from micropython import const

_WAKE_MS = const(15_000)
_WDT_MS = const(120_000)  # longer than the worst blocking upload
_BACKOFF_MAX_MS = const(60_000)
_STOP_MS = const(5_000)  # mpremote waits 10 s for a prompt
_DEATHS = const(8)  # in a row: it will not get better by itself
_HOPE_MS = const(3_600_000)  # but starting anew more often than this makes it no better either
_GOOD_MS = const(600_000)  # a task that ran this long starts with a clean record


class Hopeless(Exception):
    """Only a new start of the board can help. A task's ends the run, and main.py does the rest."""


class _Task:
    def __init__(self, name, factory):
        self.name = name
        self.factory = factory
        self.task = None
        self.deadline = None  # ms; None: it waits for something that may never come
        self.started = 0
        self.restart_at = 0
        self.deaths = 0


class Supervisor:
    """Runs `factory(beat)` coroutines for ever: restarts and counts what dies.

    `beat(ms)` is a task's promise to call again within ms milliseconds; `beat(None)` releases it.
    The watchdog, once armed, is fed only while every promise is kept, and the board knows who beat
    last. `tend()` is called every 15 s. When a task dies again and again, run() raises Hopeless.
    """

    def __init__(self, board, clock, log, status):
        self.board = board
        self.clock = clock
        self.log = log
        self.status = status
        self.armed = False
        self.tasks = []
        self.tend = None
        self._wake = asyncio.Event()
        self._sick = False  # a task is being ended that missed its deadline
        self._end = None  # the Hopeless to end with

    def add(self, name, factory):
        self.tasks.append(_Task(name, factory))

    # Not before the first join: a join or a history read must never become a boot loop.
    def arm(self):
        if not self.armed:
            self.armed = True
            self.board.wdt(_WDT_MS)

    def _start(self, t):
        t.started = self.clock.ms()
        t.deadline = None
        t.restart_at = None
        t.task = asyncio.create_task(self._guard(t))

    async def _guard(self, t):
        clock = self.clock

        def beat(ms):
            t.deadline = None if ms is None else clock.ms() + ms
            if self.armed and not self._sick:
                self.board.doing(t.name)

        try:
            await t.factory(beat)
            why = "ended"
        except Exception as e:
            gc.collect()  # it may have died of that
            why = describe(e)
            if isinstance(e, Hopeless):
                # It has not died: it wants the board's new start.
                self._end = e
                self.status.count("board.restart")
                self.log.warn("%s: %s", t.name, why)
                return
            if isinstance(e, MemoryError):
                self.status.count("memory-error")
            else:
                self._trace(e)
        finally:
            # However it ended. Ctrl-C in the midst of a task ends it without the loop's knowing:
            # asyncio would wait for ever for the end of what is no longer there.
            t.task = None
            self._wake.set()
        self._died(t, why)

    def _trace(self, e):
        if hasattr(sys, "print_exception"):
            out = io.BytesIO()
            sys.print_exception(e, out)  # pyright: ignore[reportArgumentType]
            for line in str(out.getvalue(), "utf-8").split("\n"):  # pyright: ignore
                if line:
                    self.log.error("%s", line)

    def _died(self, t, why):
        now = self.clock.ms()
        if now - t.started > _GOOD_MS:
            t.deaths = 0
        t.deaths += 1
        t.task = None
        t.deadline = None
        t.restart_at = now + min(1000 << min(t.deaths - 1, 6), _BACKOFF_MAX_MS)
        self._wake.set()
        if t.deaths >= _DEATHS and now > _HOPE_MS:
            self._end = Hopeless("%s died %d times in a row: %s" % (t.name, t.deaths, why))
        try:
            self.status.count("restart." + t.name)
            self.status.fault(t.name, t.deaths)
            self.log.error("%s: %s; again in %d s", t.name, why, (t.restart_at - now) // 1000)
        except MemoryError:
            gc.collect()  # it starts again all the same

    async def run(self):
        clock = self.clock
        for t in self.tasks:
            self._start(t)
        good_ms = clock.ms() + _GOOD_MS  # None: the board knows that this start is a good one
        while True:
            if self._end:
                raise self._end
            self._wake.clear()
            now = clock.ms()
            wait = _WAKE_MS
            alive = True
            deaths = 0
            for t in self.tasks:
                deaths += t.deaths
                if t.task is None:
                    if t.restart_at is not None and now >= t.restart_at:
                        self._start(t)
                    elif t.restart_at is not None:
                        wait = min(wait, t.restart_at - now)
                elif t.deadline is not None and now > t.deadline:
                    alive = False
                    await self._miss(t)
                    wait = 0
                elif t.deaths and now - t.started > _GOOD_MS:
                    t.deaths = 0
                    self.status.fault(t.name, 0)
            if self.tend:
                self.tend()
            if alive and self.armed:
                self.board.feed()
            if alive and not deaths and good_ms is not None and now >= good_ms:
                good_ms = None
                self.board.good()
            if wait:
                try:
                    await clock.wait_for(self._wake.wait(), wait)
                except asyncio.TimeoutError:
                    pass  # the ordinary case: nobody died

    async def _miss(self, t):
        self.log.error("%s: no sign of life by its deadline", t.name)
        self.board.doing(t.name)  # it may not let itself be ended
        self._sick = True
        await cancel(t.task)
        self._sick = False
        self._died(t, "stuck")

    async def stop(self):
        """Cancel every task and wait until its clean-up has run, at most 5 s for all of them."""
        for t in self.tasks:
            t.restart_at = None
            if t.task:
                t.task.cancel()
        until = self.clock.ms() + _STOP_MS
        while True:
            self._wake.clear()
            left = until - self.clock.ms()
            alive = [t.name for t in self.tasks if t.task]
            if not alive:
                return
            if left <= 0:
                self.log.error("did not end: %s", ", ".join(alive))
                return
            try:
                await self.clock.wait_for(self._wake.wait(), left)
            except asyncio.TimeoutError:
                pass  # the next round says whose fault it is


# Cancels and waits until the task's own clean-up has run.
async def cancel(task):
    if task is None or task.done():
        return
    task.cancel()
    try:
        await task
    except asyncio.CancelledError:
        pass  # what was asked for


def describe(e):
    return "%s: %s" % (type(e).__name__, e) if str(e) else type(e).__name__
