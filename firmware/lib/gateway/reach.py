# How far the network reaches: the board's address, the name server, the time server. Loaded for
# that look, and dropped.
from asyncio import TimeoutError

from gateway import drop


async def run(app):
    """-> (what is wrong in words, or None, what was found as a dict)."""
    net = app.board.net
    if not app.network.up:
        from gateway import connect

        try:
            connect.tell(app.network)  # it may be too early for the network task to have done so
        finally:
            del connect
            drop("connect")
        return app.status.detail("network") or "not up yet", {}
    ip, mask, gateway, dns = net.address()
    problem = None
    time = None
    host = app.settings["time.ntp"]
    from gateway import names, ntp

    try:
        address = await names.resolve(net, host, app.clock)
        time, _ = await ntp.query(address, app.clock)
    except (ntp.NtpError, OSError, TimeoutError) as e:
        problem = "no time from %s: %s" % (host, e)
    finally:
        del names
        del ntp
        drop("ntp", "names")
    return problem, {
        "ip": ip,
        "mask": mask,
        "gateway": gateway,
        "dns": dns,
        "rssi": net.rssi(),
        "time": time,
    }
