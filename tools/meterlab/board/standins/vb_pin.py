# Pins. Outputs are told to the PC side with the time; inputs are what the PC side drives, or the
# pull.
import sys
from time import ticks_ms

import vb_chip as chip
import vb_regs as r

_MASK = 0x3FFFFFFF
_pins = {}
_levels_seen = [chip.R[r.PIN_SEQ]]


class Pin:
    IN = 1
    OUT = 3
    OPEN_DRAIN = 7
    PULL_DOWN = 1
    PULL_UP = 2
    IRQ_RISING = 1
    IRQ_FALLING = 2
    WAKE_LOW = 4
    WAKE_HIGH = 5
    DRIVE_0 = 0
    DRIVE_1 = 1
    DRIVE_2 = 2
    DRIVE_3 = 3

    def __new__(cls, id, *args, **kwargs):
        if isinstance(id, Pin):
            return id
        if not isinstance(id, int) or not 0 <= id < chip.R[r.PIN_COUNT]:
            raise ValueError("invalid pin")
        pin = _pins.get(id)
        if pin is None:
            pin = _pins[id] = object.__new__(cls)
            pin._id = id
            pin._mode = pin._pull = pin._out = pin._trigger = 0
            pin._handler = None
            pin._edges = bytearray((chip.B[r.RISES + id], chip.B[r.FALLS + id]))
        return pin

    def __init__(self, id, mode=None, pull=-1, *, value=None, drive=None, hold=None):
        if mode is not None or pull != -1 or value is not None:
            self.init(mode, pull, value=value)

    def init(self, mode=None, pull=-1, *, value=None, drive=None, hold=None):
        if pull != -1:
            self._pull = pull or 0
        if value is not None:
            self._out = 1 if value else 0
        if mode is not None:
            if mode & 2 and self._id >= chip.R[r.INPUT_ONLY]:
                raise ValueError("pin can only be input")
            self._mode = mode
        if self._mode & 2 and (mode is not None or value is not None):
            chip.event("P", self._id, self._out, ticks_ms() & _MASK)

    def value(self, x=None):
        if x is None:
            if self._mode & 2 and not (self._mode & 4 and self._out):
                return self._out
            level = chip.B[r.PINS + self._id]
            return level if level < 2 else self._pull >> 1 & 1
        x = 1 if x else 0
        self._out = x
        if self._mode & 2:
            chip.event("P", self._id, x, ticks_ms() & _MASK)

    def __call__(self, x=None):
        return self.value(x)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(1 - self._out)

    def irq(self, handler=None, trigger=IRQ_FALLING | IRQ_RISING, wake=None):
        self._trigger = trigger
        self._handler = handler
        return self

    def __repr__(self):
        return "Pin(%d)" % self._id


# A pin by another polarity.
class Signal:
    def __init__(self, pin, *args, invert=False, **kwargs):
        self._pin = pin if isinstance(pin, Pin) else Pin(pin, *args, **kwargs)
        self._invert = 1 if invert else 0

    def value(self, x=None):
        if x is None:
            return self._pin.value() ^ self._invert
        self._pin.value((1 if x else 0) ^ self._invert)

    def __call__(self, x=None):
        return self.value(x)

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


# WS2812 and its like: the PC side sees the bytes, not the wave form.
def bitstream(pin, encoding, timing, data):
    head = bytes((pin._id, 0)) + (ticks_ms() & _MASK).to_bytes(4, "little")
    chip.event_bytes("N", head + bytes(data))


def _on_interrupt():
    if chip.R[r.PIN_SEQ] == _levels_seen[0]:
        return
    _levels_seen[0] = chip.R[r.PIN_SEQ]
    for pin in _pins.values():
        for trigger, place, seen in ((Pin.IRQ_RISING, r.RISES, 0), (Pin.IRQ_FALLING, r.FALLS, 1)):
            edges = chip.B[place + pin._id]
            new = (edges - pin._edges[seen]) & 0xFF
            pin._edges[seen] = edges
            if pin._handler and pin._trigger & trigger:
                for _ in range(new):
                    _call(pin)


def _call(pin):
    try:
        pin._handler(pin)
    except BaseException as e:
        sys.print_exception(e)


chip.listeners.append(_on_interrupt)
