# M5Stack AtomS3R on an ATOMIC Wi-SUN base: see atoms3lite.py. Public sources disagree about what
# drives the light behind its screen, so it stays dark.
_BASE = {"uart": (1, 6, 7), "button": 41, "note": "it shows nothing: use the console"}
TABLES = {
    "a1": dict(_BASE, about="M5 AtomS3R, ATOMIC Wi-SUN base A1", radio="bp35a1"),
    "c1": dict(_BASE, about="M5 AtomS3R, ATOMIC Wi-SUN base C1", radio="j11", reset=5),
}
