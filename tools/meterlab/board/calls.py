"""What the stand-ins ask the PC for: NVS, the network driver, names and addresses, the UART's
other end.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from meterlab.board import registers as r
from meterlab.board.memory import Registers
from meterlab.board.network import DriverError, Lan, UnknownKey, Wlan
from meterlab.board.nvs import Nvs, NvsError

OK = 0
UNKNOWN = -1
DRIVER = 1

_HEADER = struct.Struct("<HHhH")
_I32 = struct.Struct("<i")
LOOPBACK = "127.0.0.1"
# Names that have only a forwarded port get an address of the block reserved for tests of devices.
_MADE_UP = "198.18.0."
_DNS = 53

Address = tuple[str, int]


@dataclass
class Outside:
    """What lies behind the board's network.

    `hosts`: name -> address. `forwards`: (name or address, port) -> (address, port) on this PC.
    Addresses 127.x.x.x and the board's gateway are this PC. All else is out of reach unless
    `online`. `name_server`: the port on this PC of what answers for every name server.
    """

    online: bool = False
    hosts: dict[str, str] = field(default_factory=dict[str, str])
    forwards: dict[Address, Address] = field(default_factory=dict[Address, Address])
    name_server: int | None = None

    def address_of(self, name: str) -> str | None:
        """The address of a name that is known here."""
        if name == "localhost":
            return LOOPBACK
        if name in self.hosts:
            return self.hosts[name]
        names = sorted({host for host, _ in self.forwards if not host[:1].isdigit()})
        return f"{_MADE_UP}{names.index(name) + 1}" if name in names else None

    def lookup(self, name: str) -> str | None:
        """The address that a name server would tell."""
        found = self.address_of(name)
        if found is None and self.online:
            try:
                found = socket.gethostbyname(name)
            except OSError:
                return None
        return found

    def real(self, ip: str, port: int, gateway: str) -> Address | None:
        """Where (ip, port) is on this PC; None when it is out of reach."""
        for (host, at), target in self.forwards.items():
            if at == port and (host == ip or self.address_of(host) == ip):
                return target
        if port == _DNS and self.name_server is not None:
            return LOOPBACK, self.name_server
        if ip == gateway:
            return LOOPBACK, port
        return (ip, port) if self.online or ip.startswith("127.") else None


def split(message: bytes) -> tuple[int, str, list[bytes]]:
    """A request as (number, letter, fields)."""
    number, letter = int(message[1:5], 16), chr(message[5])
    fields: list[bytes] = []
    at = 6
    while at < len(message):
        length = int(message[at : at + 6], 16)
        fields.append(message[at + 6 : at + 6 + length])
        at += 6 + length
    return number, letter, fields


def answer(number: int, status: int, data: bytes = b"") -> bytes:
    return _HEADER.pack(number, 0, status, 0) + data


class Calls:
    """Answers requests. `say(data)` sends uncooked bytes down the serial line; `uart(id)` gives a
    pty or None.
    """

    def __init__(
        self,
        registers: Registers,
        nvs: Nvs,
        wlan: Wlan,
        lan: Lan,
        outside: Outside,
        say: Callable[[bytes], None],
        uart: Callable[[int], Path | None],
    ) -> None:
        self.registers = registers
        self.nvs = nvs
        self.wlan = wlan
        self.lan = lan
        self.outside = outside
        self._uart = uart
        self._say = say
        self._handlers = {
            "V": self._nvs,
            "N": self._network,
            "D": self._resolve,
            "A": self._translate,
            "U": self._port,
            "O": self._output,
        }

    def handle(self, message: bytes) -> bytes:
        """The answer to one request, ready to be sent."""
        number, letter, fields = split(message)
        status, data = self._handlers[letter](fields)
        return answer(number, status, data)

    def _output(self, fields: list[bytes]) -> tuple[int, bytes]:
        self._say(fields[0])
        return OK, b""

    def _nvs(self, fields: list[bytes]) -> tuple[int, bytes]:
        verb, space, key = (field.decode() for field in fields[:3])
        try:
            return OK, self._nvs_call(verb, space, key, fields[3] if len(fields) > 3 else b"")
        except NvsError as error:
            return error.code, b""

    def _nvs_call(self, verb: str, space: str, key: str, value: bytes) -> bytes:
        nvs = self.nvs
        if verb == "get_i32":
            return _I32.pack(int(nvs.get(space, key, int)))  # type: ignore[arg-type]
        if verb == "get_blob":
            return bytes(nvs.get(space, key, bytes))  # type: ignore[arg-type]
        if verb == "set_i32":
            nvs.set(space, key, _I32.unpack(value)[0])
        elif verb == "set_blob":
            nvs.set(space, key, value)
        elif verb == "erase":
            nvs.erase(space, key)
        elif verb == "commit":
            self._commit()
        return b""

    # A commit is one operation of the flash, at which the power may go.
    def _commit(self) -> None:
        fuse = self.registers[r.FLASH_FUSE]
        if fuse and self.nvs.dirty():
            self.registers[r.FLASH_FUSE] = fuse - 1
            if fuse == 1:
                raise PowerGone
        if self.nvs.dirty():
            self.nvs.commit()

    def _network(self, fields: list[bytes]) -> tuple[int, bytes]:
        who, verb, *rest = (field.decode() for field in fields)
        try:
            return OK, self._network_call(who, verb, rest).encode()
        except UnknownKey as error:
            return UNKNOWN, str(error).encode()
        except DriverError as error:
            return DRIVER, str(error).encode()

    def _network_call(self, who: str, verb: str, rest: list[str]) -> str:
        wlan = self.wlan
        if who == "wlan":
            return wlan.call(verb, rest)
        if who == "lan":
            return self.lan.call(verb, rest)
        if who == "host":
            wlan.hostname = rest[0] if rest else wlan.hostname
            return wlan.hostname
        if who == "country":
            wlan.country = rest[0] if rest else wlan.country
            return wlan.country
        if rest:
            return wlan.call("dns", rest)
        place = r.LAN_ADDRESS if self.registers[r.LAN_CONNECTED] else r.WLAN_ADDRESS
        return ".".join(map(str, self.registers.get(place + 12, 4)))

    # Status 0: the address; 1: ask this PC; 2: nobody answers; 3: no such name.
    def _resolve(self, fields: list[bytes]) -> tuple[int, bytes]:
        if not self.registers[r.NET_ALIVE]:
            return 2, b""
        found = self.outside.address_of(fields[0].decode())
        if found is not None:
            return OK, found.encode()
        return (1 if self.outside.online else 3), b""

    def _translate(self, fields: list[bytes]) -> tuple[int, bytes]:
        if not self.registers[r.NET_ALIVE]:
            return 1, b""
        interface = self.lan if self.registers[r.LAN_CONNECTED] else self.wlan
        gateway = interface.interface.gateway()
        real = self.outside.real(fields[0].decode(), int(fields[1]), gateway)
        return (1, b"") if real is None else (OK, f"{real[0]} {real[1]}".encode())

    def _port(self, fields: list[bytes]) -> tuple[int, bytes]:
        path = self._uart(int(fields[0]))
        return OK, str(path or "").encode()


class PowerGone(Exception):
    """The power was cut in the middle of a request."""
