# The checks that gateway.setup() asked for before it restarted the board, told in words while the
# gateway runs. Loaded for that, once, and dropped.
from gateway import drop
from micropython import const

_PATIENCE = const(3)  # looks at the radio: a meter that holds an old session refuses once or twice
_PAUSE_MS = const(5000)
_GOOD = {
    "network": "The network works.",
    "server": "The server lets this board in.",
    "radio": "The meter is joined.",
}


async def run(console):
    """Look at each, print what came of it; what hangs on a network that failed is left out."""
    bad = []
    try:
        for name in ("network", "server", "radio"):
            if name == "server" and bad == ["network"]:
                continue
            console.say("Checking the %s; up to two minutes." % name)
            result = await _outcome(console.app, name)
            if result["ok"]:
                console.say("  " + _GOOD[name])
                continue
            if "ip" in result:
                console.say("  The network works, only the time is missing: " + result["problem"])
                console.say("  Set time.ntp to your own server, or leave it to the meter's clock.")
                continue
            console.say("  It does not work: " + result["problem"])
            bad.append(name)
    finally:
        console.checking = None
        drop("trial")
    if bad:
        console.say("To mend that: Ctrl-C, then gateway.setup() again. The gateway goes on.")
    else:
        console.say("All is well. The gateway runs, and starts by itself when it gets power.")


async def _outcome(app, name):
    left = _PATIENCE
    while True:
        left -= 1
        from gateway import checks

        result = await checks.outcome(app, name)
        checks = None
        # Else a problem is told while the next try is already under way.
        if not left or name != "radio" or not _joining(result.get("problem") or ""):
            return result
        await app.clock.sleep_ms(_PAUSE_MS)


def _joining(problem):
    return "joining" in problem or "trying again" in problem
