# What can be typed at the console. Loaded for one word, then dropped; an answer that has to wait
# keeps what it needs.
import asyncio

from gateway import VERSION, drop
from micropython import const

_CHECK_MS = const(130_000)
_BUSY = "The last answer is still under way; it comes by itself."
_LATER = "There is no room for that beside joining; it comes by itself."
_NO_ROOM = "There is still no room for it beside joining. Ask again in a minute."
_WORDS = (
    "help",
    "status",
    "log",
    "stop",
    "json on",
    "json off",
    "check radio",
    "check network",
    "check server",
)


async def obey(console, line):
    """Do what the line says, and answer. None: the console begins, and says so."""
    app = console.app
    if line is None:
        _welcome(console)
        if console.trial:
            console.trial = False
            from gateway import trial

            console.checking = asyncio.create_task(trial.run(console))
        return
    typed = " ".join(line.lower().split())
    if not typed:
        from gateway import summary

        console.say(summary.line(app.status))
    elif typed == "stop":
        app.stop()
    elif typed == "json on":
        console.json_at = app.clock.ms()
        console.json = True
    elif typed == "json off":
        console.json = False
    elif typed[:6] == "check " and typed in _WORDS:
        if console.checking:
            console.say(_BUSY)
        else:
            from gateway import checks

            console.checking = asyncio.create_task(checks.told(console, typed[6:]))
    else:
        # The log is told with pauses, in which whoever joins would miss the memory.
        crowded = _crowded(app)
        if not (crowded and typed == "log"):
            try:
                await _tell(console, typed)
                return
            except MemoryError:
                if not crowded:
                    raise
        console.say(_BUSY if console.checking else _LATER)
        if not console.checking:
            console.checking = asyncio.create_task(_later(console, typed))


# Is the meter just being joined, or something sent, where memory is scarce?
def _crowded(app):
    session = getattr(app, "session", None)
    return session and not session.live and session.scarce() and app.air.locked()


async def _later(console, typed):
    app = console.app
    clock = app.clock
    end = clock.ms() + _CHECK_MS
    try:
        await app.session.step_aside(_CHECK_MS)
        while app.air.locked():
            if clock.ms() > end:
                console.say(_NO_ROOM)
                return
            await clock.sleep_ms(100)
        async with app.air:
            await _tell(console, typed)
    except MemoryError:
        console.say(_NO_ROOM)
    finally:
        console.checking = None
        app.session.come_back()
        drop("view", "summary", "track", "led", "ring")


async def _tell(console, typed):
    app = console.app
    if typed == "log":
        from gateway import ring

        # A list, because nothing may be logged while the ring is read; with pauses, because the
        # radio module's bytes cannot wait until 4 KB have gone out.
        for text in list(ring.lines(app.log)):
            console.say(text)
            await app.clock.sleep_ms(0)
        return
    from gateway import view

    if typed == "help":
        view.section("console", console.say)
    elif typed == "status":
        view.status(app.status, console.say)
    else:
        near = view.nearest(typed, _WORDS) or view.nearest(typed.split()[0], _WORDS)
        near = "Type %s" % near if near else "Type help to see the words"
        console.say("%s? %s" % (typed, near))


def _welcome(console):
    status = console.app.status
    console.say(
        "Kenshin %s on %s. Type help; Ctrl-C stops and gives the Python prompt."
        % (VERSION, status.board.name)
    )
    if status.code("config") == "missing-settings":
        console.say("Settings are missing. Press Ctrl-C, then type gateway.setup()")
