# The tables, and hw.py on chips that are recorded, not real. Only the chip's modules are fakes.
import asyncio
import io
import sys

from helpers import raises, run

BOARD = hasattr(asyncio, "sleep_ms")  # MicroPython: its own streams poll the fake line

NOT_FOUND = -0x1102
TOO_SMALL = -0x110C


class Chip:
    """What the firmware did to the chip, and what the chip says."""

    def __init__(self):
        self.uarts = []
        self.pins = {}
        self.driven = {}  # levels from outside
        self.timers = []
        self.watchdogs = []
        self.lan_status = 3  # a link, and no address
        self.fed = 0
        self.blobs = {}
        self.rtc_memory = b""
        self.date = None
        self.cause = 1
        self.pixels = []
        self.duties = []
        self.wifi = []  # calls
        self.status = 1000
        self.connected = False
        self.ssid = ""
        self.dhcp = True
        self.signal = None
        self.sight = []
        self.config = ("0.0.0.0",) * 4
        self.refuse = None


chip = Chip()


chip = Chip()


class Module:
    pass


# -- machine


class UART(io.IOBase):
    def __init__(self, number, baudrate, tx=None, rx=None, rxbuf=256, timeout=0):
        self.made = (number, baudrate, tx, rx, rxbuf)
        chip.uarts.append(self)
        self.waiting = []
        self.written = b""
        self.slow = 1 << 20  # bytes taken by one write

    def init(self, baudrate=0):
        self.baudrate = baudrate

    # What MicroPython's poll asks: 3 is "ready for these?", 1 to read, 4 to write.
    def ioctl(self, request, wanted):
        if request != 3:
            return -1
        return wanted & (5 if self.waiting else 4)

    def readinto(self, buf):
        data = self.waiting.pop(0) if self.waiting else None
        if data is None:
            return None
        buf[: len(data)] = data
        return len(data)

    def write(self, buf):
        n = min(len(buf), self.slow)
        self.written += bytes(buf[:n])
        return n


class Pin:
    IN, OUT, PULL_UP = 1, 3, 2

    def __init__(self, number, mode=None, pull=None, value=None):
        self.number = number
        self.mode = mode
        self.pull = pull
        self.levels = [] if value is None else [int(value)]
        self.level = chip.driven.get(number, 1) if value is None else int(value)
        chip.pins[number] = self

    def value(self, level=None):
        if level is None:
            return self.level
        self.level = int(level)
        self.levels.append(self.level)


class Timer:
    ONE_SHOT = 0

    def __init__(self, number):
        self.number = number
        self.period = None
        self.armed = 0
        chip.timers.append(self)

    def init(self, mode, period, callback):
        assert mode == self.ONE_SHOT and period > 0
        self.period = period
        self.callback = callback
        self.armed += 1

    def deinit(self):
        self.period = None

    def fire(self):
        period, self.period = self.period, None
        self.callback(self)
        return period


class WDT:
    def __init__(self, id=0, timeout=5000):
        chip.watchdogs.append(timeout)

    def feed(self):
        chip.fed += 1


class RTC:
    def memory(self, data=None):
        if data is None:
            return chip.rtc_memory
        chip.rtc_memory = bytes(data)

    def datetime(self, date):
        chip.date = date


class NVS:
    def __init__(self, space):
        self.space = space

    def get_blob(self, name, buf):
        if name not in chip.blobs:
            raise OSError(NOT_FOUND, "ESP_ERR_NVS_NOT_FOUND")
        blob = chip.blobs[name]
        if len(blob) > len(buf):
            raise OSError(TOO_SMALL, "ESP_ERR_NVS_INVALID_LENGTH")
        buf[: len(blob)] = blob
        return len(blob)

    def set_blob(self, name, blob):
        chip.blobs[name] = bytes(blob)

    def commit(self):
        chip.committed = dict(chip.blobs)


class NeoPixel:
    def __init__(self, pin, n):
        assert n == 1
        self.pin = pin
        self.pixel = None

    def __setitem__(self, i, rgb):
        assert i == 0
        self.pixel = rgb

    def write(self):
        chip.pixels.append(self.pixel)


class PWM:
    def __init__(self, pin, freq, duty_u16):
        assert freq and duty_u16 == 0
        self.pin = pin

    def duty_u16(self, duty):
        chip.duties.append((self.pin.number, duty))


class SPI:
    def __init__(self, number, sck, mosi, miso):
        self.made = (number, sck.number, mosi.number, miso.number)


class WLAN:
    def __init__(self, which):
        assert which == 0

    def scan(self):
        return chip.sight

    def active(self, on):
        chip.wifi.append(("active", on))

    def config(self, *args, **kwargs):
        if args:
            return chip.ssid
        chip.wifi.append(("config", kwargs))

    def isconnected(self):
        return chip.connected

    def connect(self, ssid, key):
        if chip.refuse:
            raise chip.refuse
        chip.wifi.append(("connect", ssid, key))

    def disconnect(self):
        chip.wifi.append(("disconnect",))
        chip.connected = False

    def status(self, what=None):
        if what is None:
            return chip.status
        if chip.signal is None:
            raise OSError("Wifi Not Connected")
        return chip.signal

    def ifconfig(self, config=None):
        if config is None:
            return chip.config
        chip.wifi.append(("ifconfig", config))
        chip.dhcp = False

    def ipconfig(self, *args, **kwargs):
        if args:
            return chip.dhcp
        chip.wifi.append(("dhcp", kwargs["dhcp4"]))


class LAN(WLAN):
    def __init__(self, number, **args):
        chip.lan = args

    def status(self, what=None):
        if what is not None:
            raise TypeError
        return chip.lan_status


def fakes():
    machine = Module()
    machine.UART, machine.Pin, machine.Timer, machine.WDT, machine.RTC = UART, Pin, Timer, WDT, RTC
    machine.PWM, machine.SPI = PWM, SPI
    machine.PWRON_RESET, machine.HARD_RESET, machine.WDT_RESET = 1, 2, 3
    machine.DEEPSLEEP_RESET, machine.SOFT_RESET = 4, 5
    machine.reset_cause = lambda: chip.cause
    machine.unique_id = lambda: b"\x24\x0a\xc4\x00\xbe\xef"
    machine.reset = lambda: chip.wifi.append(("reset",))
    esp32 = Module()
    esp32.NVS = NVS
    network = Module()
    network.WLAN, network.LAN, network.STA_IF = WLAN, LAN, 0
    network.PHY_LAN8720, network.PHY_W5500 = 0, 10
    network.STAT_WRONG_PASSWORD, network.STAT_HANDSHAKE_TIMEOUT = 202, 204
    network.hostname = lambda name: chip.wifi.append(("hostname", name))
    network.country = lambda code: chip.wifi.append(("country", code))
    neopixel = Module()
    neopixel.NeoPixel = NeoPixel
    return {"machine": machine, "esp32": esp32, "network": network, "neopixel": neopixel}


# CPython's streams are made for files; this is MicroPython's on a line that need not be polled.
class Stream:
    def __init__(self, port, extra=None):
        self.port = port
        self.out = b""

    async def readinto(self, buf):
        await asyncio.sleep(0)
        return self.port.readinto(buf)

    def write(self, buf):
        self.out += bytes(buf)

    async def drain(self):
        while self.out:
            await asyncio.sleep(0)
            self.out = self.out[self.port.write(self.out) :]


STREAMS = asyncio.StreamReader, asyncio.StreamWriter


def pulse(board):
    """-> what radio_reset() says"""
    if BOARD:
        return run(board.radio_reset())
    asyncio.sleep_ms = lambda ms: asyncio.sleep(ms / 1000)
    try:
        return run(board.radio_reset())
    finally:
        del asyncio.sleep_ms


REAL = {}  # the modules that the fakes stand for, while they do


def fresh(name="generic", table=None, cause=1, memory=b""):
    """A board on a new chip; with a `table` that no board has. The chip stays until the next."""
    chip.__init__()
    chip.cause, chip.rtc_memory = cause, memory
    for module, fake in fakes().items():
        REAL.setdefault(module, sys.modules.get(module))
        sys.modules[module] = fake
    for module in list(sys.modules):
        if module.startswith("boards."):
            del sys.modules[module]
    import boards

    try:
        if not BOARD:
            asyncio.StreamReader = asyncio.StreamWriter = Stream
        if table is None:
            return boards.pick(name)
        from boards.hw import Board

        return Board(name, table)
    finally:
        asyncio.StreamReader, asyncio.StreamWriter = STREAMS


def teardown_module():
    for module, was in REAL.items():
        sys.modules.pop(module, None)
        if was:
            sys.modules[module] = was
    sys.modules.pop("boards.hw", None)


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


# -- Wi-Fi


def test_up_and_join():
    net = fresh().net
    assert net.kind == "wifi" and not net.connected()
    net.up("kenshin-beef", "JP")
    net.dhcp()
    net.join("house", "key")
    assert chip.wifi == [
        ("hostname", "kenshin-beef"),
        ("country", "JP"),
        ("active", True),
        ("config", {"reconnects": 2}),
        ("connect", "house", "key"),
    ]


def test_join_leaves_alone_what_is_under_way_or_done():
    net = fresh().net
    chip.status = 1001
    net.join("house", "key")
    assert chip.wifi == []
    chip.status, chip.connected, chip.ssid = 1010, True, "house"
    net.join("house", "key")
    assert chip.wifi == []
    net.join("other", "key")  # the settings were changed while the driver kept its connection
    assert chip.wifi == [("disconnect",), ("connect", "other", "key")]


def test_why_not():
    net = fresh().net
    for status, word in (
        (1000, "no-wifi"),
        (201, "no-wifi"),
        (202, "wrong-key"),
        (1000, "wrong-key"),
        (204, "wrong-key"),
        (200, "no-wifi"),
        (15, "wrong-key"),
        (1001, "wrong-key"),
        (8, "no-wifi"),
        (2, "wrong-key"),
        (205, "no-wifi"),
        (212, "no-wifi"),
    ):
        chip.status = status
        assert net.why() == word, status
    chip.status, chip.signal = 1001, -60
    assert net.why() == "no-address"


# The driver forgets the reason as soon as it is told to try again.
def test_the_reason_is_remembered_over_a_new_try():
    net = fresh().net
    chip.status = 202
    net.join("house", "key")
    chip.status = 1001
    assert net.why() == "wrong-key"


def test_addresses():
    net = fresh().net
    net.static("192.0.2.5", "255.255.255.0", "192.0.2.1", "192.0.2.2")
    assert chip.wifi == [("ifconfig", ("192.0.2.5", "255.255.255.0", "192.0.2.1", "192.0.2.2"))]
    net.dhcp()
    assert chip.wifi[-1] == ("dhcp", True)
    chip.config = ("192.0.2.5", "255.255.255.0", "192.0.2.1", "192.0.2.2")
    assert net.address() == chip.config


def test_signal():
    net = fresh().net
    assert net.rssi() is None
    chip.signal = -71
    assert net.rssi() == -71


def test_kick():
    net = fresh().net
    net.kick()
    assert chip.wifi == [("disconnect",), ("active", False)]


def test_errors_of_the_driver_come_through():
    net = fresh().net
    for error in (OSError("Wifi Internal Error"), RuntimeError("Wifi Unknown Error 0x0101")):
        chip.refuse = error
        assert raises(type(error), net.join, "house", "key") is error


def test_networks_in_sight():
    net = fresh().net
    chip.sight = [
        (b"far", b"1", 1, -80, 3, False),
        (b"house", b"2", 6, -60, 3, False),
        (b"house", b"3", 11, -50, 3, False),
        (b"", b"4", 6, -40, 3, True),
        (b"\xff\xfe", b"5", 6, -30, 3, False),
    ]
    assert net.scan() == [(-50, "house"), (-80, "far")]
    assert chip.wifi[0] == ("active", True)


def test_joining_says_whether_it_began():
    net = fresh().net
    assert net.join("house", "key") is True
    chip.status = 1001
    assert net.join("other", None) is False


def test_a_board_has_no_other_methods():
    board = fresh()
    for thing in (board, board.net):
        raises(AttributeError, getattr, thing, "burn")


def lan_pins():
    return {name: getattr(value, "number", value) for name, value in chip.lan.items()}


def test_ethernet_by_lan8720():
    board = fresh("generic-lan8720")
    net = board.net
    assert net.kind == "lan"
    assert lan_pins() == {"mdc": 23, "mdio": 18, "power": 12, "phy_addr": 0, "phy_type": 0}
    net.up("kenshin-beef", "JP")
    assert net.join(None, None) is False
    assert ("active", True) in chip.wifi and not [c for c in chip.wifi if c[0] == "connect"]
    assert net.rssi() is None
    for status, word in ((0, "no-cable"), (1, "no-cable"), (3, "no-address"), (4, "no-cable")):
        chip.lan_status = status
        assert net.why() == word
    net.kick()
    assert chip.wifi[-1] == ("active", False) and ("disconnect",) not in chip.wifi


def test_ethernet_by_w5500():
    fresh("generic-w5500")
    pins = lan_pins()
    assert pins.pop("spi").made == (2, 18, 23, 19)
    assert pins == {"cs": 5, "int": 4, "phy_addr": 0, "phy_type": 10}
