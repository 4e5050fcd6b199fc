"""Addresses and lines of SKSTACK as text."""

from __future__ import annotations

from functools import lru_cache

from meterlab.air import Beacon, Datagram
from meterlab.modem import lqi

ALL_NODES = "FF02:0000:0000:0000:0000:0000:0000:0001"
_LINK_LOCAL = "FE80:0000:0000:0000:"


@lru_cache(maxsize=256)
def address(mac: bytes) -> str:
    """Link-local IPv6 of a MAC address, in the full upper-case form."""
    text = (bytes([mac[0] ^ 2]) + mac[1:]).hex().upper()
    return _LINK_LOCAL + ":".join(text[i : i + 4] for i in range(0, 16, 4))


@lru_cache(maxsize=256)
def mac_of(text: str) -> bytes | None:
    """MAC behind a link-local address in full form; None when it is not one."""
    if len(text) != 39 or not text.upper().startswith(_LINK_LOCAL):
        return None
    digits = text[20:].replace(":", "")
    if len(digits) != 16 or any(text[i] != ":" for i in range(4, 39, 5)):
        return None
    try:
        mac = bytes.fromhex(digits)
    except ValueError:
        return None
    return bytes([mac[0] ^ 2]) + mac[1:] if len(mac) == 8 else None


def is_address(text: str) -> bool:
    """Is this an IPv6 address in full form?"""
    groups = text.split(":")
    return len(groups) == 8 and all(
        len(group) == 4 and all(c in "0123456789ABCDEFabcdef" for c in group) for group in groups
    )


@lru_cache(maxsize=64)
def _udp_head(source: bytes, own: bytes, multicast: bool, port: int) -> str:
    target = ALL_NODES if multicast else address(own)
    return f"ERXUDP {address(source)} {target} {port:04X} {port:04X} {source.hex().upper()} "


def received(datagram: Datagram, own: bytes, *, dual: bool, rssi: bool, hexed: bool) -> bytes:
    """ERXUDP, with its line end. `rssi`: SA2 is set."""
    head = _udp_head(datagram.source, own, datagram.multicast, datagram.port)
    payload = datagram.payload
    side = "0 " if dual else ""
    level = f"{lqi(datagram.rssi):02X} " if dual and rssi else ""
    head += f"{level}{int(datagram.secured)} {side}{len(payload):04X} "
    data = payload.hex().upper().encode() if hexed else payload
    return b"%b%b\r\n" % (head.encode(), data)


def pan_description(beacon: Beacon, *, dual: bool) -> str:
    """EPANDESC with its indented lines."""
    lines = [
        "EPANDESC",
        f"  Channel:{beacon.channel:02X}",
        "  Channel Page:09",
        f"  Pan ID:{beacon.pan_id:04X}",
        f"  Addr:{beacon.mac.hex().upper()}",
        f"  LQI:{lqi(beacon.rssi):02X}",
    ]
    if dual:
        lines.append("  Side:0")
    if beacon.pairing is not None:
        lines.append(f"  PairID:{beacon.pairing}")
    return "\r\n".join(lines)
