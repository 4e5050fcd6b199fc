# The meter task: join, talk, and join again. What joining needs, what talking needs and what an
# upload needs are never in memory together: each is a tenth of it. Where memory is scarce, what
# talks is there only while there is something to say.
import gc
import sys
from asyncio import Event, TimeoutError

from gateway import drop
from micropython import const
from wisun import Pan, RadioError

_KEPT_MAX = const(4)
_ROOM = const(40_960)  # bytes free, with which all can stay


async def until(clock, event, ms):
    """Wait for the event, `ms` at most."""
    try:
        await clock.wait_for(event.wait(), ms)
    except TimeoutError:
        pass  # the ordinary case: nothing happened


# The collector takes what calls that are gone have left on the C stack for pointers: this writes
# over it.
def _deep(levels):
    return levels and _deep(levels - 1)


class Session:
    """Owns the conversation with the meter, from the first join on, for ever.

    `ready`: the radio module is probed and has its credentials. `live`: the talk under way, or
    None. What joining leaves behind: the `pan` to try next (its RSSI is known when it was heard
    since the last session), how often in a row the meter `refused`, and what the ladder knows of
    this `silence` (None: the meter answers). `cause`: what ended the last one, see gateway.link;
    `since`: (s of the clock when it began, how many the meter soon ended in a row).
    What one talk leaves to the next: the meter's property map, its `constants` (D3, E1, D7), the
    `newest` fixed-time values {EPC: UTC}, those that wait for the constants (`pending`), and the
    last `tid` with the `ring` of requests that may be answered late.

    `told`: (UTC, ms), the time by the meter's clock at that ms of ours, until the clock has it.
    `wanted`: an Event while errands want the memory, set as soon as they have it; see step_aside.
    `course`: where the talk goes on afterwards; `kept`: the datagrams that came meanwhile.
    """

    def __init__(self, app):
        self.app = app
        self.ready = False
        self.live = None
        kept = app.store.pan()
        self.pan = Pan(kept[0], kept[1], kept[2], None, None) if kept else None
        self.refused = self.cause = 0
        self.since = 0, 0
        self.silence = None
        self.map = self.constants = self.tid = None
        self.newest = {}
        self.pending = []
        self.ring = []
        self.wanted = self.course = self.told = None
        self.kept = []
        self._errands = 0
        self._back = Event()
        self._stir = Event()

    # Link events, from the driver's reading task.
    def event(self, code, value):
        self.app.status.event(code, value)
        if code == 0x37:
            self.ready = False  # the module has lost the credentials
        if (self.live or self.course) and not self.app.driver.joined:
            if self.cause is None:  # what comes after the end is not it
                self.cause = code
            if self.live:
                self.live.wake()
            self._stir.set()

    # What the radio received.
    def datagram(self, payload, source, secured, rssi):
        if rssi is not None:
            self.app.status.radio(rssi)
        if self.live:
            self.live.datagram(payload, secured)
        elif (self.wanted or self.course) and len(self.kept) < _KEPT_MAX:
            self.kept.append((bytes(payload), secured))
            self._stir.set()
        else:
            self.app.status.count("frame.early")

    async def run(self, beat):
        app = self.app
        self.cause = 0
        for key in app.missing:
            if key.startswith("broute."):
                # Settings are changed while the gateway is stopped: nothing to wait for.
                beat(None)
                await Event().wait()
        while True:
            app.status.set_phase("joining")
            await self._join(beat)
            app.supervisor.arm()
            app.status.set_phase("running")
            try:
                await self._talk(beat)
            except (RadioError, TimeoutError) as e:
                app.status.problem("radio", "link-lost", str(e))
                self.cause = getattr(e, "command", "")
            app.status.count("link.lost")
            # The meter refuses who comes back from a session that for it goes on.
            try:
                if app.driver.joined:
                    await app.driver.leave()
            except (RadioError, TimeoutError) as e:
                app.log.warn("radio: %s", e)

    # Climbs gateway.ladder until there is a session.
    async def _join(self, beat):
        app = self.app
        while True:
            wait = await self._attempt(beat)
            if wait is None:
                break
            app.status.count("link.pause")
            beat(wait + 30_000)
            await app.clock.sleep_ms(wait)

    # The air is held although nothing is asked: an upload beside it would not find the memory.
    async def _attempt(self, beat):
        beat(300_000)
        async with self.app.air:
            from gateway.link import Link

            try:
                return await Link(self.app, self).attempt(beat)
            finally:
                del Link
                drop("link", "ladder")

    # Until the session is lost.
    async def _talk(self, beat):
        self.course = None
        outbox = self.app.outbox
        while True:
            if self.wanted:
                beat(300_000)
                await self._back.wait()
            if outbox.seq >= outbox.reserved:
                outbox.reserve()
            self.tend()
            self._stir.clear()
            nap = await self._part(beat)
            self.tell()
            if self.course is None:
                return
            if nap:
                beat(nap + 300_000)
                await self._nap(nap)

    # Until the talk is to go on. What is read of the meter's history is thought about meanwhile.
    async def _nap(self, ms):
        clock = self.app.clock
        end = clock.ms() + ms
        while not self._stir.is_set():
            self.tend()
            left = end - clock.ms()
            if left <= 0 or self.wanted:
                return
            if self.course[4] and not self.course[7]:  # it knows the meter, which answers
                left = self.app.repair.think(left)
                if left is None:
                    return
            await until(clock, self._stir, max(min(left, end - clock.ms()), 1))

    async def _part(self, beat):
        # What work on flash, the lamp and the console need has no room beside the talk.
        outbox = self.app.outbox
        status = self.app.status
        status.hush = scarce = self.scarce()
        if outbox.shut is not None:
            outbox.shut = scarce
        try:
            from gateway import live

            self.live = talk = live.Live(self.app, self)
            while self.kept:
                talk.datagram(*self.kept.pop(0))
            return await talk.run(beat)
        finally:
            self.live = talk = live = None
            if outbox.shut is not None:
                outbox.shut = False
            for name in ("frame", "meter", "planner", "maps"):
                if sys.modules.pop("echonet." + name, None):
                    delattr(sys.modules["echonet"], name)
            _deep(16)
            drop("live", "exchange", "meter")
            status.speak()
            if self.wanted:
                self.wanted.set()

    # To set the clock takes memory too: where it is scarce, after the talk.
    def tell(self):
        if self.told:
            self.app.clock.set(self.told[0], "meter", self.told[1])
            self.told = None

    # Readings to flash, unless the memory for that is somebody else's.
    def tend(self):
        if not self.wanted and not (self.live and self.scarce()):
            self.app.outbox.tend()

    def scarce(self):
        """Is memory so scarce that what is not needed now has to go?"""
        free = getattr(gc, "mem_free", None)  # CPython has none, and room enough
        return free is not None and free() < _ROOM

    async def step_aside(self, ms):
        """Free the memory that talking takes, for an errand. -> False: not within `ms`.

        come_back() must follow, whatever this said.
        """
        self._errands += 1
        if not self.wanted:
            self.wanted = Event()
            self._back.clear()
        if self.live is None:
            return True
        self.live.wake()
        try:
            await self.app.clock.wait_for(self.wanted.wait(), ms)
        except TimeoutError:
            return False
        return True

    def come_back(self):
        """The errand is over."""
        self._errands -= 1
        if not self._errands:
            self.wanted = None
            self._back.set()
