# Names to IPv4 addresses. The one place that uses the built-in resolver, which stops everything
# for up to 14 s when no name server answers: so addresses are kept, and dotted ones not looked up.
# Loaded for what asks a server, and dropped; what is known stays in gateway.network.
import socket

from gateway.network import known
from micropython import const

_KEEP_MS = const(600_000)


def resolve(host, ms):
    """The address of host as dotted text; ms: the clock's. OSError when it has none.

    May block. An old address is better than none.
    """
    if host.replace(".", "").isdigit():
        return host
    old = known.get(host)
    if old and ms < old[1]:
        return old[0]
    try:
        where = socket.getaddrinfo(host, 80, socket.AF_INET, socket.SOCK_STREAM)[0][-1]
    except OSError:
        if old:
            return old[0]
        raise
    if isinstance(where, tuple):
        address = where[0]
    else:  # the unix port gives the raw structure
        raw = socket.sockaddr(where)  # pyright: ignore[reportAttributeAccessIssue]
        address = "%d.%d.%d.%d" % tuple(raw[1])
    known[host] = (address, ms + _KEEP_MS)
    return address


def forget(host):
    """Look it up anew the next time: nobody useful was at the address we had."""
    if host in known:
        known[host] = (known[host][0], 0)
