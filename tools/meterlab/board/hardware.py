"""What is soldered to a board: which pin carries the LED and the button, how many pins the chip
has.
"""

from __future__ import annotations

from dataclasses import dataclass

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Hardware:
    """A board on the outside.

    `led_pin` of a plain LED lights at level `led_on` in `led_colour`; a WS2812 tells its own
    colour. The button pulls its pin to ground.
    """

    name: str
    led_pin: int
    led_on: int = 1
    led_colour: Colour = (0, 0, 255)
    button_pin: int = 0
    pins: int = 40
    input_only: int = 34
    frequency: int = 160_000_000


HARDWARE = {
    board.name: board
    for board in (
        Hardware("generic", led_pin=2),
        Hardware("atoms3lite-a1", led_pin=35, button_pin=41, pins=49, input_only=99),
        Hardware("atoms3lite-c1", led_pin=35, button_pin=41, pins=49, input_only=99),
    )
}
