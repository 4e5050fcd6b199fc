"""A small module on a fake UART, with a meter in range."""

from fakeradio import MAC_TEXT, METER, OWN, Wire

# How many words a line has, where it is not one.
_WORDS = {
    b"SKSREG": (2, 3),
    b"WOPT": (2, 2),
    b"SKSCAN": (4, 4),
    b"SKLL64": (2, 2),
    b"SKJOIN": (2, 2),
    b"SKSETPWD": (3, 3),
    b"SKSETRBID": (2, 2),
}


class Module(Wire):
    """A small SKSTACK-IP module with a meter in range.

    `replies` overrides what is said after a command: {b"SKTERM": b"FAIL ER10"}; None is silence.
    """

    def __init__(self, clock, dual=False, echo=True, option=b"00", chunk=4096):
        super().__init__(clock, chunk)
        self.dual = dual
        self.echo = self._echo = echo
        self.option = option  # None: knows no ROPT
        self.replies = {}
        self.lines = []  # the commands heard
        self.payloads = []
        self.sent = b"00"  # parameter of EVENT 21
        self.sent_first = True  # EVENT 21 before OK
        self.registers = {b"SFB": b"0", b"SA2": b"0"}
        self.pans = [(b"39", b"8CF5", MAC_TEXT, b"E1", b"CCDDEEFF")]
        self.answers = []  # payloads said after the next datagrams
        self._line = bytearray()
        self._need = 0

    # As after power-up: what was going on is forgotten.
    def restart(self):
        for task in self._tasks:
            task.cancel()
        self.echo = self._echo
        self.registers = {b"SFB": b"0", b"SA2": b"0"}

    # An EVENT line as this edition writes it.
    def event(self, code, param=b"", address=METER):
        side = b" 0" if self.dual else b""
        return (
            b"EVENT " + code + b" " + address + side + (b" " + param if param else b"") + b"\r\n"
        )

    def datagram(self, payload, port=b"0E1A", secured=b"1", rssi=b"E1", destination=OWN):
        head = b"ERXUDP %s %s %s %s %s " % (METER, destination, port, port, MAC_TEXT)
        if self.dual and self.registers[b"SA2"] == b"1":
            head += rssi + b" "
        head += secured + (b" 0" if self.dual else b"") + b" %04X " % len(payload)
        if self.option != b"00":
            return head + "".join(["%02X" % c for c in payload]).encode() + b"\r\n"
        return head + payload + b"\r\n"

    def beacon(self, pan, paired):
        names = (b"Channel", b"Pan ID", b"Addr", b"LQI", b"PairID")
        lines = [b"EPANDESC"]
        for i in range(5 if paired else 4):
            lines.append(b"  " + names[i] + b":" + pan[i])
            if i == 0:
                lines.append(b"  Channel Page:09")
            if i == 3 and self.dual:
                lines.append(b"  Side:0")
        return self.event(b"20", address=OWN) + b"\r\n".join(lines) + b"\r\n"

    def hear(self, data):
        for c in data:
            if self._need:
                self._line.append(c)
                self._need -= 1
                if not self._need:
                    self._packet()
            elif c in b"\r\n":
                line = bytes(self._line).strip()
                self._line = bytearray()
                if line:
                    self._command(line)
            else:
                self._line.append(c)
                if c == 32 and self._line.startswith(b"SKSENDTO "):
                    words = bytes(self._line).split()
                    if len(words) == (7 if self.dual else 6):
                        self._need = int(words[-1], 16)
                        self._head = bytes(self._line)
                        self._line = bytearray()

    def _packet(self):
        self.payloads.append(bytes(self._line))
        self._line = bytearray()
        self.lines.append(self._head)
        if self.echo:
            self.feed(self._head)
        self.feed(b"\r\n")
        sent = self.event(b"21", self.sent)
        reply = self.replies.get(
            b"SKSENDTO", sent + b"OK\r\n" if self.sent_first else b"OK\r\n" + sent
        )
        if isinstance(reply, tuple):
            self.say(*reply)
        elif reply is not None:
            self.feed(reply)
            if self.answers:
                self.feed(self.datagram(self.answers.pop(0)))

    def _command(self, line):
        self.lines.append(line)
        if self.echo:
            self.feed(line + b"\r\n")
        words = line.split()
        if line in self.replies or words[0] in self.replies:
            reply = self.replies.get(line, self.replies.get(words[0]))
            if reply is not None:
                self.say(*reply) if isinstance(reply, tuple) else self.feed(reply)
            return
        reply = b"OK\r\n"
        few, many = _WORDS.get(words[0], (1, 1))
        if not few <= len(words) <= many + (words[0] == b"SKSCAN" and self.dual):
            reply = b"FAIL ER05\r\n"
        elif words[0] == b"SKVER":
            reply = (b"EVER 1.5.2\r\n" if self.dual else b"EVER 1.2.10\r\n") + reply
        elif words[0] == b"SKAPPVER":
            reply = b"EAPPVER rev26e\r\n" + reply
        elif words[0] == b"SKINFO":
            last = b"0" if self.dual else b"FFFE "
            reply = b"EINFO " + OWN + b" 001D129012345678 21 FFFF " + last + b"\r\n" + reply
        elif words[0] == b"SKSREG":
            if len(words) == 2:
                reply = b"ESREG " + self.registers.get(words[1], b"0") + b"\r\n" + reply
            else:
                self.registers[words[1]] = words[2]
                if words[1] == b"SFE":
                    self.echo = words[2] == b"1"
        elif words[0] == b"ROPT":
            reply = b"FAIL ER04\r\n" if self.option is None else b"OK " + self.option + b"\r"
        elif words[0] == b"WOPT":
            self.option = words[1]
            reply = b"OK\r"
        elif words[0] == b"SKSCAN":
            if len(words) == 4 and self.dual:
                reply = b"FAIL ER05\r\n"
            else:
                paired = words[1] == b"2"
                found = [self.beacon(pan, paired) for pan in self.pans]
                ms = 8000 if words[2] == b"FFFFFFFF" else 400  # one channel
                self.say(reply, ms, *found, ms // 8, self.event(b"22", address=OWN))
                return
        elif words[0] == b"SKLL64":
            reply = METER + b"\r\n"
        elif words[0] == b"SKJOIN":
            pana = bytes([0, 13, 10, 0x45]) * 26
            self.say(
                reply,
                20,
                self.event(b"21", b"02"),
                self.event(b"02"),
                self.datagram(pana, b"02CC", b"0"),
                self.event(b"21", b"00"),
                3000,
                self.event(b"25"),
            )
            return
        elif words[0] == b"SKTERM":
            self.say(reply, 200, self.event(b"27"))
            return
        elif words[0] == b"SKRESET":
            self.restart()
        elif words[0] not in (b"SKSETPWD", b"SKSETRBID"):
            reply = b"FAIL ER04\r\n"
        self.feed(reply)
