"""Replies that come late, not at all, garbled, or to another command."""

from fakeradio import cancel, caught
from j11frames import BAD_HEADER, PASSWORD, RBID, VERSION_IS
from j11scenes import GET, HEARD, joined, play
from wisun import Refused, Timeout


# Its reply comes later; the next command must not take it for its own.
def test_late_reply_to_a_cancelled_command():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[0x08] = (800, module.frame(0x2008, b"\x01\x00"))
        await cancel(rig, driver.send(GET), 300)
        module.replies[0x08] = (200, module.frame(0x2008, b"\x01\x05"))
        start = rig.clock.ms()
        assert await driver.send(GET) == 1
        assert rig.clock.ms() - start == 500 + 200
        assert driver.counters["stray"] == 0
        # It never comes.
        module.replies[0x08] = None
        await cancel(rig, driver.send(GET), 300)
        module.replies.clear()
        start = rig.clock.ms()
        await driver.leave()
        assert rig.clock.ms() - start == 1970 - 300 + 5000  # a meter needs that to let go

    play(scene)


def test_reply_to_a_cancelled_command_that_came_meanwhile():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[0x08] = None
        await cancel(rig, driver.send(GET))
        await rig.say(module.frame(0x2008, b"\x01\x00" + GET[:5]))
        module.replies.clear()
        start = rig.clock.ms()
        assert await driver.send(b"next") == 0
        assert rig.clock.ms() == start
        assert module.payloads == [b"next"]

    play(scene)


# Time is up, and then there it is, when the next command of the kind is under way.
def test_reply_after_its_time():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[0x08] = (2000, module.frame(0x2008, b"\x01\x05" + GET[:5]))
        await caught(Timeout, driver.send(GET))
        module.replies[0x08] = (200, module.frame(0x2008, b"\x01\x00other"))
        assert await driver.send(b"other") == 0
        assert driver.counters["stray"] == 1

    play(scene)


# A reply to something else is no reply, whatever it says.
def test_reply_to_another_command():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        module.replies[0x6B] = (
            module.frame(0x2008, b"\x01\x00")
            + module.frame(0x2001, b"\x3d")
            + module.frame(0x206C, b"\x01")
            + module.frame(0x006B, VERSION_IS[2])
            + module.frame(0x606B, VERSION_IS[2]),
            500,
            VERSION_IS[0],
        )
        start = rig.clock.ms()
        assert (await driver.probe()).app == "0000158A"
        assert rig.clock.ms() - start == 500
        assert driver.counters["stray"] == 3
        # When there is no command at all, that goes for every reply.
        await rig.say(VERSION_IS[0] + BAD_HEADER[0] + module.frame(0xFFFF, b"\x03"))
        assert driver.counters["stray"] == 6

    play(scene)


def test_a_command_without_reply():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for code, action, limit in (
            (0x08, lambda: driver.send(GET), 1970),
            (0x57, lambda: driver.leave(), 3000),
            (0x6B, lambda: driver.probe(), 3600),
            (0x01, lambda: driver.scan(), 9000),
            (0x54, lambda: driver.configure(RBID, PASSWORD), 9000),
            (0x51, lambda: driver.scan(6), 10884),
            (0x53, lambda: driver.join(HEARD), 10800),
            (0x05, lambda: driver.join(HEARD), 9600),
            (0x56, lambda: driver.join(HEARD), 3600),
        ):
            module.replies.clear()
            module._forget()
            await driver.leave()
            if code == 0x08 or code == 0x57:
                await joined(rig)
            elif code != 0x54:
                await driver.configure(RBID, PASSWORD)
            module.replies = {code: None}
            start = rig.clock.ms()
            error = await caught(Timeout, action())
            assert error.command == "%04X" % code
            assert limit <= rig.clock.ms() - start <= limit + 100, (code, rig.clock.ms() - start)
            module.replies = {}
            await joined(rig)
            assert await driver.send(GET) == 0

    play(scene)


# On the way to a session, what the line loses once is made good.
def test_a_reply_that_is_lost_on_the_way():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for code, deed in (
            (0x01, None),
            (0x5F, lambda: setattr(module, "level", 1)),
            (0x54, None),
            (0x05, lambda: module.ports.append(3610)),
        ):
            module._forget()
            await driver.configure(RBID, PASSWORD)
            module._forget()
            hear = module._command
            left = [1]

            def lose(heard, data, hear=hear, left=left, code=code, deed=deed):
                if heard == code and left:
                    left.pop()
                    module.lines.append(heard)
                    if deed:
                        deed()
                else:
                    hear(heard, data)

            module._command = lose
            rig.clear()
            await driver.join(HEARD)
            module._command = hear
            assert left == []
            assert driver.joined
            assert driver.counters["timeout"] == 1
            driver.counters["timeout"] = 0

    play(scene)


# The network was joined, and only the word of it lost: the module is asked where it stands.
def test_a_start_whose_reply_is_lost():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        start = module._do_53

        def silent(data):
            module.level = 2
            module.peer = module.meters[0]

        module._do_53 = silent
        rig.clear()
        await driver.join(HEARD)
        module._do_53 = start
        assert driver.joined
        assert module.lines == [0x01, 0x5F, 0x53, 0x01, 0x11, 0x05, 0x56]

    play(scene)


# The line garbles what the host says: the module tells, and it is said again.
def test_a_garbled_command():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        hear = module.hear
        for result in (0xF0, 0xF1, 0xF2, 0xF3, 0x13):
            for times in (1, 2):
                left = [0] * times

                def garble(data, left=left, result=result):
                    if left:
                        left.pop()
                        module.tell(0x2FFF, bytes((result,)))
                    else:
                        hear(data)

                module.hear = garble
                rig.clear()
                assert await driver.send(GET) == 0
                assert module.payloads == [GET]
        assert driver.counters["garbled"] == 5 * 3
        module.hear = lambda data: module.tell(0x2008, b"\xf1")
        assert (await caught(Refused, driver.send(GET))).code == "F1"
        module.hear = hear
        # Any byte of a frame that goes wrong.
        for at in range(4, 36):

            def flip(data, at=at):
                module.hear = hear
                data = bytearray(data)
                data[at] ^= 0x10
                hear(bytes(data))

            module.hear = flip
            rig.clear()
            assert await driver.send(GET) == 0, at
            assert module.payloads == [GET]

    play(scene)


# A command that the module does not know is not said again.
def test_an_unknown_command():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        module.replies[0x5F] = module.frame(0xFFFF, b"\x03")
        assert (await caught(Refused, driver.configure(RBID, PASSWORD))).code == "03"
        assert module.lines == [0x01, 0x5F]

    play(scene)
