"""When a datagram's bytes went to the module: whatever was before, and whatever is heard of it."""

import asyncio

import fakeradio
import j11frames
from fakej11 import PAN_ID, J11Module
from fakemodule import Module
from fakeradio import Clock, Rig, caught
from helpers import run
from wisun import Pan, Timeout
from wisun.j11 import J11
from wisun.skstack import SkStack

GET = b"\x10\x81\x00\x01\x05\xff\x01\x02\x88\x01\x62\x01\xe7\x00"

# Driver, module, channel, PAN ID, who has the rest, and the command that sends.
SK = (SkStack, Module, 0x39, 0x8CF5, fakeradio, b"SKSENDTO")
JOINT = (J11, J11Module, 0x31, PAN_ID, j11frames, 0x08)


def play(scene):
    for driver, module, channel, pan_id, home, sends in (SK, JOINT):
        rig = Rig(driver, module(Clock()))
        rig.times = []  # at which the datagram was written
        rig.sends = sends
        write = rig.wire.write

        async def writing(data, rig=rig, write=write):
            if GET in data:
                rig.times.append(rig.clock.ms())
            await write(data)

        rig.wire.write = writing

        pan = Pan(channel, pan_id, home.MAC, None, None)

        async def whole(rig, home=home, pan=pan):
            await rig.driver.probe()
            await rig.driver.configure(home.RBID, home.PASSWORD)
            await rig.driver.join(pan)
            await rig.clock.sleep_ms(5_000)
            await scene(rig)

        run(rig.play(whole))


def test_at_once():
    async def scene(rig):
        start = rig.clock.ms()
        await rig.driver.send(GET)
        assert rig.times == [start] == [rig.driver.sent_ms]

    play(scene)


# What was given up before is settled first.
def test_after_a_command_that_was_given_up():
    async def scene(rig):
        start = rig.clock.ms()
        rig.wire.replies[rig.sends] = None
        task = asyncio.create_task(rig.driver.send(b"other"))
        await rig.clock.sleep_ms(500)
        task.cancel()
        await rig.clock.sleep_ms(1)
        rig.wire.replies = {}
        await rig.driver.send(GET)
        assert rig.times == [rig.driver.sent_ms]
        assert rig.driver.sent_ms > start + 1_500

    play(scene)


# The report of it was lost, so that only the answer, or its absence, ends the sending.
def test_when_the_report_is_lost():
    async def scene(rig):
        module = rig.wire
        for said in ((1_500, module.datagram(GET)), None):
            start = rig.clock.ms()
            ok = b"OK\r\n" if rig.sends == b"SKSENDTO" else b""
            module.replies[rig.sends] = (ok,) + said if said else None
            if said:
                assert await rig.driver.send(GET) == 2
            else:
                await caught(Timeout, rig.driver.send(GET))
            assert rig.times.pop() == start == rig.driver.sent_ms
            assert rig.clock.ms() >= start + 1_500

    play(scene)
