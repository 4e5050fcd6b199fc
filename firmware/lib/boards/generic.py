# An ESP32 devkit with a module on GPIO17/16, by Wi-Fi or with one of two Ethernet chips. Not for
# modules of the WROVER kind, whose PSRAM uses these pins. UART 1 rather than 2, which is
# unreliable after a soft reset.
#
# about: what to buy. uart: number, GPIO to the module's RX, GPIO from its TX. led: kind (one of
# the led_* modules) and its GPIO, for a plain one also the level that lights it. button: GPIO,
# pressed is low. reset: GPIO of the module's reset, active low. power: GPIO that switches the
# module's supply, high is on. high: GPIOs that must be high. radio: the kind of module, when it
# comes with one. lan: chip, its GPIOs, and other arguments of network.LAN, for a board that has it
# instead of Wi-Fi. note: what else to know.
TABLES = {
    "": {
        "about": "ESP32 devkit (not WROVER)",
        "uart": (1, 17, 16),
        "led": ("plain", 2, 1),
        "button": 0,
    },
    # The chip's 50 MHz clock comes in at GPIO0, so that there is no button; 12 switches its power
    # on, as on the Olimex boards. Both are usual, and neither is on every board.
    "lan8720": {
        "about": "ESP32 board with a LAN8720, Ethernet",
        "uart": (1, 4, 5),
        "led": ("plain", 2, 1),
        "lan": {"phy": "LAN8720", "mdc": 23, "mdio": 18, "power": 12, "phy_addr": 0},
        "note": "GPIO0 is the clock of the Ethernet chip: there is no button",
    },
    "w5500": {
        "about": "ESP32 devkit with a W5500 module, Ethernet",
        "uart": (1, 17, 16),
        "led": ("plain", 2, 1),
        "button": 0,
        "lan": {"phy": "W5500", "phy_addr": 0, "spi": (2, 18, 23, 19), "cs": 5, "int": 4},
        "note": "W5500: SCK GPIO18, MOSI GPIO23, MISO GPIO19, CS GPIO5, INT GPIO4",
    },
}
