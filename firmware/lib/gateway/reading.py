# What a measurement is, from the meter's answer to the server's database: integers, or None.
from collections import namedtuple

# kind     one of KINDS
# t        UTC seconds (1970); while `quality` is None: seconds since this boot
# quality  one of QUALITIES: who set the clock that made `t`. None: nobody yet
# power    W, signed (minus = export)
# current_r, current_t  0.1 A, signed
# normal, reverse       cumulative energy in 0.1 Wh; may pass 32 bits
# origin   one of ORIGINS: the request, notification or property that brought it
Reading = namedtuple(
    "Reading",
    (
        "kind",
        "t",
        "quality",
        "power",
        "current_r",
        "current_t",
        "normal",
        "reverse",
        "origin",
    ),
)

# The exact words used on the wire and in the database.
KINDS = ("instant", "half-hour", "minute")
QUALITIES = ("ntp", "meter", "server")
ORIGINS = ("get", "inf", "E2", "E4", "EC", "D0", "EE")
