"""For the J11 driver: a small module on a fake UART, with a meter in range."""

import asyncio

from fakeradio import Wire
from j11frames import IP, MAC, PASSWORD, RBID
from wisun.j11_frame import RESPONSE, frame

CHANNEL = 12
PAN_ID = 0xBCDE
RSSI = 0xDE  # -34 dBm

# In which states a command is executed: 0 as after power-up, 1 set up, 2 joined, 3 authenticated.
_WHEN = {
    0x0001: (0, 1, 2, 3),
    0x0011: (0, 1, 2, 3),
    0x006B: (0, 1, 2, 3),
    0x00D9: (0, 1, 2, 3),
    0x00D2: (3,),
    0x005F: (0, 1),
    0x0005: (2, 3),
    0x0008: (2, 3),
    0x0051: (1, 2, 3),
    0x0054: (1, 2),
    0x0053: (1,),
    0x0056: (2,),
    0x0057: (3,),
    0x0058: (2,),
}
# What it says otherwise, in each of these states.
_NOT_WHEN = (0x37, 0x10, 0x34, 0x35)


class J11Module(Wire):
    """A module that forgets everything at a reset, as a real one.

    `replies` overrides what is said after a command: {0x0008: b"..."}; None is silence, a tuple
    has pauses in it. `lines` has the codes of the commands heard, `heard` these and their data.
    """

    def __init__(self, clock, chunk=4096):
        super().__init__(clock, chunk)
        self.replies = {}
        self.heard = []
        self.lines = []
        self.payloads = []
        self.answers = []  # payloads said after the next datagrams
        self.meters = [(CHANNEL, PAN_ID, MAC, RSSI)]
        self.credentials = (RBID + PASSWORD).encode()
        self.send_result = 0
        self.pana = (3000, 1)  # when it ends, and how; None: it goes on for minutes
        self.boot_ms = 800
        self.deaf = False
        self._inbuf = bytearray()
        self._part_ms = 0
        self._forget()

    def _forget(self):
        self.level = 0
        self.given = None
        self.channel = None
        self.peer = None
        self.ports = []
        self.busy = 0  # the command that keeps it busy

    # A response or a notification.
    def frame(self, code, data=b""):
        return frame(code, data, RESPONSE)

    def tell(self, code, data=b""):
        self.feed(self.frame(code, data))

    def datagram(self, payload, secured=2, rssi=RSSI, port=3610, kind=0, source=IP):
        head = bytes((0x0E, 0x1A, port >> 8, port & 255, PAN_ID >> 8, PAN_ID & 255))
        size = len(payload)
        tail = bytes((kind, secured, rssi, size >> 8, size & 255))
        return self.frame(0x6018, source + head + tail + payload)

    def _stop(self):
        for task in self._tasks:
            task.cancel()
        self._tasks = []

    # What a reset, or power, does. What it was about to say is not said.
    def restart(self):
        self._stop()
        self._forget()
        self.say(self.boot_ms, self.frame(0x6019))

    # Like one that was authenticated by an earlier run of the host.
    def go_on(self):
        self.level = 3
        self.channel = CHANNEL
        self.given = self.credentials
        self.peer = self.meters[0]
        self.ports = [3610]

    # -- what the host says -----------------------------------------------------------------------

    def hear(self, data):
        if self.deaf:
            return
        self._inbuf.extend(data)
        while self._frame():
            pass
        self._part_ms = self.clock.ms()
        if self._inbuf:
            self._tasks.append(asyncio.create_task(self._give_up()))

    # The rest of a frame is waited for, for a second.
    async def _give_up(self):
        await self.clock.sleep_ms(1000)
        if self._inbuf and self.clock.ms() - self._part_ms >= 1000:
            self._inbuf = bytearray()
            self.tell(0x2FFF, b"\x13")

    def _frame(self):
        data = bytes(self._inbuf)
        at = data.find(b"\xd0\xea\x83\xfc")
        if at < 0 or len(data) < at + 12:
            return False
        size = data[at + 6] << 8 | data[at + 7]
        if sum(data[at : at + 8]) & 0xFFFF != data[at + 8] << 8 | data[at + 9]:
            return self._wrong(data[at + 4 :], b"\xf0")
        if len(data) < at + 8 + size:
            return False
        self._inbuf = bytearray(data[at + 8 + size :])
        body = data[at + 12 : at + 8 + size]
        if sum(body) & 0xFFFF != data[at + 10] << 8 | data[at + 11]:
            return self._wrong(self._inbuf, b"\xf1")
        self._command(data[at + 4] << 8 | data[at + 5], body)
        return True

    def _wrong(self, rest, result):
        self._inbuf = bytearray(rest)
        self.tell(0x2FFF, result)
        return True

    def reply(self, code, result=1, data=b""):
        self.tell(0x2000 | code, bytes((result,)) + data)

    def _command(self, code, data):
        self.lines.append(code)
        self.heard.append((code, data))
        if code in self.replies:
            said = self.replies[code]
            if said is not None:
                self.say(*said) if isinstance(said, tuple) else self.feed(said)
        elif self.busy and code != 0x00D9:
            self.reply(code, 0x52 if self.busy == code == 0x0056 else 0x3D)
        elif code not in _WHEN:
            self.tell(0xFFFF, b"\x03")
        elif self.level not in _WHEN[code]:
            self.reply(code, _NOT_WHEN[self.level])
        else:
            getattr(self, "_do_%02x" % code)(data)

    def _do_01(self, data):
        self.reply(0x01, 1, bytes((3 if self.level else 2, max(self.level, 1), 1)))

    def _do_11(self, data):
        if not self.peer:
            self.reply(0x11, 1, b"\0")
            return
        _, pan_id, mac, _ = self.peer
        entry = mac + bytes((pan_id >> 8, pan_id & 255, 1, 7, self.level - 1))
        other = bytes(8) + b"\x12\x34\x02\x01\x02"
        self.reply(0x11, 1, b"\x01\x02" + other + entry)

    def _do_6b(self, data):
        self.reply(0x6B, 1, b"\x04\x00\x01\x03\x00\x00\x15\x8a")

    def _do_d9(self, data):
        self.restart()

    def _do_5f(self, data):
        assert data[0] == 5 and 4 <= data[2] <= 17 and len(data) == 4
        self.level = 1
        self.channel = data[2]
        self.reply(0x5F)

    def _do_54(self, data):
        assert len(data) == 44
        self.given = data
        self.reply(0x54)

    # It has been busy for ms when it says what `then` returns, if still in the same life.
    def _later(self, code, ms, then):
        async def wait():
            await self.clock.sleep_ms(ms)
            self.busy = 0
            self.feed(then())

        self.busy = code
        self._tasks.append(asyncio.create_task(wait()))

    def _do_53(self, data):
        def then():
            for meter in self.meters:
                if meter[0] == self.channel and self.given == self.credentials:
                    self.level = 2
                    self.peer = meter
                    channel, pan_id, mac, rssi = meter
                    pan = bytes((channel, pan_id >> 8, pan_id & 255))
                    return self.frame(0x2053, b"\x01" + pan + mac + bytes((rssi,)))
            return self.frame(0x2053, b"\x0e")

        self._later(0x53, 600, then)

    def _do_05(self, data):
        port = data[0] << 8 | data[1]
        if port in self.ports:
            self.reply(0x05, 0x0A)
        else:
            self.ports.append(port)
            self.reply(0x05)

    def _do_56(self, data):
        self.reply(0x56)
        if self.pana is None:
            self.busy = 0x56
            return
        ms, result = self.pana

        def then():
            good = result == 1 and self.given == self.credentials
            if good:
                self.level = 3
            return self.frame(0x6028, bytes((1 if good else max(result, 2),)) + self.peer[2])

        self._later(0x56, ms, then)

    def _do_d2(self, data):
        self.reply(0xD2)
        if self.pana is not None:
            ms, result = self.pana
            self.say(ms, self.frame(0x6028, bytes((result,)) + self.peer[2]))

    def _do_57(self, data):
        self.level = 2
        self.given = None
        self.reply(0x57)

    def _do_58(self, data):
        self.level = 1
        self.peer = None
        self.ports = []
        self.reply(0x58)

    def _do_08(self, data):
        mac = self.peer[2]
        assert data[:16] == b"\xfe\x80" + bytes(6) + bytes((mac[0] ^ 2,)) + mac[1:]
        assert data[16:20] == b"\x0e\x1a\x0e\x1a"
        payload = data[22:]
        assert len(payload) == data[20] << 8 | data[21]
        if 3610 not in self.ports:
            self.reply(0x08, 0x0B)
            return
        self.payloads.append(payload)
        self.reply(0x08, 1, bytes((self.send_result,)) + payload[:5])
        if self.answers:
            self.feed(self.datagram(self.answers.pop(0)))

    def _do_51(self, data):
        duration = data[0]
        mask = data[1] << 24 | data[2] << 16 | data[3] << 8 | data[4]
        paired = data[5] == 1
        assert len(data) == (14 if paired else 6) and not mask & ~0x3FFF0 and 1 <= duration <= 14
        items = []
        for channel in range(4, 18):
            if mask >> channel & 1:
                items.append((964 << duration) // 100 + 80)
                items.append(self._on_channel(channel, data[6:] if paired else None))

        async def scan():
            for item in items:
                if isinstance(item, int):
                    await self.clock.sleep_ms(item)
                else:
                    self.feed(item)
            self.busy = 0
            self.reply(0x51)

        self.busy = 0x51
        self._tasks.append(asyncio.create_task(scan()))

    def _on_channel(self, channel, pair_id):
        found = b""
        count = 0
        for meter in self.meters:
            if meter[0] == channel and pair_id in (None, self.credentials[24:32]):
                found += meter[2] + bytes((meter[1] >> 8, meter[1] & 255, meter[3]))
                count += 1
        if count:
            return self.frame(0x4051, bytes((0, channel, count)) + found)
        return self.frame(0x4051, bytes((1, channel)))
