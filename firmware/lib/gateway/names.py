# Names to IPv4 addresses. The one place that uses the built-in resolver, which stops everything
# for up to 14 s when no name server answers: so addresses are kept, and dotted ones not looked up.
import socket

from micropython import const

_KEEP_MS = const(600_000)
_AIR_MS = const(70_000)  # a history takes the meter up to 60 s


class NtpError(Exception):
    """No time from a time server: the text says why. Here, because ntp.py comes and goes."""


_known = {}  # host: (address, ms from which on it is looked up anew)


def resolve(host, ms):
    """The address of host as dotted text; ms: the clock's. OSError when it has none.

    May block. An old address is better than none.
    """
    if host.replace(".", "").isdigit():
        return host
    known = _known.get(host)
    if known and ms < known[1]:
        return known[0]
    try:
        where = socket.getaddrinfo(host, 80, socket.AF_INET, socket.SOCK_STREAM)[0][-1]
    except OSError:
        if known:
            return known[0]
        raise
    if isinstance(where, tuple):
        address = where[0]
    else:  # the unix port gives the raw structure
        raw = socket.sockaddr(where)  # pyright: ignore[reportAttributeAccessIssue]
        address = "%d.%d.%d.%d" % tuple(raw[1])
    _known[host] = (address, ms + _KEEP_MS)
    return address


def forget(host):
    """Look it up anew the next time: nobody useful was at the address we had."""
    if host in _known:
        _known[host] = (_known[host][0], 0)


async def quiet(air, clock):
    """Wait until nobody holds the lock `air`. -> False when somebody did for 70 s.

    Whoever calls this takes the lock at once, without another wait in between. `wait_for` on the
    lock itself could lose it when the time runs out just as it is got.
    """
    end = clock.ms() + _AIR_MS
    while air.locked():
        if clock.ms() >= end:
            return False
        await clock.sleep_ms(100)
    return True
