# The `machine` module of a board.
from time import sleep_ms as _sleep_ms
from time import ticks_ms as _ticks_ms

import vb_chip as _chip
import vb_regs as _r
import vb_time as _time
from vb_pin import Pin, Signal, bitstream
from vb_timer import Timer
from vb_uart import UART

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
DEEPSLEEP_RESET = 4
SOFT_RESET = 5
PIN_WAKE = 2
EXT0_WAKE = 2
EXT1_WAKE = 3
TIMER_WAKE = 4
TOUCHPAD_WAKE = 5
ULP_WAKE = 6

_MASK = 0x3FFFFFFF
_frequency = [160000000]


def reset():
    _chip.event("R", 0)
    _chip.stop()


def soft_reset():
    raise SystemExit


def reset_cause():
    return _chip.R[_r.RESET_CAUSE]


def wake_reason():
    return _chip.R[_r.WAKE_REASON]


def unique_id():
    return bytes(memoryview(_chip.B)[_r.UNIQUE_ID : _r.UNIQUE_ID + 6])


def freq(hz=None):
    if hz is None:
        return _frequency[0]
    if hz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")
    _frequency[0] = hz


def idle():
    _sleep_ms(1)


def lightsleep(ms=None):
    if ms is None:
        while True:
            _sleep_ms(1000)
    _sleep_ms(ms)


sleep = lightsleep


def deepsleep(ms=-1):
    _chip.event("D", ms)
    _chip.stop()


def disable_irq():
    _chip.hold()
    return 0


def enable_irq(state=0):
    _chip.release()


# Bites for real: the PC side resets the board when it is not fed in time, whatever the board is
# doing.
class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        _chip.R[_r.WDT_FED] = _ticks_ms() & _MASK
        _chip.R[_r.WDT_MS] = timeout
        _chip.event("W", timeout)

    def feed(self):
        _chip.R[_r.WDT_FED] = _ticks_ms() & _MASK


# What a board hands to network.LAN; nothing else hangs on it.
class SPI:
    def __init__(self, id, baudrate=500_000, *, sck=None, mosi=None, miso=None):
        if id not in (1, 2):
            raise ValueError("SPI(%d) doesn't exist" % id)
        if not sck or not mosi or not miso:
            raise ValueError("pins")
        self.pins = sck, mosi, miso


# Runs on through every reset; its memory survives all but a loss of power.
class RTC:
    def __init__(self, id=0):
        pass

    def datetime(self, t=None):
        if t is None:
            seconds, micro = _time._rtc()
            y, mo, d, h, mi, s, weekday, _ = _time.gmtime(seconds)
            return y, mo, d, weekday, h, mi, s, micro
        y, mo, d, _, h, mi, s, micro = t
        _time._set_rtc(_time.mktime((y, mo, d, h, mi, s, 0, 0)), micro)

    def init(self, t):
        self.datetime(t)

    def memory(self, data=None):
        if data is None:
            n = _chip.R[_r.RTC_LENGTH_WORD]
            return bytes(memoryview(_chip.B)[_r.RTC_MEMORY : _r.RTC_MEMORY + n])
        n = len(data)
        if n > _r.RTC_MEMORY_SIZE:
            raise ValueError("buffer too long")
        _chip.hold()
        try:
            memoryview(_chip.B)[_r.RTC_MEMORY : _r.RTC_MEMORY + n] = data
            _chip.R[_r.RTC_LENGTH_WORD] = n
        finally:
            _chip.release()
