# M5Stack AtomS3 Lite on an ATOMIC Wi-SUN base. The pins are from the README of the maker's own
# example; only the base with a C1 module wires the module's reset.
_BASE = {"uart": (1, 6, 7), "led": ("ws2812", 35), "button": 41}
TABLES = {
    "a1": dict(_BASE, about="M5 AtomS3 Lite, ATOMIC Wi-SUN base A1", radio="bp35a1"),
    "c1": dict(_BASE, about="M5 AtomS3 Lite, ATOMIC Wi-SUN base C1", radio="j11", reset=5),
}
