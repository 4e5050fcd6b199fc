# Keeps the link to the house's network. The driver connects by itself: this watches, names what is
# wrong, and interferes only when the driver gave up, when nothing has come of it for minutes, or
# when the link is up but leads nowhere.
from asyncio import Event, TimeoutError

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

# What the link's why() means to the owner.
_WORDS = {
    "no-wifi": "Wi-Fi %s is not in sight: is the name right, and 2.4 GHz on?",
    "wrong-key": "Wi-Fi %s does not take the password: check wifi.key",
    "no-address": "%s is there, but the router gives no address",
}


class Network:
    """The task that keeps `board.net` connected. `up`: connected and steady.

    The uplink and the clock tell what they find out: fine, trouble, dns_failed.
    """

    def __init__(self, board, settings, clock, status, log):
        self.net = board.net
        self.settings = settings
        self.clock = clock
        self.status = status
        self.log = log
        self._hostname = settings["net.hostname"] or "kenshin-" + board.unique_id()[-2:].hex()
        self.up = False
        self._came = Event()
        self._since = 0  # when the link went up; 0 while it is down
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

    def dns_failed(self, host):
        """A name could not be looked up."""
        self.status.problem("network", "no-dns", "%s: no such name, or no name server" % host)

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
        self._begin()
        down = kicked = joined = clock.ms()
        while True:
            beat(60_000)
            now = clock.ms()
            if net.connected():
                self._connected(now)
                await clock.sleep_ms(_UP_STEP_MS if self.up else _DOWN_STEP_MS)
                continue
            if self._since:
                self._lost()
                down = kicked = joined = now
            if now - kicked > _KICK_MS:
                kicked = joined = now
                self._kick()
            elif now - joined > _REJOIN_MS:
                joined = now
                self._begin()
            if now - down > _GRACE_MS:
                why = net.why()
                where = self.settings["wifi.ssid"] if net.kind == "wifi" else "the cable"
                self.status.problem("network", why, _WORDS.get(why, "%s: not up") % where)
            await clock.sleep_ms(_DOWN_STEP_MS if now - down < _GRACE_MS else _LONG_STEP_MS)

    def _begin(self):
        s = self.settings
        net = self.net
        try:
            net.up(self._hostname, s["wifi.country"])
            self._address()
            net.join(s["wifi.ssid"], s["wifi.key"])
        except (OSError, RuntimeError) as e:
            # The driver is busy or out of memory; a later try or kick begins anew.
            self.log.warn("network: %s", e)

    def _address(self):
        s = self.settings
        if s["net.mode"] == "static":
            self.net.static(s["net.ip"], s["net.mask"], s["net.gateway"], s["net.dns"])
        else:
            self.net.dhcp()

    def _connected(self, now):
        if not self._since:
            self._since = now
        if self.up:
            if self._troubled and now - self._heard > self._dead_ms:
                self._heard = now
                self._dead_ms = min(self._dead_ms * 2, _DEAD_MAX_MS)
                self._kick()
        elif now - self._since >= _STEADY_MS:
            # The name server is one setting for all links; a lease of before may have taken it.
            s = self.settings
            if s["net.mode"] == "static" and s["net.dns"] != self.net.address()[3]:
                self._address()
            self.up = True
            self._heard = now
            self._came.set()
            self.log.info("network: up at %s, %s dBm", self.net.address()[0], self.net.rssi())
            self.status.clear("network")

    def _lost(self):
        if self.up:
            self.status.count("network.lost")
        self.up = False
        self._since = 0
        self._came.clear()

    def _kick(self):
        self.status.count("network.kick")
        self.log.warn("network: nothing gets through; connecting anew")
        self._lost()
        try:
            self.net.kick()
        except (OSError, RuntimeError) as e:
            self.log.warn("network: %s", e)
        self._begin()
