# A plain LED: on for any colour. The board keeps one of the led_* modules.
from machine import Pin


class Lamp:
    def __init__(self, number, lit):
        """`lit`: the level that lights it."""
        self._lit = lit
        self._pin = Pin(number, Pin.OUT, value=not lit)

    def show(self, rgb):
        self._pin.value(self._lit if any(rgb) else not self._lit)
