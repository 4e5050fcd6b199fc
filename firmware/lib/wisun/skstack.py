"""Driver for modules that speak SKSTACK-IP text, single hop and dual stack."""

import sys

from micropython import const

from . import Info, Refused
from .sk_link import SkLink

_SEND = const(10000)  # ms


class SkStack(SkLink):
    """One SKSTACK-IP module. The callbacks and the events are described in the package.

    `run()` must be running for anything else to work. One command is under way at a time, others
    wait; each can be cancelled, and raises Timeout or Refused.
    """

    def __init__(self, uart, clock, log, on_datagram, on_event):
        super().__init__(uart, clock, log, on_datagram, on_event)
        self.counters["flip"] = self.counters["partial"] = 0
        self._dual = False
        self._flipped = False
        self._pair_id = None
        self._address = b""

    # What is needed between sessions only is loaded when it is needed, and not kept.
    async def _setup(self, name, *args):
        from . import sk_setup

        try:
            async with self._lock:
                return await getattr(sk_setup, name)(self, *args)
        finally:
            if sys.modules.pop("wisun.sk_setup", None):
                delattr(sys.modules["wisun"], "sk_setup")

    async def probe(self, kind: str = "auto") -> Info:
        """Find the module, end what it is in the middle of, and learn which edition it speaks.

        What is known better than by asking: `kind` bp35a1 (single hop), bp35c2 (dual stack), or
        rl7023 (digits only).
        """
        return await self._setup("probe", kind)

    async def configure(self, rbid: str, password: str):
        """Hand over the credentials; ValueError, which does not repeat them, when they are wrong.

        Raw data is switched to hexadecimal: once in a module's life, for it is kept in its flash.
        """
        await self._setup("configure", rbid, password)

    async def scan(self, duration: int = 6, mask: int = 0xFFFFFFFF, paired: bool = True) -> list:
        """The Pans heard, listening on each channel of the mask (bit 0: 33) for a time.

        The time is 9.6 ms x (2^duration + 1). With paired only one's own meter answers; else all
        do, and no Pan has a pair_id.
        """
        return await self._setup("scan", duration, mask, paired)

    async def find(self, durations=(5, 6, 7, 8)):
        """Scan ever longer until one's own meter is heard; the strongest Pan, or None."""
        return await self._setup("find", durations)

    async def reset(self):
        """Back to the stack's defaults; probe and configure it again."""
        await self._setup("reset")

    async def join(self, pan, timeout_ms: int = 60000):
        """Authenticate with a meter; JoinRefused, or JoinTimeout when it came to no end."""
        await self._setup("join", pan, timeout_ms)

    async def leave(self):
        """End the session, if there is one."""
        await self._setup("leave")

    async def send(self, data) -> int:
        """Send a datagram to the meter, encrypted; GateClosed while the gate is closed.

        0: the radio acknowledged it; 1: it failed, send it again; 2: it is on its way, do not.
        """
        async with self._lock:
            self._check_gate()
            await self._either("SKSENDTO", self._packet, data, _SEND)
            return 2 if self._sent is None else self._sent

    def _packet(self, data):
        side = b"0 " if self._dual else b""
        return b"SKSENDTO 1 %s 0E1A 1 %s%04X " % (self._address, side, len(data)) + data

    # Sends what depends on the edition. ER05 says that it is the other one: believed once.
    async def _either(self, word, build, data, ms):
        while True:
            try:
                return await self._ask(word, build(data), ms)
            except Refused as error:
                self._torn = True  # the data that followed may lie in the module as half a line
                if error.code != "ER05" or self._flipped:
                    raise
            self._flipped = True
            self._dual = not self._dual
            self.counters["flip"] += 1
            self._log.warn("radio module speaks the other edition")
