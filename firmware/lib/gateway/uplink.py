# The task that uploads, and what it must know between two uploads. The rest is in gateway.upload.
from asyncio import Event

from gateway.network import errand
from micropython import const

BATCH = const(64)
_PAUSE_MS = const(5_000)
_HURRY_MS = const(10_000)
_TURN_MS = const(60_000)


class HttpError(OSError):
    """No reply that can be used: `args` are its kind, and the same in words.

    Kinds: "refused" (nobody answers there), "timeout", "dns", "redirect", "closed" (broken off)
    or "reply" (not HTTP, or too large). An OSError, because on no other exception requests closes
    its socket. Here, because gateway.http comes and goes.
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
        outbox.count = status.count

    async def run(self, beat):
        clock = self.clock
        if not (self.settings["server.url"] and self.settings["server.token"]):
            beat(None)  # the settings say so already; nothing to do until a new start
            await Event().wait()
        while True:
            beat(4 * _TURN_MS)
            # Half full: it must not run over because the server is content with few uploads.
            if not self.pause_ms and len(self.outbox) * 2 > self.outbox.capacity:
                self.due = min(self.due, clock.ms() + _HURRY_MS)
            # What is taken in time need not go to flash: see Outbox.tend.
            window = self.outbox.window * 1000
            if self.outbox.live and not self.pause_ms and self.interval * 1000 <= window:
                self.due = min(self.due, self.outbox.since + window * 5 // 8)
            left = self.due - clock.ms()
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
