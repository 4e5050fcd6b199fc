# The hardware, in one place: nothing else in lib/ imports machine, network or esp32. A table of
# pins and the like (see generic.py) makes a Board of it.
import asyncio
import time

import esp32
import machine
import network
from machine import Pin, Timer

from micropython import const

_RXBUF = const(4096)  # 355 ms at 115200: an erase of the flash stops Python for 50
_RESET_MS = const(20)
_SMALL = const(256)
_LARGE = const(2600)
_NVS_NOT_FOUND = const(-0x1102)
_CONNECTING = const(1001)
_TRIES = const(2)

# Why there is no Wi-Fi; what is not here is the access point's absence, of whatever kind. 15 and 2
# are IEEE 802.11's own: 4-way handshake timed out, authentication expired.
_KEY = (network.STAT_WRONG_PASSWORD, network.STAT_HANDSHAKE_TIMEOUT, 15, 2)

_CAUSES = {
    machine.PWRON_RESET: "power-on",
    machine.HARD_RESET: "hard",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "deep-sleep",
    machine.SOFT_RESET: "soft",
}


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


class RtcMemory:
    """2 KB that outlive everything but the loss of power. The first byte belongs to boot.py."""

    def __init__(self):
        self._memory = machine.RTC().memory

    def get(self):
        return self._memory()[1:]

    def set(self, data):
        self.mark(self._memory()[:1] or b"-", data)

    def mark(self, note, data=None):
        """Set boot.py's byte, W while the watchdog runs."""
        self._memory(note + (self.get() if data is None else data))


class Light:
    """Plays (rgb, times) on an LED by itself: () is steady, (on, off, on, off ...) ms is repeated.

    A steady light costs nothing, a blinking one a timer's call for each change. `lit`: the level
    that lights a plain LED; None for a WS2812.
    """

    def __init__(self, number, lit):
        self._lit = lit
        self._pin = Pin(number, Pin.OUT, value=not lit)
        self._pixels = None
        if lit is None:
            from neopixel import NeoPixel

            self._pixels = NeoPixel(self._pin, 1)
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
        if at & 1:
            rgb = (0, 0, 0)
        if self._pixels:
            self._pixels[0] = rgb
            self._pixels.write()
        else:
            self._pin.value(self._lit if any(rgb) else not self._lit)
        if times:
            self._at = (at + 1) % len(times)
            self._timer.init(mode=Timer.ONE_SHOT, period=times[at], callback=self._step)


class Net:
    """The link to the house's network: Wi-Fi, or Ethernet when there is a `lan`, the arguments of
    network.LAN (never tried on a real board). Errors are OSError or RuntimeError.
    """

    def __init__(self, lan):
        self.kind = "lan" if lan else "wifi"
        make = getattr(network, "LAN" if lan else "WLAN")
        self._nic = nic = make(**lan) if lan else make(network.STA_IF)
        self._why = "no-address" if lan else "no-wifi"
        self.connected = nic.isconnected
        self.address = nic.ifconfig  # -> (ip, mask, gateway, dns) as text

    def up(self, hostname, country):
        network.hostname(hostname)
        network.country(country)
        self._nic.active(True)
        if self.kind == "wifi":
            # Unbounded, the driver would say "connecting" for ever and never why not.
            self._nic.config(reconnects=_TRIES)

    def static(self, ip, mask, gateway, dns):
        self._nic.ifconfig((ip, mask, gateway, dns))

    def dhcp(self):
        if not self._nic.ipconfig("dhcp4"):
            self._nic.ipconfig(dhcp4=True)

    def join(self, ssid, key):
        """Begin to connect, unless that is done or under way: after a soft reset it may be."""
        nic = self._nic
        if self.kind == "lan" or nic.status() == _CONNECTING:
            return
        if nic.isconnected():
            if nic.config("ssid") == ssid:
                return
            nic.disconnect()
        self.why()
        nic.connect(ssid, key)

    def rssi(self):
        """dBm of the access point, or None."""
        try:
            return self._nic.status("rssi")
        except (OSError, TypeError):
            return None  # not connected to any, or a cable

    def why(self):
        """Why there is no connection: "no-wifi", "wrong-key" or "no-address"."""
        status = self._nic.status()
        if status == _CONNECTING:
            # Joined already, so it is the address that is missing. Else the last reason holds.
            if self.rssi() is not None:
                return "no-address"
        elif self.kind == "wifi" and status < 1000:
            self._why = "wrong-key" if status in _KEY else "no-wifi"
        return self._why

    def kick(self):
        """Throw the connection away; up() and join() begin anew."""
        if self.kind == "wifi":
            self._nic.disconnect()
        self._nic.active(False)


class Board:
    """The board called `name`, as its `table` describes it."""

    root = "/"

    def __init__(self, name, table):
        get = table.get
        self.name = name
        self.nvs = Nvs()
        self.rtc_memory = RtcMemory()
        self.uart = Uart(*table["uart"])
        led = get("led")
        # Patterns are (rgb, times), see Light.
        self.led = Light(*led).play if led else lambda pattern: None
        button = get("button")
        self._button = None if button is None else Pin(button, Pin.IN, Pin.PULL_UP)
        reset = get("reset")
        self._reset = None if reset is None else Pin(reset, Pin.OUT, value=1)
        self._wdt = None
        self.reset = machine.reset
        self.unique_id = machine.unique_id
        self.net = Net(get("lan"))

    def button(self):
        """Is it pressed?"""
        return self._button is not None and not self._button.value()

    async def radio_reset(self):
        """Reset the radio module by its pin. -> False when there is no such pin."""
        if self._reset is None:
            return False
        self._reset.value(0)
        await asyncio.sleep_ms(_RESET_MS)
        self._reset.value(1)
        return True

    def uart_baud(self, baud):
        self.uart.port.init(baudrate=baud)

    def wdt(self, ms):
        """Arm the watchdog, or give it another time. It cannot be stopped."""
        self._wdt = machine.WDT(timeout=ms)
        self.rtc_memory.mark(b"W")

    def feed(self):
        if self._wdt:
            self._wdt.feed()

    def reset_cause(self):
        return _CAUSES.get(machine.reset_cause(), "unknown")

    # The one place that knows that this chip counts its seconds from 2000.
    def set_rtc(self, utc):
        """Set the chip's calendar, in UTC, from seconds since 1970."""
        t = time.gmtime(utc - (946684800 if time.gmtime(0)[0] == 2000 else 0))
        machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))
