# The last lines of what happened, in a ring of fixed size; gateway.ring reads it. Secrets never
# get in.
import struct

from echonet.dates import jst
from micropython import const

HEAD = "<IBB"  # ms // 1000 of the clock, level, bytes of text
_HEAD_SIZE = const(6)
_TEXT_MAX = const(200)  # bytes of one line
_LETTERS = "DIWE"

DEBUG = const(0)
INFO = const(1)
WARN = const(2)
ERROR = const(3)


class Log:
    """debug, info, warn, error(fmt, *args): `fmt % args`, kept when its level is `level` or more.

    `secrets` is called for the values to mask. `on_line(text)` hears every line that is kept.
    A line is stamped with the clock's milliseconds and shown in Japanese time, even when that
    became known only after the line was written; else in seconds since the start.
    """

    def __init__(self, clock, size=2048):
        self.clock = clock
        self.level = INFO
        self.secrets = _none
        self.on_line = None
        self.ring = bytearray(size)
        self.head = 0  # offset of the oldest line
        self.used = 0

    def debug(self, fmt, *args):
        self._add(DEBUG, fmt, args)

    def info(self, fmt, *args):
        self._add(INFO, fmt, args)

    def warn(self, fmt, *args):
        self._add(WARN, fmt, args)

    def error(self, fmt, *args):
        self._add(ERROR, fmt, args)

    def mask(self, text):
        """The text without any secret, in whatever case or as hexadecimal digits."""
        for secret in self.secrets():
            text = _hide(text, secret.lower())
            text = _hide(text, secret.encode().hex())
        return text

    def _add(self, level, fmt, args):
        if level < self.level:
            return
        text = self.mask(fmt % args if args else fmt)
        raw = text.encode()
        if len(raw) > _TEXT_MAX:
            raw = raw[:_TEXT_MAX]
            while raw[-1] & 0xC0 == 0x80:  # never half a character
                raw = raw[:-1]
            raw = raw[:-1] if raw[-1] & 0x80 else raw
        s = self.clock.ms() // 1000
        size = _HEAD_SIZE + len(raw)
        while self.used + size > len(self.ring):
            drop = _HEAD_SIZE + self.ring[(self.head + 5) % len(self.ring)]
            self.head = (self.head + drop) % len(self.ring)
            self.used -= drop
        self._write(struct.pack(HEAD, s, level, len(raw)))
        self._write(raw)
        if self.on_line:
            self.on_line(self.show(s, level, str(raw, "utf-8")))

    def show(self, s, level, text):
        """A line as text. `s`: seconds of the clock when it was written."""
        utc = self.clock.utc_at(s * 1000)
        when = "+%ds" % s if utc is None else "%02d-%02d %02d:%02d:%02d" % jst(utc)[1:]
        return "%s %s %s" % (when, _LETTERS[level], text)

    def _write(self, raw):
        ring = self.ring
        at = (self.head + self.used) % len(ring)
        n = min(len(raw), len(ring) - at)
        ring[at : at + n] = raw[:n]
        ring[: len(raw) - n] = raw[n:]
        self.used += len(raw)


def _none():
    return []


# `secret` is in lower case and never empty.
def _hide(text, secret):
    at = text.lower().find(secret)
    while at >= 0:
        text = text[:at] + "***" + text[at + len(secret) :]
        at = text.lower().find(secret)
    return text
