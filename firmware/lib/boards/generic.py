# An ESP32 devkit with a module on GPIO17/16. Not for modules of the WROVER kind, whose PSRAM uses
# these pins. UART 1 rather than 2, which is unreliable after a soft reset.
#
# uart: number, GPIO to the module's RX, GPIO from its TX. led: GPIO, level that lights it; None as
# level: a WS2812. button: GPIO, pressed is low. reset: GPIO of the module's reset, active low.
# lan: the arguments of network.LAN, for a board that has it instead of Wi-Fi.
TABLES = {"": {"uart": (1, 17, 16), "led": (2, 1), "button": 0}}
