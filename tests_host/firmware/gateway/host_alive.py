"""Staying alive: what breaks around the gateway ends in a count and a word; polling goes on."""

from __future__ import annotations

import asyncio
import errno
from typing import Any

import pytest

from gateway import ring
from house import REFUSED, House


def lines(h: House) -> str:
    return "\n".join(ring.lines(h.app.log))


def test_uploads_that_run_out_of_memory_are_survived_and_counted() -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.server.raises = MemoryError("memory allocation failed, allocating 352 bytes")
        await asyncio.sleep(600)
        assert h.count["memory-error"] >= 5
        assert h.count["memory-error"] == h.count["restart.uplink"]
        assert "MemoryError" in lines(h)
        await h.polling(3)  # the meter is read as before
        assert not h.app.air.locked()
        h.server.raises = None
        await h.until(lambda: len(h.app.outbox) == 0, 5)
        assert "restart.meter" not in h.count and "restart.radio" not in h.count

    House().run(story)


def test_a_client_that_hangs_costs_minutes_and_not_the_gateway() -> None:
    async def story(h: House) -> None:
        await h.polling()
        good = h.server.post
        hung = 0

        async def hangs(*args: Any) -> Any:
            nonlocal hung
            hung += 1
            await asyncio.Event().wait()

        h.app.uplink.post = hangs
        # The uplink's promise is four minutes; it is cancelled then, and what it held is free.
        await h.until(lambda: h.count.get("restart.uplink"), 8)
        assert hung == 1 and "no sign of life" in lines(h)
        h.app.uplink.post = good
        await h.polling(3)
        await h.until(lambda: len(h.app.outbox) == 0, 5)

    House().run(story)


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_file_system_that_is_full_or_broken(code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Full: nothing more can be written. Broken: nor read, and no folder made."""

    async def story(h: House) -> None:
        await h.polling()
        real = h.board.flash.open

        def failing(path: str, mode: str) -> Any:
            if code == errno.EIO or mode != "rb":
                raise OSError(code, "the flash fails")
            return real(path, mode)

        monkeypatch.setattr(h.board.flash, "open", failing)
        # Long enough away for what waits to go to flash.
        h.server.raises = REFUSED
        before = h.count["poll.ok"]
        await asyncio.sleep(900)
        assert h.count["flash.failed"] > 0, lines(h)
        assert h.count["poll.ok"] - before >= 25
        assert "the flash fails" in h.app.outbox.trouble
        h.server.raises = None
        # With the server there, all of it arrives over RAM.
        await h.until(lambda: len(h.app.outbox) <= 2, 15)
        assert not any(name.startswith("restart.") for name in h.count), lines(h)
        arrived = len(h.server.rows)
        monkeypatch.setattr(h.board.flash, "open", real)
        await h.polling(5)
        await h.until(lambda: len(h.server.rows) > arrived)

    House().run(story)


def test_settings_flash_that_fails_stops_nothing() -> None:
    async def story(h: House) -> None:
        await h.polling()

        def broken(name: str, blob: bytes) -> None:
            raise OSError(errno.EIO, "I/O error")

        h.board.nvs.set = broken  # type: ignore[method-assign]
        await asyncio.sleep(3600)
        await h.polling(3)
        await h.until(lambda: len(h.app.outbox) == 0, 5)
        assert "restart.meter" not in h.count, lines(h)

    House().run(story)


def test_settings_flash_that_fails_from_the_start_on_stops_nothing_either() -> None:
    house = House()
    house.run(lambda h: h.polling())
    again = House()
    again.board.nvs.blobs = house.board.nvs.blobs

    def broken(name: str, blob: bytes) -> None:
        raise OSError(errno.EIO, "I/O error")

    again.board.nvs.set = broken  # type: ignore[method-assign]

    async def story(h: House) -> None:
        await h.polling(5)
        await h.until(lambda: len(h.app.outbox) == 0 and h.server.statuses, 5)
        assert "memory: cannot be written" in lines(h)
        assert h.server.statuses[-1]["counters"]["flash.damaged"] == 1
        assert not any(name.startswith("restart.") for name in h.count), lines(h)

    again.run(story)


def test_why_it_started_is_told_to_the_server() -> None:
    house = House()

    async def first(h: House) -> None:
        await h.polling()
        await h.until(lambda: h.server.statuses)
        assert h.server.statuses[-1]["resets"] == "1 power-on"

    house.run(first)
    again = House()
    again.board.nvs.blobs = house.board.nvs.blobs
    again.board.reset_cause = lambda: "watchdog"

    async def second(h: House) -> None:
        await h.until(lambda: h.server.statuses)
        assert h.server.statuses[-1]["resets"] == "2 watchdog; 1 power-on"

    again.run(second)
