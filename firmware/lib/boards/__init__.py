# The boards this firmware knows: each has a table of pins, of which hw.py makes a board.
import sys


def load(name):
    """The module boards.<name>; only who holds it, or what it made, keeps it in memory."""
    module = __import__("boards." + name, None, None, (name,))
    sys.modules.pop("boards." + name)
    globals().pop(name, None)
    return module


def pick(name="generic"):
    """The board of that name, one of boards.names."""
    names = load("names").NAMES
    if name not in names:
        raise ValueError("no board %r; there are %s" % (name, ", ".join(names)))
    from boards.hw import Board

    file, _, kind = name.partition("-")
    return Board(name, load(file).TABLES[kind])


def nvs():
    """The flash's key-value area, for who must read the settings before it knows the board."""
    from boards.hw import Nvs

    return Nvs()
