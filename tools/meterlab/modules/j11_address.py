"""Addresses and signal levels as J11 frames carry them."""

from __future__ import annotations

from functools import lru_cache

_LINK_LOCAL = bytes.fromhex("FE80000000000000")
ALL_NODES = bytes.fromhex("FF02000000000000" + "0000000000000001")


@lru_cache(maxsize=256)
def address(mac: bytes) -> bytes:
    """Link-local IPv6 address of a MAC address."""
    return _LINK_LOCAL + bytes([mac[0] ^ 2]) + mac[1:]


def mac_of(ip: bytes) -> bytes | None:
    """MAC address behind a link-local address; None when it is none."""
    return bytes([ip[8] ^ 2]) + ip[9:] if ip.startswith(_LINK_LOCAL) else None


def level(rssi: int) -> int:
    """The signed byte that tells dBm, -104 to -34."""
    return max(min(rssi, -34), -104) & 0xFF
