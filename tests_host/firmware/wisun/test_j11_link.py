"""How a session ends by itself, the gate that closes while nothing may be sent, and resets."""

import asyncio

from fakeradio import caught
from j11frames import AUTHENTICATED, BOOTED, PASSWORD, RBID
from j11scenes import GET, PAN, joined, play
from wisun import GateClosed, JoinTimeout, Timeout


# An authentication of before the host's restart comes to its end: nothing is ready for it yet.
def test_a_session_that_begins_by_itself():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        module.go_on()
        await rig.say(AUTHENTICATED[0])
        assert (driver.joined, rig.events) == (False, [])
        await driver.join(PAN)
        assert module.lines == [0x01, 0x11, 0x05]
        assert await driver.send(GET) == 0

    play(scene)


# A reboot that went unheard: the next look at the module tells.
def test_a_session_that_is_gone_unheard():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for level in (0, 1, 2):
            await joined(rig)
            if level:
                module.level = level
            else:
                module._forget()
            await driver.scan(4)
            assert rig.events[0] == ("lost", None)
            assert not driver.joined
            await driver.leave()

    play(scene)


# Whoever probes joins again, which takes no time when the session is there.
def test_probe_in_a_session():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        await driver.probe()
        assert not driver.joined
        await driver.configure(RBID, PASSWORD)
        await driver.join(PAN)
        assert driver.joined
        assert module.lines == [0x6B, 0x01, 0x01]

    play(scene)


# The renewal of a session is silent when it works, so that nothing is to be done.
def test_a_silent_renewal():
    async def scene(rig):
        await joined(rig)
        await rig.clock.sleep_ms(20 * 3600 * 1000)
        assert await rig.driver.send(GET) == 0
        assert rig.wire.lines == [0x08]

    play(scene)


# The transmit budget is used up: nobody tells when it is not any more, so a datagram tries.
def test_limiter_closes_the_gate():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.send_result = 2
        assert await driver.send(GET) == 1
        assert rig.events == [("limited", None), ("sent", 1)]
        assert driver.gate == "limited" and driver.joined
        rig.clear()
        assert (await caught(GateClosed, driver.send(GET))).why == "limited"
        assert (await caught(GateClosed, driver.join(PAN))).why == "limited"
        start = rig.clock.ms()
        assert (await caught(GateClosed, driver.open_gate(50000))).why == "limited"
        await driver.open_gate(20000)
        assert rig.clock.ms() - start == 60000
        assert rig.wire.lines == [] and rig.events == []
        # Still: closed again at once, and nothing new to tell.
        assert await driver.send(GET) == 1
        assert driver.gate == "limited"
        assert rig.events == [("sent", 1)]
        await driver.open_gate(61000)
        # Whether the channel was busy says nothing of the budget.
        module.send_result = 3
        assert await driver.send(GET) == 1
        module.send_result = 0
        assert await driver.send(GET) == 0
        assert rig.events[-2:] == [("unlimited", None), ("sent", 0)]
        assert driver.gate is None
        rig.clear()
        assert await driver.send(GET) == 0
        assert rig.events == [("sent", 0)]
        # What the meter did not acknowledge went on air all the same.
        module.send_result = 2
        await driver.send(GET)
        await driver.open_gate(61000)
        module.send_result = 5
        await driver.send(GET)
        assert rig.events[-2:] == [("unlimited", None), ("sent", 1)]

    play(scene)


def test_limiter_and_reset():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.send_result = 2
        await driver.send(GET)
        await driver.reset()
        assert driver.gate is None
        await joined(rig)
        assert await driver.send(GET) == 1
        assert rig.events == [("sent", 1)]  # it was told before, and not taken back

    play(scene)


def test_bounds_survive_a_restart_of_the_reader():
    async def scene(rig):
        await joined(rig)
        rig.wire.send_result = 2
        await rig.driver.send(GET)
        start = rig.clock.ms()
        await rig.clock.sleep_ms(20000)
        await rig.stop()
        rig.start()
        await rig.driver.open_gate(100000)
        assert rig.clock.ms() - start <= 80000

    play(scene)


def test_reset():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        start = rig.clock.ms()
        await driver.reset()
        assert rig.clock.ms() - start == 800
        assert module.lines == [0xD9]
        assert rig.events == []
        assert (driver.joined, driver.gate) == (False, None)
        # It says that it has booted, but not in time, or the line has lost that.
        for boot_ms in (4900, 6000):
            module.boot_ms = boot_ms
            await driver.reset()
            await rig.clock.sleep_ms(2000)
        assert rig.named("reboot") == [("reboot", None)]
        rig.clear()
        module.replies[0xD9] = None
        module.go_on()
        assert (await caught(Timeout, driver.reset())).command == "00D9"
        module.deaf = True
        assert (await caught(Timeout, driver.reset())).command == "0001"

    play(scene)


def test_a_module_that_restarts_by_itself():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        # In mid-session.
        module.restart()
        await rig.clock.sleep_ms(1000)
        assert rig.events == [("reboot", None)]
        assert not driver.joined
        assert (await caught(GateClosed, driver.send(GET))).why == "unjoined"
        # While it is asked something: there will be no answer.
        await joined(rig)
        module.replies[0x08] = (100, BOOTED[0])
        start = rig.clock.ms()
        assert (await caught(Timeout, driver.send(GET))).command == "0008"  # it may have been sent
        assert rig.clock.ms() - start == 100
        # While it authenticates.
        module.replies.clear()
        module._forget()
        await driver.configure(RBID, PASSWORD)
        rig.clear()
        module.say(2000, BOOTED[0])
        start = rig.clock.ms()
        await caught(JoinTimeout, driver.join(PAN))
        assert rig.clock.ms() - start == 2000
        assert rig.events == [("reboot", None)]
        assert (driver.joined, driver.gate) == (False, None)

    play(scene)


# On the way to a session: it is begun anew.
def test_a_restart_on_the_way():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        task = asyncio.create_task(driver.join(PAN))
        await rig.clock.sleep_ms(300)
        assert module.busy == 0x53
        rig.clear()
        module.boot_ms = 0
        module.restart()
        await task
        assert driver.joined
        assert module.lines == [0x5F, 0x54, 0x53, 0x05, 0x56]
        assert rig.events == [("reboot", None), ("joined", None)]

    play(scene)
