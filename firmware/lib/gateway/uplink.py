# The task that uploads, and what it must know between two uploads. The rest is in gateway.upload.
from asyncio import Event
from random import getrandbits

from gateway import drop
from gateway.network import errand
from micropython import const

BATCH = const(64)
_PAUSE_MS = const(5_000)
_HURRY_MS = const(10_000)
_TURN_MS = const(60_000)


class HttpError(OSError):
    """No reply that can be used: `args` are its kind, and the same in words.

    Kinds: "refused" (no server at that port), "unreachable", "timeout", "dns", "redirect",
    "closed" (broken off), "reply" (not HTTP, or too large), "certificate" or "tls"; and see
    gateway.upload. An OSError, because on no other exception requests closes its socket. Here,
    because gateway.http comes and goes.
    """


class Uplink:
    """The task that empties the outbox.

    `air` is the lock that the meter session holds while it awaits an answer: the post blocks, so
    it happens only while this task holds it. `post`: in place of that of http.Client.
    `on_want(days)` hears which days' history the server wishes for. `interval`: seconds between
    uploads; the server's wish counts more than the setting.
    """

    def __init__(
        self, settings, clock, outbox, status, network, air, log, board, post=None, on_want=None
    ):
        self.settings = settings
        self.clock = clock
        self.outbox = outbox
        self.status = status
        self.network = network
        self.air = air
        self.log = log
        self.post = post
        self.on_want = on_want
        self.interval = settings["server.interval"]
        self.pause_ms = 0  # the last pause after a failure; 0 when all is well
        self.limit = BATCH  # readings in one upload
        self.due = 0  # the next upload, in the clock's ms
        self.fresh = 0  # when the newest readings are to go before the oldest, in the clock's ms
        outbox.count = status.count

    async def run(self, beat):
        clock = self.clock
        if not (self.settings["server.url"] and self.settings["server.token"]):
            beat(None)  # the settings say so already; nothing to do until a new start
            await Event().wait()
        # A whole region's power may have come back just now.
        if self.status.board.reset_cause()[:8] == "power-on":
            from gateway import pace

            self.due = clock.ms() + pace.first(getrandbits(8))
            del pace
            drop("pace")
        while True:
            beat(4 * _TURN_MS)
            left = self.due - clock.ms()
            box = self.outbox
            if left > _HURRY_MS and not self.pause_ms:
                # What is taken in time need not go to flash: see Outbox.tend.
                window = box.window * 1000
                if box.live and self.interval * 1000 <= window:
                    left = min(left, box.since + window * 5 // 8 - clock.ms())
                # Half full: it must not run over because the server is content with few uploads.
                if left > _TURN_MS and len(box) * 2 > box.capacity:
                    left = _HURRY_MS
                self.due = clock.ms() + left
            if left > 0:
                await clock.sleep_ms(min(left, _TURN_MS))
            elif await self.network.wait_up(_TURN_MS):
                await self.check()

    async def check(self):
        """Upload one batch, or only the status, now. -> None, or what is wrong, in words."""
        result = await errand(self, "upload")
        if result is False:
            self.due = self.clock.ms() + _PAUSE_MS
            return "the meter left no time for an upload"
        return result
