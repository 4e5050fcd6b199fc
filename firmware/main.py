# Starts the gateway. Ctrl-C, or `stop` at its console, ends here in the Python prompt; what goes
# wrong is shown and ends in a restart, never in a prompt that nobody looks at. Starts that go
# wrong are counted by boot.py; after three of them, or with the button held, it is safe mode.
import gc

gc.threshold(4096)  # before anything is loaded: late collections leave the heap in splinters

import sys
import time

import machine

_PAUSE_S = 10
_LONG_S = 600
_STARTS = 3

rtc = machine.RTC()
try:
    import gateway

    if not gateway.safe.mode():
        gateway.run()
except KeyboardInterrupt:
    pass  # somebody is there
except Exception as e:  # noqa: BLE001  there is nobody above to tell it to
    sys.print_exception(e)
    note = rtc.memory()
    # More often than safe mode would let it come to: what lies in lib/ is broken.
    pause = _PAUSE_S if note[1] <= _STARTS else _LONG_S
    why = "%s: %s" % (type(e).__name__, e)
    rtc.memory(note[:4] + why.encode()[:120])
    print("The board restarts in %d s. Ctrl-C gives the Python prompt instead." % pause)
    time.sleep(pause)
    machine.reset()

# Who stopped it is there: this was no start that failed.
note = rtc.memory()
rtc.memory(note[:1] + b"\0\0\0" + note[4:])
