# The tables, and hw.py on chips that are recorded, not real. Only the chip's modules are fakes.
import asyncio
import sys

from fakechip import TOO_SMALL, Pin, chip, fresh, pulse
from fakechip import teardown_module as teardown_module
from helpers import raises, run

# -- the tables


def test_every_board_can_be_picked_and_its_table_is_not_kept():
    import boards

    for name in boards.load("names").NAMES:
        board = fresh(name)
        assert board.name == name and len(chip.uarts) == 1
        kept = [module for module in sys.modules if module.startswith("boards.")]
        assert kept == ["boards.hw"] and not hasattr(boards, name.split("-")[0])


def test_every_table_has_a_name_and_only_what_is_known():
    import boards

    names = []
    known = "about uart led button reset high radio lan note".split()
    for file in sorted({name.split("-")[0] for name in boards.load("names").NAMES}):
        for kind, table in boards.load(file).TABLES.items():
            names.append(file + ("-" + kind if kind else ""))
            assert not [key for key in table if key not in known], table
            assert table["about"] and len(table["uart"]) == 3
            pins = list(table["uart"][1:]) + [table[k] for k in ("button", "reset") if k in table]
            pins += list(table.get("high", ()))
            pins += list(table.get("led", ("", -1))[1:2])
            assert len(pins) == len(set(pins)), (names[-1], pins)
            assert table.get("radio") in (None, "bp35a1", "j11")
    assert sorted(names) == sorted(boards.load("names").NAMES)


def test_a_board_can_be_set_by_its_name_only():
    from gateway import settings_check
    from gateway.settings import SettingError

    assert settings_check.value("board.type", " AtomS3Lite-C1 ") == "atoms3lite-c1"
    for wrong in ("esp8266", "rare", "hw", "generic-", "atoms3"):
        e = raises(SettingError, settings_check.value, "board.type", wrong)
        assert "generic-w5500" in str(e)


def test_a_board_that_is_none():
    import boards

    e = raises(ValueError, boards.pick, "esp8266")
    assert "esp8266" in str(e) and "atoms3lite-c1" in str(e)
    for name in ("rare", "hw", "generic-", "lan", "names"):
        raises(ValueError, boards.pick, name)


def test_pins_of_the_boards():
    for name, uart, led, button, reset in (
        ("generic", (1, 115200, 17, 16, 4096), 2, 0, None),
        ("atoms3lite-a1", (1, 115200, 6, 7, 4096), 35, 41, None),
        ("atoms3lite-c1", (1, 115200, 6, 7, 4096), 35, 41, 5),
    ):
        board = fresh(name)
        assert chip.uarts[0].made == uart
        assert chip.pins[led].mode == Pin.OUT
        assert (reset in chip.pins) == (reset is not None)
        assert pulse(board) == (reset is not None)
        assert board.button() is False
        assert (chip.pins[button].mode, chip.pins[button].pull) == (Pin.IN, Pin.PULL_UP)
        chip.driven[button] = 0
        assert board.button() is True


def test_a_bare_board():
    board = fresh("bare", {"uart": (2, 1, 3)})
    board.led(((1, 2, 3), (100, 100)))
    assert board.button() is False and not pulse(board)
    assert chip.timers == [] and chip.pins == {}


# -- LED


def test_a_steady_light_needs_no_timer():
    board = fresh("atoms3lite-a1")
    board.led(((0, 40, 0), ()))
    assert chip.pixels[-1] == (0, 40, 0) and chip.timers[0].armed == 0


def test_a_pattern_plays_by_itself_and_repeats():
    board = fresh("atoms3lite-a1")
    board.led(((40, 0, 0), (100, 150, 200, 900)))
    chip.pixels[:] = chip.pixels[-1:]
    periods = [chip.timers[0].fire() for _ in range(8)]
    assert periods == [100, 150, 200, 900] * 2
    assert chip.pixels == [(40, 0, 0), (0, 0, 0)] * 4 + [(40, 0, 0)]


def test_a_new_pattern_starts_at_its_beginning():
    board = fresh("atoms3lite-a1")
    board.led(((40, 0, 0), (100, 150)))
    chip.timers[0].fire()
    board.led(((0, 0, 40), (300, 300)))
    assert chip.pixels[-1] == (0, 0, 40) and chip.timers[0].period == 300
    board.led(((0, 40, 0), ()))
    assert chip.timers[0].period is None and chip.pixels[-1] == (0, 40, 0)


# The timer's call may have been under way when the pattern changed.
def test_a_late_call_does_not_bring_the_old_pattern_back():
    board = fresh("atoms3lite-a1")
    board.led(((40, 0, 0), (100, 150)))
    late = chip.timers[0].callback
    board.led(((0, 40, 0), ()))
    late(None)
    assert chip.pixels[-1] == (0, 40, 0) and chip.timers[0].period is None


def test_plain_leds_of_both_polarities():
    for lit in (1, 0):
        board = fresh("plain", {"uart": (1, 17, 16), "led": ("plain", 2, lit)})
        pin = chip.pins[2]
        assert pin.levels == [1 - lit], "dark at first"
        board.led(((0, 40, 0), ()))
        assert pin.level == lit
        board.led(((40, 0, 0), (100, 100)))
        chip.timers[0].fire()
        assert pin.level == 1 - lit
        board.led(((0, 0, 0), ()))
        assert pin.level == 1 - lit


def test_a_backlight_keeps_the_rhythm_and_the_brightness():
    board = fresh("atoms3-a1")
    board.led(((40, 0, 0), (100, 100)))
    chip.timers[0].fire()
    board.led(((0, 255, 3), ()))
    board.led(((0, 0, 0), ()))
    assert chip.duties == [(16, 40 * 257), (16, 0), (16, 65535), (16, 0)]


def test_pins_that_must_be_high():
    fresh("stickcplus2-a1")
    assert chip.pins[4].mode == Pin.OUT and chip.pins[4].levels == [1]


# -- UART


def test_reading_waits_until_there_is_something():
    board = fresh()
    chip.uarts[0].waiting = [None, b"", None, b"OK\r\n"]
    buf = bytearray(8)
    assert run(board.uart.readinto(memoryview(buf))) == 4
    assert buf[:4] == b"OK\r\n"


def test_writing_ends_when_all_is_written():
    board = fresh()
    chip.uarts[0].slow = 3
    run(board.uart.write(b"SKVER\r\n"))
    assert chip.uarts[0].written == b"SKVER\r\n"


def test_another_speed():
    board = fresh()
    board.uart_baud(57600)
    assert chip.uarts[0].baudrate == 57600


# -- memory that outlives the program


def test_blobs():
    board = fresh()
    assert board.nvs.get("settings.0") is None
    for size in (0, 1, 256, 257, 2512):
        board.nvs.set("settings.0", bytes(size))
        assert board.nvs.get("settings.0") == bytes(size)
    board.nvs.commit()
    assert chip.committed == {"settings.0": bytes(2512)}


def test_a_fault_of_the_flash_is_not_taken_for_an_empty_one():
    board = fresh()
    board.nvs.set("x", bytes(5000))
    e = raises(OSError, board.nvs.get, "x")
    assert e.args[0] == TOO_SMALL


def test_the_settings_can_be_read_before_the_board_is_known():
    import boards

    fresh()
    chip.blobs["x"] = b"y"
    assert boards.nvs().get("x") == b"y"
    assert sorted(chip.pins) == [2], "no more than the board before"


def test_why_the_program_restarted_is_told_once():
    for note in (b"", b"-\1\0\0", b"W\3\1\0" + b"x" * 200):
        board = fresh()
        chip.rtc_memory = note
        board.restart("memory \u3042" + "x" * 200)
        assert chip.wifi[-1] == ("reset",) and len(chip.rtc_memory) == 124
        assert chip.rtc_memory[:4] == (note + bytes(4))[:4]
        kept = chip.rtc_memory
        again = fresh(cause=2, memory=kept)
        assert again.reset_cause() == "hard: memory \u3042" + "x" * 110
        assert chip.rtc_memory == kept[:4]
        assert fresh(cause=2, memory=chip.rtc_memory).reset_cause() == "hard"


def test_half_a_character_is_left_out():
    board = fresh()
    board.restart("x" * 119 + "\u3042")
    assert chip.rtc_memory[4:] == b"x" * 119
    board.restart("")
    assert chip.rtc_memory[4:] == b""


def test_starts_are_counted_until_one_is_good():
    board = fresh()
    assert board.starts() == (0, 0)
    chip.rtc_memory = b"-\4\0\0text"
    assert board.starts() == (4, 0)
    assert board.safe() == 1 and board.starts() == (0, 1) and chip.rtc_memory == b"-\0\1\0text"
    chip.rtc_memory = b"-\4\1\0"
    assert board.safe() == 2 and chip.rtc_memory == b"-\0\2\0"
    board.wdt(1000)
    assert chip.rtc_memory == b"W\0\2\0"
    chip.rtc_memory = b"W\1\2\0"
    board.good()
    assert chip.rtc_memory == b"W\0\0\0" and board.starts() == (0, 0)


# -- the chip


def test_watchdog():
    board = fresh()
    board.feed()
    assert chip.fed == 0, "not before it is armed"
    board.wdt(120_000)
    board.feed()
    board.wdt(3_600_000)
    board.feed()
    assert chip.watchdogs == [120_000, 3_600_000] and chip.fed == 2


def test_reset_and_its_cause():
    for cause, word in (
        (1, "power-on"),
        (2, "hard"),
        (3, "watchdog"),
        (4, "deep-sleep"),
        (5, "soft"),
        (9, "unknown"),
    ):
        board = fresh(cause=cause)
        assert board.reset_cause() == word
    board.reset()
    assert chip.wifi[-1] == ("reset",)
    assert board.unique_id()[-1] == 0xEF


def test_the_watchdog_bites_and_the_next_start_tells_who_it_was():
    board = fresh()
    chip.rtc_memory = b"-\1\0\0"
    board.wdt(1000)
    board.doing("network")
    board.doing("meter")
    assert chip.rtc_memory == b"W\1\0m"
    assert fresh(cause=3, memory=chip.rtc_memory).reset_cause() == "watchdog (meter)"
    assert fresh(cause=2, memory=chip.rtc_memory).reset_cause() == "hard"
    for note in (b"", b"W", b"W\1\0\0", b"W\1\0?"):
        assert fresh(cause=3, memory=note).reset_cause() == "watchdog"


def test_radio_reset_is_a_pulse():
    board = fresh("atoms3lite-c1")
    assert pulse(board)
    assert chip.pins[5].levels == [1, 0, 1]


def test_radio_power_is_off_for_longer():
    slept = []

    async def sleep_ms(ms):
        slept.append(ms)

    board = fresh()
    assert board.power_pin is None
    pin = sys.modules["machine"].Pin
    board.power_pin = pin(4, pin.OUT, value=1)
    real, asyncio.sleep_ms = getattr(asyncio, "sleep_ms", None), sleep_ms
    try:
        assert run(board.radio_reset(True))
        assert not run(board.radio_reset())
    finally:
        if real:
            asyncio.sleep_ms = real
        else:
            del asyncio.sleep_ms
    assert chip.pins[4].levels == [1, 0, 1]
    assert len(slept) == 1 and slept[0] >= 1000


# 2026-11-20 07:28:09 UTC, a Friday, whichever year this Python counts its seconds from.
def test_calendar():
    import time

    board = fresh()
    board.set_rtc(1_795_159_689)
    assert chip.date == (2026, 11, 20, 4, 7, 28, 9, 0)

    class Since2000:
        @staticmethod
        def gmtime(seconds):
            return time.gmtime(seconds + 946_684_800)

    sys.modules["time"] = Since2000
    try:
        chip.date = None
        board.set_rtc(1_795_159_689)
    finally:
        sys.modules["time"] = time
    assert chip.date == (2026, 11, 20, 4, 7, 28, 9, 0)
