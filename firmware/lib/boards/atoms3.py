# M5Stack AtomS3, the one with a screen, on an ATOMIC Wi-SUN base: see atoms3lite.py. It has no LED
# but the light behind its screen.
_BASE = {"uart": (1, 6, 7), "led": ("backlight", 16), "button": 41}
TABLES = {
    "a1": dict(_BASE, about="M5 AtomS3, ATOMIC Wi-SUN base A1", radio="bp35a1"),
    "c1": dict(_BASE, about="M5 AtomS3, ATOMIC Wi-SUN base C1", radio="j11", reset=5),
}
