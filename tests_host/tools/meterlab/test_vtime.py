"""Virtual time: nothing sleeps, nothing hangs, nothing dies unheard."""

from __future__ import annotations

import asyncio
import gc
import time

import pytest

from meterlab import vtime
from meterlab.scheduler import LoopScheduler


def test_a_year_passes_in_no_time():
    async def main():
        begun = asyncio.get_running_loop().time()
        for _ in range(365):
            await asyncio.sleep(86_400)
        return asyncio.get_running_loop().time() - begun

    wall = time.monotonic()
    assert vtime.run(main()) == 365 * 86_400
    assert time.monotonic() - wall < 60


def test_timers_fire_in_order_and_at_their_time():
    async def main():
        loop = asyncio.get_running_loop()
        fired = []
        for delay in (3.0, 1.0, 2.0, 1.0, 0.0):
            loop.call_later(delay, lambda d=delay: fired.append((d, loop.time())))
        dead = loop.call_later(1.5, fired.append, "never")
        dead.cancel()
        assert dead.cancelled() and dead.when() == 1.5
        loop.call_soon(fired.append, "soon")
        await asyncio.sleep(5)
        return fired

    assert vtime.run(main()) == [
        "soon",
        (0.0, 0.0),
        (1.0, 1.0),
        (1.0, 1.0),
        (2.0, 2.0),
        (3.0, 3.0),
    ]


def test_asyncio_works_as_everywhere():
    async def worker(lock, event, out):
        async with lock:
            await asyncio.sleep(1)
            out.append(asyncio.get_running_loop().time())
        event.set()

    async def main():
        lock, event, out = asyncio.Lock(), asyncio.Event(), []
        tasks = [asyncio.create_task(worker(lock, event, out)) for _ in range(3)]
        await event.wait()
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(asyncio.Event().wait(), 0.5)
        async with asyncio.timeout(10):
            await asyncio.gather(*tasks)
        results = await asyncio.gather(boom(), asyncio.sleep(1, 7), return_exceptions=True)
        return out, asyncio.get_running_loop().time(), results

    async def boom():
        raise KeyError("x")

    out, now, (error, seven) = vtime.run(main())
    assert out == [1, 2, 3] and now == 4
    assert isinstance(error, KeyError) and seven == 7


def test_a_result_and_an_exception_come_out():
    async def fail():
        await asyncio.sleep(1)
        raise LookupError("here")

    with pytest.raises(LookupError, match="here"):
        vtime.run(fail())


def test_waiting_for_what_never_comes_is_a_deadlock_that_says_who():
    async def stuck():
        await asyncio.Event().wait()

    async def main():
        task = asyncio.create_task(stuck(), name="the stuck one")
        await asyncio.sleep(5)
        await task

    with pytest.raises(vtime.Deadlock, match="the stuck one waits at .*test_vtime.py:") as caught:
        vtime.run(main())
    assert "5.000 s" in str(caught.value)


def test_a_limit_ends_what_would_go_on_for_ever():
    async def forever():
        while True:
            await asyncio.sleep(60)

    with pytest.raises(vtime.TimeLimit, match="3600"):
        vtime.run(forever(), limit_s=3_600)


def test_a_loop_that_never_waits_is_noticed(monkeypatch):
    monkeypatch.setattr(vtime, "LIVELOCK", 10_000)

    async def busy():
        while True:
            await asyncio.sleep(0)

    with pytest.raises(vtime.Livelock):
        vtime.run(busy())


def test_a_task_that_dies_unheard_is_heard_at_the_end():
    async def die():
        raise ZeroDivisionError("unheard")

    async def main():
        task = asyncio.create_task(die())
        await asyncio.sleep(1)
        del task

    with pytest.raises(vtime.Unhandled, match="unheard"):
        vtime.run(main())


def test_even_when_it_is_part_of_a_cycle():
    async def main():
        async def die():
            raise ZeroDivisionError("in a cycle")

        ring = [asyncio.create_task(die())]
        ring.append(ring)  # type: ignore[arg-type]
        await asyncio.sleep(1)
        gc.collect()
        gc.collect()  # it has grown old by now

    with pytest.raises(vtime.Unhandled, match="in a cycle"):
        vtime.run(main())


def test_so_is_a_callback():
    async def main():
        asyncio.get_running_loop().call_later(1, lambda: 1 / 0)
        await asyncio.sleep(2)

    with pytest.raises(vtime.Unhandled, match="division"):
        vtime.run(main())


def test_what_is_left_over_is_cancelled():
    ended = []

    async def left():
        try:
            await asyncio.sleep(1e9)
        finally:
            ended.append(True)

    async def main():
        asyncio.create_task(left())
        await asyncio.sleep(1)

    vtime.run(main())
    assert ended == [True]


def test_real_waiting_is_refused():
    async def main():
        await asyncio.get_running_loop().run_in_executor(None, time.sleep, 0)

    with pytest.raises(NotImplementedError):
        vtime.run(main())


def test_the_schedulers_two_clocks():
    async def main():
        loop = asyncio.get_running_loop()
        scheduler = LoopScheduler(loop, utc_ms=1_000_000, factor=10)
        fired = []
        scheduler.call_later(5_000, lambda: fired.append(("process", loop.time())))
        scheduler.call_at_utc(1_002_000, lambda: fired.append(("wall", loop.time())))
        scheduler.call_at_utc(5, lambda: fired.append(("past", loop.time())))
        await asyncio.sleep(3)
        return fired, scheduler.now_ms(), scheduler.utc_ms()

    fired, now, utc = vtime.run(main(), start=100.0)
    assert fired == [("past", 100.0), ("process", 100.5), ("wall", 102.0)]
    assert (now, utc) == (30_000, 1_003_000)
    with pytest.raises(ValueError, match="factor"):
        LoopScheduler(vtime.VirtualLoop(), utc_ms=0, factor=0)
