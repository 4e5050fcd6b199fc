# The last lines of what happened, in a ring of fixed size. Secrets never get in.
import struct

from echonet.dates import jst
from micropython import const

_HEAD = "<IBB"  # ms // 1000 of the clock, level, bytes of text
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
        self._ring = bytearray(size)
        self._head = 0  # offset of the oldest line
        self._used = 0

    def debug(self, fmt, *args):
        self._add(DEBUG, fmt, args)

    def info(self, fmt, *args):
        self._add(INFO, fmt, args)

    def warn(self, fmt, *args):
        self._add(WARN, fmt, args)

    def error(self, fmt, *args):
        self._add(ERROR, fmt, args)

    def lines(self):
        """The kept lines as text, oldest first. Do not log while iterating."""
        at = 0
        while at < self._used:
            s, level, n = struct.unpack(_HEAD, self._read(at, _HEAD_SIZE))
            at += _HEAD_SIZE
            text = str(self._read(at, n), "utf-8")
            at += n
            yield self._show(s, level, text)

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
        while self._used + size > len(self._ring):
            drop = _HEAD_SIZE + self._ring[(self._head + 5) % len(self._ring)]
            self._head = (self._head + drop) % len(self._ring)
            self._used -= drop
        self._write(struct.pack(_HEAD, s, level, len(raw)))
        self._write(raw)
        if self.on_line:
            self.on_line(self._show(s, level, str(raw, "utf-8")))

    def _show(self, s, level, text):
        utc = self.clock.utc_at(s * 1000)
        when = "+%ds" % s if utc is None else "%02d-%02d %02d:%02d:%02d" % jst(utc)[1:]
        return "%s %s %s" % (when, _LETTERS[level], text)

    # `n` bytes, `at` bytes after the oldest; they may lie around the ring's end.
    def _read(self, at, n):
        ring = self._ring
        at = (self._head + at) % len(ring)
        first = bytes(memoryview(ring)[at : at + n])
        return first if len(first) == n else first + bytes(memoryview(ring)[: n - len(first)])

    def _write(self, raw):
        ring = self._ring
        at = (self._head + self._used) % len(ring)
        n = min(len(raw), len(ring) - at)
        ring[at : at + n] = raw[:n]
        ring[: len(raw) - n] = raw[n:]
        self._used += len(raw)


def _none():
    return []


# `secret` is in lower case and never empty.
def _hide(text, secret):
    at = text.lower().find(secret)
    while at >= 0:
        text = text[:at] + "***" + text[at + len(secret) :]
        at = text.lower().find(secret)
    return text
