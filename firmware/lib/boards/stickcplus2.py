# M5StickC Plus2 with a Wi-SUN HAT: as stickc.py, but for the LED; GPIO4 keeps its power on.
_BASE = {"led": ("plain", 19, 1), "button": 37, "high": (4,)}
TABLES = {
    "a1": dict(_BASE, about="M5StickC Plus2, Wi-SUN HAT", uart=(1, 0, 26), radio="bp35a1"),
    "c1": dict(
        _BASE, about="M5StickC Plus2, Wi-SUN HAT-C1", uart=(1, 0, 36), radio="j11", reset=26
    ),
}
