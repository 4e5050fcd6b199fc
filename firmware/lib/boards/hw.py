# The hardware: nothing outside boards/ touches machine, network or esp32. A table of pins and the
# like (see generic.py) makes a Board of it. Here is what stays in memory; the other methods, those
# needed now and then, are in rare.py.
#
# The RTC memory, 2 KB that outlive everything but the loss of power:
#   byte 0   b"W" while the watchdog runs, else b"-"      wdt() and boot.py
#   byte 1   starts in a row that were not good           boot.py counts, good() clears
#   byte 2   times in a row that led to safe mode         safe() counts, good() clears
#   byte 3   first letter of the task that may be the one  doing()
#            that hangs, when the watchdog bites
#   byte 4.. why the program itself restarted the board   restart(why), main.py; text in UTF-8,
#            at most 120 bytes. The next Board takes it away and tells it in reset_cause(), by
#            which gateway.parts knows that the new settings are to be checked.
import asyncio

import esp32
import machine
import network
from machine import Pin, Timer

from boards import load
from micropython import const

_RXBUF = const(4096)  # 355 ms at 115200: an erase of the flash stops Python for 50
_SMALL = const(256)
_LARGE = const(2600)
_NVS_NOT_FOUND = const(-0x1102)
_CONNECTING = const(1001)
_LINKED = const(3)  # of a LAN: plugged in at both ends

# Why there is no Wi-Fi; what is not here is the access point's absence, of whatever kind. 15 and 2
# are IEEE 802.11's own: 4-way handshake timed out, authentication expired.
_KEY = (network.STAT_WRONG_PASSWORD, network.STAT_HANDSHAKE_TIMEOUT, 15, 2)


# Methods that this class lacks are functions of boards.rare, loaded for the call.
class _Rare:
    def __getattr__(self, name):
        method = getattr(load("rare"), name)
        return lambda *args: method(self, *args)


class Uart:
    """A serial line as the radio drivers want it."""

    def __init__(self, number, tx, rx):
        self.port = machine.UART(number, 115200, tx=tx, rx=rx, rxbuf=_RXBUF)
        self._reader = asyncio.StreamReader(self.port)
        self._writer = asyncio.StreamWriter(self.port, {})

    async def readinto(self, mv):
        """Wait for bytes. -> how many came, at most len(mv)."""
        n = 0
        while not n:
            n = await self._reader.readinto(mv)
        return n

    async def write(self, buf):
        """Hand all of buf to the line."""
        self._writer.write(buf)
        await self._writer.drain()


class Nvs:
    """Blobs in the flash's own key-value area, which outlives a formatted file system."""

    def __init__(self):
        self._nvs = nvs = esp32.NVS("kenshin")
        self.set = nvs.set_blob  # (name, blob)
        self.commit = nvs.commit

    def get(self, name):
        """-> bytes, or None when there is no such name."""
        buf = bytearray(_SMALL)
        while True:
            try:
                return bytes(buf[: self._nvs.get_blob(name, buf)])
            except OSError as e:
                if e.args[0] == _NVS_NOT_FOUND:
                    return None
                if len(buf) > _SMALL:
                    raise
            buf = bytearray(_LARGE)  # it did not fit


class Light:
    """Plays (rgb, times) on a lamp by itself: () is steady, (on, off, on, off ...) ms is repeated.

    A steady light costs nothing, a blinking one a timer's call for each change. `show(rgb)` is of
    boards.led_*, one module for each kind of lamp.
    """

    def __init__(self, show):
        self._show = show
        self._timer = Timer(0)
        self._step = self._next  # bound once: each binding takes memory
        self._pattern = ((0, 0, 0), ())
        self._at = 0

    def play(self, pattern):
        self._timer.deinit()
        self._pattern = pattern
        self._at = 0
        self._next(None)

    def _next(self, _):
        rgb, times = self._pattern
        at = self._at
        self._show((0, 0, 0) if at & 1 else rgb)
        if times:
            self._at = (at + 1) % len(times)
            self._timer.init(mode=Timer.ONE_SHOT, period=times[at], callback=self._step)


class Net(_Rare):
    """The link to the house's network: Wi-Fi, or Ethernet when there is a `lan` (see generic.py;
    never tried on a real board). Errors are OSError or RuntimeError.

    Of boards.rare: up, static, dhcp, join, kick, scan.
    """

    reason = "no-wifi"
    turn = 0  # of several Wi-Fi networks, which one is to be tried next

    def __init__(self, lan):
        self.kind = "lan" if lan else "wifi"
        self.nic = nic = load("lan").make(lan) if lan else network.WLAN(network.STA_IF)
        self.connected = nic.isconnected
        self.address = nic.ifconfig  # -> (ip, mask, gateway, dns) as text

    def rssi(self):
        """dBm of the access point, or None."""
        try:
            return self.nic.status("rssi")
        except (OSError, TypeError):
            return None  # not connected to any, or a cable

    def why(self):
        """Why there is no connection: "no-wifi", "wrong-key", "no-cable" or "no-address"."""
        status = self.nic.status()
        if self.kind == "lan":
            return "no-address" if status == _LINKED else "no-cable"
        if status == _CONNECTING:
            # Joined already, so it is the address that is missing. Else the last reason holds.
            if self.rssi() is not None:
                return "no-address"
        elif status < 1000:
            self.reason = "wrong-key" if status in _KEY else "no-wifi"
        return self.reason


class Board(_Rare):
    """The board called `name`, as its `table` describes it.

    Of boards.rare: button, radio_reset, uart_baud, set_rtc, restart, good, starts, safe.
    """

    root = "/"

    def __init__(self, name, table):
        get = table.get
        self.name = name
        self.radio = get("radio")  # the kind of module it comes with, or None
        for pin in get("high", ()):
            Pin(pin, Pin.OUT, value=1)
        reset = get("reset")
        self.reset_pin = None if reset is None else Pin(reset, Pin.OUT, value=1)
        power = get("power")
        self.power_pin = None if power is None else Pin(power, Pin.OUT, value=1)
        self.button_pin = get("button")
        self.nvs = Nvs()
        self.uart = Uart(*table["uart"])
        kind, *pins = get("led") or (None,)
        # Patterns are (rgb, times), see Light.
        self.led = lambda pattern: None
        if kind:
            self.led = Light(load("led_" + kind).Lamp(*pins).show).play
        self._wdt = None
        self.reset = machine.reset
        self.unique_id = machine.unique_id
        self._cause = load("rare").cause()
        self.net = Net(get("lan"))

    def wdt(self, ms):
        """Arm the watchdog, or give it another time. It cannot be stopped."""
        self._wdt = machine.WDT(timeout=ms)
        self.doing("W", 0)

    def doing(self, task, at=3):
        """`task` begins with something: should the watchdog bite, the next start names it."""
        rtc = machine.RTC()
        note = rtc.memory()
        rtc.memory(note[:at] + task[:1].encode() + note[at + 1 :])

    def feed(self):
        if self._wdt:
            self._wdt.feed()

    def reset_cause(self):
        """Why the board started: a word, and after it why the program restarted it."""
        return self._cause
