# Tasks that die are restarted with growing pauses; the watchdog is fed while promises are kept.
import asyncio

from fakeclock import FakeClock, Lines, Recorder
from gateway.supervisor import Hopeless, Supervisor
from helpers import run


class Board:
    def __init__(self):
        self.armed = []
        self.fed = 0
        self.goods = 0
        self.tasks = []

    def good(self):
        self.goods += 1

    def wdt(self, ms):
        self.armed.append(ms)

    def doing(self, task):
        self.tasks = self.tasks[-9:] + [task]

    def feed(self):
        self.fed += 1


class Enough(Exception):
    pass


def supervise(tasks, until_ms, arm=False, log=None, clock=None, status=None):
    """Runs the supervisor on a jumping clock until `until_ms`; -> what it worked with."""
    clock = clock or FakeClock()
    board = Board()
    status = status or Recorder()
    log = log or Lines()
    sup = Supervisor(board, clock, log, status)
    for name, factory in tasks:
        sup.add(name, factory)
    if arm:
        sup.arm()
    wait_for = clock.wait_for

    async def bounded(aw, ms):
        if clock.t > until_ms:
            aw.close()
            raise Enough
        assert ms <= 15_000
        return await wait_for(aw, ms)

    clock.wait_for = bounded

    async def go():
        try:
            await sup.run()
        except Enough:
            pass
        clock.wait_for = wait_for
        await sup.stop()

    run(go())
    return board, status, log, sup


async def forever(beat):
    await asyncio.Event().wait()


def test_a_dead_task_comes_back_with_growing_pauses():
    born = []

    async def dies(beat):
        born.append(1)
        raise ValueError("broken thing")

    _, status, log, _ = supervise([("meter", dies), ("radio", forever)], 200_000)
    # 1, 2, 4, 8, 16, 32, 60, 60 s
    assert len(born) == 8 or len(born) == 9
    assert status.counters["restart.meter"] == len(born)
    assert "restart.radio" not in status.counters
    assert [x for x in log.lines if "ValueError: broken thing" in x]


def test_a_task_that_returns_is_dead_too():
    async def ends(beat):
        pass

    _, status, log, _ = supervise([("uplink", ends)], 10_000)
    assert status.counters["restart.uplink"] >= 2


def test_a_memory_error_is_survived_and_counted():
    async def hungry(beat):
        raise MemoryError("no room")

    _, status, _, _ = supervise([("uplink", hungry), ("meter", forever)], 10_000)
    assert status.counters["restart.uplink"] >= 2
    assert status.counters["memory-error"] == status.counters["restart.uplink"]


def test_a_memory_error_while_one_is_told_is_survived_too():
    class Hungry(Lines):
        def error(self, text, *args):
            raise MemoryError("no room for the line")

    born = []

    async def dies(beat):
        born.append(1)
        raise MemoryError("no room")

    _, status, _, _ = supervise([("uplink", dies)], 20_000, log=Hungry())
    assert len(born) >= 3 and status.counters["memory-error"] == len(born)


def hopeless(tasks, until_ms, clock=None, status=None, log=None):
    try:
        supervise(tasks, until_ms, clock=clock, status=status, log=log)
    except Hopeless as e:
        return str(e)


def test_after_an_hour_a_task_that_only_dies_ends_the_run():
    born = []

    async def dies(beat):
        born.append(1)
        raise ValueError("broken thing")

    assert hopeless([("uplink", dies), ("meter", forever)], 3_500_000) is None
    assert len(born) > 50, "it is tried all the hour"
    text = hopeless([("uplink", dies), ("meter", forever)], 4_000_000)
    assert text.startswith("uplink died ") and text.endswith(" in a row: ValueError: broken thing")


def test_one_that_dies_now_and_then_does_not():
    clock = FakeClock()
    born = []

    async def weak(beat):
        born.append(1)
        # Longer than a task must live to have a clean record.
        while clock.t < 700_000 * len(born):
            await asyncio.sleep(0)
        raise ValueError("again")

    assert hopeless([("uplink", weak)], 10_000_000, clock) is None
    assert len(born) > 10


def test_a_task_may_say_so_itself():
    async def gives_up(beat):
        raise Hopeless("nothing gets through")

    assert hopeless([("network", gives_up)], 60_000) == "nothing gets through"


def test_a_wish_for_a_new_start_is_no_death():
    async def gives_up(beat):
        raise Hopeless("nothing gets through")

    status, log = Recorder(), Lines()
    log.error = lambda *_: 1 // 0
    assert hopeless([("network", gives_up)], 60_000, None, status, log)
    assert status.counters == {"board.restart": 1} and status.faults == []
    assert log.lines == ["network: Hopeless: nothing gets through"]


def test_watchdog_is_not_armed_by_itself():
    board, _, _, _ = supervise([("meter", forever)], 60_000)
    assert board.armed == [] and board.fed == 0


def test_watchdog_is_fed_while_promises_are_kept():
    async def patient(beat):
        beat(None)
        await asyncio.Event().wait()

    board, _, _, _ = supervise([("meter", patient)], 150_000, arm=True)
    assert board.armed == [120_000]
    assert board.fed >= 10


def test_a_broken_promise_stops_the_feeding_and_restarts_the_task():
    born = []
    cleaned = []

    async def stuck(beat):
        born.append(1)
        beat(40_000)
        try:
            await asyncio.Event().wait()
        finally:
            cleaned.append(1)

    board, status, log, _ = supervise([("meter", stuck)], 120_000, arm=True)
    assert len(born) >= 2
    assert len(cleaned) == len(born)
    assert status.counters["restart.meter"] >= 1
    assert [x for x in log.lines if "deadline" in x]


def test_stop_ends_every_task():
    ended = []

    async def tidy(beat):
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(1)

    supervise([("a", tidy), ("b", tidy)], 10_000)
    assert ended == [1, 1]


# -- a start is a good one after ten minutes of progress


def test_a_start_is_good_after_ten_minutes_and_once():
    assert supervise([("a", forever)], 580_000)[0].goods == 0
    assert supervise([("a", forever)], 620_000)[0].goods == 1
    assert supervise([("a", forever)], 7_200_000)[0].goods == 1


def test_a_start_in_which_a_task_dies_on_and_on_is_never_good():
    async def dies(beat):
        raise ValueError

    assert supervise([("a", forever), ("b", dies)], 3_600_000)[0].goods == 0


def test_a_start_whose_task_keeps_no_promise_is_never_good():
    async def stuck(beat):
        beat(1000)
        await asyncio.Event().wait()

    assert supervise([("a", stuck)], 3_600_000)[0].goods == 0


def test_a_start_with_one_early_death_is_good_later():
    deaths = []

    async def dies_once(beat):
        if not deaths:
            deaths.append(1)
            raise ValueError
        await asyncio.Event().wait()

    assert supervise([("a", dies_once)], 580_000)[0].goods == 0
    assert supervise([("a", dies_once)], 1_300_000)[0].goods == 1


# -- what the next start is told when the watchdog bites


def test_who_beat_last_is_kept_when_the_watchdog_runs():
    async def once(beat):
        beat(None)
        await asyncio.Event().wait()

    assert supervise([("meter", once)], 60_000)[0].tasks == []
    board = supervise([("meter", once), ("uplink", once)], 60_000, arm=True)[0]
    assert board.tasks == ["meter", "uplink"]


def test_a_task_that_does_not_let_itself_be_ended_is_the_last_named():
    async def clings(beat):
        beat(1000)
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            while clock.t < 90_000:
                await asyncio.sleep(0)
            raise

    async def lively(beat):
        while clock.t < 90_000:
            beat(60_000)
            await asyncio.sleep(0)
            clock.t += 500

    clock = FakeClock()
    board = supervise([("uplink", clings), ("network", lively)], 90_000, True, None, clock)[0]
    assert board.tasks[-1] == "uplink" and "network" in board.tasks
