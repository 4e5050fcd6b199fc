# What is asked of the meter, and what becomes of its answers: readings for the outbox.
from echonet import EchonetError
from echonet import meter as m0288
from echonet.maps import decode as decode_map
from echonet.meter import Scale
from echonet.planner import Planner
from gateway.exchange import NoAnswer
from gateway.reading import Reading
from micropython import const

_E0 = const(0xE0)
_E3 = const(0xE3)
_E7 = const(0xE7)
_E8 = const(0xE8)
_EA = const(0xEA)
_EB = const(0xEB)
_TRIES = const(3)
_SILENT_AFTER = const(3)  # polls in a row without an answer
_PENDING_MAX = const(8)
_CONSTANTS = b"\x82\x8a\x8d\xd3\xd7\xe1"
_POWER = b"\xe7\xe8"
_ENERGIES = b"\xe7\xe8\xe0\xe3"


class Meter:
    """The meter object 0x028801 as seen by a polite controller.

    `learn` reads the property map and the constants; `poll` makes one instant reading; notifications
    and late answers come in through `notice` and `late`. Energies need D3 and E1: fixed-time values
    that arrive before these are known wait in `_pending`.
    """

    def __init__(self, settings, clock, outbox, status, log):
        self.clock = clock
        self.outbox = outbox
        self.status = status
        self.log = log
        self.exchange = None
        self.try_ms = settings["poll.timeout"] * 1000
        self.map = None
        self.scale = None
        self.newest = {_EA: 0, _EB: 0}  # UTC of the newest fixed-time value
        self.silent = 0  # polls in a row without any answer
        self.bad = 0  # answers that could not be understood
        self._pending = []

    def has(self, epc):
        return self.map is None or epc in self.map

    # Map and constants, once a session. -> True when nothing is missing any more.
    async def learn(self):
        if self.map is None:
            frame = await self._get(b"\x9f", self.try_ms * 2)
            if frame is None:
                return False
            self.map = self._value(decode_map, frame.get(0x9F))
            if self.map is None:
                return False
        if self.scale is None:
            values = await self._read_constants()
            if values is None:
                return False
            self._settle(values)
        return True

    async def _read_constants(self):
        plan = Planner(_CONSTANTS, self.map)
        await self._ask(plan, self.try_ms * 2, _TRIES * 2)
        return None if plan.missing else plan.values

    # Works a plan off, one Get at a time. -> ms at which the first answer was asked for, or None.
    async def _ask(self, plan, ms, tries):
        asked = None
        for _ in range(tries):
            epcs = plan.next()
            if not epcs:
                break
            frame = await self._get(epcs, ms)
            if frame is not None and frame.opc:
                if asked is None:
                    asked = self.exchange.asked_ms
                plan.answer(frame)
        return asked

    def _settle(self, values):
        get = values.get
        coefficient = self._value(m0288.u32, get(0xD3))
        if 0xD3 in values and coefficient is None:
            coefficient = 0  # told, but not understood: no energy rather than a wrong one
        unit = values[0xE1][0] if 0xE1 in values else None
        digits = values[0xD7][0] if 0xD7 in values else None
        self.scale = Scale(coefficient, unit, digits)
        self.status.meter = {
            "maker": get(0x8A, b"").hex(),
            "serial": m0288.text(get(0x8D, b"")),
            "release": self._value(m0288.release, get(0x82)),
            "coefficient": coefficient,
            "unit": unit,
            "digits": digits,
        }
        if not self.scale.known:
            self.status.problem(
                "meter", "bad-answer", "unit of energy (E1) unknown: energies cannot be told"
            )
        pending, self._pending = self._pending, []
        for slot in pending:
            self._half_hour(*slot)

    # One request with one answer, or None.
    async def _get(self, epcs, ms):
        try:
            return await self.exchange.get(epcs, ms)
        except NoAnswer as e:
            self.status.count("request." + e.why)
            self.log.debug("meter: no answer (%s)", e.why)
            return None

    # One instant reading; `energy` adds the counters. -> True when the meter answered.
    async def poll(self, energy):
        plan = Planner(_ENERGIES if energy and self.scale else _POWER, self.map)
        bad = self.bad
        asked = await self._ask(plan, self.try_ms, _TRIES)
        if asked is None:
            self.silent += 1
            self.status.count("poll.failed")
            if self.silent >= _SILENT_AFTER:
                self.status.problem(
                    "meter", "silent", "no answer to the last %d polls" % self.silent
                )
            return False
        self.silent = 0
        self.status.count("poll.ok")
        self._instant(plan.values.get, asked)
        if bad == self.bad and (self.scale is None or self.scale.known):
            self.status.clear("meter")
        return True

    # What `decode` makes of an EDT; None when there is none, or when it makes no sense.
    def _value(self, decode, edt):
        if not edt:
            return None
        return self._guarded(decode, edt)

    # `get(epc)` gives the EDT, asked for at `asked` ms.
    def _instant(self, get, asked):
        value = self._value
        power = value(m0288.power, get(_E7))
        currents = value(m0288.currents, get(_E8)) or (None, None)
        normal = reverse = None
        if self.scale:
            normal = self.scale.energy(value(m0288.counter, get(_E0)))
            reverse = self.scale.energy(value(m0288.counter, get(_E3)))
        if power is None and currents == (None, None) and normal is None and reverse is None:
            self.status.count("reading.empty")
            return
        t = self.clock.utc_at(asked)
        quality = self.clock.quality
        if t is None:
            t = asked // 1000
            quality = None
        self._keep(
            Reading("instant", t, quality, power, currents[0], currents[1], normal, reverse, "get")
        )

    def _keep(self, reading):
        self.outbox.append(reading)
        self.status.reading(reading)

    # EA, EB: the meter's own time, so the clock does not matter.
    def _fixed(self, frame, origin):
        slot = None
        for i in range(frame.opc):
            epc = frame.epc(i)
            if (epc == _EA or epc == _EB) and len(frame.edt(i)):
                utc, raw = m0288.fixed_time(frame.edt(i))
                if slot and slot[0] != utc:
                    self._half_hour(*slot)
                    slot = None
                slot = slot or [utc, None, None, origin]
                slot[1 if epc == _EA else 2] = raw
                if utc > self.newest[epc]:
                    self.newest[epc] = utc
        if slot:
            self._half_hour(*slot)

    def _half_hour(self, utc, normal, reverse, origin):
        scale = self.scale
        if scale is None:
            if len(self._pending) < _PENDING_MAX:
                self._pending.append((utc, normal, reverse, origin))
            else:
                self.status.count("reading.early")
            return
        normal = scale.energy(normal)
        reverse = scale.energy(reverse)
        if normal is None and reverse is None:
            self.status.count("reading.empty")
            return
        self._keep(
            Reading("half-hour", utc, "meter", None, None, None, normal, reverse, origin)
        )

    # Is a fixed-time value of this slot still to come?
    def lacks_slot(self, utc):
        for epc in (_EA, _EB):
            if self.has(epc) and self.newest[epc] < utc:
                return True
        return False

    # The fixed-time values, when their announcement did not come. -> True when answered.
    async def read_slot(self):
        frame = await self._get(bytes([e for e in (_EA, _EB) if self.has(e)]), self.try_ms)
        if frame is None:
            return False
        self._guarded(self._fixed, frame, "get")
        return True

    # 97, 98: the meter's clock, to the minute. A fallback until NTP has spoken.
    async def read_clock(self):
        frame = await self._get(b"\x98\x97", self.try_ms)
        if frame is None:
            return
        date, hm = frame.get(0x98), frame.get(0x97)
        if date and hm:
            utc = self._guarded(m0288.clock, date, hm)
            if utc is not None:
                self.clock.set(utc, "meter", self.exchange.asked_ms)

    def notice(self, frame):
        if frame.seoj == m0288.METER:
            self._guarded(self._fixed, frame, "inf")

    def late(self, frame, asked_ms):
        if frame.get(_E7) or frame.get(_E8):
            self._instant(frame.get, asked_ms)
        self._guarded(self._fixed, frame, "get")

    # A property of the wrong size or an impossible date is the meter's fault, not ours: named, counted.
    def _guarded(self, fn, *args):
        try:
            return fn(*args)
        except EchonetError as e:
            self.bad += 1
            self.status.count("value.bad")
            self.status.problem("meter", "bad-answer", str(e))
            return None
