"""Joining, sending, leaving."""

import asyncio

from fakeradio import MAC, METER, caught
from skscenes import GET, PAN, joined, play
from wisun import GateClosed, JoinRefused, JoinTimeout, Refused, Timeout


def test_join_waits_for_its_end():
    async def scene(rig):
        driver = rig.driver
        await driver.probe()
        assert (driver.joined, driver.gate) == (False, None)
        task = asyncio.create_task(driver.join(PAN))
        await rig.clock.sleep_ms(1000)
        assert (driver.joined, driver.gate) == (False, "joining")
        await task
        assert (driver.joined, driver.gate) == (True, None)
        assert rig.events == [("sent", 2), ("sent", 0), ("joined", None)]

    for dual in (False, True):
        play(scene, dual=dual)


def test_join_refused():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.probe()
        module.replies[b"SKJOIN"] = (b"OK\r\n", 12000, module.event(b"24"))
        start = rig.clock.ms()
        await caught(JoinRefused, driver.join(PAN))
        assert rig.clock.ms() - start == 12000
        assert (driver.joined, driver.gate) == (False, None)
        assert rig.events == [("join-failed", None)]
        # It is over: nothing is left to be ended before the next.
        module.lines = []
        module.replies = {}
        await driver.join(PAN)
        assert module.lines[0] == b"SKSREG S2 39"

    for dual in (False, True):
        play(scene, dual=dual)


def test_join_without_an_end():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.probe()
        for limit in (60000, 5000):
            module.replies = {b"SKTERM": b"FAIL ER10\r\n", b"SKJOIN": b"OK\r\n"}
            start = rig.clock.ms()
            await caught(JoinTimeout, driver.join(PAN, limit))
            assert rig.clock.ms() - start == limit
            assert (driver.joined, driver.gate) == (False, None)
            # What goes on in the module is ended before the next.
            module.lines = []
            module.replies = {b"SKTERM": b"FAIL ER10\r\n"}
            await driver.join(PAN)
            assert module.lines[0] == b"SKTERM"

    play(scene)


# A meter refuses whom it still has a session with, and for a moment who has just ended one.
def test_a_session_is_over_for_the_meter_before_the_next_join():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for end in (b"", b"26", b"27", b"28"):
            await joined(rig)
            if end == b"27":
                await driver.leave()
            elif end == b"26":
                await rig.say(module.event(end))
            elif end == b"28":
                module.replies[b"SKTERM"] = (b"OK\r\n", 4000, module.event(end))
            else:
                await driver.probe()  # of a module that stumbled: the session is still up
            module.lines = []
            start = rig.clock.ms()
            await driver.join(PAN)
            assert driver.joined
            first = b"SKTERM" if end in (b"", b"28") else b"SKSREG S2 39"
            assert module.lines[0] == first, module.lines
            assert rig.clock.ms() - start >= 5000 + 3000, end  # the join itself takes 3 s
            module.replies = {}
            # what the meter has refused, or the module has forgotten, is over at once
            module.replies[b"SKTERM"] = b"FAIL ER10\r\n"
            start = rig.clock.ms()
            await driver.join(PAN)
            assert rig.clock.ms() - start < 4000
            module.replies = {}

    play(scene)


# The line soils the word, or the reply is lost: then it is said once more before the next join.
def test_an_end_that_the_module_did_not_take_is_told_again():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for reply, error in ((b"FAIL ER04\r\n", Refused), (None, Timeout)):
            module.replies = {}
            await joined(rig)
            module.replies[b"SKTERM"] = reply
            await caught(error, driver.leave())
            module.replies = {}
            module.lines = []
            await driver.join(PAN)
            assert b"SKTERM" in module.lines[:2], module.lines

    play(scene)


def test_a_restart_is_no_refusal():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.probe()
        module.replies[b"SKJOIN"] = (b"OK\r\n", 1000, b"SKINFO\r\n")
        await caught(JoinTimeout, driver.join(PAN))
        assert rig.events == [("reboot", None)]

    play(scene)


def test_leave():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for replies, name, least in (
            ({}, "ended", 200),
            ({b"SKTERM": (b"OK\r\n", 9000, module.event(b"28"))}, "end-timeout", 9000),
            (
                {b"SKTERM": (module.event(b"21", b"02") + b"OK\r\n" + module.event(b"27"))},
                "ended",
                0,
            ),
            ({b"SKTERM": b"OK\r\n"}, None, 15000),
            ({b"SKTERM": b"FAIL ER10\r\n"}, None, 0),
        ):
            module.replies = {}
            await joined(rig)
            module.replies = replies
            start = rig.clock.ms()
            await driver.leave()
            assert rig.clock.ms() - start == least
            assert not driver.joined
            names = [event[0] for event in rig.events if event[0] != "sent"]
            assert names == ([name] if name else [])
        module.replies = {b"SKTERM": b"FAIL ER06\r\n"}
        assert (await caught(Refused, driver.leave())).code == "ER06"

    play(scene)


def test_send_tells_what_became_of_it():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        for first in (True, False):
            module.sent_first = first
            for param in (0, 1, 2):
                module.sent = b"%02X" % param
                module.payloads.clear()
                rig.events.clear()
                assert await driver.send(memoryview(bytearray(GET))) == param
                assert rig.events == [("sent", param)]
                assert module.payloads == [GET]
        # The datagram that waited goes out later.
        await rig.say(module.event(b"02") + module.event(b"21", b"00"))
        assert rig.events == [("sent", 2), ("sent", 0)]

    for dual in (False, True):
        play(scene, dual=dual)


# An answer may overtake everything: it is there, so it was sent.
def test_send_without_event_21():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[b"SKSENDTO"] = b"OK\r\n"
        start = rig.clock.ms()
        module.answers.append(GET)
        assert await driver.send(GET) == 2
        assert rig.clock.ms() == start
        assert await driver.send(GET) == 2
        assert rig.clock.ms() - start == 10000
        module.replies = {}
        assert await driver.send(GET) == 0

    play(scene)


# Spontaneous lines between a command and its OK belong to nobody.
def test_events_before_the_ok():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        inf = module.datagram(b"\x10\x81INF")
        module.replies[b"SKSENDTO"] = (
            inf + module.event(b"01") + module.event(b"21", b"00") + inf + b"OK\r\n"
        )
        assert await driver.send(GET) == 0
        assert [entry[0] for entry in rig.datagrams] == [b"\x10\x81INF"] * 2
        module.replies[b"SKTERM"] = inf + module.event(b"27") + b"OK\r\n"
        await driver.leave()
        assert not driver.joined

    play(scene)


def test_nothing_is_sent_unjoined():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.probe()
        assert (await caught(GateClosed, driver.send(GET))).why == "unjoined"
        assert (await caught(GateClosed, driver.open_gate(1000))).why == "unjoined"
        await joined(rig)
        for code, name in (
            (b"24", "join-failed"),
            (b"26", "peer-closed"),
            (b"27", "ended"),
            (b"28", "end-timeout"),
        ):
            await rig.say(module.event(code))
            assert rig.events.pop() == (name, None)
            assert (await caught(GateClosed, driver.send(GET))).why == "unjoined"
            await rig.say(module.event(b"25"))
            assert rig.events.pop() == ("joined", None)
            assert await driver.send(GET) == 0
            rig.events.clear()

    play(scene)


def test_a_module_that_restarts_by_itself():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.echo = True
        module.sent = b"01"
        assert await driver.send(GET) == 1
        assert rig.events == [("reboot", None), ("sent", 1)]
        assert not driver.joined
        await joined(rig)
        assert await driver.send(GET) == 1
        assert rig.events == [("sent", 1)]

    play(scene)


def test_reset():
    async def scene(rig):
        await joined(rig)
        rig.wire.replies[b"SKRESET"] = b"SKRESET\r\nOK\r\n"
        await rig.driver.reset()
        assert rig.events == []
        assert (rig.driver.joined, rig.driver.gate) == (False, None)

    play(scene)


# A module of the other edition takes the line for wrong, and the data for the next line's start.
def test_the_edition_is_corrected_when_sending():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        hear = module.hear

        def refuse(data):
            module.hear = hear
            module.hear(data[-len(GET) :])
            module.feed(b"FAIL ER05\r\n")

        module.hear = refuse
        driver._dual = False
        assert await driver.send(GET) == 0
        assert driver.counters["flip"] == 1
        assert module.payloads == [GET]
        assert module.lines == [GET, b"SKVER", b"SKSENDTO 1 " + METER + b" 0E1A 1 0 000E "]

    play(scene, dual=True)


def test_rssi_of_the_last_contact():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        assert (driver.rssi, driver.rssi_ms) == (None, None)
        await joined(rig)
        await rig.say(module.datagram(GET, rssi=b"2D"))
        assert (driver.rssi, driver.rssi_ms) == (-92, rig.clock.ms())
        assert rig.datagrams == [(GET, MAC, True, -92)]

    play(scene, dual=True)


def test_commands_wait_for_each_other():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        results = await asyncio.gather(*[driver.send(bytes([i])) for i in range(5)])
        assert list(results) == [0] * 5
        assert module.payloads == [bytes([i]) for i in range(5)]

    play(scene)


def test_a_silent_module():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        module.hear = lambda data: None
        start = rig.clock.ms()
        error = await caught(Timeout, driver.probe())
        assert error.command == "SKVER"
        assert rig.clock.ms() - start <= 5000

    play(scene)
