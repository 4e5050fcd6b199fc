# Methods of a Board and of its Net that are needed now and then: `self` is that object. Loaded for
# one call, then dropped; see hw.py, also for the RTC memory.
import asyncio
import time

import machine
import network
from machine import Pin

from micropython import const

_RESET_MS = const(20)
_POWER_MS = const(1500)  # until its capacitors are empty
_CONNECTING = const(1001)
_TRIES = const(2)
_HEAD = const(4)  # bytes of the RTC memory before the text
_WHY_MAX = const(120)
_TASKS = ("radio", "meter", "network", "time", "uplink", "console")  # gateway.parts names them

_CAUSES = {
    machine.PWRON_RESET: "power-on",
    machine.HARD_RESET: "hard",
    machine.WDT_RESET: "watchdog",
    machine.DEEPSLEEP_RESET: "deep-sleep",
    machine.SOFT_RESET: "soft",
}


# -- the board


def button(self):
    """Is it pressed?"""
    n = self.button_pin
    return n is not None and not Pin(n, Pin.IN, Pin.PULL_UP).value()


async def radio_reset(self, power=False):
    """Reset the radio module by its pin, or its power. -> False when there is no such pin."""
    pin = self.power_pin if power else self.reset_pin
    if pin is None:
        return False
    pin.value(0)
    await asyncio.sleep_ms(_POWER_MS if power else _RESET_MS)
    pin.value(1)
    return True


def uart_baud(self, baud):
    self.uart.port.init(baudrate=baud)


# The one place that knows that this chip counts its seconds from 2000.
def set_rtc(self, utc):
    """Set the chip's calendar, in UTC, from seconds since 1970."""
    t = time.gmtime(utc - (946684800 if time.gmtime(0)[0] == 2000 else 0))
    machine.RTC().datetime((t[0], t[1], t[2], t[6], t[3], t[4], t[5], 0))


# -- why the board started, and how often in vain


# -> the text of Board.reset_cause(). What the last program said of it is told once.
def cause():
    rtc = machine.RTC()
    note = rtc.memory()
    text = _CAUSES.get(machine.reset_cause(), "unknown")
    if text == "watchdog":
        for task in _TASKS:
            if task.encode()[:1] == note[3:_HEAD]:
                text += " (%s)" % task
    if len(note) > _HEAD:
        rtc.memory(note[:_HEAD])
        text += ": " + str(note[_HEAD:], "utf-8")
    return text


def restart(self, why, soft=False):
    """Restart the board, and let the next start tell why. `soft`: only Python, so that a USB port
    of the chip's own stays open.
    """
    raw = why.encode()[:_WHY_MAX]
    while raw and raw[-1] & 0xC0 == 0x80:  # never half a character
        raw = raw[:-1]
    if raw and raw[-1] & 0x80:
        raw = raw[:-1]
    rtc = machine.RTC()
    rtc.memory((rtc.memory() + bytes(_HEAD))[:_HEAD] + raw)
    if soft:
        machine.soft_reset()
    self.reset()


def starts(self):
    """(starts in a row that were not good with this one, times safe mode came of that)."""
    note = machine.RTC().memory()
    return (note[1], note[2]) if len(note) >= _HEAD else (0, 0)


def good(self):
    """This start is a good one: the counting begins anew."""
    _count(0, 0)


def safe(self):
    """Safe mode begins. -> how often it did in a row"""
    n = min(starts(self)[1] + 1, 255)
    # The starts count anew: as many tries as before, then safe mode again.
    _count(0, n)
    return n


def _count(starts, safe):
    rtc = machine.RTC()
    note = rtc.memory() or b"-"
    rtc.memory(note[:1] + bytes((starts, safe, 0)) + note[_HEAD:])


# -- the network


def up(self, hostname, country):
    network.hostname(hostname)
    network.country(country)
    self.nic.active(True)
    if self.kind == "wifi":
        # Unbounded, the driver would say "connecting" for ever and never why not.
        self.nic.config(reconnects=_TRIES)


def static(self, ip, mask, gateway, dns):
    self.nic.ifconfig((ip, mask, gateway, dns))


def dhcp(self):
    if not self.nic.ipconfig("dhcp4"):
        self.nic.ipconfig(dhcp4=True)


def join(self, ssid, key):
    """Begin to connect, unless that is done or under way: after a soft reset it may be.

    -> whether it began. A network that hides its name is found too: the driver asks for it.
    """
    nic = self.nic
    if self.kind == "lan" or nic.status() == _CONNECTING:
        return False
    if nic.isconnected():
        if nic.config("ssid") == ssid:
            return False
        nic.disconnect()
    self.why()
    nic.connect(ssid, key)
    return True


def scan(self):
    """[(dBm, name)] of the Wi-Fi networks in sight, the strongest first; it takes seconds."""
    self.nic.active(True)
    best = {}
    for row in self.nic.scan():
        try:
            name = str(row[0], "utf-8")
        except UnicodeError:
            continue  # nobody could type it
        if name:
            best[name] = max(row[3], best.get(name, row[3]))
    return sorted([(best[name], name) for name in best], reverse=True)


def kick(self):
    """Throw the connection away; up() and join() begin anew."""
    if self.kind == "wifi":
        self.nic.disconnect()
    self.nic.active(False)
