"""Commands that are cut short or cancelled, modules that stop in mid-frame, a bad line."""

import asyncio

from fakeradio import cancel, caught
from j11frames import AUTHENTICATED, PASSWORD, RBID, RES_HEARD
from j11scenes import GET, HEARD, joined, play
from wisun import RadioError, Refused, Timeout
from wisun.j11_frame import RESPONSE

WAY = [0x01, 0x5F, 0x54, 0x53, 0x05, 0x56]


# Half a frame lies in the module, for a second: what is sent meanwhile would be lost with it.
def test_a_write_that_is_cut_short():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        for data in (GET, bytes(1232)):
            module.stalled = True
            await cancel(rig, driver.send(data), 100)
            module.stalled = False
            start = rig.clock.ms()
            assert await driver.send(b"next") == 0
            assert rig.clock.ms() - start <= 9300 + 1200
            assert module.payloads.pop() == b"next"
        # A reset would be lost in it as well.
        module.stalled = True
        await cancel(rig, driver.send(GET), 100)
        module.stalled = False
        start = rig.clock.ms()
        await driver.reset()
        assert rig.clock.ms() - start == 1200 + 800
        assert driver.counters["garbled"] == 0

    play(scene)


# Nothing is waited for any more.
def test_a_reset_ends_what_was_given_up():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        await cancel(rig, driver.scan(8), 2000)
        start = rig.clock.ms()
        await driver.reset()
        assert rig.clock.ms() - start == 800
        await driver.probe()
        assert rig.clock.ms() - start == 800
        # The same when the module does it by itself.
        await driver.configure(RBID, PASSWORD)
        await cancel(rig, driver.scan(8), 2000)
        module.boot_ms = 0
        module.restart()
        await rig.clock.sleep_ms(10)
        start = rig.clock.ms()
        await driver.probe()
        assert rig.clock.ms() == start

    play(scene)


def test_a_write_that_never_ends():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.stalled = True
        for _ in range(2):
            start = rig.clock.ms()
            await caught(RadioError, driver.send(GET))
            assert rig.clock.ms() - start <= 10000
        module.stalled = False
        assert await driver.send(b"next") == 0

    play(scene)


def test_cancelling_at_every_moment():
    async def scene(rig):
        driver = rig.driver
        for action in (
            lambda: driver.probe(),
            lambda: driver.configure(RBID, PASSWORD),
            lambda: driver.find(),
            lambda: driver.join(HEARD),
            lambda: driver.send(GET),
            lambda: driver.leave(),
            lambda: driver.reset(),
        ):
            for turns in range(0, 120, 7):
                task = asyncio.create_task(action())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                except (asyncio.CancelledError, RadioError):
                    pass
            assert (await driver.probe()).protocol == "j11"
            await joined(rig)
            assert await driver.send(GET) == 0

    play(scene)


def test_a_cancelled_scan():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        for action in (lambda: driver.scan(4), lambda: driver.join(HEARD), lambda: driver.probe()):
            await cancel(rig, driver.scan(6), 2000)
            rig.clear()
            start = rig.clock.ms()
            await action()
            assert 7000 < rig.clock.ms() - start < 20000
            assert rig.named("reboot") == []
        assert driver.counters["stray"] == 0
        # Nobody's beacons of the one are in the other.
        strange = (5, 0x9999, bytes(8), 0xC0)
        module.meters.append(strange)
        await driver.leave()
        await cancel(rig, driver.scan(6, paired=False), 2000)
        module.meters.remove(strange)
        assert await driver.scan(6) == [HEARD]

    play(scene)


# The module goes on with it for minutes, and can do nothing else.
def test_a_cancelled_join_is_ended_before_the_next():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        module.pana = None
        await cancel(rig, driver.join(HEARD), 5000)
        assert (driver.joined, driver.gate) == (False, None)
        module.pana = (3000, 1)
        rig.clear()
        await driver.join(HEARD)
        assert module.lines == [0xD9, 0x01, 0x5F, 0x54, 0x53, 0x05, 0x56]
        await driver.leave()
        # It came to an end by itself, without anybody waiting for it.
        module.pana = (9000, 1)
        await cancel(rig, driver.join(HEARD), 5000)
        await rig.clock.sleep_ms(10000)
        assert driver.joined
        rig.clear()
        await driver.join(HEARD)
        assert module.lines == [0x01]

    play(scene)


# An earlier run of the host has begun to authenticate.
def test_a_module_that_authenticates_already():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        module.go_on()
        module.level = 2
        module.busy = 0x56
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        await driver.join(HEARD)
        assert driver.joined
        assert module.lines == [0x6B, 0xD9, 0x6B, 0x01, 0x5F, 0x54, 0x01, 0x5F, 0x53, 0x05, 0x56]

    play(scene)


# 0056 itself is refused: with it under way, the module is reset; elsewhere, it is asked.
def test_an_authentication_that_cannot_begin():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for result, lines in (
            (0x52, [0xD9] + WAY),
            (0x3D, [0xD9] + WAY),
            (0x34, [0x01, 0x56]),
        ):
            await driver.configure(RBID, PASSWORD)
            pana = module._do_56

            def refuse(data, pana=pana, result=result):
                module._do_56 = pana
                module.reply(0x56, result)

            module._do_56 = refuse
            rig.clear()
            await driver.join(HEARD)
            assert driver.joined
            assert module.lines[-len(lines) :] == lines
            await driver.leave()
        await driver.configure(RBID, PASSWORD)
        module.replies[0x56] = module.frame(0x2056, b"\x04")
        assert (await caught(Refused, driver.join(HEARD))).code == "04"
        assert driver.gate is None
        # None has begun, so none is to be ended.
        module.replies.clear()
        rig.clear()
        await driver.join(HEARD)
        assert module.lines == [0x01, 0x56]
        await driver.leave()
        # What cannot be had is not asked for without end.
        for result in (b"\x34", b"\x3d"):
            module.replies[0x56] = module.frame(0x2056, result)
            rig.clear()
            await caught(Refused, driver.join(HEARD))
            assert module.lines.count(0x56) == 2

    play(scene)


def test_a_module_that_is_always_busy():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for code in (0x5F, 0x54):
            module.replies = {code: module.frame(0x2000 | code, b"\x3d")}
            rig.clear()
            await caught(RadioError, driver.configure(RBID, PASSWORD))
            assert module.lines.count(0xD9) == 2
        # That a reset takes it away from one command is enough.
        module.replies = {0x01: module.frame(0x2001, b"\x3d")}
        await driver.configure(RBID, PASSWORD)
        module.replies = {0x6B: module.frame(0x206B, b"\x3d")}
        rig.clear()
        assert (await caught(Refused, driver.probe())).code == "3D"
        assert module.lines == [0x6B, 0xD9] * 2 + [0x6B]

    play(scene)


# Nothing that it says about itself leads anywhere: there is an end to asking.
def test_a_module_that_goes_in_circles():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        module._do_58 = lambda data: setattr(module, "level", 2) or module.reply(0x58)
        module._do_53 = lambda data: module.reply(0x53, 0x34)
        module.level = 2
        await caught(RadioError, driver.join(HEARD))
        assert len(module.lines) < 60

    play(scene)


# The rest of a frame never comes; what comes after it is understood.
def test_a_module_that_stops_in_the_middle():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        reply = module.frame(0x2008, b"\x01\x00" + GET[:5]) + module.datagram(GET)
        for cut in range(1, len(reply)):
            module.replies[0x08] = reply[:-cut]
            try:
                await driver.send(GET)
            except Timeout:
                pass
            module.replies.clear()
            rig.clear()
            await rig.clock.sleep_ms(3000)
            module.answers.append(GET)
            assert await driver.send(GET) == 0, cut
            await rig.clock.sleep_ms(0)
            assert [entry[0] for entry in rig.datagrams] == [GET], cut

    play(scene)


# The head of a long datagram is there and its rest is lost, so that it takes the reply for it.
def test_a_reply_behind_a_broken_datagram():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        # At once: the reply counts when the time for it is over.
        await rig.say(module.datagram(bytes(1200))[:-1150])
        assert await driver.send(GET) == 0
        assert driver.counters["timeout"] == 0
        # After a pause: at once.
        await rig.say(module.datagram(bytes(1200))[:-1150])
        await rig.clock.sleep_ms(300)
        start = rig.clock.ms()
        assert await driver.send(GET) == 0
        assert rig.clock.ms() == start
        assert driver.counters["garbage"] == 2

    play(scene)


# The host was slow to read, which is no reason to think that something was lost.
def test_a_frame_in_two_parts():
    async def scene(rig):
        await joined(rig)
        module = rig.wire
        for at in (1, 5, 12, 20, 60):
            await rig.say(RES_HEARD[0][:at])
            await rig.clock.sleep_ms(5000)
            await rig.say(RES_HEARD[0][at:] + module.datagram(GET))
            assert [entry[0] for entry in rig.datagrams] == [RES_HEARD[2][27:], GET]
            rig.clear()
        assert rig.driver.counters["garbage"] == 0

    play(scene)


def test_noise_on_the_line():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        noise = bytes(range(256)) + RESPONSE + b"\x20\x08" + RESPONSE[:3]
        module.replies[0x08] = noise + module.frame(0x2008, b"\x01\x00") + noise
        assert await driver.send(GET) == 0
        assert rig.named("garbage") == [("garbage", len(noise))]
        await rig.say(bytes(range(256)) * 40)
        await rig.say(AUTHENTICATED[0])
        assert sum(value for _, value in rig.named("garbage")) == 2 * len(noise) + 256 * 40
        assert driver.counters["garbage"] == len(rig.named("garbage"))
        assert driver.joined

    play(scene)


# Something holds up the whole host, until time is up for what lies unread.
def test_a_host_that_is_held_up():
    async def scene(rig):
        await joined(rig)
        driver, wire = rig.driver, rig.wire
        readinto = wire.readinto
        free = asyncio.Event()

        async def held_up(view):
            await free.wait()
            return await readinto(view)

        await rig.stop()
        wire.readinto = held_up
        rig.start()
        task = asyncio.create_task(driver.send(GET))
        await rig.clock.sleep_ms(1975)
        free.set()
        assert await task == 0
        assert driver.counters["timeout"] == 0

    play(scene)


# Nobody has asked for them: they take no memory.
def test_beacons_without_end():
    async def scene(rig):
        await joined(rig)
        module = rig.wire
        for _ in range(50):
            await rig.say(module._on_channel(12, None))
        assert len(rig.driver._found) <= 16
        await rig.driver.leave()
        assert await rig.driver.scan(4) == [HEARD]

    play(scene)


# Nothing to read although it was said that there is: no reason to run in circles.
def test_a_uart_that_reads_nothing():
    async def scene(rig):
        readinto = rig.wire.readinto
        count = [0]

        async def nothing(view):
            count[0] += 1
            return None if count[0] % 2 else 0

        rig.wire.readinto = nothing
        await rig.stop()
        rig.start()
        await rig.clock.sleep_ms(1000)
        assert 45 <= count[0] <= 55
        rig.wire.readinto = readinto
        assert (await rig.driver.probe()).edition == "dual"

    play(scene)
