# Ctrl-C and `stop`, whenever they come: the tasks' clean-up runs, and the prompt is there soon.
# On MicroPython only: its loop, unlike CPython's, knows nothing of a task that Ctrl-C broke off.
import asyncio
import sys
import time

from fakeclock import Lines, Recorder
from gateway.app import App
from gateway.clock import Clock
from gateway.supervisor import Supervisor
from helpers import skip


class Board:
    def __init__(self):
        self.armed = []
        self.on_feed = None

    def wdt(self, ms):
        self.armed.append(ms)

    def feed(self):
        if self.on_feed:
            self.on_feed()


class Outbox:
    root = None


class Repair:
    saved = 0

    def save(self):
        self.saved += 1


class Console:
    closed = 0

    def close(self):
        self.closed += 1


# An App of only such tasks: `run`, `stop` and all that leads to the end are the real ones.
class Small(App):
    def __init__(self, *tasks):
        if sys.implementation.name != "micropython":
            skip("it is about MicroPython's loop")
        self.board = Board()
        self.clock = Clock()
        self.log = Lines()
        self.status = Recorder()
        self.missing = self.wrong = ()
        self.console = Console()
        self.outbox = Outbox()
        self.repair = Repair()
        self.supervisor = Supervisor(self.board, self.clock, self.log, self.status)
        self.cleaned = []
        for i, task in enumerate(tasks):
            self.supervisor.add("task%d" % i, self._tidy(task, i))

    # `task`, with a clean-up that takes some turns of the loop and some time.
    def _tidy(self, task, i):
        async def run(beat):
            try:
                await task(self)
            finally:
                await self.clock.sleep_ms(20)
                self.cleaned.append(i)

        return run

    def seconds(self):
        began = time.ticks_ms()
        assert self.run() is None
        return time.ticks_diff(time.ticks_ms(), began) // 1000


async def forever(app):
    await asyncio.Event().wait()


async def busy(app):
    while True:
        await app.clock.sleep_ms(5)


async def stops(app):
    await app.clock.sleep_ms(30)
    app.stop()
    await asyncio.Event().wait()


async def interrupted(app):
    await app.clock.sleep_ms(30)
    raise KeyboardInterrupt


def check(app, cleaned):
    assert app.seconds() < 3
    assert sorted(app.cleaned) == cleaned, app.cleaned
    assert app.status.phases[-1] == "stopped"
    assert app.console.closed and app.repair.saved
    assert not app.log.lines, app.log.lines

    async def quiet():
        await asyncio.sleep_ms(50)

    before = list(app.cleaned)
    asyncio.run(quiet())  # nothing of it is left in the loop
    assert app.cleaned == before


def test_stop_ends_all():
    check(Small(forever, stops, busy), [0, 1, 2])


def test_ctrl_c_in_a_task_ends_all():
    check(Small(forever, interrupted, busy), [0, 1, 2])


def test_ctrl_c_in_the_supervisor_ends_all():
    def feed():
        raise KeyboardInterrupt

    app = Small(forever, busy)
    app.supervisor.arm()
    app.board.on_feed = feed
    check(app, [0, 1])
    assert app.board.armed == [120_000, 3_600_000]


def test_ctrl_c_in_a_wait_with_a_limit_ends_all():
    async def limited(app):
        while True:
            await app.clock.wait_for(interrupted(app), 1000)

    check(Small(forever, limited, busy), [0, 1, 2])


def test_more_ctrl_c_while_leaving_skip_nothing():
    async def again(app):
        try:
            await asyncio.Event().wait()
        finally:
            await app.clock.sleep_ms(5)
            raise KeyboardInterrupt

    check(Small(again, interrupted, again, busy, forever), [0, 1, 2, 3, 4])


def test_ctrl_c_and_stop_together():
    # Being told to end once more broke off the clean-up that Ctrl-C had begun.
    check(Small(stops, interrupted, stops, busy), [0, 2, 3])


def test_a_task_that_will_not_end_is_named_and_left():
    async def stubborn(app):
        while True:
            try:
                await app.clock.sleep_ms(10_000)
            except asyncio.CancelledError:
                pass

    app = Small(stubborn, stops)
    assert 4 <= app.seconds() < 7
    assert app.log.lines == ["did not end: task0"]
    assert app.cleaned == [1]


def test_the_watchdog_is_stretched_only_when_it_runs():
    app = Small(stops)
    app.seconds()
    assert app.board.armed == []
    app = Small(stops)
    app.supervisor.arm()
    app.seconds()
    assert app.board.armed == [120_000, 3_600_000]


def test_it_runs_again():
    app = Small(busy, stops)
    for _ in range(3):
        app.cleaned = []
        check(app, [0, 1])
