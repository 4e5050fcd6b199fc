"""Joining, sending, the gate that closes while nothing may be sent, and how a session ends."""

import asyncio

from fakej11 import CHANNEL, PAN_ID, J11Module
from fakeradio import Clock, Rig, caught
from helpers import hex_, run
from j11frames import AUTHENTICATED, BOOTED, CLOSED, MAC, NOT_STARTED, PASSWORD, RBID, UNDECIPHERED
from wisun import GateClosed, JoinRefused, JoinTimeout, Pan, Refused, Timeout
from wisun.j11 import J11

PAN = Pan(0x31, PAN_ID, MAC, None, None)
GET = hex_("1081000105FF010288016201E700")


def play(scene, **options):
    rig = Rig(J11, J11Module(Clock(), **options))
    run(rig.play(scene))
    return rig


async def joined(rig):
    await rig.driver.configure(RBID, PASSWORD)
    await rig.driver.join(PAN)
    rig.clear()


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
        # Not on the network, and not even set up: that was a reboot.
        for reply, name in ((NOT_STARTED[0], "lost"), (module.frame(0x2008, b"\x37"), "reboot")):
            await joined(rig)
            module.replies[0x08] = reply
            await caught(Refused, driver.send(GET))
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
        assert (await caught(Refused, driver.send(GET))).code == "37"
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
