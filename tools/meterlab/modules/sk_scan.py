"""SKSCAN: active scans with and without pairing ID, and energy detection."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meterlab.air import Beacon
from meterlab.modules import sk_text
from meterlab.modules.sk_registers import number

if TYPE_CHECKING:
    from meterlab.modules.skstack import SkStack

_ENERGY, _PAIRED, _ANYONE = 0, 2, 3
_LONGEST = 14  # the manuals disagree about more, and it would take hours


def scan(sk: SkStack, args: list[str]) -> None:
    mode, mask, duration = number(args[0], 1), number(args[1], 8), number(args[2], 2)
    side = args[3] if len(args) > 3 else "0"
    if mode not in (_ENERGY, _PAIRED, _ANYONE) or mask is None or side not in ("0", "1"):
        sk.fail("ER06")
        return
    channels = [0x21 + bit for bit in range(28) if mask >> bit & 1]
    if duration is None or duration > _LONGEST or not channels:
        sk.fail("ER06")
        return
    if not sk.quirks.scan_unanswered:
        sk.ok()
    if sk.modem.scanning:
        return  # accepted, and nothing comes of it

    def heard(beacon: Beacon) -> None:
        block = sk_text.pan_description(beacon, dual=sk.product.dual)
        sk.say(f"EVENT 20 {sk.own}{sk.side}", block)

    def measured(levels: dict[int, int]) -> None:
        sk.event(0x1F, sk.own)
        pairs = " ".join(f"{channel:02X} {level:02X}" for channel, level in levels.items())
        gap = [""] if sk.product.ed_gap else []
        sk.say("EEDSCAN", "0 " + pairs if sk.product.dual else pairs, *gap)

    if mode == _ENERGY:
        sk.modem.measure(channels, duration, measured)
    else:
        pairing = sk.modem.pairing if mode == _PAIRED else None
        sk.modem.scan(channels, duration, pairing, heard, lambda: sk.event(0x22, sk.own))
