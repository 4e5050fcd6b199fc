# What can be typed at the console. Loaded for one word, then dropped; a check that a word leaves
# running keeps what it needs.
import asyncio
import json

from gateway import VERSION
from gateway.supervisor import describe
from micropython import const

_CHECK_MS = const(130_000)
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
        return
    typed = " ".join(line.lower().split())
    if typed == "help":
        from gateway import view

        view.section("console", console.say)
    elif typed == "status":
        from gateway import view

        view.status(app.status, console.say)
    elif typed == "log":
        from gateway import ring

        # A list, because nothing may be logged while the ring is read; with pauses, because the
        # radio module's bytes cannot wait until 4 KB have gone out.
        for text in list(ring.lines(app.log)):
            console.say(text)
            await app.clock.sleep_ms(0)
    elif typed == "stop":
        app.stop()
    elif typed == "json on":
        console.json_at = app.clock.ms()
        console.json = True
    elif typed == "json off":
        console.json = False
    elif typed in _WORDS:
        if console.checking:
            console.say("The last check is still under way; its result comes by itself.")
        else:
            console.checking = asyncio.create_task(check(console, typed[6:]))
    elif typed:
        from gateway import view

        near = view.nearest(typed, _WORDS) or view.nearest(typed.split()[0], _WORDS)
        near = "Type %s" % near if near else "Type help to see the words"
        console.say("%s? %s" % (typed, near))
    else:
        from gateway import summary

        console.say(summary.line(app.status))


def _welcome(console):
    status = console.app.status
    console.say(
        "Kenshin %s on %s. Type help; Ctrl-C stops and gives the Python prompt."
        % (VERSION, status.board.name)
    )
    if status.code("config") == "missing-settings":
        console.say("Settings are missing. Press Ctrl-C, then type gateway.setup()")


async def check(console, what):
    """Look once, and write the result as one JSON line, whatever happens."""
    app = console.app
    try:
        result = await app.clock.wait_for(app.check(what), _CHECK_MS)
    except asyncio.TimeoutError:
        problem = "no result in %d s" % (_CHECK_MS // 1000)
        result = {"check": what, "ok": False, "problem": problem}
    except Exception as e:  # noqa: BLE001  told to the log and to whoever asked
        app.log.error("check %s: %s", what, describe(e))
        result = {"check": what, "ok": False, "problem": describe(e)}
    finally:
        console.checking = None
    console.say(json.dumps(result))
