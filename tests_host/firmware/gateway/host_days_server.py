"""Good and bad days of the server, the network and the owner; see host_days.py."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from gateway.uplink import HttpError
from house import REFUSED, START, House
from stories import TODAY, led

# -- the server


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (REFUSED, "unreachable"),
        (HttpError("timeout", "no answer in 20 s"), "timeout"),
        (HttpError("redirect", "status 302"), "redirect"),
        (HttpError("closed", "the reply broke off"), "bad-reply"),
        ((401, {}, b"{}"), "refused"),
        ((403, {}, b"{}"), "refused"),
        ((404, {}, b"not here"), "rejected"),
        ((500, {}, b"oops"), "broken"),
        ((200, {"content-type": "text/html"}, b"<html>hello</html>"), "bad-reply"),
        ((200, {}, b'{"v":1,"time":0,"ack":[],"rejected":[]}'), "bad-reply"),
    ],
)
def test_a_server_that_misbehaves_loses_nothing(fault: Any, code: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        if isinstance(fault, Exception):
            h.server.raises = fault
        else:
            h.server.reply = lambda _: fault
        await h.word("server", code, 15)
        assert led(h) == "server"
        await asyncio.sleep(1800)
        assert h.count["poll.ok"] > 55, "the server's trouble stopped the polling"
        h.server.raises = h.server.reply = None
        await h.until(lambda: len(h.app.outbox) == 0, 20)
        assert h.status.worst() == (None, None, None)
        made = h.count["poll.ok"]
        assert len(h.server.kind("instant")) >= made - 1

    House(installed=TODAY).run(story)


def test_a_rejected_reading_does_not_block_the_rest() -> None:
    async def story(h: House) -> None:
        await h.polling()

        def picky(message: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
            rows = message["readings"]
            message["readings"] = rows[1:]
            reply = json.loads(h.server.accept(message))
            reply["rejected"] = [[row[0], "t: in the future"] for row in rows[:1]]
            return 200, {}, json.dumps(reply).encode()

        h.server.reply = picky
        await asyncio.sleep(600)
        assert h.count["rejected"] >= 5
        assert len(h.app.outbox) <= 3

    House().run(story)


def test_a_reading_on_flash_for_which_the_server_refuses_all_is_set_aside() -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.server.raises = REFUSED
        await asyncio.sleep(1200)
        odd = START + 600  # between two polls: the first one after it

        def fussy(message: dict[str, Any]) -> tuple[int, dict[str, str], bytes]:
            rows = message["readings"]
            if any(row[1] == "instant" and odd <= row[2] < odd + 30 for row in rows):
                return 400, {}, b""
            return 200, {}, h.server.accept(message)

        h.server.raises = None
        h.server.reply = fussy
        assert h.app.outbox.stored > 30
        await h.until(lambda: h.count.get("rejected"), 60)
        await h.until(lambda: len(h.app.outbox) == 0, 10)
        assert h.count["rejected"] == 1 and h.status.code("server") is None
        rows = h.server.rows
        assert len(rows) > 40 and len(set(range(1, max(rows))) - rows.keys()) == 1

    House().run(story)


# -- the network


def test_an_index_of_the_outbox_made_anew_at_the_start_is_counted() -> None:
    async def story(h: House) -> None:
        await h.polling()
        assert h.count["flash.rebuilt"] == 1

    house = House()
    house.board.flash.mkdir("/outbox")
    house.board.flash.files["/outbox/index"] = b"KSO1 and no more"
    house.run(story)


def test_no_network_is_said_and_readings_wait() -> None:
    async def story(h: House) -> None:
        h.board.net.alive = False
        h.board.net.reason = "wrong-key"
        await h.word("network", "wrong-key", 10)
        await h.polling(10, polls=5)
        assert led(h) == "network"
        assert len(h.app.outbox) > 5
        h.board.net.alive = True
        await h.until(lambda: len(h.app.outbox) == 0, 10)
        assert h.status.worst() == (None, None, None)
        # Measured before the time was known, 10 to 30 s after the start, and filed at the right
        # time all the same: by the meter's clock, which tells whole minutes, up to one too early.
        first = min(r[2] for r in h.server.kind("instant"))
        assert START + 10 - 60 < first <= START + 30

    House().run(story)


# -- the owner


def test_console_answers_while_the_gateway_runs() -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.keys.stream.feed_data(b"check radio\r")
        await h.until(lambda: any('"check": "radio"' in text for text in h.written))
        text = next(t for t in h.written if '"check": "radio"' in t)
        result = json.loads(text[text.index("{") :])
        assert result["ok"] and result["joined"]
        h.keys.stream.feed_data(b"check server\r")
        await h.until(lambda: any('"check": "server"' in text for text in h.written))
        h.keys.stream.feed_data(b"json on\r")
        await h.until(lambda: sum(t.startswith('{"word"') for t in h.written) >= 3, 1)
        h.keys.stream.feed_data(b"json off\r")
        polls = h.count["poll.ok"]
        await h.polling()
        assert h.count["poll.ok"] > polls

    House().run(story)


# -- the watchdog


def test_the_watchdog_waits_for_the_first_join_and_is_fed() -> None:
    async def story(h: House) -> None:
        await h.until(lambda: h.status.phase == "joining")
        assert h.board.watchdog == []
        await h.polling()
        assert h.board.watchdog == [120_000]
        h.server.raises = REFUSED
        h.do("meter.dead on")
        h.board.net.alive = False
        await asyncio.sleep(6 * 3600)
        gaps = [b - a for a, b in zip(h.board.fed_at, h.board.fed_at[1:], strict=False)]
        assert max(gaps) < 60
        h.do("meter.dead off")
        await h.polling(30)

    House().run(story)
