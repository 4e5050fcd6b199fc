# The modules of the chip that hw.py uses, recorded and not real.
import asyncio
import io
import sys

from helpers import run

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
