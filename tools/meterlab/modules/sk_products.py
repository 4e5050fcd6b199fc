"""The products that speak SKSTACK text, and what sets each apart."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Product:
    """`dual`: the dual-stack edition with its SIDE arguments. `appver` None: no SKAPPVER.
    `options`: has WOPT/ROPT and WUART/RUART. `hex_data`: ERXUDP in hex as delivered.
    `echo`: SFE after reset. `mac`: first half of the module's address. `cache`: neighbours.
    `tcp_ports`: SKTABLE E lists four more. `ed_gap`: an empty line ends EEDSCAN.
    `info_tail`: what follows the last field of EINFO. `power`: SA2 is the transmit power, as in
    the general edition, which a host had better leave alone.
    """

    kind: str
    dual: bool
    ever: str
    appver: str | None
    options: bool = True
    hex_data: bool = False
    echo: bool = True
    mac: bytes = bytes.fromhex("001D1290")
    tcp_ports: bool = False
    ed_gap: bool = False
    info_tail: str = ""
    power: bool = False

    @property
    def cache(self) -> int:
        return 16 if self.dual else 8


_DUAL_MAC = bytes.fromhex("001D1291")

PRODUCTS: dict[str, Product] = {
    product.kind: product
    for product in (
        Product("bp35a1", False, "1.2.10", "rev26e", tcp_ports=True, ed_gap=True),
        Product("wsr35a1", False, "1.2.8", "rev26e", tcp_ports=True, ed_gap=True),
        Product("bp35c0", True, "1.5.2", "rev17", mac=_DUAL_MAC),
        Product("bp35c2", True, "1.5.2", "rev17", mac=_DUAL_MAC),
        Product("rs-wsuha-p", True, "1.5.2", "rev17", mac=_DUAL_MAC),
        Product(
            "rl7023-ips",
            False,
            "1.2.10",
            "rev26e",
            options=False,
            hex_data=True,
            info_tail=" ",
            power=True,
            mac=bytes.fromhex("100723FF"),
        ),
        Product("cube-j1", True, "1.5.2", "rev17", mac=_DUAL_MAC),
        # Reports differ on what this one sends.
        Product("rl7023-dss", True, "1.5.2", None, options=False, hex_data=True, mac=_DUAL_MAC),
        Product("rl7023-dss-binary", True, "1.5.2", None, options=False, mac=_DUAL_MAC),
    )
}
