# What `board.type` can be: the name of a file, and after the hyphen a key of its TABLES. Loaded to
# look a name up, then dropped.
NAMES = (
    "generic",
    "generic-lan8720",
    "generic-w5500",
    "atoms3lite-a1",
    "atoms3lite-c1",
    "atoms3-a1",
    "atoms3-c1",
    "atoms3r-a1",
    "atoms3r-c1",
    "stickc-a1",
    "stickc-c1",
    "stickc-adapter",
    "stickcplus2-a1",
    "stickcplus2-c1",
    "sticks3-a1",
    "sticks3-c1",
    "m5stack-a1",
)

# Those with Ethernet in place of Wi-Fi.
WIRED = ("generic-lan8720", "generic-w5500")
