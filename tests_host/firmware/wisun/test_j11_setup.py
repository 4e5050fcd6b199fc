"""Finding out what module there is, handing over the credentials, finding the meter."""

import asyncio
import sys

from fakej11 import CHANNEL, PAN_ID
from fakeradio import caught
from j11frames import MAC, PASSWORD, RBID
from j11scenes import HEARD, play
from wisun import Info, Pan, RadioError, Refused, Timeout

NEAR = b"\x00\x11\x22\x33\x44\x55\x66\x77"


def test_a_session_from_the_beginning():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        assert await driver.probe() == Info("j11", "dual", "1.3", "0000158A", False)
        await driver.configure(RBID, PASSWORD)
        assert module.given == (RBID + PASSWORD).encode()
        assert await driver.find() == HEARD
        await driver.join(HEARD)
        module.answers.append(b"\x10\x81\r\n\x00")
        assert await driver.send(b"\x10\x81 \xd0\xea\x83\xfc\xff") == 0
        await rig.clock.sleep_ms(1)
        assert module.payloads == [b"\x10\x81 \xd0\xea\x83\xfc\xff"]
        assert rig.datagrams == [(b"\x10\x81\r\n\x00", MAC, True, -34)]
        await driver.leave()
        assert [name for name, _ in rig.events] == ["beacon", "joined", "sent", "ended"]
        assert not [n for n in driver.counters.values() if n]

    for chunk in (1, 3, 4096):
        play(scene, chunk=chunk)


def test_a_silent_module():
    async def scene(rig):
        rig.wire.deaf = True
        start = rig.clock.ms()
        error = await caught(Timeout, rig.driver.probe())
        assert error.command == "006B"
        assert 3000 < rig.clock.ms() - start < 5000

    play(scene)


# What an earlier run of the host has left in the module, up to a whole frame but a byte.
def test_probe_ends_what_was_left_half_said():
    async def scene(rig):
        whole = b"\xd0\xea\x83\xfc\x00\x08\x04\xff" + (0x33C + 0x103).to_bytes(2, "big")
        for left in (b"\xd0", whole[:7], whole, whole + bytes(1000)):
            rig.wire.hear(left)
            start = rig.clock.ms()
            assert (await rig.driver.probe()).firmware == "1.3"
            assert rig.clock.ms() - start < 5000

    play(scene)


# It scans or authenticates for an earlier run of the host: a reset ends it.
def test_probe_of_a_busy_module():
    async def scene(rig):
        for code in (0x51, 0x56):
            rig.wire.busy = code
            assert (await rig.driver.probe()).firmware == "1.3"
            assert rig.wire.busy == 0
            assert rig.events == []
            assert rig.wire.lines == [0x6B, 0xD9, 0x6B]
            rig.clear()

    play(scene)


def test_probe_that_is_refused():
    async def scene(rig):
        rig.wire.replies[0x6B] = rig.wire.frame(0xFFFF, b"\x03")
        assert (await caught(Refused, rig.driver.probe())).code == "03"
        # Too short to hold a version: as if it had not come.
        rig.wire.replies[0x6B] = rig.wire.frame(0x206B, b"\x01\x04")
        await caught(Timeout, rig.driver.probe())

    play(scene)


# In each state that an earlier run of the host may have left the module in.
def test_configure_in_every_state():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID.lower(), "0123456789ab")
        assert module.lines == [0x01, 0x5F, 0x54]
        assert module.given == module.credentials
        rig.clear()
        module.level = 2
        module.given = None
        await driver.configure(RBID, PASSWORD)
        assert module.lines == [0x01, 0x54]
        assert module.given == module.credentials
        rig.clear()
        module.go_on()
        await driver.configure(RBID, PASSWORD)
        assert module.lines == [0x01]
        assert module.level == 3

    play(scene)


# Other credentials than before: the session that is up is not to be used.
def test_configure_anew():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        await driver.join(HEARD)
        other = RBID[:-1] + "0"
        await driver.configure(other, PASSWORD)
        module.credentials = (other + PASSWORD).encode()
        module.lines.clear()
        await driver.join(HEARD)
        assert module.lines == [0x01, 0x57, 0x58, 0x54, 0x53, 0x05, 0x56]
        assert module.given == module.credentials

    play(scene)


def test_credentials_are_checked_and_not_repeated():
    async def scene(rig):
        for rbid, password in (
            (RBID[:-1], PASSWORD),
            (RBID + "0", PASSWORD),
            (RBID, PASSWORD + "C"),
            (RBID, PASSWORD[:-1]),
            (RBID, ""),
            (RBID, PASSWORD[:-1] + " "),
            (RBID[:-1] + "\u3042", PASSWORD),
            (RBID[:-1] + "\n", PASSWORD),
        ):
            error = await caught(ValueError, rig.driver.configure(rbid, password))
            for secret in (RBID[:8], PASSWORD[:8], RBID[-8:-1]):
                assert secret not in str(error)
        assert rig.wire.lines == []

    play(scene)


def test_nothing_secret_is_told():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.probe()
        for result in (0x04, 0x35, 0x3D, 0xF1):
            module.replies[0x54] = module.frame(0x2054, bytes((result,)))
            error = await caught(RadioError, driver.configure(RBID, PASSWORD))
            assert RBID not in str(error) and PASSWORD not in str(error)
        module.replies[0x54] = None
        error = await caught(Timeout, driver.configure(RBID, PASSWORD))
        assert RBID not in str(error) and PASSWORD not in str(error)
        for line in rig.log.lines + [str(event) for event in rig.events]:
            assert RBID not in line and PASSWORD not in line

    play(scene)


def test_scan_parameters():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        for mask, channels in (
            (0xFFFFFFFF, 0x3FFF0),
            (0x05555555, 0x3FFF0),
            (1, 1 << 4),
            (1 << 16, 1 << 12),
            (1 << 26 | 1, 1 << 17 | 1 << 4),
            (1 << 16 | 2, 1 << 12),
        ):
            rig.clear()
            module.heard.clear()
            await driver.scan(5, mask)
            data = b"\x05" + channels.to_bytes(4, "big") + b"\x01CCDDEEFF"
            assert module.heard[-1] == (0x51, data)
        await driver.scan(14, 1, False)
        assert module.heard[-1] == (0x51, b"\x0e\x00\x00\x00\x10\x00")
        rig.clear()
        for duration, mask in ((0, 1), (15, 1), (-1, 1), (6, 0), (6, 2), (6, 1 << 28)):
            await caught(ValueError, driver.scan(duration, mask))
        assert module.lines == []

    play(scene)


# Every second of the channels is one of J11's, and no other.
def test_every_channel():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        for channel in range(4, 18):
            module.meters = [(channel, PAN_ID, MAC, 0xA0)]
            pan = (await driver.scan(4))[0]
            assert pan == Pan(0x21 + 2 * (channel - 4), PAN_ID, MAC, -96, "CCDDEEFF")
            await driver.leave()
            await driver.join(pan)
            assert module.channel == channel
            assert driver.rssi == -96

    play(scene)


def test_who_is_heard():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await caught(RadioError, driver.scan())
        assert module.lines == []
        # Without credentials one can still listen for anybody.
        assert await driver.scan(6, paired=False) == [Pan(0x31, PAN_ID, MAC, -34, None)]
        assert driver.rssi is None
        await driver.configure(RBID, PASSWORD)
        module.meters = [
            (4, 0x1111, NEAR, 0xA0),
            (4, 0x2222, MAC, 0xC0),
            (17, 0x3333, NEAR, 0xB0),
        ]
        rig.clear()
        pans = await driver.scan()
        assert [(pan.channel, pan.pan_id, pan.rssi) for pan in pans] == [
            (0x21, 0x1111, -96),
            (0x21, 0x2222, -64),
            (0x3B, 0x3333, -80),
        ]
        assert driver.rssi == -64
        assert rig.events == [("beacon", None)] * 3
        assert (await driver.find()).pan_id == 0x2222
        module.credentials = bytes(44)
        assert await driver.scan() == []

    play(scene)


# The time limit is that of the time on the air, and everything is heard before it.
def test_a_long_scan():
    async def scene(rig):
        await rig.driver.configure(RBID, PASSWORD)
        for duration in (1, 8, 14):
            start = rig.clock.ms()
            assert len(await rig.driver.scan(duration)) == 1
            assert rig.clock.ms() - start > 14 * (964 << duration) // 100

    play(scene)


def test_find_listens_ever_longer():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        module.meters = []
        rig.clear()
        module.heard.clear()
        assert await driver.find() is None
        assert [data[0] for code, data in module.heard if code == 0x51] == [5, 6, 7, 8]
        assert await driver.find((9,)) is None
        assert module.heard[-1][1][0] == 9

    play(scene)


# A line that says things twice, or loses the end: no meter is heard twice, nor not at all.
def test_a_scan_on_a_bad_line():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        found = module._on_channel(CHANNEL, None)
        nothing = module.frame(0x4051, b"\x01\x11")
        module.replies[0x51] = (50, found, found, 50, nothing, module.frame(0x2051, b"\x01"))
        assert await driver.scan() == [HEARD]
        module.replies[0x51] = (50, found, 50, nothing)
        start = rig.clock.ms()
        assert await driver.scan(4) == [HEARD]
        assert rig.clock.ms() - start < 14 * 260 + 1000
        for said in (None, (50, found)):
            module.replies[0x51] = said
            assert (await caught(Timeout, driver.scan(4))).command == "0051"
        module.replies[0x51] = (50, nothing)
        assert await driver.scan(4) == []

    play(scene)


def test_scan_of_a_module_that_is_not_ready():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        # It was reset by somebody: it says so, or only that it is not started.
        for said in (True, False):
            module._forget()
            if said:
                await rig.say(module.frame(0x6019))
            assert await driver.scan(4) == [HEARD]
        # It is reset in the middle, and set up again.
        scan = asyncio.create_task(driver.scan(6))
        await rig.clock.sleep_ms(3000)
        rig.clear()
        module.boot_ms = 0
        module.restart()
        assert await scan == [HEARD]
        assert rig.events == [("reboot", None), ("beacon", None)]
        assert module.lines == [0x01, 0x5F, 0x54, 0x51]

    play(scene)


def test_scan_of_a_busy_module():
    async def scene(rig):
        driver, module = rig.driver, rig.wire
        await driver.configure(RBID, PASSWORD)
        rig.clear()
        module.replies[0x51] = module.frame(0x2051, b"\x3d")
        assert (await caught(Refused, driver.scan(4))).code == "3D"
        assert module.lines == [0x01, 0x51, 0xD9, 0x01, 0x5F, 0x54, 0x51]
        module.replies[0x51] = module.frame(0x2051, b"\x04")
        assert (await caught(Refused, driver.scan(4))).code == "04"

    play(scene)


def test_setup_is_not_kept():
    async def scene(rig):
        await rig.driver.configure(RBID, PASSWORD)
        await rig.driver.find()
        await rig.driver.join(HEARD)
        assert "wisun.j11_setup" not in sys.modules
        assert not hasattr(sys.modules["wisun"], "j11_setup")

    play(scene)
