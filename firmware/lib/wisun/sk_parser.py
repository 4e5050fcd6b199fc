"""SKSTACK-IP text, from the module to the host: bytes in, events out. No clock, no I/O.

    parser.received(uart.readinto(parser.space()))

An event is a call of one of the sink's methods:

    on_final(text, good)      OK: what follows the word, True; FAIL: b"ER04", False
    on_line(text)             an EVER, EAPPVER, EINFO or ESREG line, or an IPv6 address alone
    on_event(code, param)     EVENT; param is None but for event 21
    on_datagram(payload, mac, secured, rssi)     payload: memoryview, valid only during the call
    on_pan(fields)            EPANDESC: {b"Channel": b"3B", ...}
    on_echo()                 a command came back
    on_garbage(size)          bytes were dropped

Both editions, echo or none, hexadecimal or raw datagrams, CR, LF or both: told apart from the
bytes alone, so a module that resets or is exchanged needs no word to the parser. Authentication
messages (PANA) are counted and wiped. The memory is taken once.
"""

from binascii import unhexlify

from micropython import const

# ERXUDP: the fields of fixed width that all editions share; the shortest header
_SHARED = const(114)
_HEADER = const(121)
_LONGEST = const(1232)
# Room for the longest raw datagram, or for 640 bytes in digits: three times a day's history, and
# no answer is longer. The longest in digits would take twice the memory.
_SIZE = const(1408)

_ASYNC = (b"EVENT ", b"ERXUDP ", b"EPANDESC")
_LINES = (b"EVER ", b"EINFO ", b"ESREG ", b"EAPPVER ")
_ECHOES = (b"SK", b"ROPT", b"WOPT")
_BLANK = bytes(64)


def number(buf, at: int, digits: int) -> int:
    """The number that hexadecimal digits in a buffer say, or -1. Allocates nothing."""
    value = 0
    for i in range(at, at + digits):
        c = buf[i]
        if c >= 97:
            c -= 32
        c -= 48
        if c > 16:
            c -= 7
            if c > 15:
                return -1
        elif c < 0 or c > 9:
            return -1
        value = value << 4 | c
    return value


def dbm(lqi: int) -> int:
    """dBm of the module's LQI (0 to 255): 0.275 x LQI - 104.27, rounded."""
    return (275 * lqi - 103770) // 1000


class Parser:
    """Splits what the module sends. Counts in `counters`: truncated, unended, pana."""

    def __init__(self, sink, counters):
        self._sink = sink
        self._counters = counters
        for name in ("truncated", "unended", "pana"):
            counters[name] = 0
        self._buf = bytearray(_SIZE)
        self._view = memoryview(self._buf)
        self._pos = 0
        self._end = 0
        self._fields = None  # of the EPANDESC that is being read

    def space(self):
        """A memoryview to read into, never empty."""
        if self._pos == self._end:
            self._pos = self._end = 0
        elif _SIZE - self._end < 256 and self._pos:
            n = self._end - self._pos
            self._view[:n] = self._view[self._pos : self._end]
            self._pos = 0
            self._end = n
        return self._view[self._end :]

    def received(self, n: int):
        """The first n bytes of the space have been filled: tell the sink what is complete."""
        self._end += n
        while self._next(False):
            pass

    def give_up(self):
        """What is incomplete will not be completed: tell the sink what can be made of it.

        Space that was given out stays where it is.
        """
        while self._next(True):
            pass

    # One step; False when the bytes do not suffice for one, though nothing comes after the last.
    def _next(self, last):
        buf = self._buf
        pos = self._pos
        end = self._end
        while pos < end and (buf[pos] == 13 or buf[pos] == 10):
            pos += 1
        self._pos = pos
        if pos == end:
            return False
        if self._fields is not None and buf[pos] != 32:
            fields = self._fields
            self._fields = None
            self._sink.on_pan(fields)
        if buf[pos] == 69 and pos + 1 < end and buf[pos + 1] == 82:  # "ER": may hold raw bytes
            stop = self._datagram(pos, end)
            if stop > 0:
                return True
            if stop == 0 and not last:
                return False
            # Not what it says: step over the start of its word, and take the rest as lines.
            self._counters["truncated"] += 1
            self._pos += 2
            return True
        stop = buf.find(b"\r", pos, end)
        lf = buf.find(b"\n", pos, end if stop < 0 else stop)
        if lf >= 0:
            stop = lf
        if stop < 0:
            if not last and end - pos < _SIZE:
                return False
            self._counters["unended"] += 1
            stop = end
        self._line(pos, stop)
        return True

    # A line, without its end.
    def _line(self, pos, stop):
        buf = self._buf
        first = buf[pos]
        size = stop - pos
        self._pos = stop
        if first == 69:
            if buf.startswith(b"EVENT ", pos):
                if self._event(pos, stop):
                    return
            elif size == 8 and buf.startswith(b"EPANDESC", pos):
                self._fields = {}
                return
            else:
                for word in _LINES:
                    if buf.startswith(word, pos):
                        return self._sink.on_line(bytes(self._view[pos:stop]))
        elif first == 79:
            if buf.startswith(b"OK", pos) and (size == 2 or buf[pos + 2] == 32):
                return self._sink.on_final(bytes(self._view[pos + 3 : stop]), True)
        elif first == 32 and self._fields is not None and len(self._fields) < 9:
            name, _, value = bytes(self._view[pos:stop]).strip().partition(b":")
            self._fields[name] = value
            return
        elif size >= 9 and buf.startswith(b"FAIL ER", pos) and (size == 9 or buf[pos + 9] == 32):
            return self._sink.on_final(bytes(self._view[pos + 5 : pos + 9]), False)
        elif size == 39 and buf[pos + 4] == buf[pos + 19] == buf[pos + 34] == 58:
            return self._sink.on_line(bytes(self._view[pos:stop]))
        self._unknown(pos, stop)

    # Not a line of its own. Something may begin in its middle, after noise or a lost line end.
    def _unknown(self, pos, stop):
        buf = self._buf
        at = _first(buf, pos + 1, stop)
        if at < stop:
            self._line(pos, at)
            self._pos = at
            return
        for word in _ECHOES:
            if buf.startswith(word, pos):
                self._wipe(pos, stop)
                return self._sink.on_echo()
        self._wipe(pos, stop)
        self._sink.on_garbage(stop - pos)

    # EVENT nn [address [side] [parameter]]. The parameter is the last, and matters for 21 only.
    def _event(self, pos, stop):
        buf = self._buf
        if stop - pos > 54:  # the line end was lost
            stop = self._pos = _first(buf, pos + 8, stop)
        size = stop - pos
        if size < 8 or (size > 8 and buf[pos + 8] != 32):
            return False
        code = number(buf, pos + 6, 2)
        param = None
        if code == 0x21:
            while buf[stop - 1] == 32:
                stop -= 1
            size = stop - pos
            if not 51 <= size <= 54 or buf[stop - 3] != 32:
                return False
            param = number(buf, stop - 2, 2)
        if code < 0 or param == -1:
            return False
        self._sink.on_event(code, param)
        return True

    # ERXUDP. Where it ends; 0 when more bytes are needed; -1 when it is damaged.
    def _datagram(self, pos, end):
        buf = self._buf
        at = min(pos + _HEADER, end)
        if buf.find(b"\r", pos, at) >= 0 or buf.find(b"\n", pos, at) >= 0:
            return -1
        if end < pos + _HEADER:
            return 0
        at = pos + _SHARED
        rssi = None
        if buf[at + 1] != 32:  # dual stack, register SA2 = 1; coded as LQI is: no source says so
            rssi = number(buf, at, 2)
            at += 3
        secured = buf[at] - 48
        at += 2
        if buf[at + 1] == 32:  # dual stack: side
            at += 2
        data = at + 5
        if end < data + 2:
            return 0
        size = number(buf, at, 4)
        if (
            not 0 < size <= _LONGEST
            or not 0 <= secured <= 1
            or rssi == -1
            or not buf[at + 4] == buf[at - 1] == buf[pos + 113] == buf[pos + 96] == 32
            or not buf[pos + 91] == buf[pos + 86] == buf[pos + 46] == buf[pos + 6] == 32
        ):
            return -1
        # Neither ECHONET Lite (10 81) nor PANA (00 00) begins with what could be digits.
        stop = data + size
        raw = number(buf, data, 2) < 0
        if not raw:
            stop += size
            if buf.find(b"\r", data, min(stop, end)) >= 0:
                return -1
        if stop + 2 - pos > _SIZE:
            return -1
        if end < stop + 2:
            return 0
        if buf[stop] != 13 or buf[stop + 1] != 10:
            return -1
        view = self._view
        if buf.startswith(b"02CC", pos + 87) or buf.startswith(b"02CC", pos + 92):
            self._counters["pana"] += 1
            self._wipe(pos, stop)
            self._pos = stop
            return stop
        try:
            mac = unhexlify(view[pos + 97 : pos + 113])
            payload = view[data:stop] if raw else memoryview(unhexlify(view[data:stop]))
        except ValueError:
            return -1
        self._pos = stop
        self._sink.on_datagram(payload, mac, secured == 1, None if rssi is None else dbm(rssi))
        return stop

    # What may hold a secret does not stay in the buffer.
    def _wipe(self, pos, stop):
        for at in range(pos, stop, 64):
            n = min(64, stop - at)
            self._view[at : at + n] = _BLANK[:n]


# Where something begins that comes unasked; stop when nothing does.
def _first(buf, pos, stop):
    for word in _ASYNC:
        found = buf.find(word, pos, stop)
        if found >= 0:
            stop = found
    return stop
