"""Sending and receiving within a session."""

import asyncio

from fakej11 import CHANNEL
from fakeradio import caught
from j11frames import BOOTED, CLOSED, MAC, NOT_STARTED, UNDECIPHERED
from j11scenes import GET, joined, play
from wisun import GateClosed, Refused, Timeout


def test_send_tells_what_became_of_it():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        # low digit: sent, busy, no acknowledgement, other, queued; high: queued, could not
        for result, sent in (
            (0x00, 0),
            (0x10, 0),
            (0x03, 1),
            (0x05, 1),
            (0x08, 1),
            (0x0F, 2),
            (0x1F, 2),
            (0x2F, 1),
            (0x07, 1),
        ):
            module.send_result = result
            rig.clear()
            assert await driver.send(memoryview(bytearray(GET))) == sent
            assert rig.events == [("sent", sent)]
            assert module.payloads == [GET]
            assert driver.gate is None

    play(scene)


def test_datagrams_of_every_size():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        for size in (1, 4, 5, 6, 1232):
            data = bytes([i & 255 for i in range(size)])
            assert await driver.send(data) == 0
            assert module.payloads.pop() == data
            await rig.say(module.datagram(data))
            assert rig.datagrams.pop() == (data, MAC, True, -34)
        # The time limit goes with the size.
        module.replies[0x08] = None
        for size, least, most in ((14, 1900, 2100), (1232, 8000, 8200)):
            start = rig.clock.ms()
            await caught(Timeout, driver.send(bytes(size)))
            assert least <= rig.clock.ms() - start <= most

    play(scene)


# What is answered was sent, even if the module's word of it was lost.
def test_send_whose_reply_is_lost():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[0x08] = (300, module.datagram(GET))
        assert await driver.send(GET) == 2
        assert rig.datagrams[0][0] == GET
        # Somebody else's says nothing of it.
        for said in (None, (300, module.datagram(GET, secured=1))):
            module.replies[0x08] = said
            await caught(Timeout, driver.send(GET))
        assert rig.events == [("sent", 2)]
        assert driver.joined

    play(scene)


# The first bytes come back with the result: they tell whose it is.
def test_a_result_of_another_datagram():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        old = module.frame(0x2008, b"\x01\x05" + GET[:4] + b"\x09")
        module.replies[0x08] = old + old + module.frame(0x2008, b"\x01\x00" + GET[:5])
        assert await driver.send(GET) == 0
        assert driver.counters["stray"] == 2
        # One that holds none of them can only be its own.
        module.replies[0x08] = module.frame(0x2008, b"\x01\x05")
        assert await driver.send(GET) == 1

    play(scene)


def test_send_to_a_busy_module():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        for result in (b"\x3d", b"\x52"):
            busy = module.frame(0x2008, result)
            rig.clear()
            module.replies[0x08] = busy
            start = rig.clock.ms()
            task = asyncio.create_task(driver.send(GET))
            await rig.clock.sleep_ms(1500)
            module.replies.clear()
            assert await task == 0
            assert rig.clock.ms() - start == 2000
            module.replies[0x08] = busy
            assert await driver.send(GET) == 1
            assert rig.clock.ms() - start == 5000
            assert rig.events == [("sent", 0), ("sent", 1)]
            assert driver.joined

    play(scene)


def test_send_through_a_closed_port():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.ports = []
        assert await driver.send(GET) == 0
        assert module.lines == [0x08, 0x05, 0x08]

    play(scene)


def test_send_that_is_refused():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        for result in (0x02, 0x04, 0x06, 0x11):
            module.replies[0x08] = module.frame(0x2008, bytes((result,)))
            error = await caught(Refused, driver.send(GET))
            assert (error.command, error.code) == ("0008", "%02X" % result)
            assert driver.joined
        assert rig.events == []
        # Not on the network, and not even set up: that was a reboot, before or after it was sent.
        reboot = module.frame(0x2008, b"\x37")
        for reply, name, kind in (
            (NOT_STARTED[0], "lost", Refused),
            (reboot, "reboot", Timeout),
        ):
            await joined(rig)
            module.replies[0x08] = reply
            await caught(kind, driver.send(GET))
            assert rig.events == [(name, None)]
            assert not driver.joined
            module.replies.clear()
            await driver.leave()

    play(scene)


def test_nothing_is_sent_unjoined():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.probe()
        assert (await caught(GateClosed, driver.send(GET))).why == "unjoined"
        assert (await caught(GateClosed, driver.open_gate(1000))).why == "unjoined"
        for said, name, value in (
            (CLOSED[0], "peer-closed", None),
            (module.frame(0x601A, b"\x03" + MAC + b"\0"), "lost", None),
            (module.frame(0x6028, b"\x02" + MAC), "join-failed", 2),
            (module.frame(0x6028, b"\x03" + MAC), "join-failed", 3),
            (UNDECIPHERED[0] * 3, "lost", None),
            (BOOTED[0], "reboot", None),
        ):
            await joined(rig)
            await rig.say(said)
            assert rig.events[-1] == (name, value)
            assert (driver.joined, driver.gate) == (False, None)
            rig.clear()
            assert (await caught(GateClosed, driver.send(GET))).why == "unjoined"
            assert module.lines == []
            # The module finds back by itself. After a reboot that would be nobody one knows.
            await rig.say(module.frame(0x601A, b"\x02" + MAC + b"\xde"))
            assert rig.events == ([] if name == "reboot" else [("joined", None)])
            assert driver.joined == (name != "reboot")
            module._forget()
            await driver.leave()

    play(scene)


# One that cannot be read is told of; three in a row would be the end.
def test_what_cannot_be_received():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        await rig.say(UNDECIPHERED[0] * 2)
        assert rig.events == [("receive-failed", 1)] * 2
        assert driver.joined
        await rig.say(module.datagram(GET) + UNDECIPHERED[0])
        assert driver.joined
        await rig.say(UNDECIPHERED[0] * 2)
        assert rig.events[-1] == ("lost", None)
        assert not driver.joined

    play(scene)


def test_rssi_of_the_last_contact():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        assert (driver.rssi, driver.rssi_ms) == (None, None)
        await joined(rig)
        await rig.clock.sleep_ms(5000)
        await rig.say(module.datagram(GET, rssi=0x98))
        assert (driver.rssi, driver.rssi_ms) == (-104, rig.clock.ms())
        # A stranger's datagram says nothing of the meter.
        await rig.say(module.datagram(GET, secured=1, rssi=0xC0, source=bytes(16)))
        assert driver.rssi == -104
        assert rig.datagrams == [
            (GET, MAC, True, -104),
            (GET, b"\x02" + bytes(7), False, -64),
        ]
        await rig.say(module.frame(0x601A, b"\x01" + MAC + b"\xb0"))
        assert driver.rssi == -80
        await rig.say(module.frame(0x601A, b"\x01" + MAC + b"\0"))
        assert driver.rssi == -80

    play(scene)


def test_commands_wait_for_each_other():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        results = await asyncio.gather(*[driver.send(bytes([i])) for i in range(5)])
        assert list(results) == [0] * 5
        assert module.payloads == [bytes([i]) for i in range(5)]
        assert CHANNEL == module.channel

    play(scene)
