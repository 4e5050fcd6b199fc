# The task that keeps the clock right from the time server.
from gateway.network import errand
from micropython import const

_AGAIN_MS = const(21_600_000)  # a good clock is asked for every 6 hours
_PAUSE_MIN_MS = const(15_000)
_PAUSE_MAX_MS = const(900_000)
_TURN_MS = const(60_000)


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
