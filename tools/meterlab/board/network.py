"""The Wi-Fi driver and the LAN port of the virtual board, and the air and the cable behind them.

The driver does what network_wlan.c of MicroPython's esp32 port does: connect() returns at once,
the driver then tries again by itself, for ever unless `reconnects` bounds it, and status() says
"connecting" all the while.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from meterlab.board import registers as r
from meterlab.board.memory import Registers

IDLE = 1000
CONNECTING = 1001
GOT_IP = 1010
BEACON_TIMEOUT = 200
NO_AP_FOUND = 201
AUTH_FAIL = 202
ETH_STARTED = 1
ETH_STOPPED = 2
ETH_CONNECTED = 3
ETH_DISCONNECTED = 4
ETH_GOT_IP = 5

Fault = Literal["no-ap", "wrong-key", "dead", "no-address"]
FAULTS: tuple[Fault, ...] = ("no-ap", "wrong-key", "dead", "no-address")

NO_ADDRESS = bytes(16)
# What DHCP gives: address, mask, gateway, DNS.
LEASE = bytes((192, 168, 4, 23, 255, 255, 255, 0, 192, 168, 4, 1, 192, 168, 4, 1))

_WLAN_KEYS = {
    "channel",
    "dhcp_hostname",
    "hostname",
    "pm",
    "protocol",
    "reconnects",
    "txpower",
    "mac",
    "bandwidth",
}


class DriverError(Exception):
    """What the driver refuses, in the words a board shows."""


class UnknownKey(Exception):
    """A configuration key that the driver does not have."""


@dataclass
class AccessPoint:
    """A network in the air. `key` "" is an open one; None lets every key in.

    A `hidden` one is in a scan without its name, and answers whoever asks for it by name.
    """

    ssid: str
    key: str | None = None
    rssi: int = -55
    channel: int = 6
    bssid: bytes = b"\x02\x00\x5e\x10\x00\x01"
    hidden: bool = False


def _octets(text: str) -> bytes:
    return bytes(int(part) for part in text.split("."))


class Interface:
    """Addresses of one interface: from DHCP, or fixed."""

    def __init__(self, registers: Registers, place: int) -> None:
        self.registers = registers
        self._place = place
        self.dhcp = True
        self.static = NO_ADDRESS

    def set_static(self, text: str) -> None:
        self.dhcp = False
        self.static = b"".join(_octets(part) for part in text.split())

    def set_part(self, at: int, text: str) -> None:
        data = b"".join(_octets(part) for part in text.split())
        self.dhcp = False
        self.static = self.static[:at] + data + self.static[at + len(data) :]

    def show(self, linked: bool, leased: bool) -> bool:
        """Write the addresses into the registers. Returns whether there is one to use."""
        address = self.static if not self.dhcp else LEASE if linked and leased else NO_ADDRESS
        self.registers.put(self._place, address)
        return linked and any(address[:4])

    def address(self) -> str:
        return ".".join(map(str, self.registers.get(self._place, 4)))

    def gateway(self) -> str:
        return ".".join(map(str, self.registers.get(self._place + 8, 4)))


@dataclass
class Wlan:
    """The station interface. `points` empty: every network exists and takes every key.

    `fault` is what is wrong at the moment; change it by `set_fault`. `when` is the due time of
    the driver's next step in seconds of the monotonic clock, or None. `changed` is called when
    packets begin or cease to flow.
    """

    registers: Registers
    changed: Callable[[], None]
    clock: Callable[[], float]
    points: list[AccessPoint] = field(default_factory=list[AccessPoint])
    rssi: int = -55
    fault: Fault | None = None
    join_seconds: float = 0.15
    fail_seconds: float = 0.4
    when: float | None = None
    attempts: int = 0

    def __post_init__(self) -> None:
        self.interface = Interface(self.registers, r.WLAN_ADDRESS)
        self.power_on()

    def power_on(self) -> None:
        """As after every reset but a soft one."""
        self.config: dict[str, str] = {
            "reconnects": "-1",
            "channel": "1",
            "pm": "1",
            "txpower": "20",
        }
        self.config["protocol"] = "7"
        self.hostname = "mpy-esp32"
        self.country = "XX"
        self.ssid = ""
        self.key = ""
        self.active = False
        self._requested = False
        self._linked = False
        self._failures = 0
        self._reason = 0
        self.when = None
        self.interface.dhcp = True
        self.interface.static = NO_ADDRESS
        self._publish()

    @property
    def connected(self) -> bool:
        """Associated, and with an address."""
        return self.registers[r.WLAN_CONNECTED] == 1

    def _limit(self) -> int:
        return int(self.config["reconnects"]) + 1

    def _status(self, connected: bool) -> int:
        if connected:
            return GOT_IP
        if self._requested and (self._limit() == 0 or self._failures < self._limit()):
            return CONNECTING
        return self._reason or IDLE

    def _publish(self) -> None:
        registers = self.registers
        before = registers[r.WLAN_CONNECTED]
        usable = self.interface.show(self._linked, self.fault != "no-address")
        point = self._point()
        registers[r.WLAN_ACTIVE] = int(self.active)
        registers[r.WLAN_RSSI] = point.rssi if point and self.points else self.rssi
        registers[r.WLAN_CHANNEL] = int(self.config["channel"])
        registers[r.WLAN_BUSY] = int(self.when is not None or self._linked)
        registers[r.WLAN_LINKED] = int(self._linked)
        registers[r.WLAN_STATUS] = self._status(usable)
        registers[r.WLAN_CONNECTED] = int(usable)
        if before != int(usable):
            self.changed()

    def _point(self) -> AccessPoint | None:
        if not self.points:
            return AccessPoint(self.ssid, None, self.rssi)
        return next((point for point in self.points if point.ssid == self.ssid), None)

    def _try(self) -> None:
        good = self._verdict() == 0
        self.when = self.clock() + (self.join_seconds if good else self.fail_seconds)
        self.attempts += 1

    def _verdict(self) -> int:
        point = self._point()
        if point is None or not self.ssid or self.fault == "no-ap":
            return NO_AP_FOUND
        if self.fault == "wrong-key" or (point.key is not None and point.key != self.key):
            return AUTH_FAIL
        return 0

    def step(self) -> None:
        """The attempt under way has come to its end."""
        self.when = None
        reason = self._verdict()
        if reason:
            self._fail(reason)
        else:
            self._linked = True
            self._reason = 0
            self._failures = 0
        self._publish()

    def _fail(self, reason: int) -> None:
        self._reason = reason
        self._linked = False
        if self._requested and self.active:
            if self._limit():
                self._failures += 1
                if self._failures >= self._limit():
                    return
            self._try()

    def connect(self, ssid: str | None, key: str) -> None:
        if not self.active:
            raise DriverError("Wifi Not Started")
        if self.when is not None or self._linked:
            raise DriverError("Wifi Internal Error")
        if ssid is not None:
            self.ssid, self.key = ssid, key
        self._requested = True
        self._failures = 0
        self._try()
        self._publish()

    def disconnect(self) -> None:
        if not self.active:
            raise DriverError("Wifi Not Started")
        self._down()

    def _down(self) -> None:
        self._requested = False
        self._linked = False
        self._reason = 0 if self.when is not None else self._reason
        self.when = None
        self._publish()

    def set_active(self, on: bool) -> None:
        self.active = on
        if not on:
            self._down()
        self._publish()

    def scan(self) -> str:
        points = self.points or [AccessPoint(self.ssid or "virtual", None, self.rssi)]
        if self.fault == "no-ap":
            points = []
        return "\n".join(
            f"{p.bssid.hex()} {p.channel} {p.rssi} {0 if p.key == '' else 3} "
            + ("" if p.hidden else p.ssid)
            for p in points
        )

    def set_fault(self, fault: Fault | None) -> None:
        """Break it, or mend it; the driver notices what a driver would notice."""
        self.fault = fault
        if fault == "no-ap" and self._linked:
            self.drop()
        elif fault == "wrong-key" and self._linked:
            self._fail(AUTH_FAIL)
        self._publish()
        self.changed()

    def drop(self) -> None:
        """The beacons stop for a moment: the driver loses the network and tries to come back."""
        if self._linked:
            self._fail(BEACON_TIMEOUT)
            self._publish()

    def set_rssi(self, rssi: int) -> None:
        self.rssi = rssi
        for point in self.points:
            point.rssi = rssi
        self._publish()

    def set(self, key: str, value: str) -> None:
        if key not in _WLAN_KEYS:
            raise UnknownKey("unknown config param")
        if key in ("hostname", "dhcp_hostname"):
            self.hostname = value
        elif key != "mac":
            self.config[key] = str(int(float(value)))
        self._publish()

    def get(self, key: str) -> str:
        if key == "dhcp4":
            return str(int(self.interface.dhcp))
        if key in ("ssid", "essid"):
            return self.ssid
        if key in ("hostname", "dhcp_hostname"):
            return self.hostname
        if key not in self.config:
            raise UnknownKey("unknown config param")
        return self.config[key]

    def call(self, verb: str, fields: list[str]) -> str:
        """One call of the board's `network.WLAN`."""
        if verb == "active":
            self.set_active(fields[0] == "1")
        elif verb == "connect":
            self.connect(fields[0] if fields else None, fields[1] if len(fields) > 1 else "")
        elif verb == "disconnect":
            self.disconnect()
        elif verb == "scan":
            return self.scan()
        elif verb == "set":
            self.set(fields[0], fields[1])
        elif verb == "get":
            return self.get(fields[0])
        else:
            configure(self.interface, verb, fields[0])
        self._publish()
        return ""


def configure(interface: Interface, verb: str, value: str) -> None:
    """One of the calls that Wi-Fi and LAN have in common."""
    if verb == "static":
        interface.set_static(value)
    elif verb == "dhcp":
        interface.dhcp = value == "1"
    elif verb == "addr4":
        interface.set_part(0, value)
    elif verb == "gw4":
        interface.set_part(8, value)
    elif verb == "dns":
        interface.static = interface.static[:12] + _octets(value)
    else:
        raise UnknownKey(verb)


class Lan:
    """The Ethernet port. `plug` and `unplug` are the cable's."""

    def __init__(self, registers: Registers, changed: Callable[[], None]) -> None:
        self.registers = registers
        self.changed = changed
        self.cable = True
        self.interface = Interface(registers, r.LAN_ADDRESS)
        self.power_on()

    def power_on(self) -> None:
        self.active = False
        self.interface.dhcp = True
        self.interface.static = NO_ADDRESS
        self._publish()

    def _publish(self) -> None:
        before = self.registers[r.LAN_CONNECTED]
        linked = self.active and self.cable
        usable = self.interface.show(linked, True)
        status = ETH_GOT_IP if usable else ETH_DISCONNECTED if self.active else ETH_STOPPED
        self.registers[r.LAN_ACTIVE] = int(self.active)
        self.registers[r.LAN_STATUS] = status
        self.registers[r.LAN_CONNECTED] = int(usable)
        if before != int(usable):
            self.changed()

    def set_cable(self, plugged: bool) -> None:
        self.cable = plugged
        self._publish()

    def call(self, verb: str, fields: list[str]) -> str:
        """One call of the board's `network.LAN`."""
        if verb == "active":
            self.active = fields[0] == "1"
        elif verb == "get":
            if fields[0] != "dhcp4":
                raise UnknownKey("unexpected key")
            return str(int(self.interface.dhcp))
        elif verb != "set":
            configure(self.interface, verb, fields[0])
        self._publish()
        return ""
