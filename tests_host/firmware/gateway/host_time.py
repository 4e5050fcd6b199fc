"""Time that can be trusted: the build's date before any, and NTP that is not believed blindly."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from campaign import firmware
from gateway import clock, parts
from house import House
from meterlab.metering import Equipment

BUILT = 1_790_000_000  # 2026-09-21


class Rtc:
    """A board of which only the calendar is there."""

    def __init__(self) -> None:
        self.told: list[int] = []

    def set_rtc(self, utc: int) -> None:
        self.told.append(utc)


@pytest.mark.parametrize(
    ("now", "told"), [(946_684_800, [BUILT]), (BUILT - 1, [BUILT]), (BUILT + 60, [])]
)
def test_a_board_that_lost_its_time_begins_with_the_builds_date(
    now: int, told: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "built.txt").write_text(f"{BUILT}\n")
    monkeypatch.setattr(parts, "__file__", str(tmp_path / "parts.mpy"))
    monkeypatch.setattr(parts.time, "gmtime", lambda: time.struct_time(_civil(now)))
    board = Rtc()
    it: Any = clock.Clock.__new__(clock.Clock)
    parts._built(board, it)
    assert board.told == told
    assert it.floor == BUILT - 86_400


def _civil(utc: int, gmtime: Any = time.gmtime) -> Any:
    return gmtime(utc)


@pytest.mark.parametrize("text", [None, "", "soon\n"])
def test_run_from_its_source_it_begins_with_2025(
    text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if text is not None:
        (tmp_path / "built.txt").write_text(text)
    monkeypatch.setattr(parts, "__file__", str(tmp_path / "parts.py"))
    monkeypatch.setattr(parts.time, "gmtime", lambda: time.struct_time(_civil(946_684_800)))
    board = Rtc()
    it: Any = clock.Clock.__new__(clock.Clock)
    it.floor = clock.EARLIEST
    parts._built(board, it)
    assert board.told == [clock.EARLIEST] and it.floor == clock.EARLIEST


class Liar(House):
    """A time server that is `off` seconds off; `asked`: how often it was."""

    off = 0
    asked = 0

    def overlays(self) -> dict[str, firmware.Overlay]:
        honest = super().overlays()["gateway.ntp"]

        def lie(ntp: Any) -> None:
            honest(ntp)
            query = ntp.query

            async def wrong(*args: Any) -> tuple[int, int]:
                self.asked += 1
                utc, at = await query(*args)
                return utc + self.off, at

            ntp.query = wrong

        return {"gateway.ntp": lie}

    def right(self) -> bool:
        return abs(self.app.clock.utc() - self.scheduler.utc_ms() // 1000) <= 2


def test_a_time_server_gone_mad_moves_nothing() -> None:
    async def story(h: Liar) -> None:
        await h.polling()
        await h.until(lambda: h.app.clock.vouched is not None, 45)  # by the meter's clock
        assert h.right()
        h.off = 86_400 * 40
        asked = h.asked
        await asyncio.sleep(7 * 3600)
        assert h.asked > asked + 3, "asked again, because it was not believed"
        assert h.right() and h.app.clock.jumps == 0
        times = [row[2] for row in h.server.kind("instant")]
        assert times == sorted(set(times))
        assert max(times) <= h.scheduler.utc_ms() // 1000 + 2
        h.off = 0
        await asyncio.sleep(7 * 3600)
        assert h.right() and h.app.clock.doubt is None

    Liar(installed=20_764).run(story)


def test_a_meter_whose_clock_is_wrong_is_overruled() -> None:
    async def story(h: Liar) -> None:
        await h.until(lambda: h.app.clock.quality == "ntp", 5)
        assert h.right()
        await asyncio.sleep(3 * 3600)
        assert h.right(), "and what the meter says daily changes nothing"
        assert h.count["time.meter-off"] >= 1

    Liar(installed=20_764, equipment=Equipment(clock_offset=-7200)).run(story)


def test_a_mad_time_server_from_the_start() -> None:
    """The meter, and the server of the readings, say the same: two against one."""

    async def story(h: Liar) -> None:
        h.off = -86_400
        await h.polling(polls=20)
        off = h.app.clock.utc() - h.scheduler.utc_ms() // 1000
        assert abs(off) <= 60
        assert h.app.clock.quality in ("meter", "server")
        await asyncio.sleep(7 * 3600)
        assert abs(h.app.clock.utc() - h.scheduler.utc_ms() // 1000 - off) <= 60

    Liar(installed=20_764).run(story)
