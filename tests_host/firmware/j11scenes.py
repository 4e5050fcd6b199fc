"""What tests of the J11 driver begin with: a driver, a small module, and a meter."""

from fakej11 import PAN_ID, J11Module
from fakeradio import Clock, Rig
from helpers import hex_, run
from j11frames import MAC, PASSWORD, RBID
from wisun import Pan
from wisun.j11 import J11

PAN = Pan(0x31, PAN_ID, MAC, None, None)
HEARD = Pan(0x31, PAN_ID, MAC, -34, "CCDDEEFF")  # as a scan tells it
GET = hex_("1081000105FF010288016201E700")


# Plays a scene, a coroutine function, with a rig; the options are the module's.
def play(scene, **options):
    rig = Rig(J11, J11Module(Clock(), **options))
    run(rig.play(scene))
    return rig


async def joined(rig):
    await rig.driver.configure(RBID, PASSWORD)
    await rig.driver.join(PAN)
    rig.clear()
