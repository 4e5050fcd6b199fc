# The serial line while the gateway runs: a quiet status line, and words typed by a person or a
# program. What words mean is in gateway.words, loaded when there is one.
import asyncio
import sys

from gateway import drop
from gateway.supervisor import cancel
from micropython import const

_NOTHING = bytearray(0)
_QUIET_MS = const(60_000)  # readings come more often than anyone wants to see a line
_JSON_MS = const(1000)
_WORD_MS = const(60_000)  # no word takes that long: checks run beside the console
_EOF_MS = const(60_000)
_ASIDE_MS = const(15_000)
_MISSED_MAX = const(5)


# The serial line's bytes; as text, half a character of UTF-8 would block everything.
class _Stdin:
    def __init__(self):
        self.closed = False
        self._bytes = sys.stdin.buffer
        self._stream = asyncio.StreamReader(self._bytes)

    async def readinto(self, buf):
        await self._stream.readinto(_NOTHING)  # waits for a byte and leaves it where it is
        if self.closed:
            await asyncio.Event().wait()  # until cancelled
        return self._bytes.readinto(buf)


class Console:
    """Reads the serial line of `app` and answers.

    `app` has status, clock, log, stop() and the coroutine check(what) -> dict. `reader` has
    `async readinto(buf)`, and `write(text)` takes text whose lines end in LF; both default to the
    line that the REPL uses.
    """

    def __init__(self, app, reader=None, write=None):
        self.app = app
        self.checking = None  # the task of a check that is under way
        self.trial = False  # gateway.setup() asked for all checks, in words
        self.json = False  # whether JSON lines are on
        self.json_at = 0  # ms of the next one
        self._reader = reader or _Stdin()
        self._write = write or sys.stdout.write
        self._missed = 0  # JSON lines in a row that were left out
        self._byte = bytearray(1)
        self._line = None  # the editor while a line is typed
        self._cr = False  # the last line ended in CR
        self._told = None  # what the last status line was about, and when it was written
        self._told_ms = 0

    def close(self):
        """Read no more: what comes from now on is for the Python prompt.

        To be called before the loop runs on after Ctrl-C. mpremote sends Ctrl-C once, and right
        behind it the Ctrl-A that asks for the raw REPL, which nobody may read here.
        """
        self._reader.closed = True

    async def run(self, beat):
        """For ever. Waits for keys; wakes up by itself only while JSON lines are on."""
        app = self.app
        app.log.on_line = self._logged
        app.status.on_change = self.changed
        try:
            await self._obey(None)
            self.changed()
            while True:
                beat(None)
                n = await self._key()
                if n and self._byte[0] == 3:
                    # A Ctrl-C that came while the board started, before it could interrupt.
                    self.close()
                    app.stop()
                elif n:
                    beat(_WORD_MS)
                    line = self._edit(self._byte[0])
                    if line is not None:
                        await self._obey(line)
                elif n == 0:
                    # End of file: nobody can type any more, but the line may come back.
                    await app.clock.sleep_ms(_EOF_MS)
        finally:
            app.log.on_line = None
            app.status.on_change = None
            await cancel(self.checking)

    # -> the number of bytes read; None: none, because a JSON line was due.
    async def _key(self):
        clock = self.app.clock
        if not self.json:
            return await self._reader.readinto(self._byte)
        wait = self.json_at - clock.ms()
        if wait > 0:
            try:
                return await clock.wait_for(self._reader.readinto(self._byte), wait)
            except asyncio.TimeoutError:
                pass  # nobody typed: the line is due
        # What was missed, because something blocked, is not made up for.
        self.json_at = max(self.json_at, clock.ms() - _JSON_MS) + _JSON_MS
        session = getattr(self.app, "session", None)
        if session and session.live and session.scarce():
            # There is no room for it beside the talk with the meter.
            self._missed += 1
            if self._missed < _MISSED_MAX:
                return
            try:
                if await session.step_aside(_ASIDE_MS):
                    self._state()
            finally:
                session.come_back()
        else:
            self._state()

    def _state(self):
        self._missed = 0
        from gateway import pieces

        try:
            self.tell(pieces.line(self.app.status))
        finally:
            del pieces
            drop("summary", "led", "pieces", "track")

    # -> the line that the byte completed, or None.
    def _edit(self, c):
        if not self._line:
            if self._cr and c == 10:  # of the CR LF that ended the last line
                self._cr = False
                return None
            from gateway.line import Line

            self._line = Line(48, self._write)
        line = self._line.feed(c)
        if line is not None:
            self._line = None
            self._cr = c == 13
            drop("line")
        return line

    # None: say who is there.
    async def _obey(self, line):
        session = getattr(self.app, "session", None)
        try:
            if session:
                await session.step_aside(_ASIDE_MS)  # if it does not, it may work all the same
            from gateway import words

            await words.obey(self, line)
        except MemoryError:
            self.say("There is no room for that just now. Try again in a minute.")
        finally:
            if session:
                session.come_back()
            drop("words", "view", "summary", "track", "led", "ring")

    def say(self, text):
        """Write one line; what is being typed moves below it."""
        self.tell((text,))

    def tell(self, parts):
        """The same for a line that comes in parts."""
        write = self._write
        typed = self._line and self._line.text
        if typed:
            write("\r\x1b[K")
        for part in parts:
            write(part)
        write("\n" + typed if typed else "\n")

    # Called by the log. Errors are worth interrupting for; the rest is in `log`.
    def _logged(self, text):
        words = text.split(" ", 3)  # "+12s E text" or "11-20 12:34:56 E text"
        if words[1 if text[0] == "+" else 2] == "E":
            self.say(text)

    def changed(self):
        """The status changed: a line when there is something new, and now and then a reading."""
        status = self.app.status
        word, code, _ = status.worst()
        told = (status.phase, word, code, status.last is None)
        now = self.app.clock.ms()
        if not self.json and (told != self._told or now - self._told_ms >= _QUIET_MS):
            try:
                from gateway import summary

                line = summary.line(status, told != self._told)
                self._told = told
                self._told_ms = now
                self.say(line)
            except MemoryError:
                status.count("memory-error")  # but whoever changed the status must not die of it
            summary = None
            drop("summary")
