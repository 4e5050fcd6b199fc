# What gateway.repair knows of days gone by: kept in flash, moved on with the days, told to people
# and to the server. Loaded for one call, and dropped.
import struct

from gateway import drop
from gateway.repair import DAYS
from micropython import const

_HEAD = "<BI"  # version, day of the first six bytes; then `asked`, then `map`
_HEAD_SIZE = const(5)
_LIMIT = const(640)
_JST = const(32400)
_DAY = const(86400)
_SLOT = const(1800)
_FRESH = const(2700)  # s; a younger half-hour is still the business of live polling
_STALE = const(30)  # days


def _twins(r):
    from gateway.twins import Twins

    twins = Twins(r.app.board.nvs, "repair", _LIMIT)
    blob = twins.load()
    drop("twins")
    return twins, blob


# A map that is lost, or older than what was delivered, only means that days are read again.
def load(r):
    twins, blob = _twins(r)
    if twins.damage:
        r.app.log.warn("%s", twins.damage)
    if blob and len(blob) == _HEAD_SIZE + len(r.asked) + len(r.map):
        version, first = struct.unpack_from(_HEAD, blob)
        if version == 1:
            end = _HEAD_SIZE + len(r.asked)
            r.first = first
            r.asked[:] = blob[_HEAD_SIZE:end]
            r.map[:] = blob[end:]


def save(r):
    if r.dirty:
        twins, _ = _twins(r)
        head = struct.pack(_HEAD, 1, r.first)
        try:
            twins.save(head + r.asked + r.map)
        except OSError as e:
            r.app.log.error("repair: the map is not kept: %s", e)
        r.dirty = False
        r.saved = r.app.clock.ms()


def roll(r, today):
    """Make `today` the newest day of the map. The next one may be, by another clock; what is still
    further ahead is the work of a clock that was wrong.
    """
    old = r.first
    days = today - (old + DAYS - 1)
    if -1 <= days <= 0:
        return
    # In place: there may be no 600 bytes in one piece.
    size = len(r.map)
    for i in range(size) if days > 0 else range(size - 1, -1, -1):
        at = i + 6 * days
        r.map[i] = r.map[at] if 0 <= at < size else 0
    r.first = today - DAYS + 1
    # A server that is set up anew wants days that another one has had: so not for ever.
    if r.first // 7 != old // 7:
        r.asked[:] = bytes(len(r.asked))
    r.dirty = True


# Each day once a week at most: what the meter does not know, the server will want again and again.
def want(r, days):
    from echonet import EchonetError
    from echonet.dates import utc

    n = 0
    for text in days:
        try:
            day = (utc(int(text[:4]), int(text[5:7]), int(text[8:10])) + _JST) // _DAY
        except (ValueError, EchonetError):
            continue  # not a day
        at = day - r.first
        bit = 1 << day % 104 % 8
        if 0 <= at < DAYS and not r.asked[day % 104 // 8] & bit:
            r.asked[day % 104 // 8] |= bit
            r.map[at * 6 : at * 6 + 6] = bytes(6)
            r.dirty = True
            n += 1
    if n:
        r.app.log.info("repair: the server wants %d days", n)
        r.looks = 0
        r.due = r.rest = 0


def newest(utc):
    """The newest half-hour that is not live polling's business any more, at UTC second `utc`."""
    return (utc + _JST - _FRESH) // _SLOT


def count(r, utc):
    """Half-hours missing, of those that the meter could tell at `utc`; told to the status.

    With the day at which the round is, and how many days the meter keeps.
    """
    end = newest(utc) + 1 - r.first * 48
    begin = max(end // 48 - r.kept, 0) * 48
    end = max(min(end, DAYS * 48), begin)
    n = end - begin
    for at in range(begin, end, 8):
        bits = r.map[at >> 3]
        if end - at < 8:
            bits &= (1 << end - at) - 1
        while bits:
            n -= 1
            bits &= bits - 1
    r.told = {"missing": n, "days": r.kept, "reading": _text((r.at - 1) // 48) if r.at else None}
    return n


def _text(day):
    from echonet.dates import jst

    return "%d-%02d-%02d" % jst(day * _DAY - _JST)[:3]


# -- of the meter


def has(r, epc):
    known = r.app.session.map
    return known is None or epc in known


def scale(r):
    """From counts to 0.1 Wh; None while that is not known."""
    from echonet.meter import Scale

    constants = r.app.session.constants
    it = constants and Scale(*constants)
    return it if it and it.known else None


# What was found out about it: [days, EC is understood, day of the finding]


# That a meter tells no more may have been a whim: it is tried again each day, with one request.
# That it was understood holds for longer.
def facts(r, today):
    kept, ec, day = r.app.store.get("history") or (None, None, 0)
    r.kept = kept if day == today else DAYS - 1
    r.ec = ec if day == today or (ec and 0 < today - day < _STALE) else None


def found(r):
    try:
        r.app.store.set("history", [r.kept, r.ec, r.today])
    except OSError as e:
        r.app.log.error("repair: what the meter can tell was not kept (%s)", e)
