# M5Stack Basic or Gray with ciniml's board for a BP35A1. The module's reset hangs on a port
# expander and is not used.
TABLES = {
    "a1": {
        "about": "M5Stack Basic or Gray, ciniml's BP35A1 board",
        "uart": (1, 5, 2),
        "led": ("backlight", 32),
        "button": 39,
        "radio": "bp35a1",
    }
}
