"""What the drivers have in common: the state of the link to the meter, and the transmit gate."""

import asyncio

from micropython import const

from . import GateClosed

_REFRESH = const(60000)  # ms, in which an authentication must be renewed
_BUDGET = const(60000)  # ms, how often a module is asked while its transmit budget is used up

_AROUND = ("probe", "configure", "scan", "find", "reset", "join", "renew", "leave")


class Link:
    """Follows the link's phases, and bounds what the module should end by itself but may not.

    A driver tells it of the phases, and says in `_read_limit` what is asked of the module.

    What comes around a session, of both drivers, are coroutines that are loaded for the call:

        probe(kind="auto") -> Info   find the module, and learn which one it is
        configure(rbid, password)    hand over the credentials; ValueError, without repeating them
        scan(duration=6, mask=0xFFFFFFFF, paired=True) -> [Pan]   listen on each channel of the
                                     mask (bit 0: 33); paired: only one's own meter answers
        find(durations=(5, 6, 7, 8)) -> Pan or None   scan ever longer until that is heard
        reset()                      back to how it was after power-up; probe and configure again
        join(pan, timeout_ms=60000) -> mac or None   authenticate; JoinRefused, or JoinTimeout; the
                                     mac is the meter's when that can be another one than pan's
        leave()                      end the session, if there is one
    """

    def __init__(self, uart, clock, log, on_datagram, on_event):
        self._uart = uart
        self._clock = clock
        self._log = log
        self._tell_datagram = on_datagram
        self._tell = on_event
        self.counters = {"garbage": 0, "stray": 0, "timeout": 0, "refused": 0}
        self.info = None
        self.joined = False
        self.rssi = None  # dBm at the last contact that told it, at .rssi_ms
        self.rssi_ms = None
        self.sent_ms = 0  # when the bytes of the last command, or of send(), went to the module
        self._lock = asyncio.Lock()  # held by whoever has a command under way
        self._phase = None  # "joining", "refreshing"
        self._limited = False
        self._refresh_until = 0
        self._watcher = None
        self._changed = asyncio.Event()  # of the link or a scan; a new one each time

    def __getattr__(self, name):
        if name not in _AROUND:
            raise AttributeError(name)
        return lambda *args, **named: self._setup(name, args, named)

    async def _setup(self, name, args, named):
        raise NotImplementedError

    # -- what the module tells --------------------------------------------------------------------

    def on_garbage(self, size):
        self.counters["garbage"] += 1
        self._tell(0x36, size)

    def _signal(self):
        self._changed.set()
        self._changed = asyncio.Event()

    # Waits for a signal; False when none came in time.
    async def _change(self, until):
        try:
            await self._clock.wait_for(self._changed.wait(), max(until - self._clock.ms(), 0))
        except asyncio.TimeoutError:
            return False
        return True

    def _link(self, phase, joined):
        self._phase = phase
        self.joined = joined
        self._signal()

    def _refresh(self):
        self._refresh_until = self._clock.ms() + _REFRESH
        self._link("refreshing", self.joined)
        self._watch()

    def _limit(self):
        self._limited = True
        self._watch()

    def _heard(self, rssi):
        self.rssi = rssi
        self.rssi_ms = self._clock.ms()

    # -- the gate ---------------------------------------------------------------------------------

    @property
    def gate(self):
        """Why nothing may be sent now: "joining", "refreshing", "limited"; or None."""
        return self._phase or ("limited" if self._limited else None)

    def _check_gate(self):
        why = self.gate or (None if self.joined else "unjoined")
        if why:
            raise GateClosed(why)

    async def _settled(self, ms):
        until = self._clock.ms() + ms
        while self.gate and await self._change(until):
            pass

    async def open_gate(self, ms: int):
        """Wait until datagrams may be sent; GateClosed when they may not within ms."""
        await self._settled(ms)
        self._check_gate()

    def _watch(self):
        if not self._watcher:
            self._watcher = asyncio.create_task(self._watching())

    def _unwatch(self):
        if self._watcher:
            self._watcher.cancel()

    async def _watching(self):
        try:
            while self._limited or self._phase == "refreshing":
                wait = _BUDGET
                if self._phase == "refreshing":
                    wait = min(wait, self._refresh_until - self._clock.ms())
                    if wait <= 0:
                        self._link(None, False)
                        self._tell(0x34, None)
                        continue
                await self._clock.sleep_ms(wait)
                if self._limited:
                    await self._read_limit()
        finally:
            self._watcher = None

    async def _read_limit(self):
        raise NotImplementedError
