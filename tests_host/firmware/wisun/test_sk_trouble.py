"""Commands that are cancelled or get no answer, modules that stop in mid-line, noise."""

import asyncio

from fakeradio import METER, OWN, PASSWORD, RBID, cancel, caught
from skscenes import GET, PAN, joined, play
from wisun import Refused, Timeout


# Its reply comes later; the next command must not take it for its own.
def test_late_reply_to_a_cancelled_command():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        for late, next_reply, expected in (
            (b"OK\r\n", b"FAIL ER10\r\n", "ER10"),
            (b"FAIL ER09\r\n", b"FAIL ER06\r\n", "ER06"),
        ):
            module.replies = {b"SKRESET": (3000, late)}
            await cancel(rig, driver.reset(), 1000)
            module.replies = {b"SKTERM": b"FAIL ER10\r\n", b"SKJOIN": next_reply}
            start = rig.clock.ms()
            assert (await caught(Refused, driver.join(PAN))).code == expected
            assert 2000 <= rig.clock.ms() - start <= 2200
        assert driver.counters["resync"] == 0

    play(scene)


def test_reply_to_a_cancelled_command_that_came_meanwhile():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[b"SKSENDTO"] = None
        await cancel(rig, driver.send(GET))
        await rig.say(module.event(b"21", b"00") + b"OK\r\n")
        module.replies = {}
        start = rig.clock.ms()
        assert await driver.send(b"next") == 0
        assert rig.clock.ms() == start
        assert module.payloads == [GET, b"next"]

    play(scene)


# It never comes: the module is asked for its version, which is nothing else's reply.
def test_no_reply_to_a_cancelled_command():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[b"SKSENDTO"] = None
        await cancel(rig, driver.send(GET), 4000)
        module.replies = {}
        start = rig.clock.ms()
        assert await driver.send(b"next") == 0
        assert rig.clock.ms() - start == 6000
        assert driver.counters["resync"] == 1
        assert module.lines[-2:] == [b"SKVER", b"SKSENDTO 1 " + METER + b" 0E1A 1 0004 "]

    play(scene)


def test_a_command_without_reply():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        for word, action, limit in (
            (b"SKSENDTO", lambda: driver.send(GET), 10000),
            (b"SKSREG", lambda: driver.join(PAN), 5000),
            (b"SKLL64", lambda: driver.join(PAN), 5000),
            (b"SKJOIN", lambda: driver.join(PAN), 5000),
            (b"SKTERM", lambda: driver.leave(), 5000),
            (b"SKRESET", lambda: driver.reset(), 5000),
            (b"SKSETPWD", lambda: driver.configure(RBID, PASSWORD), 5000),
            (b"SKINFO", lambda: driver.probe(), 5000),
            (b"ROPT", lambda: driver.probe(), 5000),
        ):
            module.replies = {}
            await joined(rig)
            timeouts = driver.counters["timeout"]
            module.replies = {b"SKTERM": b"FAIL ER10\r\n"}  # as if its session were over
            module.replies[word] = None
            start = rig.clock.ms()
            error = await caught(Timeout, action())
            assert error.command == word.decode()
            assert rig.clock.ms() - start <= limit + 10
            assert driver.counters["timeout"] == timeouts + 1
            module.replies = {}
            await driver.join(PAN)
            assert await driver.send(GET) == 0

    play(scene)


# A reply that comes after its time, when the next command is under way already.
def test_reply_after_its_time():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies = {b"SKRESET": (5500, b"OK\r\n")}
        await caught(Timeout, driver.reset())
        module.replies = {
            b"SKVER": (1000, b"EVER 1.2.10\r\nOK\r\n"),
            b"SKSREG S2 39": b"FAIL ER09\r\n",
        }
        assert (await caught(Refused, driver.join(PAN))).command == "SKSREG"

    play(scene)


# An OK too many is not the reply of a command that has a line to come before its OK, or instead.
def test_an_ok_too_many():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        module.replies = {b"SKLL64": (b"OK\r\n", 50, METER + b"\r\n")}
        await driver.probe()
        await driver.join(PAN)
        module.replies = {b"SKINFO": (b"OK\r\n", 50, b"EINFO 0 0 0 0 0\r\nOK\r\n")}
        assert (await driver.probe()).edition == "dual"

    play(scene)


# Half a datagram lies in the module: it takes whatever comes for the rest, until it is full.
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
            assert rig.clock.ms() - start <= 3000
            assert module.payloads.pop() == b"next"

    for dual in (False, True):
        play(scene, dual=dual)


def test_a_write_that_never_ends():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.stalled = True
        start = rig.clock.ms()
        await caught(Timeout, driver.send(GET))
        assert rig.clock.ms() - start == 10000
        await caught(Timeout, driver.send(GET))
        assert rig.clock.ms() - start <= 15000
        module.stalled = False
        assert await driver.send(b"next") == 0

    play(scene)


# What an earlier run of the host left in the module, up to a whole datagram.
def test_probe_ends_what_was_left_half_said():
    async def scene(rig):
        for left in (
            b"SKSE",
            b"SKSENDTO 1 " + METER + b" 0E1A 1 04D0 ",
            b"SKSENDTO 1 " + METER + b" 0E1A 1 0002 ",
        ):
            for given in (b"", b"x"):
                rig.wire.hear(left + given)
                assert (await rig.driver.probe()).firmware == "1.2.10"
                await rig.driver.configure(RBID, PASSWORD)

    play(scene)


# A half line that is ended by the probe gets its FAIL, well before the version comes.
def test_probe_is_not_refused_for_what_was_left():
    async def scene(rig):
        rig.wire.hear(b"SKSE")
        rig.wire.replies[b"SKVER"] = (50, b"EVER 1.2.10\r\n", 50, b"OK\r\n")
        assert (await rig.driver.probe()).firmware == "1.2.10"

    play(scene)


def test_cancelling_at_every_moment():
    async def scene(rig):
        driver = rig.driver
        for action in (
            lambda: driver.probe(),
            lambda: driver.configure(RBID, PASSWORD),
            lambda: driver.find(),
            lambda: driver.join(PAN),
            lambda: driver.leave(),
        ):
            for turns in range(0, 120, 7):
                task = asyncio.create_task(action())
                for _ in range(turns):
                    await asyncio.sleep(0)
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    pass
            assert (await driver.probe()).edition == "dual"
            await joined(rig)
            assert await driver.send(GET) == 0

    play(scene, dual=True)


# A scan goes on in the module when nobody waits for it any more; two at once confuse it.
def test_a_cancelled_scan_is_waited_for():
    async def scene(rig):
        driver = rig.driver
        await driver.configure(RBID, PASSWORD)
        await cancel(rig, driver.scan(), 2000)
        start = rig.clock.ms()
        pans = await driver.scan()
        assert rig.clock.ms() - start == 7000 + 9000
        assert [pan.channel for pan in pans] == [0x39]
        await cancel(rig, driver.scan(), 2000)
        start = rig.clock.ms()
        await driver.join(PAN)
        assert 10000 <= rig.clock.ms() - start <= 10100
        # Nor does a probe end it, but a restart does, and no second one is told of.
        await cancel(rig, driver.scan(), 2000)
        start = rig.clock.ms()
        await driver.probe()
        await driver.scan()
        assert rig.clock.ms() - start == 7000 + 9000
        await cancel(rig, driver.scan(), 2000)
        rig.clear()
        rig.wire.restart()
        start = rig.clock.ms()
        await driver.probe()
        rig.wire.replies[b"SKSCAN"] = (b"OK\r\n", 1000, rig.wire.event(b"22"))
        await driver.scan()
        assert rig.clock.ms() - start == 1000
        assert rig.named("reboot") == []

    play(scene)


def test_a_cancelled_join_is_ended_before_the_next():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies = {b"SKTERM": b"FAIL ER10\r\n", b"SKJOIN": b"OK\r\n"}
        await cancel(rig, driver.join(PAN), 1000)
        assert (driver.joined, driver.gate) == (False, None)
        assert module.lines[-1].startswith(b"SKJOIN")
        module.replies = {}
        module.lines.clear()
        await driver.join(PAN)
        assert module.lines[0] == b"SKTERM"

    play(scene)


# The rest of a line never comes; what comes after it is understood.
def test_a_module_that_stops_in_the_middle():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        reply = b"\r\n" + module.event(b"21", b"00") + b"OK\r\n" + module.datagram(GET)
        for cut in range(1, len(reply)):
            module.replies = {b"SKSENDTO": reply[:-cut]}
            try:
                await driver.send(GET)
            except Timeout:
                pass
            module.replies = {}
            rig.clear()
            module.answers.append(GET)
            assert await driver.send(GET) == 0, cut
            await rig.clock.sleep_ms(0)
            assert rig.datagrams[-1][0] == GET, cut

    for option in (b"01", None):
        play(scene, option=option)


# The head of a datagram is there and its data is lost, so that it takes the reply for its data.
def test_a_reply_behind_a_broken_datagram():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.option = b"00"
        await rig.say(module.datagram(bytes(1200))[:-1150])
        assert await driver.send(GET) == 0
        assert driver.counters["timeout"] == 0
        start = rig.clock.ms()
        assert await driver.send(GET) == 0
        assert rig.clock.ms() == start

    play(scene)


def test_noise_on_the_line():
    async def scene(rig):
        await joined(rig)
        driver, module = rig.driver, rig.wire
        module.replies[b"SKSENDTO"] = (
            b"\xff\x00\xfe" + module.event(b"21", b"00") + b"\x80\r\xff\n" * 500 + b"OK\r\n"
        )
        assert await driver.send(GET) == 0
        assert driver.counters["garbage"] == 1001
        assert sum(value for _, value in rig.named("garbage")) == 3 + 2 * 500
        await rig.say(bytes(range(256)) * 40 + b"\r\n" + module.event(b"26"))
        assert not driver.joined

    play(scene)


def test_final_lines_without_a_command():
    async def scene(rig):
        await joined(rig)
        driver = rig.driver
        await rig.say(b"OK\r\nFAIL ER09\r\nOK 01\rEVER 1\r\n" + OWN + b"\r\n")
        assert await driver.send(GET) == 0
        await driver.leave()

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
        assert (await rig.driver.probe()).edition == "single"

    play(scene)
