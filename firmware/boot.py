# The way back in. It runs at every start, also before each command of mpremote, and must work
# whatever lies in lib/: so it is short, and talks to the chip itself.
import machine

# The watchdog outlives a soft reset, as mpremote does it; it cannot be stopped, only
# stretched. Whether it runs is told by the first byte of the RTC memory, set by boards/hw.py.
_rtc = machine.RTC()
_note = _rtc.memory()
if _note[:1] == b"W":
    if machine.reset_cause() == machine.SOFT_RESET:
        machine.WDT(timeout=3_600_000)
    else:
        _rtc.memory(b"-" + _note[1:])  # a real reset has stopped it
