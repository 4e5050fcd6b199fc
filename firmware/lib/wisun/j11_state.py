"""Where a J11 module stands on its way to a session with the meter. No clock, no I/O.

What the module says goes into `on_frame`; `step` tells the next command of the way. The rest is
told by calls:

    on_reply(code, result, data)   a reply's code, its result, and what follows; the result is 1
                                   also when what was asked for is so already
    on_datagram(payload, mac, secured, rssi)   payload: memoryview, valid only during the call
    on_pan(channel, mac, pan_id, rssi)         heard in a scan; mac None: nobody on this channel
    on_rssi(rssi)                  dBm, of the meter
    on_garbage(size)               bytes that are of no use
    on_event(code, value)          joined, join failed, closed, lost, ended, receive failed or
                                   reboot; for the codes see the package
"""

from struct import pack, unpack_from

from micropython import const

_PORT = const(3610)
_UNDECIPHERED = const(3)  # in a row prove that the keys are not the meter's

# The shortest data, of what comes unasked and of replies that say more than yes.
_LEAST = {
    0x4051: 2,
    0x6018: 27,
    0x6019: 0,
    0x601A: 10,
    0x6028: 1,
    0x6038: 17,
    0x2001: 4,
    0x2008: 2,
    0x2053: 13,
    0x206B: 9,
}


def dbm(byte: int):
    """dBm of the module's signed byte; None for one that no radio hears."""
    return byte - 256 if byte & 0x80 else None


def address(mac) -> bytes:
    """The link-local IPv6 address that belongs to a MAC address."""
    return b"\xfe\x80\0\0\0\0\0\0" + bytes((mac[0] ^ 2,)) + bytes(mac[1:])


class State:
    """One module, as far as it has been heard."""

    def __init__(self, sink):
        self._sink = sink
        self.credentials = None  # 32 + 12 bytes
        self.goal = None  # (channel, mac, pan_id) of the session that is wanted
        self._boot()

    # As after power-up.
    def _boot(self):
        self.level = 0  # 1 set up, 2 on the meter's network, 3 authenticated; None: not known
        self.channel = None
        self.told = False  # the credentials
        self.port = False  # is open
        self.peer = None  # (mac, pan_id) of the network; zeros: the module names none
        self.stale = False  # this session is over, whatever the module thinks
        self._undeciphered = 0

    # -- to the module ----------------------------------------------------------------------------

    def step(self):
        """The code of the next command on the way to the goal; None: it is reached.

        Without a goal the way ends where a scan can begin.
        """
        level = self.level
        goal = self.goal
        if level is None:
            return 0x0001
        if level < 2:
            if self.channel is None or (goal and self.channel != goal[0]):
                return 0x005F
        elif goal:
            if self.peer is None:
                return 0x0011
            if self.stale or self.peer != goal[1:]:
                return 0x0057 if level == 3 else 0x0058
        if level < 3 and not self.told and self.credentials:
            return 0x0054
        if not goal:
            return None
        if level == 1:
            return 0x0053
        if not self.port:
            return 0x0005
        return 0x0056 if level == 2 else None

    def data(self, code: int):
        """The data of a command that `step` told."""
        if code == 0x005F:  # dual stack, no sleep, 20 mW
            return bytes((5, 0, self.goal[0] if self.goal else 4, 0))
        if code == 0x0054:
            return self.credentials or b""
        if code == 0x0005:
            return pack(">H", _PORT)
        return b""

    def datagram(self, payload):
        """The data of the command that sends a datagram to the meter."""
        head = pack(">HHH", _PORT, _PORT, len(payload))
        return address(self.peer[0]) + head + payload

    # -- from the module --------------------------------------------------------------------------

    def on_frame(self, code, data):
        """What a frame from the module says."""
        sink = self._sink
        size = len(data)
        kind = code >> 12
        if kind == 2 or code == 0xFFFF:
            result = data[0] if size else 0
            if result == 1 or (result == 0x0A and code == 0x2005):
                if size < _LEAST.get(code, 0):
                    return sink.on_garbage(size)
                self._done(code, data)
                result = 1
            elif result == 0x37:
                self._rebooted()
            elif result in (0x10, 0x34, 0x35):
                self.level = None
                if code == 0x2008:
                    sink.on_event(0x34, None)
            sink.on_reply(code, result, data[1:])
        elif size < _LEAST.get(code, 0):
            sink.on_garbage(size)
        elif code == 0x6018:
            self._datagram(data)
        elif code == 0x4051:
            self._scanned(data)
        elif code == 0x6019:
            self._rebooted()
        elif code == 0x6028:
            self._authenticated(data[0])
        elif code == 0x601A:
            self._changed(data)
        elif code == 0x6038:
            self._undecodable(data)

    def _rebooted(self):
        self._boot()
        self._sink.on_event(0x37, None)

    # A command had success.
    def _done(self, code, data):
        if code == 0x2001:
            if data[1] == 3:
                self.level = data[2] & 3
            else:
                self._boot()
        elif code == 0x2011:
            self.peer = (bytes(8), 0)
            for at in range(3, len(data) - 12, 13):
                if data[at + 10] == 1 and data[at + 11] == 7:  # of the B route: its coordinator
                    self.peer = (bytes(data[at : at + 8]), unpack_from(">H", data, at + 8)[0])
        elif code == 0x205F:
            self.level = 1
            self.channel = self.goal[0] if self.goal else 4
        elif code == 0x2054:
            self.told = True
        elif code == 0x2053:
            self.level = 2
            self.port = self.stale = False
            self.peer = (bytes(data[4:12]), unpack_from(">H", data, 2)[0])
            # It is the meter of these credentials, whichever was thought of.
            if self.goal:
                self.goal = (self.goal[0],) + self.peer
            self._rssi(data[12])
        elif code == 0x2005:
            self.port = True
        elif code == 0x2057:
            self.level = 2
            self.told = False
            self._sink.on_event(0x27, None)
        elif code == 0x2058:
            self.level = 1
            self.port = self.stale = False
            self.peer = None

    def _authenticated(self, result):
        if result == 1:
            self.level = 3
            self.stale = False
            self._undeciphered = 0
            if self.port:  # else something of an earlier run of the host
                self._sink.on_event(0x25, None)
        else:
            if self.level == 3:
                self.stale = True
            self._sink.on_event(0x24, result)

    def _changed(self, data):
        what = data[0]
        if what < 3:
            self._rssi(data[9])
            if what == 2:
                self._authenticated(1)
        else:
            self.stale = True
            self._sink.on_event(0x34 if what == 3 else 0x26, None)

    def _undecodable(self, data):
        reason = data[0]
        self._sink.on_event(0x35, reason)
        if reason > 2 or self.level != 3 or not self.peer:
            return
        if bytes(data[1:17]) == address(self.peer[0]):
            self._undeciphered += 1
            if self._undeciphered == _UNDECIPHERED:
                self.stale = True
                self._sink.on_event(0x34, None)

    def _scanned(self, data):
        channel = data[1]
        count = data[2] if data[0] == 0 and len(data) > 2 else 0
        if not count:
            self._sink.on_pan(channel, None, None, None)
        for at in range(3, min(3 + 11 * count, len(data) - 10), 11):
            pan_id = unpack_from(">H", data, at + 8)[0]
            self._sink.on_pan(channel, bytes(data[at : at + 8]), pan_id, dbm(data[at + 10]))

    def _datagram(self, data):
        _, port, _, _, secured, rssi, size = unpack_from(">HHHBBBH", data, 16)
        if port != _PORT or size > len(data) - 27:
            return self._sink.on_garbage(len(data))
        if secured == 2:
            self._undeciphered = 0
            self._rssi(rssi)
        mac = bytes((data[8] ^ 2,)) + bytes(data[9:16])
        self._sink.on_datagram(data[27 : 27 + size], mac, secured == 2, dbm(rssi))

    def _rssi(self, byte):
        if byte & 0x80:
            self._sink.on_rssi(byte - 256)
