# M5StickC and M5StickC Plus with a Wi-SUN HAT (a1: revision 0.2 or later, BP35A1; c1: HAT-C1) or
# an adapter for a bare BP35A1. GPIO36 is an input only, which suits it.
_BASE = {"led": ("plain", 10, 0), "button": 37}
TABLES = {
    "a1": dict(_BASE, about="M5StickC or Plus, Wi-SUN HAT", uart=(1, 0, 26), radio="bp35a1"),
    "c1": dict(
        _BASE, about="M5StickC or Plus, Wi-SUN HAT-C1", uart=(1, 0, 36), radio="j11", reset=26
    ),
    "adapter": dict(
        _BASE, about="M5StickC or Plus, adapter for BP35A1", uart=(1, 0, 36), radio="bp35a1"
    ),
}
