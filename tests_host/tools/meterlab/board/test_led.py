"""The LED in words: derived from its changes alone."""

from __future__ import annotations

import pytest

from meterlab.board.led import LedWatch, name

GREEN, RED, OFF = (0, 32, 0), (40, 0, 0), (0, 0, 0)


def played(times, cycles, colour=GREEN, start=0, jitter=()):
    """A watch that has seen `cycles` of (on, off, ...), and the time at their end."""
    watch = LedWatch()
    at, i = start, 0
    for _ in range(cycles):
        for k, length in enumerate(times):
            watch.change(at, OFF if k & 1 else colour)
            at += length + (jitter[i % len(jitter)] if jitter else 0)
            i += 1
    return watch, at


@pytest.mark.parametrize(
    ("colour", "word"),
    [
        ((0, 255, 0), "green"), ((0, 8, 0), "green"), ((255, 0, 0), "red"), ((0, 0, 20), "blue"),
        ((9, 9, 9), "white"), ((30, 10, 0), "orange"), ((30, 25, 0), "yellow"),
        ((30, 0, 30), "magenta"),
        ((0, 20, 20), "cyan"), ((0, 0, 0), "off"), ((12, 0, 24), "purple"),
    ],
)  # fmt: skip
def test_names_of_colours(colour, word):
    assert name(colour) == word


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ((100, 150, 100, 1650), "green, double blink"),
        ((100, 150, 100, 150, 100, 1400), "green, triple blink"),
        ((100, 100, 100, 100, 100, 100, 100, 1300), "green, quadruple blink"),
        ((100,) * 9 + (1300,), "green, 5-fold blink"),
        ((500, 500), "green, blink"),
        ((100, 100), "green, fast blink"),
        ((1500, 1500), "green, slow blink"),
        ((50, 1950), "green, short flash"),
        ((80, 2920), "green, short flash"),
        ((900, 100), "green, blink"),
    ],
)
def test_patterns(times, words):
    watch, at = played(times, max(4, 1500 // sum(times)))
    state, again = watch.look(at)
    assert str(state) == words
    assert state.times == times
    assert again is not None


def test_a_late_timer_does_not_confuse_it():
    watch, at = played((100, 150, 100, 1650), 5, jitter=(0, 25, 3, 14, 30, 0, 8))
    assert str(watch.look(at)[0]) == "green, double blink"


def test_it_is_recognised_after_two_cycles():
    watch, at = played((100, 150, 100, 1650), 2)
    watch.change(at, GREEN)
    assert str(watch.look(at + 1)[0]) == "green, double blink"


def test_steady_needs_a_while_and_no_more():
    watch = LedWatch()
    watch.change(1000, RED)
    state, again = watch.look(1100)
    assert str(state) == "red, changing"
    assert again is not None
    assert str(watch.look(1100 + again)[0]) == "red, steady"
    assert watch.look(1100 + again)[1] is None


def test_from_blinking_to_steady_and_off():
    watch, at = played((100, 150, 100, 1650), 3)
    watch.change(at, RED)
    assert str(watch.look(at + 500)[0]) == "green, double blink"
    assert str(watch.look(at + 4000)[0]) == "red, steady"
    watch.change(at + 5000, OFF)
    assert str(watch.look(at + 9000)[0]) == "off"


def test_two_colours_alternate():
    watch = LedWatch()
    for i in range(8):
        watch.change(i * 300, RED if i & 1 else (0, 0, 30))
    assert str(watch.look(2400)[0]) == "blue and red, alternating"


def test_another_pattern_takes_over():
    watch, at = played((100, 150, 100, 1650), 3)
    for _ in range(4):
        watch.change(at, RED)
        watch.change(at + 500, OFF)
        at += 1000
    assert str(watch.look(at)[0]) == "red, blink"


def test_power_off_is_dark():
    watch, at = played((500, 500), 3)
    watch.reset()
    assert str(watch.look(at)[0]) == "off"


PLAYER = """
from machine import Pin, Timer
from neopixel import NeoPixel
led = NeoPixel(Pin(35, Pin.OUT), 1)
def show(rgb):
    led[0] = rgb
    led.write()
def play(rgb, times):
    at = 0
    def step(t):
        nonlocal at
        show(rgb if at % 2 == 0 else (0, 0, 0))
        t.init(mode=Timer.ONE_SHOT, period=times[at], callback=step)
        at = (at + 1) % len(times)
    step(Timer(0))
"""


def test_ws2812_on_a_board(make_board, connect):
    board = make_board(hardware="atoms3lite-a1")
    raw = connect(board)
    raw.raw()
    raw.run(PLAYER + "play((0, 20, 0), (60, 60, 60, 420))")
    assert board.wait_led("green, double blink", 8).times[3] > 300
    raw.run("Timer(0).deinit(); show((20, 0, 0))")
    board.wait_led("red, steady", 8)
    board.power_cut()
    assert str(board.led) == "off"


def test_plain_led_on_a_board(board, connect):
    raw = connect(board)
    raw.raw()
    raw.run(
        "from machine import Pin, Timer\np = Pin(2, Pin.OUT)\n"
        "t = Timer(0, period=250, callback=lambda t: p.toggle())"
    )
    board.wait_led("blue, fast blink", 8)
    raw.run("t.deinit(); p.on()")
    board.wait_led("blue, steady", 8)
    assert b"LED" not in raw.seen
