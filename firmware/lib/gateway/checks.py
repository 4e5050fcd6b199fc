# `check network|server|radio`: one look each, for the owner and for programs. Loaded when asked
# for.
from asyncio import TimeoutError

from gateway import drop
from micropython import const

_RADIO_S = const(100)


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
    net = app.board.net
    if not await app.network.wait_up(20_000):
        from gateway import connect

        try:
            connect.tell(app.network)  # it may be too early for the network task to have done so
        finally:
            del connect
            drop("connect")
        return _result("network", app.status.detail("network"))
    ip, mask, gateway, dns = net.address()
    problem = None
    ntp = None
    host = app.settings["time.ntp"]
    from gateway import names
    from gateway import ntp as sntp

    try:
        address = await names.resolve(net, host, app.clock)
        ntp, _ = await sntp.query(address, app.clock)
    except (sntp.NtpError, OSError, TimeoutError) as e:
        problem = "no time from %s: %s" % (host, e)
    finally:
        del names
        del sntp
        drop("ntp", "names")
    return _result(
        "network", problem, ip=ip, mask=mask, gateway=gateway, dns=dns, rssi=net.rssi(), time=ntp
    )


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
