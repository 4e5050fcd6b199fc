# Keeps the link to the house's network. The driver connects by itself: this watches, and
# interferes only when the driver gave up, when nothing has come of it for minutes, or when the
# link is up but leads nowhere: then it connects anew after 15, 30 and 60 minutes, and after two
# hours more the board starts anew, once a day. What is done then, and told, is in gateway.connect.
import gc
import sys
from asyncio import Event, TimeoutError

from gateway import drop
from gateway.supervisor import Hopeless
from micropython import const

_STEADY_MS = const(3_000)  # a link must hold this long before it is used
_GRACE_MS = const(20_000)  # joining and DHCP take their time
_REJOIN_MS = const(15_000)  # the driver gives up after a few tries, so that it can say why
_KICK_MS = const(180_000)
_UP_STEP_MS = const(15_000)
_DOWN_STEP_MS = const(1_000)
_LONG_STEP_MS = const(5_000)
_DEAD_MS = const(900_000)  # connected, but nothing gets through
_DEAD_MAX_MS = const(7_200_000)
_DAY_MS = const(86_400_000)
_AGAIN_MS = const(21_600_000)  # a good clock is asked for every 6 hours
_PAUSE_MIN_MS = const(15_000)
_PAUSE_MAX_MS = const(900_000)
_TURN_MS = const(60_000)
_AIR_MS = const(70_000)  # a history takes the meter up to 60 s

known = {}  # of gateway.names; host: (address, ms from which on it is looked up anew)


async def errand(owner, name):
    """`await run(owner)` of gateway.<name>, loaded for that, while nobody else is on the air.

    That is, while this holds the lock `owner.air`, and `owner.air.session`, when it has one, has
    stepped aside; `owner.clock` is the clock. -> the result; False when that took over 70 s.
    """
    end = owner.clock.ms() + _AIR_MS
    session = getattr(owner.air, "session", None)
    try:
        if session and not await session.step_aside(_AIR_MS):
            return False
        # The lock is taken as soon as it is free, without another wait in between. `wait_for` on
        # the lock itself could lose it when the time runs out just as it is got.
        while owner.air.locked():
            if owner.clock.ms() >= end:
                return False
            await owner.clock.sleep_ms(100)
        async with owner.air:
            return await _run(owner, name)
    finally:
        if session:
            session.come_back()


async def _run(owner, name):
    gc.collect()
    try:
        __import__("gateway." + name)
        return await sys.modules["gateway." + name].run(owner)
    finally:
        drop(name, "names", "http", "https", "batch", "reply", "pace")


class Network:
    """The task that keeps `board.net` connected. `up`: connected and steady.

    The uplink and the clock tell what they find out: fine, trouble, dns_failed.
    """

    def __init__(self, board, settings, clock, status, log):
        self.board = board
        self.net = board.net
        self.settings = settings
        self.clock = clock
        self.status = status
        self.log = log
        self.up = False
        self._came = Event()
        self._heard = 0  # when something last got through
        self._troubled = False
        self._dead_ms = _DEAD_MS

    async def wait_up(self, ms):
        """-> True as soon as the network can be used, False when it could not within ms."""
        if not self.up:
            try:
                await self.clock.wait_for(self._came.wait(), ms)
            except TimeoutError:
                pass  # the result says it
        return self.up

    def fine(self):
        """Something on the network answered."""
        self._heard = self.clock.ms()
        self._troubled = False
        self._dead_ms = _DEAD_MS
        if self.up:
            self.status.clear("network")

    def trouble(self):
        """Nothing answered: the other side's fault, or a link that only looks alive."""
        self._troubled = True

    def dns_failed(self, why):
        """A name could not be looked up."""
        self.status.problem("network", "no-dns", why)

    def snapshot(self):
        """For the status."""
        return {"net_rssi": self.net.rssi() if self.up else None}

    async def run(self, beat):
        clock = self.clock
        net = self.net
        beat(60_000)
        if net.kind == "wifi" and not self.settings["wifi.ssid"]:
            beat(None)  # the settings say so already; nothing to do until a new start
            await Event().wait()
        since = 0  # when the link went up, while it is
        told = None  # what was said of it while it is not
        down = kicked = joined = clock.ms()
        todo = "begin"  # a function of gateway.connect
        while True:
            if todo:
                from gateway import connect

                try:
                    getattr(connect, todo)(self)
                finally:
                    del connect
                    drop("connect")
                if todo == "arrive":
                    self.up = True
                    self._heard = clock.ms()
                    self._came.set()
                todo = None
            beat(60_000)
            now = clock.ms()
            if net.connected():
                since = since or now
                told = None
                if not self.up:
                    if now - since >= _STEADY_MS:
                        todo = "arrive"
                elif self._troubled and now - self._heard > self._dead_ms:
                    # A new start costs the meter's session: after one that did not help, the next
                    # is a day later.
                    if self._dead_ms == _DEAD_MAX_MS and (
                        now > _DAY_MS or "Hopeless" not in self.board.reset_cause()
                    ):
                        raise Hopeless("connected, and nothing gets through, for hours")
                    self._heard = now
                    self._dead_ms = min(self._dead_ms * 2, _DEAD_MAX_MS)
                    todo = "kick"
            elif not since:
                if now - kicked > _KICK_MS:
                    todo = "kick"
                elif now - joined > _REJOIN_MS:
                    todo = "begin"
                    joined = now
                elif now - down > _GRACE_MS and net.why() != told:
                    todo = "tell"
                    told = net.why()
            if since and (todo == "kick" or not net.connected()):
                if self.up:
                    self.status.count("network.lost")
                self.up = False
                self._came.clear()
                since = 0
                down = kicked = joined = now
            if todo == "kick":
                kicked = joined = now
            elif not todo:
                await clock.sleep_ms(
                    _UP_STEP_MS
                    if self.up
                    else _DOWN_STEP_MS
                    if since or now - down < _GRACE_MS
                    else _LONG_STEP_MS
                )


# The task that keeps the clock right from the time server.
class TimeKeeper:
    """Sets `clock` from time.ntp. `air`: see Uplink; looking up a name may block."""

    def __init__(self, settings, clock, network, air, log):
        self.settings = settings
        self.clock = clock
        self.network = network
        self.air = air
        self.log = log

    async def run(self, beat):
        pause = _PAUSE_MIN_MS
        while True:
            beat(3 * _TURN_MS)
            if not await self.network.wait_up(_TURN_MS):
                continue
            if await self.sync():
                pause = _PAUSE_MIN_MS
                wait = _AGAIN_MS
            else:
                wait = pause
                pause = min(pause * 2, _PAUSE_MAX_MS)
            beat(wait + _TURN_MS)
            await self.clock.sleep_ms(wait)

    async def sync(self):
        """Ask once and set the clock. -> True when the server was heard and believed."""
        return await errand(self, "ntp")
