# The light behind a screen that shows nothing: rhythm and brightness without a colour. The board
# keeps one of the led_* modules.
from machine import PWM, Pin


class Lamp:
    def __init__(self, number):
        self._pwm = PWM(Pin(number, Pin.OUT, value=0), freq=1000, duty_u16=0)

    def show(self, rgb):
        self._pwm.duty_u16(max(rgb) * 257)
