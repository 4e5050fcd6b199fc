# The serial line while the gateway runs: a quiet status line, and words typed by a person or a
# program.
import asyncio
import json
import sys

from gateway import drop
from gateway.line import Line
from gateway.supervisor import cancel, describe
from micropython import const

_NOTHING = bytearray(0)
_CHECKS = (["network"], ["server"], ["radio"])
_LINE_MAX = const(48)
_QUIET_MS = const(60_000)  # readings come more often than anyone wants to see a line
_JSON_MS = const(1000)
_CHECK_MS = const(90_000)
_EOF_MS = const(60_000)


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
        self._reader = reader or _Stdin()
        self._write = write or sys.stdout.write
        self._byte = bytearray(1)
        self._line = Line(_LINE_MAX, self._write)
        self._json_at = None  # ms of the next JSON line; None: off
        self._about = None  # what the last status line told, and its ms
        self._told_ms = 0
        self._checking = None

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
        self._view("welcome")
        self.changed()
        try:
            while True:
                beat(None)
                n = await self._key()
                if n:
                    line = self._line.feed(self._byte[0])
                    if line is not None:
                        beat(_CHECK_MS)
                        await self._obey(line.lower().split())
                elif n == 0:
                    # End of file: nobody can type any more, but the line may come back.
                    await app.clock.sleep_ms(_EOF_MS)
        finally:
            app.log.on_line = None
            app.status.on_change = None
            await cancel(self._checking)

    # -> the number of bytes read; None: none, because a JSON line was due.
    async def _key(self):
        app = self.app
        clock = app.clock
        if self._json_at is None:
            return await self._reader.readinto(self._byte)
        wait = self._json_at - clock.ms()
        if wait > 0:
            try:
                return await clock.wait_for(self._reader.readinto(self._byte), wait)
            except asyncio.TimeoutError:
                pass  # nobody typed: the line is due
        # What was missed, because something blocked, is not made up for.
        self._json_at = max(self._json_at, clock.ms() - _JSON_MS) + _JSON_MS
        self._write(json.dumps(app.status.state()) + "\n")
        return None

    async def _obey(self, words):
        app = self.app
        word = words[0] if words else ""
        rest = words[1:]
        if word == "json" and rest in (["on"], ["off"]):
            self._json_at = app.clock.ms() if rest[0] == "on" else None
        elif word == "check" and rest in _CHECKS and not self._checking:
            self._checking = asyncio.create_task(self._check(rest[0]))
        elif word == "stop" and not rest:
            app.stop()
        elif word == "log" and not rest:
            # A list, because nothing may be logged while the ring is read; with pauses, because
            # the radio module's bytes cannot wait until 4 KB have gone out.
            for text in list(app.log.lines()):
                self.say(text)
                await app.clock.sleep_ms(0)
        elif word:
            self._view("answer", word, rest)
        else:
            self.say(app.status.line())

    # Runs beside the reading of keys. Always ends in one JSON line.
    async def _check(self, what):
        app = self.app
        try:
            result = await app.clock.wait_for(app.check(what), _CHECK_MS)
        except asyncio.TimeoutError:
            result = {
                "check": what,
                "ok": False,
                "problem": "no result in %d s" % (_CHECK_MS // 1000),
            }
        except Exception as e:  # noqa: BLE001  told to the log and to whoever asked
            app.log.error("check %s: %s", what, describe(e))
            result = {"check": what, "ok": False, "problem": describe(e)}
        self._checking = None
        self.say(json.dumps(result))

    # What is for people and seldom needed lies in gateway.view, loaded for the moment.
    def _view(self, name, *args):
        from gateway import view

        try:
            getattr(view, name)(self, *args)
        finally:
            drop("view")

    def say(self, text):
        """Write one line; what is being typed moves below it."""
        typed = self._line.text
        if typed:
            self._write("\r\x1b[K%s\n%s" % (text, typed))
        else:
            self._write(text + "\n")

    # Called by the log. Errors are worth interrupting for; the rest is in `log`.
    def _logged(self, text):
        words = text.split(" ", 3)  # "+12s E text" or "11-20 12:34:56 E text"
        if (words[1] if text[0] == "+" else words[2]) == "E":
            self.say(text)

    # Called by the status. A line when something new is to be told, and now and then with the
    # readings.
    def changed(self):
        status = self.app.status
        word, code, detail = status.worst()
        about = (status.phase, word, code, status.last is None)
        now = self.app.clock.ms()
        if self._json_at is None and (about != self._about or now - self._told_ms >= _QUIET_MS):
            new = about != self._about and detail
            self.say(status.line() + (" (%s)" % detail if new else ""))
            self._about = about
            self._told_ms = now
