# A session with the meter: learn, poll, listen, until it is lost. Loaded when there is one, and
# dropped while somebody else needs the memory.
from asyncio import Event

from gateway.exchange import Exchange
from gateway.meter import Meter
from gateway.session import until
from micropython import const
from wisun import Refused, Timeout

_REJOIN_AFTER = const(6)  # failed polls in a row; fewer made things worse in the field
_AGAIN_MS = const(30_000)  # after a failed one: patience is a number of polls, not of minutes
_MODULE_STRIKES = const(2)  # commands in a row that the module refused or left unanswered
_HISTORY_AFTER_MS = const(60_000)  # live readings come first
_NAP_MS = const(3_000)
_SECOND_MS = const(2_000)
_SLOT = const(1800)
_SLOT_LATE = const(300)  # AIF 3.3.1: read EA/EB when nothing came by five past
_SLOT_TRIES = const(3)


class Live:
    """One session, or the part of it until memory is wanted. `memory`: see Session; it outlives
    this.

    `memory.course` is None at the start of a session; it has what the next part goes on with.
    """

    def __init__(self, app, memory):
        self.app = app
        self.memory = memory
        self.exchange = exchange = Exchange(app, memory)
        self.meter = Meter(app, memory, exchange)
        self.datagram = exchange.datagram
        self.slot = 0  # the half hour that `tries` counts for
        self.tries = 0
        self._wake = Event()
        self.wake = self._wake.set
        exchange.on_reply = self.wake  # pyright: ignore[reportAttributeAccessIssue]

    # Polls until the session is lost (-> None), or memory is wanted or scarce and there is nothing
    # to do for so many ms (-> ms); RadioError when the module fails.
    async def run(self, beat):
        clock = self.app.clock
        driver = self.app.driver
        settings = self.app.settings
        poll_ms = settings["poll.interval"] * 1000
        energy_ms = settings["poll.energy"] * 1000
        meter = self.meter
        memory = self.memory
        repair = self.app.repair
        now = clock.ms()
        if memory.course is None:
            repair.due = now + _HISTORY_AFTER_MS
            repair.todo = repair.got = None
        course = memory.course or (now, now, now, 0, False, 0, 0, 0)
        due, energy_due, again, strikes, learned, self.slot, self.tries, meter.silent = course
        memory.course = None
        nap = 0
        while driver.joined:
            self._wake.clear()
            if memory.wanted or nap:
                here = self.slot, self.tries, meter.silent
                memory.course = (due, energy_due, again, strikes, learned) + here
                return nap
            beat(poll_ms + 300_000)
            now = clock.ms()
            idle = poll_ms
            try:
                if not learned:
                    learned = await meter.learn()
                    if memory.told and not memory.scarce():
                        memory.tell()
                    if learned:
                        await meter.read_slot()
                elif self._slot_due():
                    await meter.read_slot()
                if now >= due or meter.silent and now >= again:
                    energy = now >= energy_due
                    if await meter.poll(energy):
                        memory.silence = None
                        if energy:
                            energy_due = now + energy_ms
                    again = now + _AGAIN_MS
                    # Fixed steps, so that the polls do not drift; a late one is not made up for,
                    # and one that was repeated until the next was due stands for that too: no
                    # two share a second, even while the clock runs at half speed.
                    if clock.ms() + _SECOND_MS >= due:
                        due += poll_ms
                        if due <= clock.ms() + _SECOND_MS:
                            due = clock.ms() + poll_ms
                await self.exchange.flush()
                strikes = 0
                if learned and not (meter.silent or driver.gate):
                    idle = await repair.step(self.exchange, due - clock.ms())
            except (Timeout, Refused) as e:
                strikes += 1
                self.app.log.warn("radio: %s", e)
                if strikes >= _MODULE_STRIKES:
                    memory.ready = False
                    raise
                await clock.sleep_ms(_NAP_MS)
            if meter.silent >= _REJOIN_AFTER:
                text = "%d polls unanswered" % meter.silent
                self.app.status.problem("radio", "link-lost", text)
                memory.cause = meter.why or "silent"
                return
            if driver.joined:
                wait = (min(due, again) if meter.silent else due) - clock.ms()
                utc = clock.utc()
                if utc is not None:
                    wait = min(wait, (_SLOT_LATE - utc) % _SLOT * 1000 + 500)
                leave = wait > _NAP_MS or not idle or self.app.outbox.shut is None
                if leave and memory.scarce() and not self._wake.is_set():
                    nap = max(wait, 1)
                elif min(wait, idle) > 0:
                    await until(clock, self._wake, min(wait, idle))

    # Five minutes after each half hour, up to three times, for a slot that was not announced.
    def _slot_due(self):
        utc = self.app.clock.utc()
        if utc is None or utc % _SLOT < _SLOT_LATE:
            return False
        slot = utc - utc % _SLOT
        if not self.meter.lacks_slot(slot):
            return False
        if self.slot != slot:
            self.slot = slot
            self.tries = 0
        self.tries += 1
        return self.tries <= _SLOT_TRIES
