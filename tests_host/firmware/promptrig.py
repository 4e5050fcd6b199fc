# A prompt as far as its functions need one: settings, a board, and what is printed.
import builtins

import gateway

KEY = "correct horse battery"
MORE_KEY = "staple and so on"
ID = "0123456789ABCDEF0123456789ABCDEF"
PASSWORD = "ABCDEFGH0123"


class Nvs:
    def __init__(self):
        self.blobs = {}
        self.full = False

    def get(self, name):
        return self.blobs.get(name)

    def set(self, name, blob):
        if self.full:
            raise OSError(0x1105)
        self.blobs[name] = bytes(blob)

    def erase(self, name):
        self.blobs.pop(name, None)

    def commit(self):
        pass


class Board:
    name = "fake"

    def __init__(self):
        self.nvs = Nvs()
        self.resets = 0

    def led(self, pattern):
        self.pattern = pattern

    def reset(self):
        self.resets += 1

    def reset_cause(self):
        return "power-on"


# Calls gateway.<name>(*args) -> (what it printed, what it returned).
def at_prompt(name, *args, **keys):
    lines = []

    def catch(*words):
        lines.append(" ".join(str(w) for w in words))

    real = builtins.print
    builtins.print = catch
    try:
        result = getattr(gateway, name)(*args, **keys)
    finally:
        builtins.print = real
    return "\n".join(lines), result


def fresh():
    board = Board()
    gateway.use(board)
    gateway._ran = None
    gateway._own()  # as at every prompt; the imports of other tests are none of its business
    return board


def settings():
    from gateway.settings import Settings

    return Settings(gateway.nvs())
