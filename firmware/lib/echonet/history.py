# What the meter remembers: by day (E2, E4 after E5), by half-hour (EC after ED), by minute (EE
# after EF). Values are counter readings at those times, not the energy between them.
from echonet import EchonetError
from echonet.dates import jst
from echonet.meter import sized, u16, value, when
from micropython import const

HALF_HOUR = const(1800)
MINUTE = const(60)
_DAY_SIZE = const(194)


def day(b, at=0):
    """E2, E4: how many days ago (0 to 99) by the meter's date; None when E5 was never set."""
    sized(b, at, _DAY_SIZE)
    d = u16(b, at)
    if d == 0xFF:
        return None
    _limit("day", d, 0, 99)
    return d


def slot(b, k, at=0):
    """E2, E4 (that `day` has checked): counts at half-hour `k`, 0 to 47; None is "no data"."""
    return value(b, at + 2 + 4 * k)


def slots(b, midnight, at=0):
    """E2, E4: 48 times (UTC seconds, counts or None); the day began at UTC second `midnight`."""
    sized(b, at, _DAY_SIZE)
    for k in range(48):
        yield midnight + k * HALF_HOUR, slot(b, k, at)


def requested(b, at=0, step=HALF_HOUR):
    """ED, EF (`step` MINUTE): (UTC seconds, entries) as it was set; None when it never was."""
    sized(b, at, 7)
    return _head(b, at, step)


# The order within EC and EE is shown by no capture: the first entry is taken to be the requested
# time, each next one a step earlier. This is the one place that knows.
def entry_time(t, i, step):
    return t - i * step


def entries(b, at=0, step=HALF_HOUR):
    """EC, EE (`step` MINUTE): (UTC seconds, normal, reverse), counts or None each.

    Nothing at all when no time was ever set.
    """
    n = b[at + 6] if (b[at - 1] if at else len(b)) > 6 else 0
    sized(b, at, 7 + 8 * n)
    head = _head(b, at, step)
    if head:
        at += 7
        for i in range(n):
            yield entry_time(head[0], i, step), value(b, at), value(b, at + 4)
            at += 8


# Seven bytes YYYY MM DD hh mm n, as EDs have them and ECs begin.
def _head(b, at, step):
    n = b[at + 6]
    t = None if b[at] == 0xFF else when(b, at)
    _check(t or 0, n, step)
    return None if t is None else (t, n)


def set_day(d):
    """EDT for E5: the day, 0 (today) to 99 days ago, that E2 and E4 shall tell of."""
    _limit("day", d, 0, 99)
    return bytes([d])


def set_time(t, n, step=HALF_HOUR):
    """EDT for ED, EF (`step` MINUTE): `n` entries back from UTC second `t`, which is on a step."""
    _check(t, n, step)
    y, mo, d, h, mi, _ = jst(t)
    return bytes([y >> 8, y & 0xFF, mo, d, h, mi, n])


def _check(t, n, step):
    _limit("entries", n, 1, 12 if step == HALF_HOUR else 10)
    _limit("seconds off the step", t % step, 0, 0)


def _limit(what, n, low, high):
    if not low <= n <= high:
        raise EchonetError("%s: %d" % (what, n))
