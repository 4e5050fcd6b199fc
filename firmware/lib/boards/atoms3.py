# M5Stack AtomS3 Lite on an ATOMIC Wi-SUN base. The pins are from the README of the maker's own
# example; only the base with a C1 module wires the module's reset.
TABLES = {
    "a1": {"uart": (1, 6, 7), "led": (35, None), "button": 41},
    "c1": {"uart": (1, 6, 7), "led": (35, None), "button": 41, "reset": 5},
}
