"""Joining, renewing and leaving."""

import asyncio

from fakej11 import PAN_ID
from fakeradio import caught
from j11frames import MAC, PASSWORD, RBID
from j11scenes import GET, PAN, joined, play
from wisun import GateClosed, JoinRefused, JoinTimeout, Pan, Refused, Timeout


def test_join_waits_for_its_end():
    async def scene(rig):
        driver = rig.driver
        assert (driver.joined, driver.gate) == (False, None)
        await driver.configure(RBID, PASSWORD)
        task = asyncio.create_task(driver.join(PAN))
        await rig.clock.sleep_ms(2000)
        assert (driver.joined, driver.gate) == (False, "joining")
        assert (await caught(GateClosed, driver.open_gate(500))).why == "joining"
        await task
        assert (driver.joined, driver.gate) == (True, None)
        assert rig.events == [("joined", None)]
        assert (driver.rssi, driver.rssi_ms) == (-34, rig.clock.ms() - 3000)

    play(scene)


# Wrong credentials: nobody has a beacon for them, or the meter refuses.
def test_join_with_wrong_credentials():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, "BA9876543210")
        error = await caught(JoinTimeout, driver.join(PAN))
        assert "beacon" in str(error)
        assert module.lines.count(0x53) == 3
        module.credentials = (RBID + "BA9876543210").encode()
        module.pana = (12000, 2)
        start = rig.clock.ms()
        await caught(JoinRefused, driver.join(PAN))
        assert 12000 < rig.clock.ms() - start < 14000
        assert (driver.joined, driver.gate) == (False, None)
        assert rig.events == [("join-failed", 2)]
        # Nothing is left to be ended before the next, and 0056 is all that it needs.
        module.pana = (12000, 1)
        rig.clear()
        await driver.join(PAN)
        assert module.lines == [0x01, 0x56]

    play(scene)


def test_join_that_the_meter_does_not_answer():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        module.pana = (50000, 3)
        await caught(JoinTimeout, driver.join(PAN))
        assert rig.events == [("join-failed", 3)]
        # And one that the module is busy with for 12 minutes.
        for limit in (60000, 5000):
            rig.clear()
            module.pana = None
            start = rig.clock.ms()
            await caught(JoinTimeout, driver.join(PAN, limit))
            assert limit <= rig.clock.ms() - start < limit + 4000
            assert (driver.joined, driver.gate) == (False, None)
            assert module.lines[-1] == 0xD9
            assert module.busy == 0 and module.level == 0
            # What is asked for then is all done by the next.
            rig.clear()
            module.pana = (3000, 1)
            await driver.join(PAN)
            assert module.lines == [0x01, 0x5F, 0x54, 0x53, 0x05, 0x56]
            await driver.leave()

    play(scene)


# However long the way was, half of the time is for the authentication.
def test_join_in_a_short_time():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        module.pana = None
        start = rig.clock.ms()
        await caught(JoinTimeout, driver.join(PAN, 1000))
        assert rig.clock.ms() - start == 600 + 500 + module.boot_ms

    play(scene)


# It says where it stands, and a moment later stands elsewhere.
def test_join_while_the_module_moves():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for level, lines in ((3, [0x5F, 0x01, 0x11, 0x05]), (2, [0x5F, 0x01, 0x11, 0x05, 0x56])):
            await driver.configure(RBID, PASSWORD)
            status = module._do_01

            def moving(data, status=status, level=level):
                module.level = 1
                status(data)
                module.go_on()
                module.level = level
                module._do_01 = status

            driver._state.channel = None
            module._do_01 = moving
            rig.clear()
            await driver.join(PAN)
            assert module.lines == [0x01] + lines
            assert driver.joined
            await driver.reset()

    play(scene)


def test_join_on_a_channel_of_another_module():
    async def scene(rig):
        await rig.driver.configure(RBID, PASSWORD)
        rig.clear()
        for channel in (0x1F, 0x20, 0x22, 0x3A, 0x3C, 0x3D, 0):
            await caught(JoinTimeout, rig.driver.join(Pan(channel, PAN_ID, MAC, None, None)))
        assert rig.wire.lines == []

    play(scene)


def test_join_again_and_elsewhere():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        await driver.join(PAN)
        assert module.lines == [0x01]
        assert rig.events == []
        # The meter has gone to another channel, and took another address with it.
        other = (7, 0x7777, b"\x00\x11\x22\x33\x44\x55\x66\x77", 0xA0)
        module.meters = [other]
        rig.clear()
        await driver.join(Pan(0x27, 0x7777, other[2], None, None))
        assert module.lines == [0x01, 0x57, 0x58, 0x5F, 0x54, 0x53, 0x05, 0x56]
        assert rig.events == [("ended", None), ("joined", None)]
        assert await driver.send(GET) == 0
        # Only the channel was right.
        await driver.leave()
        module.meters = [(7, PAN_ID, MAC, 0xA0)]
        await driver.join(Pan(0x27, 0x1234, other[2], None, None))
        assert await driver.send(GET) == 0

    play(scene)


# The host was restarted: a new driver on a module that has gone on.
def test_a_session_survives_the_host():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        module.go_on()
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        start = rig.clock.ms()
        await driver.join(PAN)
        assert rig.clock.ms() == start
        assert module.lines == [0x6B, 0x01, 0x01, 0x11, 0x05]
        assert (driver.joined, rig.events) == (True, [("joined", None)])
        assert await driver.send(GET) == 0
        # It is given up for good when it is of no use.
        rig.clear()
        await driver.leave()
        assert module.lines == [0x57]
        rig.clear()
        await driver.join(PAN)
        assert module.lines == [0x01, 0x58, 0x5F, 0x54, 0x53, 0x05, 0x56]

    play(scene)


# Not to be used again although the module would: it could not even be ended.
def test_a_session_that_was_given_up_is_not_used_again():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[0x57] = None
        await caught(Timeout, driver.leave())
        assert not driver.joined
        module.replies.clear()
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        rig.clear()
        await driver.join(PAN)
        assert module.lines[:3] == [0x01, 0x57, 0x58]
        assert driver.joined

    play(scene)


def test_leave():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.leave()
        await joined(rig)
        await driver.leave()
        assert (driver.joined, driver.gate) == (False, None)
        assert rig.events == [("ended", None)]
        await driver.leave()
        assert rig.events == [("ended", None)]
        assert module.lines == [0x57, 0x57]
        # Not now; but it is not to go on.
        await joined(rig)
        module.replies[0x57] = module.frame(0x2057, b"\x3d")
        await driver.leave()
        assert module.lines == [0x57, 0xD9]
        module.replies[0x57] = module.frame(0x2057, b"\x04")
        assert (await caught(Refused, driver.leave())).code == "04"

    play(scene)


def test_renewing_a_session():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        await driver.renew()
        assert module.lines == [0xD2] and driver.gate == "refreshing"
        assert (await caught(GateClosed, driver.send(GET))).why == "refreshing"
        await driver.open_gate(5000)
        assert driver.joined and rig.events == [("joined", None)]
        assert await driver.send(GET) == 0

    play(scene)


def test_a_renewal_that_is_refused_or_never_ends():
    async def scene(rig):
        await joined(rig)
        rig.wire.pana = (4000, 2)
        await rig.driver.renew()
        await rig.clock.sleep_ms(5000)
        assert not rig.driver.joined and rig.events == [("join-failed", 2)]
        rig.wire.pana = (3000, 1)
        await rig.driver.join(PAN)
        rig.clear()
        rig.wire.pana = None
        await rig.driver.renew()
        await rig.clock.sleep_ms(61_000)
        assert not rig.driver.joined and rig.driver.gate is None
        assert rig.events == [("lost", None)]

    play(scene)


def test_a_renewal_that_the_module_does_not_begin():
    async def scene(rig):
        await joined(rig)
        rig.wire.replies[0x00D2] = rig.wire.frame(0x20D2, b"\x3d")
        await caught(Refused, rig.driver.renew())
        assert rig.driver.joined and rig.driver.gate is None
        assert await rig.driver.send(GET) == 0

    play(scene)
