"""What is wrong with the settings, the module's setting, or the company the meter keeps: said in
the words that lead to the remedy."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.settings import Settings
from house import House


def stored(h: House, own: dict[str, Any]) -> None:
    Settings(h.board.nvs).save({**Settings(h.board.nvs).own, **own})


@pytest.mark.parametrize(
    ("key", "value"), [("server.url", 5), ("poll.interval", 5), ("net.mode", ["x"])]
)
def test_a_stored_value_that_cannot_be_is_a_word_and_no_crash(key: str, value: object) -> None:
    house = House()
    stored(house, {key: value})

    async def story(h: House) -> None:
        await h.word("config", "wrong-settings", 1)
        assert h.status.detail("config").startswith(key + ":")
        await asyncio.sleep(600)
        assert h.status.worst()[:2] == ("config", "wrong-settings")

    house.run(story)


def test_damaged_settings_say_that_they_are_damaged() -> None:
    house = House()
    for name in ("settings.0", "settings.1"):
        blob = house.board.nvs.blobs.get(name, b"KSN1")
        house.board.nvs.blobs[name] = blob[:-1] + b"!"

    async def story(h: House) -> None:
        await h.word("config", "missing-settings", 1)
        detail = h.status.detail("config")
        assert detail.startswith("settings: no good copy left (0, 1); not set: broute.id, ")
        await h.until(lambda: any("no good copy left" in text for text in h.written), 5)

    house.run(story)


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c1-j11-t01"])
def test_another_controller_at_the_meter_is_no_wrong_password(kind: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("conduct.newcomer refuse")
        h.do("session.steal 3600")
        await h.word("radio", None, 15)
        for _ in range(300):
            await asyncio.sleep(10)
            assert h.status.code("config") is None

    House(kind=kind).run(story)


def test_a_single_hop_module_listens_before_each_join() -> None:
    said: list[tuple[float, str]] = []

    async def story(h: House) -> None:
        await h.polling()
        feed = h.world.module.feed

        def heard(data: bytes) -> None:
            for word in ("SKSCAN", "SKJOIN"):
                if data.startswith(word.encode()):
                    said.append((h.scheduler.now_ms() / 1000, word))
            feed(data)

        h.world.module.feed = heard  # type: ignore[method-assign]
        h.do("link.loss 1.0")
        await asyncio.sleep(3600)
        joins = [i for i, (_, word) in enumerate(said) if word == "SKJOIN"]
        assert len(joins) > 5
        for i in joins:
            assert i and said[i - 1][1] == "SKSCAN" and said[i][0] - said[i - 1][0] < 60, said

    House(kind="bp35a1").run(story)


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c2", "bp35c1-j11-t01"])
def test_a_module_that_stops_in_mid_line(kind: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("module.stall 900")
        await h.word("radio", None, 3)
        await asyncio.sleep(300)
        assert h.status.worst()[:2] == ("radio", "module-silent")
        await h.polling(20)
        assert h.status.worst() == (None, None, None)
        assert "restart.meter" not in h.count and "restart.radio" not in h.count

    House(kind=kind).run(story)
