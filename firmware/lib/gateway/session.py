# The meter task: join, talk, and join again. What joining needs and what talking needs are never
# in memory together: each is a tenth of it.
import sys
from asyncio import Event, TimeoutError

from gateway import drop
from wisun import RadioError


class Session:
    """Owns the conversation with the meter, from the first join on, for ever.

    `ready`: the radio module is probed and has its credentials. `link`: the joining under way, or
    None. `live`: the talk under way, or None. What one talk leaves to the next: the meter's
    property map, its `constants` (D3, E1, D7), the `newest` fixed-time values {EPC: UTC}, those
    that wait for the constants, and the last TID with the requests that may be answered late.
    """

    def __init__(self, app):
        self.app = app
        self.ready = False
        self.link = None
        self.live = None
        self.map = None
        self.constants = None
        self.newest = {}
        self.pending = []
        self.tid = None
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
        if self.link:
            self.link.ready = False

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

    async def _join(self, beat):
        from gateway.link import Link

        self.link = Link(self.app, self.ready)
        try:
            await self.link.connect(beat)
            self.ready = True
        finally:
            self.link = None
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
