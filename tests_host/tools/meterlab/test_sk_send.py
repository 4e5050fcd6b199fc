"""SKSENDTO and what comes back: framing, transmit reports, delays, losses, the airtime limit."""

from __future__ import annotations

import asyncio
import statistics

import pytest

from meterlab.air import Link
from meterlab.modem import Airtime, Traits
from meterlab.modules.skstack import Quirks

PAYLOAD = bytes.fromhex("1081000105FF010288016201E700")
WAIT = Traits(forgetful=False)


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c2"])
def test_header_is_echoed_payload_is_not(lab, kind):
    async def story(host):
        await host.joined()
        await host.ok("SKSREG SFE 1")
        host.raw.clear()
        data = host.sendto(PAYLOAD)
        await host.write(data)
        await host.until("OK")
        return data[: -len(PAYLOAD)], bytes(host.raw), host.meter

    head, raw, meter = lab.run(story, kind=kind, traits=Traits(forgetful=False))
    side = b" 0" if kind == "bp35c2" else b""
    assert raw == head + b"\r\nEVENT 21 " + meter.encode() + side + b" 00\r\nOK\r\n"


def test_payload_may_be_anything_and_comes_in_any_pieces(lab):
    async def story(host):
        await host.joined()
        got = []
        host.world.node.datagram = lambda *a: got.append(a[3])
        for payload in (b"\r\n\r\n OK\r\n", bytes(range(256)), b" " * 0x4D0, b"\0"):
            data = host.sendto(payload)
            for i in range(0, len(data), 7):
                await host.write(data[i : i + 7])
                await asyncio.sleep(0.001)
            await host.until("OK")
        return got

    assert lab.run(story, traits=WAIT) == [
        b"\r\n\r\n OK\r\n", bytes(range(256)), b" " * 0x4D0, b"\0",
    ]  # fmt: skip


def test_a_line_end_after_the_payload_is_an_empty_command(lab):
    async def story(host):
        await host.joined()
        await host.write(host.sendto(PAYLOAD) + b"\r\n")
        await host.until("OK")
        return await host.command("SKVER")

    assert lab.run(story)[-1] == "OK"


def test_a_short_payload_swallows_the_next_command_until_filled_up(lab):
    async def story(host):
        await host.joined()
        await host.write(host.sendto(PAYLOAD)[:-8])
        await host.write(b"SKVER\r\n")
        await host.quiet("OK", "EVER", "FAIL", seconds=600)
        assert host.world.sk.input.waiting == 1
        await host.write(b"\r\n")
        await host.until("OK", seconds=1)
        return await host.command("SKVER")

    assert lab.run(story)[-1] == "OK"


def test_the_other_edition_is_told_er05_and_can_go_on(lab):
    async def story(host):
        await host.joined()
        host.dual = not host.dual
        await host.write(host.sendto(PAYLOAD))
        fault = (await host.until("FAIL", seconds=1)).text
        host.dual = not host.dual
        await asyncio.sleep(0.2)
        return fault, await host.send(PAYLOAD)

    for kind in ("bp35a1", "bp35c2"):
        assert lab.run(story, kind=kind, traits=Traits(forgetful=False)) == ("FAIL ER05", "00")


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("SKSENDTO 1", "SKSENDTO 3", "FAIL ER10"),
        ("SKSENDTO 1", "SKSENDTO 7", "FAIL ER06"),
        (" 0E1A ", " E1A ", "FAIL ER06"),
        (" 1 000E", " 3 000E", "FAIL ER06"),
        (" 000E", " 04D1", "FAIL ER06"),
        (" 000E", " 00GE", "FAIL ER06"),
    ],
)
def test_headers_that_make_no_sense(lab, old, new, fault):
    async def story(host):
        await host.prepare()
        await host.write(host.sendto(PAYLOAD).replace(old.encode(), new.encode(), 1))
        return (await host.until("FAIL", "OK", seconds=2)).text

    assert lab.run(story) == fault


def test_lower_case_hex_is_accepted(lab):
    async def story(host):
        await host.joined()
        head, payload = host.sendto(PAYLOAD)[:-14], PAYLOAD
        await host.write(head.replace(b"000E", b"000e") + payload)
        await host.until("OK", seconds=1)

    lab.run(story)


def test_before_the_session_only_plain_text_goes_out(lab):
    async def story(host):
        await host.prepare()
        refused = await host.send(PAYLOAD, secure=1)
        await host.quiet("ERXUDP", seconds=30)
        return refused, await host.send(PAYLOAD, secure=0), await host.send(PAYLOAD, secure=2)

    assert lab.run(story, traits=Traits(forgetful=False)) == ("01", "02", "00")


def test_the_first_datagram_waits_for_a_solicitation(lab):
    async def story(host):
        await host.joined()
        host.seen = first = len(host.items)
        await host.write(host.sendto(PAYLOAD))
        await host.until("ERXUDP")
        again = await host.send(PAYLOAD)
        return host.texts(first)[:5], again

    lines, again = lab.run(story)
    assert lines[0].startswith("EVENT 21") and lines[0].endswith(" 02")
    assert lines[1] == "OK"
    assert lines[2].startswith("EVENT 02")
    assert lines[3].startswith("EVENT 21") and lines[3].endswith(" 00")
    assert again == "00"


def test_unless_the_neighbour_was_added(lab):
    async def story(host):
        await host.joined()
        await host.ok(f"SKADDNBR {host.meter} {host.world.node.mac.hex()}")
        return await host.send(PAYLOAD)

    assert lab.run(story) == "00"


def test_ok_may_come_before_the_report(lab):
    async def story(host):
        await host.joined()
        first = len(host.items)
        await host.write(host.sendto(PAYLOAD))
        await host.until("ERXUDP")
        return host.texts(first)[:2]

    ok, event = lab.run(story, quirks=Quirks(ok_first=True), traits=WAIT)
    assert ok == "OK" and event.startswith("EVENT 21")


def test_delays_are_the_measured_ones(lab):
    async def story(host):
        await host.joined()
        reports, answers = [], []
        for _ in range(300):
            begun = host.now()
            await host.write(host.sendto(host.request(0xE7)))
            reports.append((await host.until("EVENT 21")).t - begun)
            answers.append((await host.until("ERXUDP")).t - begun - reports[-1])
            await asyncio.sleep(5)
        return reports, answers

    reports, answers = lab.run(story, traits=WAIT)
    assert 0.1 <= min(reports) and max(reports) <= 0.4
    assert 0.22 < statistics.median(reports) < 0.28
    assert 0.2 <= min(answers) and max(answers) <= 6
    assert 0.32 < statistics.median(answers) < 0.41
    assert 0 < sum(a > 0.55 for a in answers) < 20  # the tail


def test_a_weak_link_is_slow_and_sometimes_minutes_late(lab):
    async def story(host):
        await host.joined()
        answers = []
        for _ in range(200):
            begun = host.now()
            if await host.send(host.request(0xE7)) != "00":
                continue
            try:
                answers.append((await host.until("ERXUDP", seconds=301)).t - begun)
            except TimeoutError:
                answers.append(None)
        return answers

    answers = lab.run(story, traits=WAIT, link=Link(rssi=-91), limit_s=100_000)
    known = [a for a in answers if a is not None]
    assert 1 < statistics.median(known) < 8
    assert any(a > 60 for a in known)


@pytest.mark.parametrize("loss", [0.05, 0.2, 0.4])
def test_loss_is_what_was_asked_for(lab, loss):
    async def story(host):
        await host.joined()
        link = host.world.link
        link.loss_up = link.loss_down = loss
        link.tail = link.late = 0.0
        answered = failed = 0
        for _ in range(400):
            failed += await host.send(host.request(0xE7)) == "01"
            try:
                await host.until("ERXUDP", seconds=2)
                answered += 1
            except TimeoutError:
                pass
        return answered / 400, failed / 400

    answered, failed = lab.run(story, traits=WAIT)
    assert abs(answered - (1 - loss) ** 2) < 0.08
    assert 0 < failed < loss  # of what is lost upwards, most shows and some does not


def test_instant_answers_come_in_the_same_moment(lab):
    async def story(host):
        await host.joined()
        host.world.link.instant = True
        host.world.module.quirks.prompt = True
        begun = host.now()
        await host.get(0xE7, 0xE8)
        return host.now() - begun

    assert lab.run(story, traits=WAIT) == 0.0


def test_a_second_request_while_one_is_open_is_lost(lab):
    async def story(host):
        await host.joined()
        host.world.link.tail = 0.0
        for _ in range(2):
            await host.send(host.request(0xE7))
        await asyncio.sleep(10)
        return host.world.node.counters["overlapping"], host.world.meter.counters["answers"]

    overlapping, answers = lab.run(story, traits=WAIT, seed=3)
    assert (overlapping, answers) in ((1, 1), (0, 2))
    assert {lab.run(story, traits=WAIT, seed=s)[0] for s in range(12)} == {0, 1}


def test_multicast_reaches_the_meter(lab):
    async def story(host):
        await host.joined()
        target = "FF02:0000:0000:0000:0000:0000:0000:0001"
        result = await host.send(bytes.fromhex("1081000705FF010EF0016201D600"), target=target)
        return result, (await host.until("ERXUDP", seconds=10)).payload

    result, answer = lab.run(story)
    assert result == "00"
    assert answer == bytes.fromhex("108100070EF00105FF017201D60401028801")


def test_hex_data(lab):
    async def story(host):
        await host.ok("WOPT 01")
        await host.joined()
        await host.get(0xE7)
        return bytes(host.raw)

    raw = lab.run(story)
    last = raw.rstrip(b"\r\n").rpartition(b"\r\n")[2]
    fields = last.split(b" ")
    assert len(fields) == 9 and len(fields[8]) == 2 * int(fields[7], 16)


def test_dual_stack_tells_rssi_when_asked(lab):
    async def story(host):
        await host.joined()
        await host.ok("SKSREG SA2 1")
        await host.get(0xE7)
        return host.items[-1].text.split(" ")

    fields = lab.run(story, kind="bp35c2", link=Link(rssi=-70))
    assert len(fields) == 10
    assert -74 <= 0.275 * int(fields[6], 16) - 104.27 <= -66


def test_ping(lab):
    async def story(host):
        await host.prepare()
        side = "0 " if host.dual else ""
        await host.ok(f"SKPING {side}{host.meter}")
        pong = (await host.until("EPONG", seconds=10)).text
        host.world.node.dead = True
        await host.ok(f"SKPING {side}{host.meter}")
        await host.quiet("EPONG", seconds=60)
        return pong == f"EPONG {side}{host.meter}"

    assert lab.run(story, kind="bp35a1") and lab.run(story, kind="bp35c2")


def test_the_airtime_limit(lab):
    async def story(host):
        await host.joined()
        host.world.module.modem.traits.limit_ms = 300
        while (await host.send(PAYLOAD)) == "00":
            await asyncio.sleep(2)
        limited = next(i for i in host.items if i.text.startswith("EVENT 32"))
        flag = (await host.command("SKSREG SFB"))[0]
        spent = (await host.command("SKSREG SFD"))[0]
        again = [await host.send(PAYLOAD) for _ in range(3)]
        free = await host.until("EVENT 33", seconds=4_000)
        assert (await host.command("SKSREG SFB"))[0] == "ESREG 0"
        return flag, spent, again, free.t - limited.t, await host.send(PAYLOAD)

    flag, spent, again, blocked, after = lab.run(story, traits=WAIT, limit_s=10_000)
    assert flag == "ESREG 1"
    assert len(spent) == 6 + 16 and 300 <= int(spent[6:], 16) < 400
    assert again == ["01", "01", "01"]
    assert 3_000 < blocked <= 3_660
    assert after == "00"


def test_reception_goes_on_while_limited(lab):
    async def story(host):
        await host.joined()
        host.world.module.modem.traits.limit_ms = 1
        await host.send(PAYLOAD)
        assert [t for t in host.texts() if t.startswith("EVENT 32")]
        return (await host.until("ERXUDP", seconds=2_400)).payload[10:13]

    assert lab.run(story, traits=WAIT) in (b"\x73\x02\xea", b"\x72\x01\xe7")


def test_airtime_of_ordinary_polling_is_far_below_the_limit():
    airtime = Airtime()
    used = [airtime.add(minute * 30_000, 18) for minute in range(1_000)]
    assert abs(used[-1] - used[500]) < 20 and used[500] < 360_000 / 100


@pytest.mark.parametrize("moment", ["scan", "join"])
def test_sending_at_the_wrong_moment_fails_and_is_counted(lab, moment):
    async def story(host):
        await host.joined()
        if moment == "scan":
            await host.ok("SKSCAN 2 FFFFFFFF 4")
        else:
            await host.ok(f"SKJOIN {host.meter}")
        result = await host.send(PAYLOAD)
        return result, host.world.module.modem.counters["sent in closed gate"]

    assert lab.run(story) == ("01", 0 if moment == "scan" else 1)


def test_the_meter_sometimes_solicits_us_before_it_speaks(lab):
    async def story(host):
        await host.joined()
        await asyncio.sleep(12 * 3600)
        lines = host.texts()
        at = [i for i, text in enumerate(lines) if text.startswith("EVENT 01")]
        assert all(lines[i].split()[2] == host.meter for i in at)
        assert all(lines[i + 1].startswith("ERXUDP") for i in at)
        return len(at), sum(text.startswith("ERXUDP") and " 0E1A " in text for text in lines)

    solicited, spoken = lab.run(story, limit_s=1e5)
    assert 2 <= solicited < spoken
