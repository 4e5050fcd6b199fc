# Timers: the callback runs between two bytecodes of whatever is running, as on a board.
import sys
from time import ticks_add, ticks_diff, ticks_ms

import vb_chip as chip

_HARDWARE = 4
_timers = []
_by_id = {}


class Timer:
    ONE_SHOT = 0
    PERIODIC = 1

    def __new__(cls, id, *args, **kwargs):
        if id == -1:
            return object.__new__(cls)
        if not 0 <= id < _HARDWARE:
            raise ValueError("invalid Timer number, max %d" % _HARDWARE)
        timer = _by_id.get(id)
        if timer is None:
            timer = _by_id[id] = object.__new__(cls)
        return timer

    def __init__(self, id, **kwargs):
        self._id = id
        if not hasattr(self, "_callback"):
            self._mode = self._period = self._due = 0
            self._callback = None
        if kwargs:
            self.init(**kwargs)

    def init(
        self, *, mode=PERIODIC, callback=None, period=-1, tick_hz=1000, freq=None, hard=False
    ):
        if hard:
            raise ValueError("hard Timers are not implemented")
        if freq is not None:
            period = int(1000 / freq)
        elif period < 0:
            period = 1 << 29
        else:
            period = period * 1000 // tick_hz
        chip.hold()
        try:
            self._mode = mode
            self._callback = callback
            self._period = max(period, 1)
            self._due = ticks_add(ticks_ms(), min(self._period, (1 << 29) - 1))
            if self not in _timers:
                _timers.append(self)
            _arm()
        finally:
            chip.release()

    def deinit(self):
        chip.hold()
        try:
            if self in _timers:
                _timers.remove(self)
                _arm()
        finally:
            chip.release()

    def value(self):
        left = ticks_diff(self._due, ticks_ms())
        return self._period - left if self in _timers else 0

    def __repr__(self):
        return "Timer(%d, mode=%s, period=%d)" % (
            self._id,
            "PERIODIC" if self._mode else "ONE_SHOT",
            self._period,
        )


def _arm():
    now = ticks_ms()
    first = None
    for timer in _timers:
        left = ticks_diff(timer._due, now)
        if first is None or left < first:
            first = left
    chip.alarm(0 if first is None else max(first, 1))


chip.rearm = _arm


# A callback's exception is shown and the timer goes on.
def _call(timer):
    try:
        timer._callback(timer)
    except BaseException as e:
        sys.print_exception(e)


def _on_interrupt():
    i = 0
    while i < len(_timers):
        timer = _timers[i]
        if ticks_diff(timer._due, ticks_ms()) <= 0:
            if timer._mode:
                while ticks_diff(timer._due, ticks_ms()) <= 0:
                    timer._due = ticks_add(timer._due, timer._period)
            else:
                _timers.remove(timer)
                i -= 1
            if timer._callback:
                _call(timer)
        i += 1


chip.listeners.append(_on_interrupt)
