"""The products that speak J11 frames."""

from __future__ import annotations

from dataclasses import dataclass, field

from meterlab.modem import Traits


def _traits() -> Traits:
    return Traits(
        cache=16,
        forgetful=False,  # link addresses come from beacons: no solicitation
        refused_ms=(1_500, 9_000),
        silent_ms=(492_000, 706_000),
        renew_silent_ms=(180_000, 237_000),
        renew_stuck_ms=303_000,
        dogged=True,
        gate=False,  # nobody is told that a session is being renewed
    )


@dataclass(frozen=True, slots=True)
class J11Product:
    """`firmware`: the seven bytes that 006B tells: id, major, minor, revision. `mac`: first half
    of the module's address. `dual` is what its radio could; there is no other edition."""

    kind: str
    firmware: bytes = bytes.fromhex("04000103" + "0000158A")
    mac: bytes = bytes.fromhex("001D1291")
    dual: bool = True
    traits: Traits = field(default_factory=_traits)


J11_KINDS = (
    "bp35c0-j11",
    "bp35c0-j11-t01",
    "bp35c1-j11-t01",
    "bp35c2-j11-t01",
    "rs-wsuha-j11",
)


def product(kind: str) -> J11Product | None:
    """A product with traits of its own, which may be changed; None when it is no J11 module."""
    return J11Product(kind) if kind in J11_KINDS else None
