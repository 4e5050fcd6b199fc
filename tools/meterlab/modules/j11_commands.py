"""The J11 commands: where each may run, how long its data may be, and what it does.

Where the reference leaves the layout of a reply open (20DB, 60D1) this is one that a host can
read; no B-route host needs them.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Container
from functools import partial
from random import Random
from typing import TYPE_CHECKING

from meterlab.air import Beacon
from meterlab.modem import FAILED, SOLICITING
from meterlab.modules.j11_address import ALL_NODES, address, level, mac_of

if TYPE_CHECKING:
    from meterlab.modules.j11 import J11

RESET = 0x00D9

NOT_FOUND, BAD_PARAMETER, BAD_TARGET, PORT_OPEN, PORT_CLOSED = 0x02, 0x04, 0x06, 0x0A, 0x0B
CALIBRATION, NOT_JOINED, LENGTH, TOO_MANY, PINGING = 0x0C, 0x0E, 0x11, 0x12, 0x3C
NO_CREDENTIALS, UNDER_WAY, UPDATING = 0x51, 0x52, 0x61

_SENT, _LIMITED, _CCA, _NO_ACK, _OTHER = 0, 2, 3, 5, 8
_RESERVED = (716, 19_788, 31_941)
_CHANNELS = range(4, 18)
_MASK = 0x0003_FFF0
_LARGEST = 1_232  # bytes of a datagram
_START_TIME = 8  # of the scan that the start of the B route is
_CHANNEL_MS = 15
_PING_MS = 10_500


def to_register(channel: int) -> int:
    """The channel as the radio counts it (SKSTACK's register value)."""
    return 0x21 + 2 * (channel - 4)


def from_register(value: int) -> int:
    return 4 + (value - 0x21) // 2


def dwell_ms(time: int) -> float:
    """Listening on one channel of a scan."""
    return 9.64 * 2**time


# -- the module itself


def _status(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=j.status())


def _version(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=j.product.firmware)


def _own_ip(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=address(j.modem.mac))


def _own_mac(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=j.modem.mac)


def _init(j: J11, command: int, data: bytes) -> None:
    mode, sleep, channel, power = data
    if mode not in (1, 2, 3, 5) or sleep > 1 or channel not in _CHANNELS or power > 2:
        j.reply(command, BAD_PARAMETER)
    elif j.quirks.uncalibrated:
        j.reply(command, CALIBRATION)
    else:
        j.init = data
        j.modem.channel = to_register(channel)
        j.reply(command)


def _read_init(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=j.init or b"\x00\x00\x04\x00")


def _set_discovery(j: J11, command: int, data: bytes) -> None:
    if data[0] > 1:
        j.reply(command, BAD_PARAMETER)
        return
    j.solicits = bool(data[0])
    j.reply(command)


def _read_discovery(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=bytes([j.solicits]))


def _set_flow(j: J11, command: int, data: bytes) -> None:
    if data[0] > 1:
        j.reply(command, BAD_PARAMETER)
        return
    j.flow_control = bool(data[0])
    j.reply(command)


def _read_flow(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=bytes([j.flow_control]))


def _rewrite(j: J11, command: int, _: bytes) -> None:
    j.reply(command, UPDATING)  # this firmware stays


# -- finding the meter


def _scan(j: J11, command: int, data: bytes) -> None:
    time, mask, by_id = struct.unpack(">BIB", data[:6])
    if not 1 <= time <= 14 or not mask or mask & ~_MASK or by_id > 1:
        j.reply(command, BAD_PARAMETER)
        return
    if len(data) != (14 if by_id else 6):
        j.reply(command, LENGTH)
        return
    pairing = data[6:].decode("latin-1") if by_id else None
    channels = [channel for channel in _CHANNELS if mask >> channel & 1]
    turn = dwell_ms(time) + _CHANNEL_MS
    j.busy = j.modem.scanning = True
    for i, channel in enumerate(channels):
        j.modem.later((i + 1) * turn, _scanned_channel, j, channel, time, pairing)
    j.modem.later(len(channels) * turn + 2, _scanned, j, command)


def _scanned_channel(j: J11, channel: int, time: int, pairing: str | None) -> None:
    modem = j.modem
    found = modem.air.beacons(modem, to_register(channel), pairing, time, modem.rng)
    if not found:
        j.say(0x4051, bytes([1, channel]))
        return
    entries = (b.mac + struct.pack(">HB", b.pan_id, level(b.rssi)) for b in found)
    j.say(0x4051, bytes([0, channel, len(found)]) + b"".join(entries))


def _scanned(j: J11, command: int) -> None:
    j.modem.scanning = False
    j.reply_late(command | 0x2000, b"\x01")


def _measure(j: J11, command: int, data: bytes) -> None:
    time, mask = struct.unpack(">BI", data)
    if not 1 <= time <= 14 or not mask or mask & ~_MASK:
        j.reply(command, BAD_PARAMETER)
        return
    channels = [to_register(channel) for channel in _CHANNELS if mask >> channel & 1]

    def done(levels: dict[int, int]) -> None:
        pairs = bytes(x for at, value in levels.items() for x in (from_register(at), value))
        j.reply_late(command | 0x2000, bytes([1, len(levels)]) + pairs)

    j.busy = True
    j.modem.measure(channels, time, done)


def _start(j: J11, command: int, _: bytes) -> None:
    j.busy = j.modem.scanning = True
    j.modem.later(dwell_ms(_START_TIME) + _CHANNEL_MS, _started, j, command)


def _started(j: J11, command: int) -> None:
    modem = j.modem
    modem.scanning = False
    found: list[Beacon] = []
    if j.credentials:
        found = modem.air.beacons(modem, modem.channel, modem.pairing, _START_TIME, modem.rng)
    if not found:
        j.reply_late(command | 0x2000, bytes([NOT_JOINED]))
        return
    best = max(found, key=lambda beacon: beacon.rssi)
    j.join_mac(best)
    channel, rssi = from_register(best.channel), level(best.rssi)
    body = struct.pack(">BBH8sB", 1, channel, best.pan_id, best.mac, rssi)
    j.reply_late(command | 0x2000, body)


def _stop(j: J11, command: int, _: bytes) -> None:
    j.modem.pac.give_up()
    j.leave_mac()
    j.reply(command)


# -- the session


def _credentials(j: J11, command: int, data: bytes) -> None:
    text = data.decode("latin-1")
    if not all("!" <= c <= "~" for c in text):
        j.reply(command, BAD_PARAMETER)
        return
    j.modem.rbid, j.modem.password, j.modem.pairing = text[:32], text[32:], text[24:32]
    j.credentials = True
    j.reply(command)


def _authenticate(j: J11, command: int, _: bytes) -> None:
    if not j.credentials:
        j.reply(command, NO_CREDENTIALS)
    elif j.authenticating or j.modem.pac.closed:
        j.reply(command, UNDER_WAY)
    else:
        j.authenticating = True
        j.reply(command)
        j.modem.pac.join(j.modem.pac.peer)


def _renew(j: J11, command: int, _: bytes) -> None:
    if j.authenticating or j.modem.pac.closed:
        j.reply(command, UNDER_WAY)
        return
    j.authenticating = True
    j.reply(command)
    if not j.modem.pac.rejoin():
        j.modem.pac.join(j.modem.pac.peer)


def _end(j: J11, command: int, _: bytes) -> None:
    j.modem.pac.leave()
    j.claims = j.authenticating = j.credentials = False
    j.modem.rbid = j.modem.password = None
    j.unauthenticated()
    j.reply(command)


def _key(j: J11, command: int, _: bytes) -> None:
    session = j.modem.pac.session
    j.reply(command, data=Random(session.number if session else 0).randbytes(16))


def _pan(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=struct.pack(">H", j.modem.pan_id))


def _connections(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=j.connections())


def _terminals(j: J11, command: int, _: bytes) -> None:
    mode = j.init[0] if j.init else 0
    known = b""
    if j.operating:
        known = address(j.modem.pac.peer) + bytes([7, 2 if j.authenticated else 1])
    j.reply(command, data=bytes([mode, int(j.operating)]) + known)


# -- UDP


def _open(j: J11, command: int, data: bytes) -> None:
    port = int.from_bytes(data, "big")
    if port in _RESERVED or not port:
        j.reply(command, BAD_PARAMETER)
    elif port in j.ports:
        j.reply(command, PORT_OPEN)
    elif len(j.ports) >= 10:
        j.reply(command, TOO_MANY)
    else:
        j.ports.append(port)
        j.reply(command)


def _close(j: J11, command: int, data: bytes) -> None:
    port = int.from_bytes(data, "big")
    if port in j.ports:
        j.ports.remove(port)
        j.reply(command)
    else:
        j.reply(command, PORT_CLOSED)


def _ports(j: J11, command: int, _: bytes) -> None:
    j.reply(command, data=struct.pack(f">B{len(j.ports)}H", len(j.ports), *j.ports))


def _send(j: J11, command: int, data: bytes) -> None:
    source, target, size = struct.unpack_from(">HHH", data, 16)
    payload = data[22:]
    if size != len(payload):
        j.reply(command, LENGTH)
        return
    if not 1 <= size <= _LARGEST or not target:
        j.reply(command, BAD_PARAMETER)
        return
    if source not in j.ports:
        j.reply(command, PORT_CLOSED)
        return
    modem = j.modem
    peer = None
    if data[:16] != ALL_NODES:
        peer = mac_of(data[:16])
        if peer is None:
            j.reply(command, BAD_TARGET)
            return
        if not j.solicits:
            modem.remember(peer)
    j.busy = True
    modem.send(peer, target, 2, payload, partial(_sent, j, command, payload[:5]))


def _sent(j: J11, command: int, head: bytes, result: int) -> None:
    if result == SOLICITING:
        j.solicited_send = partial(_sent, j, command, head)
        return
    code = _SENT
    if result == FAILED:
        code = _NO_ACK if j.modem.rng.random() < 0.9 else _CCA
        if j.modem.limited:
            code = _LIMITED
        elif j.modem.pac.closed and not j.authenticated:
            code = _OTHER
    j.reply_late(command | 0x2000, bytes([1, code]) + head)


def _ping(j: J11, command: int, data: bytes) -> None:
    peer = mac_of(data[:16])
    if j.ping is not None:
        j.reply(command, PINGING)
        return
    if peer is None:
        j.reply(command, BAD_TARGET)
        return
    this = j.ping = object()

    def done(result: int) -> None:
        if j.ping is this:
            j.ping = None
            j.say(0x60D1, bytes([result]) + data[:16])

    j.reply(command)
    j.modem.ping(peer, lambda: done(1))
    j.modem.later(_PING_MS, done, NOT_FOUND)


Command = tuple[str, Container[int], Callable[["J11", int, bytes], None]]

_NONE, _ALWAYS = (0,), "gnoa"

# Where it may run: global not started, B not started, operating, authenticated.
COMMANDS: dict[int, Command] = {
    0x0001: (_ALWAYS, _NONE, _status),
    0x0005: ("oa", (2,), _open),
    0x0006: ("oa", (2,), _close),
    0x0007: ("oa", _NONE, _ports),
    0x0008: ("oa", range(22, 1_350), _send),
    0x0009: (_ALWAYS, _NONE, _own_ip),
    0x000E: (_ALWAYS, _NONE, _own_mac),
    0x0011: (_ALWAYS, _NONE, _connections),
    0x0051: ("noa", (6, 14), _scan),
    0x0053: ("n", _NONE, _start),
    0x0054: ("no", (44,), _credentials),
    0x0056: ("o", _NONE, _authenticate),
    0x0057: ("a", _NONE, _end),
    0x0058: ("o", _NONE, _stop),
    0x0059: ("a", _NONE, _key),
    0x005E: ("oa", _NONE, _pan),
    0x005F: ("gn", (4,), _init),
    0x006B: (_ALWAYS, _NONE, _version),
    0x00D1: ("oa", range(16, 1_350), _ping),
    0x00D2: ("a", _NONE, _renew),
    0x00D9: (_ALWAYS, _NONE, _status),  # carried out before anything is looked at
    0x00DB: ("noa", (5,), _measure),
    0x00F0: ("g", range(1_350), _rewrite),
    0x0100: (_ALWAYS, _NONE, _terminals),
    0x0101: ("gn", (1,), _set_discovery),
    0x0102: (_ALWAYS, _NONE, _read_discovery),
    0x0107: (_ALWAYS, _NONE, _read_init),
    0x010A: ("gn", (1,), _set_flow),
    0x010B: (_ALWAYS, _NONE, _read_flow),
}
