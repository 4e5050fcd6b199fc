# What is asked of the meter, and what becomes of its answers: readings for the outbox.
from echonet import EchonetError
from echonet import meter as m0288
from echonet.meter import Scale
from echonet.planner import Planner
from gateway import drop
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
_ASTRAY = const(86_400)  # s
_BUSY_MS = const(3000)  # after a send that failed: the channel was busy, or the meter's ear shut
_POWER = b"\xe7\xe8"
_ENERGIES = b"\xe7\xe8\xe0\xe3"


class Meter:
    """The meter object 0x028801 as seen by a polite controller.

    `learn` reads the property map and the constants; `poll` makes one instant reading; what comes
    unasked or late comes in through `notice` and `late`. Energies need D3 and E1: fixed-time
    values that arrive before these are known wait in `memory.pending`.
    """

    def __init__(self, app, memory, exchange):
        self.clock = app.clock
        self.outbox = app.outbox
        self.status = app.status
        self.log = app.log
        self.memory = memory
        self.exchange = exchange
        self.try_ms = app.settings["poll.timeout"] * 1000
        self.scale = Scale(*memory.constants) if memory.constants else None
        self.silent = 0  # polls in a row without any answer
        self.why = None  # the last request had none: "silent", "unsent", "gate"
        self.bad = 0  # answers that could not be understood
        exchange.on_notice = self.notice
        exchange.on_late = self.late

    def has(self, epc):
        return self.memory.map is None or epc in self.memory.map

    # Map, constants and, when nobody else told the time, the meter's clock. -> True when nothing
    # is missing any more. Needed once after the start, so its code is loaded for that only.
    async def learn(self):
        from gateway import learn

        try:
            return await learn.learn(self)
        finally:
            del learn
            drop("learn")

    # From now on energies can be told, also those of what came before.
    def settle(self, constants):
        self.memory.constants = constants
        self.scale = Scale(*constants)
        pending, self.memory.pending = self.memory.pending, []
        for slot in pending:
            self._half_hour(*slot)

    # Works a plan off, one Get at a time. -> ms at which the first answer was asked for, or None.
    async def ask(self, plan, ms, tries):
        asked = None
        for _ in range(tries):
            epcs = plan.next()
            if not epcs:
                break
            frame = await self.get(epcs, ms)
            if self.why == "unsent":
                await self.clock.sleep_ms(_BUSY_MS)
            elif self.why == "gate":
                break  # that was waited for long enough
            if frame is not None and frame.opc:
                if asked is None:
                    asked = self.exchange.asked_ms
                plan.answer(frame)
            if self.why == "gate":
                break
        return asked

    # One request with one answer, or None.
    async def get(self, epcs, ms):
        self.why = None
        try:
            return await self.exchange.get(epcs, ms)
        except NoAnswer as e:
            self.why = e.why
            if self.exchange.driver.gate == "limited":
                # Nothing was asked, whatever became of it: that is not the meter's silence.
                self.why = "gate"
                self.status.problem("radio", "limited", "transmit budget used up")
            self.status.count("request." + self.why)
            return None
        finally:
            self.status.try_ended(self.why)

    # One instant reading; `energy` adds the counters. -> True when the meter answered.
    async def poll(self, energy):
        plan = Planner(_ENERGIES if energy and self.scale else _POWER, self.memory.map)
        bad = self.bad
        asked = await self.ask(plan, self.try_ms, _TRIES)
        if asked is None:
            self.status.count("poll.failed")
            if self.why == "gate":
                return False
            self.silent += 1
            self.status.event(0x3F, self.silent)
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
        self.status.clear("radio")
        return True

    # What `decode` makes of an EDT; None when there is none, or when it makes no sense.
    def value(self, decode, edt):
        if not edt:
            return None
        return self.guarded(decode, edt)

    # `get(epc)` gives the EDT, asked for at `asked` ms.
    def _instant(self, get, asked):
        value = self.value
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

    # EA, EB: the meter's own time, so the clock does not matter, unless one of them must be wrong:
    # the meter's history has it when they agree.
    def _fixed(self, frame, origin):
        slot = None
        for i in range(frame.opc):
            epc = frame.epc(i)
            if epc != _EA and epc != _EB:
                continue
            told = self.value(m0288.fixed_time, frame.edt(i))
            if told:  # what is wrong with one direction costs the other nothing
                utc, raw = told
                now = self.clock.utc()
                if now is not None and abs(utc - now) > _ASTRAY:
                    self.status.count("time.meter-off")
                    continue
                if slot and slot[0] != utc:
                    self._half_hour(*slot)
                    slot = None
                slot = slot or [utc, None, None, origin]
                slot[1 if epc == _EA else 2] = raw
                if utc > self.memory.newest.get(epc, 0):
                    self.memory.newest[epc] = utc
        if slot:
            self._half_hour(*slot)

    def _half_hour(self, utc, normal, reverse, origin):
        scale = self.scale
        if scale is None:
            if len(self.memory.pending) < _PENDING_MAX:
                self.memory.pending.append((utc, normal, reverse, origin))
            else:
                self.status.count("reading.early")
            return
        normal = scale.energy(normal)
        reverse = scale.energy(reverse)
        if normal is None and reverse is None:
            self.status.count("reading.empty")
            return
        self._keep(Reading("half-hour", utc, "meter", None, None, None, normal, reverse, origin))

    # Is a fixed-time value of this slot still to come?
    def lacks_slot(self, utc):
        for epc in (_EA, _EB):
            if self.has(epc) and self.memory.newest.get(epc, 0) < utc:
                return True
        return False

    # The fixed-time values, when their announcement did not come. -> True when answered.
    async def read_slot(self):
        epcs = bytes([e for e in (_EA, _EB) if self.has(e)])
        frame = await self.get(epcs, self.try_ms) if epcs else None
        if frame is None:
            return False
        self._fixed(frame, "get")
        return True

    def notice(self, frame):
        if frame.seoj == m0288.METER:
            self._fixed(frame, "inf")

    def late(self, frame, asked_ms):
        if frame.get(_E7) or frame.get(_E8):
            self._instant(frame.get, asked_ms)
        self._fixed(frame, "get")

    # A property of the wrong size or an impossible date is the meter's fault: named and counted.
    def guarded(self, fn, *args):
        try:
            return fn(*args)
        except EchonetError as e:
            self.bad += 1
            self.status.count("value.bad")
            self.status.problem("meter", "bad-answer", str(e))
            return None
