"""One command at a time to a module that speaks SKSTACK-IP."""

import asyncio

from micropython import const

from . import Refused, Timeout
from .link import Link
from .sk_parser import Parser

_PROBE = const(1500)  # ms; a live module tells its version within some ms

# Line ends are no commands, but fill up a datagram that was left half sent: at most 1232 bytes.
_FILLER = b"\r\n" * 32
_FILLERS = const(20)


class Port(Link):
    """The module's UART: `run` listens, `_ask` asks.

    A command that is cancelled, or not answered, is settled before the next one is sent: its reply
    is awaited while it may come; then the module is asked for what cannot be mistaken.
    """

    def __init__(self, uart, clock, log, on_datagram, on_event):
        super().__init__(uart, clock, log, on_datagram, on_event)
        self.counters["resync"] = 0
        self._parser = Parser(self, self.counters)
        self._answered = asyncio.Event()
        self._word = None  # of the command under way
        self._want = None  # the start of a line that comes before its OK; b"": instead of it
        self._got = b""  # that line
        self._sent = 0  # parameter of the last EVENT 21; None while one must come beside the OK
        self._final = None  # text of OK or FAIL
        self._good = False
        self._owed = False  # a command was given up whose reply may come,
        self._reply_ms = 0  # for so long after its bytes were written
        self._torn = False  # half a command may lie in the module
        self._syncing = False

    async def run(self):
        """Read the UART for ever."""
        parser = self._parser
        try:
            self._watch()
            while True:
                n = await self._uart.readinto(parser.space())
                if n:
                    parser.received(n)
                else:
                    await self._clock.sleep_ms(20)
        finally:
            self._unwatch()

    # -- called by the parser ---------------------------------------------------------------------

    def on_line(self, text):
        if self._want is not None and text.startswith(self._want):
            self._got = text
            if not self._want:
                self.on_final(b"", True)

    # One that the command under way cannot have is left over from an earlier one.
    def on_final(self, text, good):
        if not self._word:
            self._owed = False
        elif self._want is not None and not self._got and (good or self._syncing):
            self.counters["stray"] += 1
            return
        else:
            self._final = text
            self._good = good
            self._owed = False
            if good and self._sent is None:
                return
        self._answered.set()

    # -- commands; the caller holds the lock ------------------------------------------------------

    # The text after the OK, or the wanted line.
    async def _ask(self, word, line, ms, want=None):
        if self._owed and not self._torn:
            left = self.sent_ms + self._reply_ms - self._clock.ms()
            self._answered.clear()
            try:
                await self._clock.wait_for(self._answered.wait(), max(left, 0))
            except asyncio.TimeoutError:
                self._torn = True
        if self._torn:
            self.counters["resync"] += 1
            await self._resync()
        return await self._exchange(word, line, ms, want)

    async def _exchange(self, word, line, ms, want, fillers=0):
        self._final = None
        self._got = b""
        self._want = want
        self._word = word
        self._sent = None if word == "SKSENDTO" else 0
        self._owed = True
        self._reply_ms = ms
        self.sent_ms = self._clock.ms()
        self._answered.clear()
        try:
            await self._clock.wait_for(self._write(line, fillers), ms)
        except asyncio.TimeoutError:
            # The reply may lie behind the head of a datagram whose rest was lost.
            self._parser.give_up()
        finally:
            self._word = None
        if self._final is None:
            self.counters["timeout"] += 1
            raise Timeout(word)
        if not self._good:
            self.counters["refused"] += 1
            raise Refused(word, self._final.decode())
        return self._final if want is None else self._got

    async def _write(self, line, fillers):
        self._torn = True
        while fillers:
            await self._uart.write(_FILLER)
            fillers -= 1
        await self._uart.write(line)
        self._torn = False
        await self._answered.wait()

    # Ends whatever the module is in the middle of. A version line is no other command's reply.
    async def _resync(self):
        self._syncing = True
        try:
            for fillers in (0, _FILLERS, 0):
                try:
                    return await self._exchange(
                        "SKVER", b"\r\nSKVER\r\n", _PROBE, b"EVER ", fillers
                    )
                except Timeout:
                    pass
            self._torn = True
            raise Timeout("SKVER")
        finally:
            self._syncing = False
