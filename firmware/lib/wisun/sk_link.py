"""The state of the link to the meter, as the module's events tell it, and the transmit gate."""

import asyncio

from micropython import const

from . import GateClosed, RadioError
from .sk_parser import number
from .sk_port import Port

_LIMIT = const(5000)  # ms, for a command that only touches the module itself
_REFRESH = const(60000)  # EVENT 25 must follow 29
_BUDGET = const(60000)  # how often SFB is read between EVENT 32 and 33

_NAMES = {
    0x20: "beacon",
    0x24: "join-failed",
    0x25: "joined",
    0x26: "peer-closed",
    0x27: "ended",
    0x28: "end-timeout",
    0x29: "expired",
    0x32: "limited",
}


class Link(Port):
    """Follows the events, and bounds what the module should end by itself but may not."""

    def __init__(self, uart, clock, log, on_datagram, on_event):
        super().__init__(uart, clock, log)
        self._tell_datagram = on_datagram
        self._tell = on_event
        self.joined = False
        self.rssi = None  # dBm at the last contact that told it, at .rssi_ms
        self.rssi_ms = None
        self._quiet = False  # echo is off, for sure
        self._echoed = False
        self._found = []  # EPANDESC fields
        self._scan_until = None  # while the module scans: when it must be over
        self._phase = None  # "joining", "refreshing"
        self._outcome = None  # the last of the events 24 to 28; 0 while an SKJOIN has none
        self._limited = False
        self._refresh_until = 0
        self._watcher = None
        self._changed = asyncio.Event()  # of the link or the scan; a new one each time

    async def run(self):
        """Read the UART for ever."""
        try:
            self._watch()
            await super().run()
        finally:
            if self._watcher:
                self._watcher.cancel()

    # -- called by the parser ---------------------------------------------------------------------

    def on_datagram(self, payload, mac, secured, rssi):
        if rssi is not None:
            self._heard(rssi)
        if self._final is not None:  # what is answered has been sent
            self._answered.set()
        self._tell_datagram(payload, mac, secured, rssi)

    def on_pan(self, fields):
        if len(self._found) < 16:
            self._found.append(fields)

    def on_echo(self):
        self._echoed = True
        if self._quiet:  # the module has started anew
            self._forget()
            if not self._syncing:
                self._tell("reboot", None)

    def on_garbage(self, size):
        self.counters["garbage"] += 1
        self._tell("garbage", size)

    def on_event(self, code, param):
        if code == 0x21:
            self._sent = param
            if self._final is not None:
                self._answered.set()
            self._tell("sent", param)
        elif code == 0x22:
            self._scan_until = None
            self._signal()
        elif code == 0x33:
            self._unlimit()
        elif code in _NAMES:
            if code == 0x29:
                self._refresh_until = self._clock.ms() + _REFRESH
                self._link("refreshing", self.joined)
                self._watch()
            elif code == 0x32:
                self._limited = True
                self._watch()
            elif code in (0x24, 0x25) or (code != 0x20 and self._phase != "joining"):
                self._outcome = code
                self._link(None, code == 0x25)
            self._tell(_NAMES[code], None)

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

    def _unlimit(self):
        if self._limited:
            self._limited = False
            self._signal()
            self._tell("unlimited", None)

    # The module is as after power-up.
    def _forget(self):
        self._quiet = self._limited = False
        self._scan_until = self._outcome = None
        self._link(None, False)

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

    async def _watching(self):
        try:
            while self._limited or self._phase == "refreshing":
                wait = _BUDGET
                if self._phase == "refreshing":
                    wait = min(wait, self._refresh_until - self._clock.ms())
                    if wait <= 0:
                        self._link(None, False)
                        self._tell("lost", None)
                        continue
                await self._clock.sleep_ms(wait)
                if self._limited:
                    await self._read_limit()
        finally:
            self._watcher = None

    async def _read_limit(self):
        try:
            async with self._lock:
                if await self._register(b"SFB") == 0:
                    self._unlimit()
        except RadioError as error:
            self._log.warn("%s", error)

    # The value of a register, -1 when it is no number.
    async def _register(self, name):
        line = await self._do("SKSREG", b" " + name, b"ESREG ")
        return number(line, 6, len(line.rstrip()) - 6)

    # A command without data. The caller holds the lock.
    async def _do(self, word, rest=b"", want=None):
        return await self._ask(word, word.encode() + rest + b"\r\n", _LIMIT, want)
