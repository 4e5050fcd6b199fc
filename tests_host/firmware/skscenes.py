"""What tests of the SKSTACK driver begin with: a driver, a small module, and a meter."""

from fakemodule import Module
from fakeradio import MAC, PASSWORD, RBID, Clock, Rig
from helpers import run
from wisun import Pan
from wisun.skstack import SkStack

PAN = Pan(0x39, 0x8CF5, MAC, None, None)
GET = b"\x10\x81\x00\x01\x05\xff\x01\x02\x88\x01\x62\x01\xe7\x00"


# Plays a scene, a coroutine function, with a rig; the options are the module's.
def play(scene, **options):
    rig = Rig(SkStack, Module(Clock(), **options))
    run(rig.play(scene))
    return rig


async def joined(rig):
    await rig.driver.configure(RBID, PASSWORD)
    await rig.driver.join(PAN)
    rig.clear()
