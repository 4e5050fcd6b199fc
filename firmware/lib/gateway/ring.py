# The lines that a Log keeps, out of its ring. Loaded when somebody reads them, then dropped.
import struct

from gateway.log import HEAD


def lines(log):
    """Yields the kept lines as text, oldest first. Do not log while iterating."""
    size = struct.calcsize(HEAD)
    at = 0
    while at < log.used:
        s, level, n = struct.unpack(HEAD, _read(log, at, size))
        at += size
        text = str(_read(log, at, n), "utf-8")
        at += n
        yield log.show(s, level, text)


# `n` bytes, `at` bytes after the oldest; they may lie around the ring's end.
def _read(log, at, n):
    ring = log.ring
    at = (log.head + at) % len(ring)
    first = bytes(memoryview(ring)[at : at + n])
    return first if len(first) == n else first + bytes(memoryview(ring)[: n - len(first)])
