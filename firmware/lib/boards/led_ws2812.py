# One WS2812 (or SK6812), in colour. The board keeps one of the led_* modules.
from machine import Pin
from neopixel import NeoPixel


class Lamp:
    def __init__(self, number):
        self._pixels = NeoPixel(Pin(number, Pin.OUT, value=0), 1)

    def show(self, rgb):
        self._pixels[0] = rgb
        self._pixels.write()
