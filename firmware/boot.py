# The way back in. It runs at every start, also before each command of mpremote, and must work
# whatever lies in lib/: so it is short, and talks to the chip itself. The RTC memory is described
# in lib/boards/hw.py.
import machine

_rtc = machine.RTC()
_note = _rtc.memory()
_head = ((_note[:4] or b"-") + b"\0\0\0")[:4]  # nothing, when the power was off
if machine.reset_cause() == machine.SOFT_RESET:
    # The watchdog outlives a soft reset, as mpremote does it; it cannot be stopped, only
    # stretched.
    if _head[:1] == b"W":
        machine.WDT(timeout=3_600_000)
else:
    # A real reset has stopped the watchdog; and it is a start that is yet to become a good one.
    _rtc.memory(b"-" + bytes((min(_head[1] + 1, 255),)) + _head[2:] + _note[4:])
