# `check network|server|radio`: one look each, for the owner and for programs. Loaded when asked
# for.
import asyncio
import json

from gateway import drop
from gateway.network import errand
from gateway.supervisor import describe
from micropython import const

_RADIO_S = const(100)
_CHECK_MS = const(130_000)


async def run(app, what):
    if what == "network":
        return await _network(app)
    if what == "server":
        return await _server(app)
    if what == "radio":
        return await _radio(app)
    return _result(what, "say check network, check server or check radio")


def _result(what, problem, **facts):
    facts["check"] = what
    facts["ok"] = not problem
    if problem:
        facts["problem"] = problem
    return facts


async def _network(app):
    # Each Wi-Fi network is tried for 15 s before the next.
    s = app.settings
    more = [key for key in ("wifi2.ssid", "wifi3.ssid") if s[key]]
    await app.network.wait_up(20_000 + 20_000 * len(more))
    if app.session.scarce():
        # Beside the talk with the meter, or an attempt to join it, there is no room for it.
        found = await errand(app, "reach")
        if not found:
            return _result("network", "no room for it beside joining; ask again in a minute")
    else:
        from gateway import reach

        try:
            found = await reach.run(app)
        finally:
            del reach
            drop("reach")
    problem, facts = found
    return _result("network", problem, **facts)


async def _server(app):
    if not app.settings["server.url"]:
        return _result("server", 'no server set: gateway.set("server.url", "http://...")')
    if not await app.network.wait_up(20_000):
        return _result("server", "no network: try check network first")
    problem = await app.uplink.check()
    return _result("server", problem, url=app.settings["server.url"])


# What has no answer yet is waited for: a first join takes a scan and half a minute.
async def _radio(app):
    status = app.status
    joined = False
    for _ in range(_RADIO_S):
        driver = app.driver
        joined = driver is not None and driver.joined
        problem = status.detail("config") or status.detail("radio") or status.detail("meter")
        if problem or joined:
            break
        await app.clock.sleep_ms(1000)
    else:
        problem = "still joining, ask again in a minute"
    return _result("radio", problem, module=status.module, joined=joined, rssi=status.rssi)


async def outcome(app, what):
    """Look once. -> the result, whatever happens."""
    try:
        return await app.clock.wait_for(app.check(what), _CHECK_MS)
    except asyncio.TimeoutError:
        return _result(what, "no result in %d s" % (_CHECK_MS // 1000))
    except Exception as e:  # noqa: BLE001  told to the log and to whoever asked
        app.log.error("check %s: %s", what, describe(e))
        return _result(what, describe(e))


async def told(console, what):
    """Look once, and write the result as one JSON line."""
    try:
        result = await outcome(console.app, what)
    finally:
        console.checking = None
    console.say(json.dumps(result))
