# The meter task: join, talk, and join again. What joining needs and what talking needs are never
# in memory together: each is a tenth of it.
import sys
from asyncio import Event, TimeoutError
from os import urandom

from gateway import drop
from micropython import const
from wisun import Pan, RadioError

_PAUSE_MIN_MS = const(10_000)
_PAUSE_MAX_MS = const(240_000)  # patience: eager rejoining lost 78 % of one home's minutes


class Session:
    """Owns the conversation with the meter, from the first join on, for ever.

    `ready`: the radio module is probed and has its credentials. `live`: the talk under way, or
    None. What joining leaves behind: the `pan` to try next, whether it is `fresh` (heard since the
    last session, so that its RSSI is known), `tries` on it, and how often in a row the meter
    `refused`. What one talk leaves to the next: the meter's property map, its `constants` (D3, E1,
    D7), the `newest` fixed-time values {EPC: UTC}, those that wait for the constants (`pending`),
    and the last `tid` with the `ring` of requests that may be answered late.
    """

    def __init__(self, app):
        self.app = app
        self.ready = False
        self.live = None
        kept = app.store.pan()
        self.pan = Pan(kept[0], kept[1], kept[2], None, None) if kept else None
        self.fresh = False
        self.tries = self.refused = 0
        self.map = self.constants = self.tid = None
        self.newest = {}
        self.pending = []
        self.ring = []

    # Link events, from the driver's reading task.
    def event(self, name, value):
        self.app.status.event(name, value)
        if name == "reboot":
            self.forgot()  # the module has lost the credentials
        if self.live and not self.app.driver.joined:
            self.live.wake()

    # What the radio received.
    def datagram(self, payload, source, secured, rssi):
        if rssi is not None:
            self.app.status.radio(rssi)
        if self.live:
            self.live.datagram(payload, secured)
        else:
            self.app.status.count("frame.early")

    # The module is to be probed and set up anew before the next join.
    def forgot(self):
        self.ready = False

    async def run(self, beat):
        app = self.app
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
            app.status.count("link.lost")

    # Tries until there is a session, with pauses that grow from 10 to 240 s.
    async def _join(self, beat):
        app = self.app
        pause = _PAUSE_MIN_MS
        while not await self._attempt(beat):
            app.status.count("link.pause")
            # A quarter of jitter: a street's gateways must not rejoin in step after an outage.
            wait = pause + pause * urandom(1)[0] // 1024
            beat(wait + 30_000)
            await app.clock.sleep_ms(wait)
            pause = min(pause * 2, _PAUSE_MAX_MS)

    # The air is held although nothing is asked: an upload beside it would not find the memory.
    async def _attempt(self, beat):
        beat(300_000)
        async with self.app.air:
            from gateway.link import Link

            try:
                return await Link(self.app, self).attempt(beat)
            finally:
                del Link
                drop("link")

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
