# The meter task: join, talk, and join again. What joining needs and what talking needs are never
# in memory together: each is a tenth of it.
import sys
from asyncio import Event, TimeoutError

from gateway import drop
from wisun import Pan, RadioError


class Session:
    """Owns the conversation with the meter, from the first join on, for ever.

    `ready`: the radio module is probed and has its credentials. `live`: the talk under way, or
    None. What joining leaves behind: the `pan` to try next (its RSSI is known when it was heard
    since the last session), how often in a row the meter `refused`, and what the ladder knows of
    this `silence` (None: the meter answers). `cause`: what ended the last one, see gateway.link.
    What one talk leaves to the next: the meter's property map, its `constants` (D3, E1, D7), the
    `newest` fixed-time values {EPC: UTC}, those that wait for the constants (`pending`), and the
    last `tid` with the `ring` of requests that may be answered late.
    """

    def __init__(self, app):
        self.app = app
        self.ready = False
        self.live = None
        kept = app.store.pan()
        self.pan = Pan(kept[0], kept[1], kept[2], None, None) if kept else None
        self.refused = self.cause = 0
        self.silence = None
        self.map = self.constants = self.tid = None
        self.newest = {}
        self.pending = []
        self.ring = []

    # Link events, from the driver's reading task.
    def event(self, code, value):
        self.app.status.event(code, value)
        if code == 0x37:
            self.ready = False  # the module has lost the credentials
        if self.live and not self.app.driver.joined:
            self.cause = code
            self.live.wake()

    # What the radio received.
    def datagram(self, payload, source, secured, rssi):
        if rssi is not None:
            self.app.status.radio(rssi)
        if self.live:
            self.live.datagram(payload, secured)
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
                if app.driver.joined:
                    await app.driver.leave()
            except (RadioError, TimeoutError) as e:
                app.log.warn("radio: %s", e)
                self.cause = getattr(e, "command", "")
            app.status.count("link.lost")

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

    async def _talk(self, beat):
        from gateway.live import Live

        self.live = Live(self.app, self)
        try:
            await self.live.run(beat)
        finally:
            self.live = None
            del Live
            for name in ("frame", "meter", "planner", "maps"):
                if sys.modules.pop("echonet." + name, None):
                    delattr(sys.modules["echonet"], name)
            drop("live", "exchange", "meter")
