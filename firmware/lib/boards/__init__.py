# The boards this firmware knows: each has a table of pins, of which hw.py makes a board.
import sys

NAMES = ("generic", "atoms3-a1", "atoms3-c1")


def pick(name="generic"):
    """The board of that name, one of NAMES."""
    if name not in NAMES:
        raise ValueError("no board %r; there are %s" % (name, ", ".join(NAMES)))
    from boards.hw import Board

    file, _, kind = name.partition("-")
    tables = __import__("boards." + file, None, None, ["TABLES"]).TABLES
    del sys.modules["boards." + file]
    return Board(name, tables[kind])


def nvs():
    """The flash's key-value area, for who must read the settings before it knows the board."""
    from boards.hw import Nvs

    return Nvs()
