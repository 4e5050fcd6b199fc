# The meter task: join, learn, poll, listen, and join again.
from asyncio import Event, TimeoutError

from gateway import drop
from micropython import const
from wisun import RadioError
from wisun import Timeout as ModuleTimeout

_REJOIN_AFTER = const(6)  # failed polls in a row; fewer made things worse in the field
_MODULE_STRIKES = const(2)  # commands in a row that the module left unanswered
_SLOT = const(1800)
_SLOT_LATE = const(300)  # AIF 3.3.1: read EA/EB when nothing came by five past
_SLOT_TRIES = const(3)


class Session:
    """Owns the conversation with the meter, from the first join on, for ever.

    `ready`: the radio module is probed and has its credentials. `link`: the joining under way.
    """

    def __init__(self, app):
        self.app = app
        self.clock = app.clock
        self.status = app.status
        self.log = app.log
        self.driver = app.driver
        self.meter = app.meter
        self.exchange = app.exchange
        settings = app.settings
        self.poll_ms = settings["poll.interval"] * 1000
        self.energy_ms = settings["poll.energy"] * 1000
        self.idle = [k for k in app.missing if k.startswith("broute.")]
        self.ready = False
        self.link = None
        self.strikes = 0
        self.slot = 0  # the half hour that `slot_tries` counts for
        self.slot_tries = 0
        self._wake = Event()
        app.exchange.on_reply = self._wake.set

    # Link events, from the driver's reading task.
    def event(self, name, value):
        self.status.event(name, value)
        if name == "reboot":
            self._forgot()  # the module has lost the credentials
        if not self.driver.joined:
            self._wake.set()

    def _forgot(self):
        self.ready = False
        if self.link:
            self.link.ready = False

    async def run(self, beat):
        if self.idle:
            # Settings are changed while the gateway is stopped: there is nothing to wait for.
            beat(None)
            await Event().wait()
        while True:
            self.status.set_phase("joining")
            await self._connect(beat)
            self.app.supervisor.arm()
            self.status.set_phase("running")
            try:
                await self._live(beat)
            except RadioError as e:
                self.log.warn("radio: %s", e)
            self.status.count("link.lost")
            if self.driver.joined:
                await self._leave()

    # What is needed to join is loaded for that only: a tenth of all code.
    async def _connect(self, beat):
        from gateway.link import Link

        app = self.app
        self.link = Link(
            self.driver,
            app.board,
            app.settings,
            app.store,
            self.clock,
            self.log,
            self.status,
            self.ready,
        )
        try:
            await self.link.connect(beat)
            self.ready = True
        finally:
            self.link = None
            del Link
            drop("link")

    async def _leave(self):
        try:
            await self.driver.leave()
        except (RadioError, TimeoutError) as e:
            self.log.info("radio: leaving: %s", e)

    # Polls until the session is lost; RadioError when the module fails.
    async def _live(self, beat):
        clock = self.clock
        meter = self.meter
        meter.silent = 0
        due = energy_due = clock.ms()
        learned = False
        while self.driver.joined:
            beat(self.poll_ms + 300_000)
            now = clock.ms()
            try:
                if not learned:
                    learned = await meter.learn()
                    if learned:
                        await meter.read_slot()
                elif self._slot_due():
                    await meter.read_slot()
                if now >= due:
                    energy = now >= energy_due
                    if await meter.poll(energy) and energy:
                        energy_due = now + self.energy_ms
                    # Fixed steps, so that the polls do not drift; a late one is not made up for.
                    due += self.poll_ms
                    if due <= clock.ms():
                        due = clock.ms() + self.poll_ms
                await self.exchange.flush()
                self.strikes = 0
            except ModuleTimeout as e:
                self._strike(e)
            if meter.silent >= _REJOIN_AFTER:
                self.status.problem("radio", "link-lost", "%d polls unanswered" % meter.silent)
                return
            await self._wait(due)

    def _strike(self, e):
        self.strikes += 1
        self.log.warn("radio: module left a command unanswered: %s", e)
        if self.strikes >= _MODULE_STRIKES:
            self.strikes = 0
            self._forgot()
            raise e

    async def _wait(self, due):
        self._wake.clear()
        if not self.driver.joined:
            return
        utc = self.clock.utc()
        ms = due - self.clock.ms()
        if utc is not None:
            to_slot = (_SLOT_LATE - utc) % _SLOT
            ms = min(ms, to_slot * 1000 + 500)
        if ms > 0:
            try:
                await self.clock.wait_for(self._wake.wait(), ms)
            except TimeoutError:
                pass  # the ordinary case: nothing happened

    # Five minutes after each half hour, up to three times, for a slot that was not announced.
    def _slot_due(self):
        utc = self.clock.utc()
        if utc is None or utc % _SLOT < _SLOT_LATE:
            return False
        slot = utc - utc % _SLOT
        if not self.meter.lacks_slot(slot):
            return False
        if self.slot != slot:
            self.slot = slot
            self.slot_tries = 0
        self.slot_tries += 1
        return self.slot_tries <= _SLOT_TRIES
