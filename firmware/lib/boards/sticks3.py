# M5StickS3 with a Wi-SUN HAT. It has no LED that a pin alone would light.
_BASE = {"button": 11, "note": "it shows nothing: use the console"}
TABLES = {
    "a1": dict(_BASE, about="M5StickS3, Wi-SUN HAT", uart=(1, 8, 0), radio="bp35a1"),
    "c1": dict(_BASE, about="M5StickS3, Wi-SUN HAT-C1", uart=(1, 8, 1), radio="j11", reset=0),
}
