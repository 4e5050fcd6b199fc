# How the radio link has fared: what the Status keeps in bits and bytes, as people and programs
# read it. Loaded for an upload or a word at the console, then dropped.
from binascii import b2a_base64

# By code, from 0x20 on: the module's events (wisun), and from 0x38 on the ladder's steps.
NAMES = (
    "beacon,sent,unsent,queued,join-failed,joined,peer-closed,ended,end-timeout,expired,,,,,,,,,"
    "limited,unlimited,lost,receive-failed,garbage,reboot,setup,join,scan,reset,pin,power,board,"
    "retry"
).split(",")


def counters(status):
    """The counters, those of link events and of the ladder's steps among them."""
    told = dict(status.counters)
    for i, n in enumerate(status.events):
        if n:
            told["%s.%s" % ("step" if i > 23 else "event", NAMES[i])] = n
    return told


def events(status):
    """The last link events, oldest first: (s since start, name, value), at most 50."""
    ring = status.ring
    size = len(ring)
    for i in range(status.ring_at, status.ring_at + size, 5):
        at = i % size
        if ring[at + 3]:
            seconds = ring[at] << 16 | ring[at + 1] << 8 | ring[at + 2]
            yield seconds, NAMES[ring[at + 3] & 31], ring[at + 4]


def packed(status):
    """The same as the upload has it: 5 bytes each (s since start: 3, code, value) in base64."""
    ring = status.ring
    at = status.ring_at
    whole = ring[at:] + ring[:at]
    at = 0
    while at < len(whole) and not whole[at + 3]:
        at += 5
    return b2a_base64(memoryview(whole)[at:]).decode().strip()


def quality(status):
    """Of the last requests, at most 30, in percent: (not acknowledged, not answered); or None."""
    n = status.tried
    if not n:
        return None
    return _share(status.unsent, n), _share(status.silent, n)


def _share(bits, n):
    ones = 0
    for i in range(n):
        ones += bits >> i & 1
    return (100 * ones + n // 2) // n


def day(status):
    """dBm of the last 96 quarters of an hour, the oldest first; None where nothing was heard."""
    if status.rssi_ms is None:
        return
    now = status.clock.ms() // 900_000
    last = status.rssi_ms // 900_000
    for slot in range(now - 95, now + 1):
        heard = status.heard[slot % 96] if last - 96 < slot <= last else 0
        yield -heard if heard else None
