# Secrets at the Python prompt: asked for without echo, and refused as part of a command.
import select
import sys

from gateway.line import Line
from micropython import const

_MAX = const(200)  # characters, the longest secret there is (server.token)
_PATIENCE_MS = const(120_000)  # without a key, so that a script that expects no question ends


class Cancelled(Exception):
    """Nothing was typed; the text says why."""


class Unfit(Cancelled):
    """It cannot be taken as it was typed."""


def ask(prompt, patience_ms=_PATIENCE_MS, echo=None, default=None):
    """Show `prompt` and return one line, read without echo, or shown by `echo(text)`.

    Cancelled on Ctrl-C, when nobody types, and on an empty line, unless there is a `default`; its
    Unfit on a line that is too long or not plain ASCII. It is not input(), which keeps what was
    typed in the prompt's history.
    """
    # The bytes, one at a time: a board's stdin waits until it has all it was asked for.
    stdin = sys.stdin.buffer
    poll = select.poll()
    poll.register(stdin, select.POLLIN)
    # Some terminals send CR LF for Enter: this LF is of the answer before, or of the command.
    line = Line(_MAX, echo, 13)
    text = None
    try:
        sys.stdout.write(prompt)
        while text is None:
            if not poll.poll(patience_ms):
                raise Cancelled("no key for %d s" % (patience_ms // 1000))
            c = stdin.read(1)
            if not c or c == b"\x03" or c == b"\x04":
                raise Cancelled("cancelled")
            text = line.feed(c[0])
    except KeyboardInterrupt:
        raise Cancelled("cancelled")
    finally:
        if not echo or text is None:
            sys.stdout.write("\n")
    if line.lost:  # also when nothing is left of it
        raise Unfit("too long, or not plain ASCII")
    if not text and default is not None:
        return default
    if not text:
        raise Cancelled("nothing typed")
    return text


# What gateway.set() returns for a secret that stood in the command.
#
# The friendly prompt keeps each command in its history and on the screen, the raw REPL of programs
# keeps nothing, and no function of MicroPython tells which of the two is calling. But the friendly
# prompt shows the value of an expression, with repr(), and the raw REPL does not. So the secret is
# stored, and being shown takes it back and gives the refusal. str() is not repr():
# print(gateway.set(...)) from a program is accepted. What slips through at the prompt is `x =
# gateway.set(...)`, which nobody types by accident.
class Told:
    def __init__(self, nvs, old, new, key):
        self.nvs = nvs
        self.old = old  # {key: value before}
        self.new = new  # {key: value now}; empty once it was taken back
        self.key = key  # the secret to name

    def __repr__(self):
        from gateway.settings import Settings

        settings = Settings(self.nvs)
        # Only what nobody has changed since: the prompt keeps its last result as `_`.
        settings.load({k: self.old[k] for k in self.new if settings[k] == self.new[k]})
        self.new = {}
        return (
            "%s: not changed. A command stays in the history (this one until Ctrl-D).\n"
            'Type gateway.set("%s") and it is asked for without echo.' % (self.key, self.key)
        )

    def __str__(self):
        return "%s: set" % self.key
