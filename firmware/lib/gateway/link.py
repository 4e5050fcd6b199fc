# From a silent UART to an authenticated session with the meter, and what to tell the owner on the
# way: does the steps that gateway.ladder tells. Loaded for each attempt, and dropped.
from asyncio import TimeoutError
from os import urandom

from gateway import drop
from gateway.ladder import LOOK, STEPS, Ladder, fresh
from micropython import const
from wisun import GateClosed, JoinRefused, JoinTimeout, Pan, RadioError, Refused, Timeout

_JOIN_MS = const(60_000)  # nobody ever joined later
_BOOT_MS = const(3_000)  # both manuals, after a reset

# What ended the session: an event's code, the command that the module left unanswered, or what
# became of the last requests. Anything else is the module's fault, too.
_CAUSES = {
    0: "start",
    None: "closed",  # before anybody listened
    0x24: "expired",
    0x26: "closed",
    0x27: "closed",
    0x28: "closed",
    0x34: "expired",
    0x37: "reboot",
    "SKSENDTO": "torn",
    "0008": "torn",
    "silent": "silent",
    "unsent": "unsent",
}


# Gone again after one call.
def _blame():
    from gateway import blame

    drop("blame")
    return blame


class Link:
    """Brings the radio module up when it is not, finds the meter and joins it.

    Every failure is named to `status` (config or radio, with a code). `memory`, a Session, keeps
    what one attempt leaves to the next: see there.
    """

    def __init__(self, app, memory):
        self.app = app
        self.driver = app.driver  # None until the module is found
        self.log = app.log
        self.status = app.status
        self.memory = memory
        now = self._now()
        pause = 0 if memory.cause is None else _blame().robbed(memory, self.status, now)
        if memory.silence is None:
            memory.silence = fresh(now, pause)
        self.ladder = Ladder(memory.silence)
        self._heard = False  # a moment ago

    def _now(self):
        return self.app.clock.ms() // 1000

    # -> None once there is a session, else the ms to wait before the next attempt.
    async def attempt(self, beat):
        memory = self.memory
        ladder = self.ladder
        cause = memory.cause
        if cause is not None or ladder.state == "talk":
            memory.cause = None
            ladder.lost()
            cause = _CAUSES.get(cause, "module")
        while True:
            if cause:
                self.log.debug("radio: %s: %s", ladder.state, cause)
                wait = ladder.next(cause, self._now(), urandom(1)[0])[1]
                if ladder.state == "talk":
                    return None
                if wait:
                    return self._look(wait)
            beat(300_000)
            step = ladder.step
            early = ladder.early(self._now())
            if step == "wait":
                self.status.count("step.wait")  # no event: there are many
            elif not early:
                self.status.event(0x38 + STEPS.index(step), 0)
            cause = await self._do(step, beat, early)
            if cause is None:
                return self._look(max(ladder.early(self._now()), 1) * 1000)

    # While a join is kept waiting, the meter's channel is listened to now and then.
    def _look(self, ms):
        return min(ms, LOOK * 1000) if self.ladder.state in ("known", "fresh") else ms

    # The step, and then what the state is about. -> what came of it: a cause of the ladder's
    # table; None: it was too early, and still is.
    async def _do(self, step, beat, early):
        memory = self.memory
        state = self.ladder.state
        try:
            if step == "reset" and self.driver:
                memory.ready = False
                await self.driver.reset()
            elif step == "pin" or step == "power":
                await self._pull(step)
            elif step == "board":
                self._board()
            if step == "setup" or not memory.ready:
                await self._setup()
            if state == "dead":
                return "found"
            if self.driver.gate == "limited":
                return self._limited()
            if state == "seek":
                return await self._scan()
            return await self._join(beat, early)
        except GateClosed:
            return self._limited()
        except (RadioError, TimeoutError) as e:
            self._failed(e)
            return "module"

    # -- the module

    async def _setup(self):
        s = self.app.settings
        self.memory.ready = False
        if self.driver is None:
            from gateway.tuner import tune

            try:
                await tune(self.app)
            finally:
                del tune
                drop("tuner")
            self.driver = self.app.driver
        info = await self.driver.probe(s["radio.module"])
        self.status.module = "%s %s %s" % (info.protocol, info.edition, info.firmware)
        self.log.info("radio: module speaks %s", self.status.module)
        await self.driver.configure(s["broute.id"], s["broute.password"])
        self.memory.ready = True

    def _failed(self, e):
        self.memory.ready = False
        self.status.count("module.failed")
        self.log.warn("radio: module: %s", e)
        if self.driver:
            self.status.problem("radio", "module-silent", "the module stopped answering: %s" % e)
        else:
            self.status.problem("radio", "no-module", str(e))

    async def _pull(self, step):
        self.memory.ready = False
        if await self.app.board.radio_reset(step == "power"):
            self.status.count("module.%s-reset" % step)
            await self.app.clock.sleep_ms(_BOOT_MS)

    # Not when it cannot help, and not when it would cost readings: those on flash outlive it.
    def _board(self):
        outbox = self.app.outbox
        if outbox.root:
            outbox.aside("spill")
        if self.driver and not outbox.live:
            self.log.warn("radio: nothing else has helped: the board restarts")
            self.app.board.restart("radio: nothing else has helped")

    def _limited(self):
        detail = "the hourly transmit budget is used up; it goes on by itself"
        self.status.problem("radio", "limited", detail)
        return "limited"

    # -- joining

    async def _join(self, beat, early):
        memory = self.memory
        if memory.pan is None:
            return "no-pan"
        heard = True  # perhaps
        if early or self.ladder.failures:
            heard = await self._listen()
            back = self.ladder.looked(heard, self._now())
            if early and not back:
                return None
            if early:
                self.status.event(0x39, 0)
        elif not self._heard and self.driver.info.edition == "single":
            await self._listen()
        pan = memory.pan
        self.ladder.joins(self._now())
        self.status.count("join")
        beat(_JOIN_MS + 45_000)
        try:
            mac = await self.driver.join(pan, _JOIN_MS)
        except JoinRefused:
            memory.ready = False  # perhaps the module has lost its credentials
            if not heard:  # some modules say so, too, when nobody answers
                _blame().silence(self.status, pan)
                return "no-join"
            memory.refused += 1
            self.status.count("join.refused")
            _blame().refusal(self.status, memory.refused, pan)
            return "refused"
        except JoinTimeout:
            self.status.count("join.timeout")
            _blame().silence(self.status, pan)
            return "no-join"
        except (Timeout, Refused) as e:
            # What the module refused troubled nobody.
            if isinstance(e, Refused) or e.command not in ("SKJOIN", "0056"):
                self.ladder.spared()
            raise
        memory.refused = 0
        memory.since = self._now(), memory.since[1]
        self.status.count("joined")
        if self.status.code("config") in ("wrong-id", "wrong-password"):
            self.status.clear("config")
        self.status.clear("radio")
        kept = (pan.channel, pan.pan_id, mac or bytes(pan.mac))
        memory.pan = Pan(kept[0], kept[1], kept[2], None, None)
        store = self.app.store
        before = store.pan()
        if before != kept:
            try:
                if before and before[2] != kept[2]:
                    _blame().exchanged(self.app)
                store.set_pan(kept)
            except OSError as e:
                self.log.error("flash: where the meter is was not kept (%s)", e)
        return "joined"

    # Two thirds of a second on the meter's channel, which tells the RSSI: -> was it heard? One
    # beacon may go unheard.
    async def _listen(self):
        pan = self.memory.pan
        self.memory.pan = Pan(pan.channel, pan.pan_id, pan.mac, None, None)
        try:
            for heard in await self.driver.scan(6, 1 << (pan.channel - 0x21)):
                if heard.mac == pan.mac and heard.rssi is not None:
                    self.status.radio(heard.rssi)
                    self.memory.pan = heard
                    return True
        except Refused as e:
            self.log.warn("radio: %s", e)
        return False

    async def _scan(self):
        self.status.count("scan")
        # Patiently at first; then often rather than long, for a time.
        patient = not self.ladder.failures
        pan = await self.driver.find((5, 6, 7, 8) if patient else (6, 6))
        if pan is None:
            self.status.count("scan.empty")
            if not patient:
                return "no-beacon"
            # Nobody for this ID: it is wrong, or our meter is too far. Or has just come back.
            others = await self.driver.scan(7, paired=False)
            if others:
                pan = await self.driver.find((6, 7))
            if pan is None:
                _blame().emptiness(self.status, others)
                return "no-beacon"
        self.memory.pan = pan
        self._heard = True
        self.status.radio(pan.rssi)
        self.log.info("radio: meter on channel %d at %s dBm", pan.channel, pan.rssi)
        if self.status.code("config") == "wrong-id":
            self.status.clear("config")
        return "heard"
