# The one clock: milliseconds that only grow, and UTC as soon as somebody trustworthy told it.
import asyncio
import time

from micropython import const

# Better first. A source is believed over a better one only when that was not heard for a week:
# a board's crystal loses less in a week than the meter's clock, which has no seconds, is off by.
_ORDER = ("ntp", "meter", "server")
_STALE_MS = const(604_800_000)
# How far a source may say "earlier" without being right: NTP by its way through the net, the meter
# because it tells whole minutes, the server because of whole seconds and an answer's way.
_VAGUE_MS = (500, 60_000, 2_000)
_SLEW_MS = const(90_000)  # a step back up to this is spread out

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
        self._board = board
        self._last = self._ticks()
        self._ms = self._last
        self._base = None  # UTC ms at _at
        self._at = 0
        self._slew = 0  # ms that UTC is still ahead by at _at; shrinks by half a ms each ms
        self._set_ms = 0  # when a source of this quality was last heard

    # -- to be replaced on the PC, where there are no ticks

    def _ticks(self) -> int:
        return time.ticks_ms()  # pyright: ignore[reportReturnType]

    def _since(self, earlier, now) -> int:
        return time.ticks_diff(now, earlier)

    async def sleep_ms(self, n):
        """Wait; n may be of any size."""
        while n > _STEP_MS:
            await asyncio.sleep_ms(_STEP_MS)
            n -= _STEP_MS
        await asyncio.sleep_ms(max(n, 0))

    async def wait_for(self, awaitable, ms):
        """The awaitable's result. After ms milliseconds it is cancelled: asyncio.TimeoutError."""
        return await asyncio.wait_for_ms(awaitable, min(ms, _STEP_MS))

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
        t = self._utc_ms(ms)
        return None if t is None else t // 1000

    def _utc_ms(self, ms):
        if self._base is None:
            return None
        past = ms - self._at
        left = self._slew - (past // 2 if past > 0 else 0)
        return self._base + past + (left if left > 0 else 0)

    def set(self, utc, quality, at_ms=None):
        """It was `utc` when ms() was `at_ms` (default: now). -> True when that was believed.

        Forward the clock jumps. Back by up to 90 s it runs at half speed until it is right, so
        that readings keep their order and never share a second; further back it jumps, and counts.
        """
        now = self.ms()
        if not EARLIEST <= utc < LATEST:
            return False
        rank = _ORDER.index(quality)
        if self.quality is not None and rank > _ORDER.index(self.quality):
            if now - self._set_ms < _STALE_MS:
                return False
        told = utc * 1000 + (0 if at_ms is None else now - at_ms)
        have = self._utc_ms(now)
        self.quality = quality
        self._set_ms = now
        if have is not None and -_VAGUE_MS[rank] <= told - have <= _VAGUE_MS[0]:
            return True
        self._base = told
        self._at = now
        self._slew = 0
        if have is not None and told < have:
            if have - told <= _SLEW_MS:
                self._slew = have - told
            else:
                self.jumps += 1
        if self._board is not None:
            self._board.set_rtc(told // 1000)
        for hear in self.on_set:
            hear()
        return True
