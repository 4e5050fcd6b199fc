"""The SKSTACK commands beside the road to the meter: product options, neighbours, ports, flash,
sleep, and the HAN side, of which a B-route host only needs to see that it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from meterlab.modules import sk_registers as reg
from meterlab.modules.sk_registers import number
from meterlab.modules.sk_text import address, is_address, mac_of

if TYPE_CHECKING:
    from meterlab.modules.skstack import Command, SkStack

# Commands of the product rather than the stack: CR only, and not in every product.
OPTIONS = frozenset(("WOPT", "ROPT", "WUART", "RUART"))

_KEEP = (reg.CHANNEL, reg.PAN, reg.AUTOLOAD)
_TCP_PORTS = ("3610", "0", "0", "0")


def _option(sk: SkStack, args: list[str]) -> None:
    if args[0] not in ("0", "00", "1", "01"):
        sk.reply("FAIL ER06", end="\r")
        return
    sk.flash.hex_data = args[0][-1] == "1"
    sk.flash.writes += 1
    sk.reply("OK", end="\r")


def _read_option(sk: SkStack, args: list[str]) -> None:
    sk.reply(f"OK {int(sk.flash.hex_data):02X}", end="\r")


def _uart(sk: SkStack, args: list[str]) -> None:
    value = number(args[0], 2)
    if value is None or value & 7 > 6 or value >> 4 & 7 > 5 or value & 8:
        sk.reply("FAIL ER06", end="\r")
        return
    sk.flash.uart = value
    sk.flash.writes += 1
    sk.reply("OK", end="\r")


def _read_uart(sk: SkStack, args: list[str]) -> None:
    sk.reply(f"OK {sk.flash.uart:02X}", end="\r")


def _psk(sk: SkStack, args: list[str]) -> None:
    if number(args[0], 2) != 0x10 or len(args[1]) != 32 or number(args[1], 32) is None:
        sk.fail("ER06")
        return
    sk.modem.password = None  # a key that no meter here knows
    sk.ok()


def _ping(sk: SkStack, args: list[str]) -> None:
    side = args[0] + " " if len(args) > 1 else ""
    peer = mac_of(args[-1])
    if peer is None or side not in ("", "0 ", "1 "):
        sk.fail("ER06")
        return
    sk.ok()
    sk.modem.ping(peer, lambda: sk.say(f"EPONG {side}{address(peer)}"))


def _table(sk: SkStack, args: list[str]) -> None:
    kind = args[0].upper()
    if kind == "1":
        sk.ok("EADDR", sk.own)
    elif kind == "2":
        tail = "" if sk.product.dual else " FFFF"
        lines = (f"{address(m)} {m.hex().upper()}{tail}" for m in sk.modem.neighbours)
        sk.ok("ENEIGHBOR", *lines)
    elif kind == "E":
        tcp = _TCP_PORTS if sk.product.tcp_ports else ()
        sk.ok("EPORT", *(str(port) for port in sk.ports), "", *tcp)
    elif kind in ("9", "A") and sk.product.dual:
        sk.ok("ENBR" if kind == "9" else "ESEC")
    else:
        sk.fail("ER06")


def _neighbour(sk: SkStack, args: list[str]) -> None:
    if mac_of(args[0]) is None or len(args[1]) != 16 or number(args[1], 16) is None:
        sk.fail("ER06")
        return
    sk.modem.remember(bytes.fromhex(args[1]))
    sk.ok()


def _port(sk: SkStack, args: list[str]) -> None:
    handle, port = number(args[0], 1), number(args[1], 4)
    if handle is None or not 1 <= handle <= 6 or port is None or port == 0xFFFF:
        sk.fail("ER06")
    elif not sk.product.dual:
        # Takes effect through SKSAVE and the next power-on with SFF=1.
        sk.pending_ports[handle - 1] = port
        sk.ok()
    elif port and port in sk.ports and sk.ports[handle - 1] != port:
        sk.fail("ER10")
    else:
        sk.ports[handle - 1] = port
        sk.ok()


def _save(sk: SkStack, args: list[str]) -> None:
    sk.flash.saved = {code: sk.read_register(code) for code in _KEEP}
    sk.flash.ports = list(sk.ports if sk.product.dual else sk.pending_ports)
    sk.flash.writes += 1
    sk.ok()


def _load(sk: SkStack, args: list[str]) -> None:
    if sk.load():
        sk.ok()
    else:
        sk.fail("ER10")


def _erase(sk: SkStack, args: list[str]) -> None:
    sk.flash.saved = None
    sk.flash.writes += 1
    sk.ok()


def _sleep(sk: SkStack, args: list[str]) -> None:
    sk.ok()
    sk.modem.later(10, sk.fall_asleep)


def _local(sk: SkStack, args: list[str]) -> None:
    if args and args[0] not in ("00", "01"):
        sk.fail("ER06")
    else:
        sk.ok()


def _coordinator(sk: SkStack, args: list[str]) -> None:
    sk.registers[0x15] = 1
    sk.modem.pac.session = None
    sk.ok()


def _add_device(sk: SkStack, args: list[str]) -> None:
    if is_address(args[0]):
        sk.devices.add(args[0].upper())
        sk.ok()
    else:
        sk.fail("ER06")


def _remove_device(sk: SkStack, args: list[str]) -> None:
    if args[0].upper() in sk.devices:
        sk.devices.discard(args[0].upper())
        sk.ok()
    else:
        sk.fail("ER10")


def _set_key(sk: SkStack, args: list[str]) -> None:
    index = number(args[0], 2)
    if index is None or len(args[1]) > 32 or number(args[1], 32) is None:
        sk.fail("ER06")
    else:
        sk.keys.add(index)
        sk.ok()


def _remove_key(sk: SkStack, args: list[str]) -> None:
    index = number(args[0], 2)
    if index in sk.keys:
        sk.keys.discard(index)
        sk.ok()
    else:
        sk.fail("ER06" if index is None else "ER10")


def _secure(sk: SkStack, args: list[str]) -> None:
    if args[0] not in ("0", "1") or not is_address(args[1]):
        sk.fail("ER06")
    else:
        sk.ok()


def _no_han(sk: SkStack, args: list[str]) -> None:
    sk.fail("ER10")


def _both(*counts: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    return counts, counts


def _single(count: int, run: Callable[[SkStack, list[str]], None]) -> Command:
    return (count,), None, run


_ANY = tuple(range(8))

COMMANDS: dict[str, Command] = {
    "WOPT": (*_both(1), _option),
    "ROPT": (*_both(0), _read_option),
    "WUART": (*_both(1), _uart),
    "RUART": (*_both(0), _read_uart),
    "SKSETPSK": (*_both(2), _psk),
    "SKPING": ((1,), (2,), _ping),
    "SKTABLE": (*_both(1), _table),
    "SKADDNBR": (*_both(2), _neighbour),
    "SKUDPPORT": (*_both(2), _port),
    "SKSAVE": (*_both(0), _save),
    "SKLOAD": (*_both(0), _load),
    "SKERASE": (*_both(0), _erase),
    "SKDSLEEP": (*_both(0), _sleep),
    "SKRFLO": (*_both(1), _local),
    "SKSTART": (*_both(0), _coordinator),
    "SKREGDEV": _single(1, _add_device),
    "SKSETKEY": _single(2, _set_key),
    "SKRMKEY": _single(1, _remove_key),
    "SKSECENABLE": _single(3, _secure),
    "SKRMDEV": ((1,), _ANY, lambda sk, args: _han_or(sk, args, _remove_device)),
    "SKJOINFOR": (None, _ANY, _no_han),
    "SKTERMFOR": (None, _ANY, _no_han),
    "SKAUTOUPD": (None, _ANY, _no_han),
    "SKABORTUPD": (None, _ANY, _no_han),
    "SKOPEN": (None, _ANY, _no_han),
    "SKSETHPWD": (None, _ANY, _no_han),
}


def _han_or(sk: SkStack, args: list[str], run: Callable[[SkStack, list[str]], None]) -> None:
    if sk.product.dual:
        _no_han(sk, args)
    else:
        run(sk, args)
