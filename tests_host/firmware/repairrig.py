# A Repair with a meter that knows its half-hours.
import asyncio
import struct

from echonet.dates import jst, utc
from fakeboard import FakeNvs
from fakeclock import FakeClock, FakeDriver, Lines, Recorder
from gateway.exchange import Exchange
from gateway.meter import Meter
from gateway.repair import DAYS, Repair
from gateway.store import Store
from helpers import hex_, run

JST = 32400
DAY = 86400
NOW = utc(2026, 11, 20, 14, 10, 0)
TODAY = (NOW + JST) // DAY
NONE = 0xFFFFFFFE
EVERYTHING = hex_("11 41 41 41 60 40 40 00 62 43 00 41 40 4B 43 03 03")


class Board:
    def __init__(self, nvs):
        self.nvs = nvs


class Outbox:
    stored = 0

    def __init__(self):
        self.kept = []
        self.waiting = 0

    def __len__(self):
        return self.waiting

    def append(self, r):
        self.kept.append(r)

    def rows(self):
        return ()


class Rig:
    """An app, and a meter that knows `value(t)` in both directions, or says what is in `props`."""

    def __init__(self, nvs=None, now=NOW, epcs=b"\xe2\xe4\xe5\xea\xeb\x97\x98"):
        self.board = Board(nvs or FakeNvs())
        self.clock = FakeClock(now)
        self.driver = FakeDriver()
        self.driver.on_send = self.hear
        self.status = Recorder()
        self.log = Lines()
        self.outbox = Outbox()
        self.air = asyncio.Lock()
        self.store = Store(self.board.nvs)
        self.settings = {"poll.timeout": 10, "poll.interval": 30}
        self.map = epcs
        self.constants = (1, 1, 6)
        self.tid = None
        self.ring = []
        self.pending = []
        self.newest = {}
        self.asked = []  # (EPC, EDT)
        self.props = {}
        self.set = {}
        self.offset = 0  # of the meter's clock
        self.value = lambda t: (t // 1800 % 100_000, t // 3600 % 100_000)
        self.session = self
        self.wanted = self.live = None
        self.scarce = lambda: False
        self.exchange = Exchange(self, self)
        self.meter = Meter(self, self, self.exchange)
        self.repair = Repair(self)

    def hear(self, request):
        esv, epc = request[10], request[12]
        self.asked.append((epc, request[14 : 14 + request[13]]))
        if esv == 0x61:
            self.set[epc] = request[14:]
            self.reply(request, 0x71, [(epc, b"")])
            return
        props = []
        for i in range(request[11]):
            epc = request[12 + 2 * i]
            tell = self.props.get(epc, self.tell)
            props.append((epc, tell(epc) if callable(tell) else tell))
        self.reply(request, 0x72 if all(edt for _, edt in props) else 0x52, props)

    def reply(self, request, esv, props):
        body = b"".join(bytes([epc, len(edt)]) + edt for epc, edt in props)
        head = b"\x10\x81" + request[2:4] + hex_("02880105FF01") + bytes([esv, len(props)])
        self.exchange.datagram(memoryview(head + body), True)

    def tell(self, epc):
        now = self.clock.utc() + self.offset
        if epc == 0x97:
            return bytes(jst(now)[3:5])
        if epc == 0x98:
            return struct.pack(">HBB", *jst(now)[:3])
        if epc in (0xEA, 0xEB):
            t = now // 1800 * 1800
            return struct.pack(">HBBBBB", *jst(t)) + struct.pack(">I", self.value(t)[epc & 1])
        if epc in (0xE2, 0xE4):
            age = self.set[0xE5][0]
            begin = ((now + JST) // DAY - age) * DAY - JST
            edt = struct.pack(">H", age)
            for k in range(48):
                t = begin + 1800 * k
                edt += struct.pack(">I", self.value(t)[epc >> 2 & 1] if t <= now else NONE)
            return edt
        return b""

    def step(self, left=25_000):
        return run(self.repair.step(self.exchange, left))

    def steps(self, n):
        """Until `n` more requests were made."""
        n += len(self.asked)
        for _ in range(100):
            wait = self.step()
            if len(self.asked) >= n:
                if self.repair.stage == 3:
                    self.step()
                return
            if wait > 1:
                self.clock.t += wait
        raise AssertionError("it asks nothing more: %s" % self.asked)


def k_of(t):
    return (t + JST) // 1800


def settled(r, t):
    at = k_of(t) - r.first * 48
    return 0 <= at < DAYS * 48 and r.map[at >> 3] >> (at & 7) & 1
