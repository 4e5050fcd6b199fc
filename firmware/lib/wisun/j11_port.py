"""One command at a time to a module that speaks J11."""

import asyncio

from micropython import const

from . import Refused, Timeout
from .j11_frame import Parser, frame
from .j11_state import State
from .link import Link

_LIMIT = const(3000)  # ms: the specification's 2 s, and 1 s to spare
_GAP = const(250)  # ms, in which the longest frame has come twice
_TORN = const(1200)  # ms; the module forgets half a frame after 1 s
_UNREAD = const(20)  # ms
_TRIES = const(3)

_MS = {0x00D9: 5000, 0x0053: 3600}


class Port(Link):
    """The module's UART: `run` listens, `_ask` asks.

    Replies tell by their code what they are to. A command that was cancelled is not followed by
    another while its reply may still come, but for a reset.
    """

    def __init__(self, uart, clock, log, on_datagram, on_event):
        super().__init__(uart, clock, log, on_datagram, on_event)
        self.counters["garbled"] = 0
        self._state = State(self)
        self._parser = Parser(self._state.on_frame, self.on_garbage)
        self._answered = asyncio.Event()
        self._code = None  # of the command under way
        self._result = None
        self._got = b""  # what follows the result
        self._head = b""  # what that must end with, unless it is short
        self._owed = None  # the command that was given up whose reply may come,
        self._reply_ms = 0  # for so long after its bytes were written
        self._torn = False  # half a command may lie in the module

    async def run(self):
        """Read the UART for ever."""
        parser = self._parser
        clock = self._clock
        before = clock.ms()
        try:
            self._watch()
            while True:
                n = await self._uart.readinto(parser.space())
                if n:
                    now = clock.ms()
                    parser.received(n, now - before > _GAP)
                    before = now
                else:
                    await clock.sleep_ms(20)
        finally:
            self._unwatch()

    # -- told by the state ------------------------------------------------------------------------

    # 2FFF and FFFF do not say what they are replies to.
    def on_reply(self, code, result, data):
        code &= 0xFFF
        if self._code is not None and code in (self._code, 0xFFF):
            if self._head and len(data) > 1 and bytes(data[1:]) != self._head:
                self.counters["stray"] += 1
                return
            self._got = bytes(data)
            self._reply(result)
        elif code == self._owed:
            self._owed = None
            self._answered.set()
        else:
            self.counters["stray"] += 1

    def _reply(self, result):
        self._owed = None
        self._result = result
        self._answered.set()

    # -- commands; the caller holds the lock ------------------------------------------------------

    # What was given up is waited for, as long as a reply to it may come. A reset ends it.
    async def _clear(self, code):
        if self._owed and code != 0x00D9:
            self._answered.clear()
            try:
                left = max(self.sent_ms + self._reply_ms - self._clock.ms(), 0)
                await self._clock.wait_for(self._answered.wait(), left)
            except asyncio.TimeoutError:
                self._owed = None
        if self._torn:
            await self._clock.sleep_ms(_TORN)

    # What follows the result of a command that had success.
    async def _ask(self, code, data=b"", ms=0):
        ms = ms or _MS.get(code, _LIMIT)
        tries = _TRIES
        while True:
            await self._clear(code)
            self._result = None
            self._code = self._owed = code
            self._reply_ms = ms
            self.sent_ms = self._clock.ms()
            self._answered.clear()
            try:
                await self._clock.wait_for(self._write(frame(code, data)), ms)
            except asyncio.TimeoutError:
                # The reply may lie unread, when something has held up the whole host; or behind
                # the head of a frame whose rest was lost.
                await self._clock.sleep_ms(_UNREAD)
                self._parser.give_up()
            finally:
                self._code = None
            result = self._result
            if result is None:
                self.counters["timeout"] += 1
                raise Timeout("%04X" % code)
            if result == 1:
                return self._got
            tries -= 1
            if not tries or (result < 0xF0 and result != 0x13):
                self.counters["refused"] += 1
                raise Refused("%04X" % code, "%02X" % result)
            self.counters["garbled"] += 1

    async def _write(self, data):
        self._torn = True
        await self._uart.write(data)
        self._torn = False
        await self._answered.wait()
