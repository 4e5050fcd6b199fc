# The one clock: milliseconds that only grow, and UTC as soon as somebody trustworthy told it; who
# that is, gateway.judge says.
import asyncio
import time

from gateway import drop
from micropython import const

# What a clock can say: 2025-01-01 to 2100-01-01.
EARLIEST = 1735689600
LATEST = 4102444800

_STEP_MS = const(0x0FFF_FFFF)  # ticks can be added up to half their period


class Clock:
    """Time for everything that waits or stamps. `board`: its RTC is set too; may be None.

    `quality`: "ntp", "meter", "server", or None as long as UTC is unknown. Callables in `on_set`
    are called, without arguments, after UTC changed. `jumps` counts steps back that were too large
    to be spread out: only these can make a later reading carry an earlier time.
    """

    def __init__(self, board=None):
        self.quality = None
        self.on_set = []
        self.jumps = 0
        self.board = board
        self._last = self._ticks()
        self._ms = self._last
        self.base = None  # UTC ms at `at`
        self.at = 0
        self.slew = 0  # ms that UTC is still ahead by at `at`; shrinks by half a ms each ms
        self.set_ms = 0  # when a source of this quality was last heard
        self.vouched = None  # ms at which a lesser source last said the same
        self.doubt = None  # UTC ms less ms(), as NTP told it, while that is not believed
        self.against = None  # (rank, UTC ms less ms()): what a lesser source says instead
        self.floor = EARLIEST  # no time before this is true: the build's date, when it is known

    # -- to be replaced on the PC, where there are no ticks

    def _ticks(self) -> int:
        return time.ticks_ms()  # pyright: ignore[reportReturnType]

    def _since(self, earlier, now) -> int:
        return time.ticks_diff(now, earlier)

    # These two are no coroutines themselves: each task that waits would hold one more of them.
    def sleep_ms(self, n):
        """Wait; n may be of any size. To be awaited."""
        return self._long(n) if n > _STEP_MS else asyncio.sleep_ms(max(n, 0))

    async def _long(self, n):
        while n > 0:
            await asyncio.sleep_ms(min(n, _STEP_MS))
            n -= _STEP_MS

    def wait_for(self, awaitable, ms):
        """The awaitable's result. After ms milliseconds it is cancelled: asyncio.TimeoutError. To
        be awaited."""
        return asyncio.wait_for_ms(awaitable, min(ms, _STEP_MS))

    # -- milliseconds

    # Ticks wrap after 12.4 days on a board, this does not. It must be called every 6 days.
    def ms(self):
        """Milliseconds since about the start of the board; never runs back."""
        now = self._ticks()
        self._ms += self._since(self._last, now)
        self._last = now
        return self._ms

    # -- UTC

    def utc(self):
        """UTC seconds (1970) now, or None."""
        return self.utc_at(self.ms())

    def utc_at(self, ms):
        """UTC seconds when ms() was `ms`, or None while unknown."""
        t = self.utc_ms(ms)
        return None if t is None else t // 1000

    def utc_ms(self, ms):
        """UTC milliseconds when ms() was `ms`, or None while unknown."""
        if self.base is None:
            return None
        past = ms - self.at
        left = self.slew - (past // 2 if past > 0 else 0)
        return self.base + past + (left if left > 0 else 0)

    def set(self, utc, quality, at_ms=None):
        """It was `utc` when ms() was `at_ms` (default: now). -> True when that was believed.

        Forward the clock jumps. Back by up to 90 s it runs at half speed until it is right, so
        that readings keep their order and never share a second; further back it jumps, and counts.
        """
        from gateway import judge

        try:
            return judge.believe(self, utc, quality, at_ms)
        finally:
            del judge
            drop("judge")
