# Milliseconds that never run back, and UTC that never lets readings change places in silence.
import asyncio
import time

from fakeboard import FakeBoard
from gateway.clock import Clock
from helpers import run, skip
from hostclock import HostClock

T = 1_800_000_000
WRAP = 1 << 30  # of ticks on a board


class Ticks(Clock):
    """The real clock on ticks that the test sets, with a board's width."""

    def __init__(self, board=None, at=0):
        self.now = at % WRAP
        super().__init__(board)

    def _ticks(self):
        return self.now

    def _since(self, earlier, now):
        return (now - earlier + WRAP // 2) % WRAP - WRAP // 2

    def go(self, ms):
        self.now = (self.now + ms) % WRAP


def test_ms_passes_the_ticks_end():
    c = Ticks(at=WRAP - 1000)
    first = c.ms()
    c.go(2500)
    assert c.ms() - first == 2500
    total = 2500
    for _ in range(40):  # four months in steps of three days
        c.go(259_200_000)
        total += 259_200_000
        assert c.ms() - first == total


def test_unknown_until_set():
    c = Ticks()
    assert c.utc() is None and c.utc_at(0) is None and c.quality is None
    assert c.set(T, "server")
    assert c.utc() == T and c.quality == "server"


def test_at_ms_says_when_it_was():
    c = Ticks(at=10_000)
    assert c.set(T, "ntp", 7_500)
    assert c.utc() == T + 2
    assert c.utc_at(7_500) == T and c.utc_at(0) == T - 8


def test_runs_on_for_weeks():
    c = Ticks()
    c.set(T, "ntp")
    for _ in range(10):
        c.go(259_200_000)
        c.ms()
    assert c.utc() == T + 2_592_000


def test_impossible_times_are_refused():
    c = Ticks()
    for t in (0, 946_684_800, 1_735_689_599, 4_102_444_800, 1 << 40, -5):
        assert not c.set(t, "ntp")
    assert c.utc() is None


def test_order_of_the_sources():
    order = ("ntp", "meter", "server")
    for i, have in enumerate(order):
        for j, new in enumerate(order):
            c = Ticks()
            assert c.set(T, have)
            c.go(1000)
            assert c.set(T + 50, new) == (j <= i), (have, new)
            assert c.quality == order[min(i, j)]


def test_a_worse_source_is_believed_after_a_week_of_silence():
    c = Ticks()
    c.set(T, "ntp")
    for _ in range(2):
        c.go(259_200_000)
        assert not c.set(T + 5_000_000, "server")
    c.go(86_400_000)
    assert c.set(T + 700_000, "server")
    assert c.utc() == T + 700_000 and c.quality == "server"


def test_hearing_the_better_source_keeps_it_in_force():
    c = Ticks()
    c.set(T, "ntp")
    c.go(500_000_000)
    assert c.set(T + 500_000, "ntp")
    c.go(300_000_000)
    assert not c.set(T + 900_000, "server")


def test_small_differences_do_not_move_it():
    for quality, late in (("ntp", 0), ("meter", 59), ("server", 1)):
        c = Ticks()
        c.set(T, quality)
        calls = []
        c.on_set.append(lambda calls=calls: calls.append(1))
        c.go(100_000)
        assert c.set(T + 100 - late, quality)
        assert c.utc() == T + 100, quality
        assert calls == []


def test_forward_it_jumps():
    c = Ticks()
    c.set(T, "server")
    c.go(10_000)
    c.set(T + 500, "ntp")
    assert c.utc() == T + 500 and c.jumps == 0


# Polls are 10 s apart or more: their times must stay in order and apart.
def test_a_step_back_is_spread_out():
    for back in (2, 10, 45, 89):
        c = Ticks()
        c.set(T, "server")
        c.go(60_000)
        before = c.utc()
        assert c.set(T + 60 - back, "ntp")
        assert c.utc() == before, "no jump"
        last = before
        for step in range(1, 40):
            c.go(10_000)
            now = c.utc()
            assert last < now <= last + 10, back
            last = now
            if step * 10 >= 2 * back + 10:
                assert now == T + 60 - back + step * 10, back
        assert c.jumps == 0


def test_a_large_step_back_jumps_and_counts():
    c = Ticks()
    c.set(T, "server")
    c.go(1000)
    heard = []
    c.on_set.append(lambda: heard.append(c.utc()))
    assert c.set(T - 3600, "ntp")
    assert c.utc() == T - 3600 and c.jumps == 1 and heard == [T - 3600]


# A late answer is filed under the time it was asked, by the clock as it was then.
def test_moments_before_the_setting_keep_their_place():
    c = Ticks()
    c.set(T, "server")
    c.go(100_000)
    asked = c.ms()
    was = c.utc_at(asked)
    c.go(5_000)
    c.set(T + 105 - 30, "ntp")
    assert c.utc_at(asked) == was


# -- one answer that is far from what another source has confirmed


def confirmed(*sources):
    """A clock of NTP, and these said the same."""
    c = Ticks()
    c.set(T, "ntp")
    c.go(60_000)
    for source in sources:
        assert not c.set(T + 60, source)
    c.go(3_600_000)
    return c, T + 3660


def test_a_jump_of_ntp_alone_is_not_believed():
    for far in (-86_400 * 365, -3600, -91, 91, 3600, 86_400 * 365):
        for source in ("meter", "server"):
            c, now = confirmed(source)
            for _ in range(3):
                assert not c.set(now + far, "ntp"), (far, source)
                assert c.utc() == now and c.quality == "ntp"
                c.go(900_000)
                now += 900
            assert c.jumps == 0
            # and the truth is believed as ever
            assert c.set(now, "ntp") and c.doubt is None


def test_it_is_believed_as_soon_as_another_source_says_the_same():
    for far in (-3600, 3600):
        for source, vague in (("meter", 50), ("server", 1)):
            c, now = confirmed("meter")
            heard = []
            c.on_set.append(lambda c=c, heard=heard: heard.append(c.utc()))
            assert not c.set(now + far, "ntp")
            c.go(10_000)
            now += 10
            c.set(now + far - vague, source)
            assert c.utc() == now + far and c.quality == "ntp", "as NTP told it, to the second"
            assert heard == [now + far]
            assert c.jumps == (1 if far < 0 else 0)


def test_another_source_that_contradicts_ends_the_doubt():
    c, now = confirmed("meter")
    assert not c.set(now + 3600, "ntp")
    assert not c.set(now, "meter")
    assert c.doubt is None and c.utc() == now
    assert not c.set(now + 7200, "server"), "a third opinion moves nothing"
    assert c.utc() == now


def test_two_lesser_sources_that_agree_overrule_the_better_one():
    for first, second in (("meter", "server"), ("server", "meter")):
        c = Ticks()
        c.set(T - 86_400, "ntp")
        c.go(60_000)
        assert not c.set(T + 60, first)
        assert not c.set(T + 60, first), "one source, however often"
        c.go(60_000)
        assert c.set(T + 120, second)
        assert c.utc() == T + 120 and c.quality == second
        c.go(15_000)
        assert not c.set(T + 135 - 86_400, "ntp")
        assert c.utc() == T + 135
    c = Ticks()
    c.set(T, "ntp")
    assert not c.set(T + 1000, "meter") and not c.set(T + 2000, "server")
    assert c.utc() == T


def test_small_corrections_need_nobody():
    c, now = confirmed("meter")
    assert c.set(now + 80, "ntp") and c.utc() == now + 80


def test_a_clock_that_nobody_confirmed_follows_ntp():
    c = Ticks()
    c.set(T, "ntp")
    c.go(1000)
    assert c.set(T + 5000, "ntp") and c.utc() == T + 5000
    c, now = confirmed("meter")
    c.go(90_000_000)
    assert c.set(now + 95_000, "ntp"), "it was confirmed too long ago"


def test_a_clock_of_the_meter_alone_follows_the_second_answer_of_ntp():
    c = Ticks()
    c.set(T, "meter")
    c.go(1000)
    assert not c.set(T + 1 + 1500, "ntp")
    c.go(15_000)
    assert not c.set(T + 16 + 9999, "ntp"), "that is yet another time"
    c.go(15_000)
    assert c.set(T + 31 + 9999, "ntp")
    assert c.utc() == T + 31 + 9999 and c.quality == "ntp"


def test_nothing_is_older_than_the_program():
    c = Ticks()
    c.floor = T
    for quality in ("ntp", "meter", "server"):
        assert not c.set(T - 1, quality)
    assert c.utc() is None and c.set(T, "server")


# -- the ticks of a board end after 12.4 days; here those of the real runtime are moved to there


class Near(Clock):
    """The runtime's own ticks and their arithmetic, `before` ms before they begin anew."""

    def __init__(self, before):
        self.shift = time.ticks_diff(time.ticks_add(0, -before), time.ticks_ms())
        super().__init__()

    def _ticks(self):
        return time.ticks_add(time.ticks_ms(), self.shift)


def test_the_runtimes_ticks_end_while_it_waits():
    if not hasattr(time, "ticks_ms") or time.ticks_add(0, -1) != WRAP - 1:
        skip("ticks end at %d ms on 32 bits only" % WRAP)

    async def go():
        c = Near(40)
        assert c._ticks() > WRAP - 60
        c.set(T, "ntp")
        began = c.ms()
        seen = [began]
        event = asyncio.Event()
        for _ in range(4):
            await c.sleep_ms(20)
            try:
                await c.wait_for(event.wait(), 10)
            except asyncio.TimeoutError:
                pass
            seen.append(c.ms())
            assert 0 <= c.utc() - T <= 3
        assert c._ticks() < 10_000, "they did begin anew"
        assert all(a < b for a, b in zip(seen, seen[1:]))
        assert 110 <= seen[-1] - began < 3000
        assert c.utc_ms(seen[-1]) - c.utc_ms(began) == seen[-1] - began

    run(go())


def test_waits_longer_than_the_ticks_can_tell():
    slept = []

    class Asleep(Ticks):
        async def doze(self, ms):
            slept.append(ms)

    async def go():
        c = Asleep(at=WRAP - 5)
        real = asyncio.sleep_ms if hasattr(asyncio, "sleep_ms") else None
        asyncio.sleep_ms = c.doze
        try:
            await c.sleep_ms(30 * 86_400_000)
        finally:
            if real:
                asyncio.sleep_ms = real
            else:
                del asyncio.sleep_ms

    run(go())
    assert sum(slept) == 30 * 86_400_000 and max(slept) < WRAP // 2


def test_rtc_follows():
    board = FakeBoard()
    c = Ticks(board, at=50_000)
    c.set(T, "ntp", 48_000)
    assert board.rtc == T + 2


def test_real_waits():
    async def go():
        c = HostClock()
        began = c.ms()
        await c.sleep_ms(30)
        assert c.ms() - began >= 29
        await c.sleep_ms(-5)
        event = asyncio.Event()
        try:
            await c.wait_for(event.wait(), 20)
            raise AssertionError("waited for nothing")
        except asyncio.TimeoutError:
            pass
        event.set()
        await c.wait_for(event.wait(), 1000)
        return c.ms() - began

    assert run(go()) >= 48
