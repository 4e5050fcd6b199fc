# Which request mends the most, and whether now is a good time for it. Loaded for one question, and
# dropped.
from echonet import history
from echonet.frame import ESV_GET, ESV_SETC
from gateway import repair_map
from gateway.repair import DAYS
from gateway.repair_map import has
from micropython import const

_SLOT = const(1800)
_JST = const(32400)
_DAY = const(86400)
_FROM = const(360)  # of each half hour: announcements come within five minutes, then reads,
_TO = const(1680)  # and this long before the next one a last request may begin (60 s limit)
_NIGHT = const(600)  # s on both sides of midnight by the meter, where "yesterday" is not safe
_DAILY_MS = const(86_400_000)
_HOUR_MS = const(3_600_000)
_LOOK_MS = const(900_000)
_FEW = const(16)  # readings in the outbox: more is asked for only when the last were delivered
_HISTORY_MS = const(60_000)  # timer 2 (AIF 2.4.2)
_CLOCK = const(0x97)
_E2 = const(0xE2)
_E4 = const(0xE4)
_EC = const(0xEC)
_EE = const(0xEE)


# -> what Exchange.request takes; None, with r.due set, when there is nothing to ask now.
def ask(r):
    app = r.app
    now = app.clock.ms()
    utc = app.clock.utc()
    r.due = now + 60_000
    if utc is None or not repair_map.scale(r):
        return None  # nothing could be told: neither the day nor the energy
    if now < r.rest:
        r.due = r.rest
        return None
    if len(app.outbox) > _FEW:
        status = app.status
        r.due = now + (60_000 if status.code("server") or status.code("network") else 5_000)
        return None
    wait = _quiet(utc % _SLOT)
    if not wait and r.skew is not None:
        wait = _awake(((now + r.skew) // 1000 + _JST) % _DAY)
    if wait:
        r.due = now + wait * 1000
        return None
    if r.at is None:
        if not _begin(r, utc):
            return _rest(r, now)
        r.job, r.stage = (_CLOCK, 0, 0), 1
        r.skew = r.proof = None
    elif r.dirty and now - r.saved > _HOUR_MS:
        repair_map.save(r)
    if r.job is None:
        r.job = _choose(r, (now + r.skew) // 1000)
        r.stage = r.tries = 0
        if r.job is None:
            return _rest(r, now)
    return _request(r, now)


# Seconds to wait for the quiet part of a half hour.
def _quiet(s):
    if s < _FROM:
        return _FROM - s
    return 0 if s < _TO else _SLOT + _FROM - s


# Seconds to wait for the end of the night's turn, at second `s` of the meter's day.
def _awake(s):
    if s < _NIGHT:
        return _NIGHT - s
    return 0 if s < _DAY - _NIGHT else _DAY + _NIGHT - s


# -> False when nothing is missing, and the meter's clock was looked at today.
def _begin(r, utc):
    r.at = repair_map.newest(utc) + 1
    if r.skew is None or r.app.clock.ms() >= r.checked:
        return True
    return repair_map.count(r, utc) and r.looks < 2


# The round is over. What is still missing may be the fruit of a bad hour: one more round, then
# one more look whether all that was read has arrived, and then tomorrow.
def _rest(r, now):
    r.at = r.job = None
    r.looks = r.looks + 1 if repair_map.count(r, r.app.clock.utc()) and r.looks < 2 else 0
    r.due = now + (_LOOK_MS if r.looks else _DAILY_MS)
    repair_map.save(r)


# The next (EPC, newest half-hour, entries); None when nothing is left that could be asked.
def _choose(r, utc):
    today = (utc + _JST) // _DAY
    while r.at > max(r.first, today - DAYS + 1) * 48:
        day = (r.at - 1) // 48
        low, top = _missing(r, day)
        if low is None or top is None:
            r.at = day * 48
            continue
        span = top - low + 1
        by_slot = has(r, _EC) and (r.ec != 0 or not has(r, _E2))
        by_day = has(r, _E2) and today - day <= r.kept
        if by_slot and (not by_day or (span <= 12 and r.doubt != day)):
            # What is believed of EC is to be seen first: two entries, of which one is known.
            if r.ec is None and r.proof:
                return _EC, r.proof[0], 2
            if r.ec:
                return _EC, top, min(span, 12)
            if not has(r, _E2):
                return _EC, top, 1  # one entry cannot be in the wrong order
        if by_day:
            return _E2, day * 48 + 47, 48
        if has(r, _EE):
            return _EE, top, 1
        r.at = day * 48  # the meter cannot tell
    return None


# The lowest and the highest half-hour of `day`, below r.at, that neither the server has nor waits
# in the outbox; (None, None) when there is none.
def _missing(r, day):
    low = top = None
    here = bytearray(r.map[(day - r.first) * 6 : (day - r.first) * 6 + 6])
    if len(here) < 6:
        return low, top
    for again in range(2):
        low = top = None
        for k in range(day * 48, min(r.at, day * 48 + 48)):
            if not here[k % 48 // 8] >> k % 8 & 1:
                top = k
                if low is None:
                    low = k
        if top is None or again or not len(r.app.outbox):
            break
        from gateway import drop, waiting

        try:
            waiting.mark(r.app.outbox, day * _DAY - _JST, here)
        except OSError as e:
            r.app.log.warn("repair: the outbox cannot be read: %s", e)  # twice is no harm
        drop("waiting")
    return low, top


def _request(r, now):
    ms = r.app.settings["poll.timeout"] * 1000
    epc, top, n = r.job
    if epc == _CLOCK:
        # The dates of the histories are the meter's; and EA and EB are wanted for the proof.
        epcs = bytes([e for e in (0x98, 0x97, 0xEA, 0xEB) if has(r, e)])
        return ESV_GET, epcs or b"\x82", ms * 2  # it has none: any question will do
    if r.stage == 1:
        return ESV_GET, bytes([epc]), _HISTORY_MS
    if r.stage == 2:
        return ESV_GET, bytes([_E4]), _HISTORY_MS
    if epc == _E2:
        r.today = today = ((now + r.skew) // 1000 + _JST) // _DAY
        return ESV_SETC, [(0xE5, history.set_day(today - top // 48))], ms
    step = history.HALF_HOUR if epc == _EC else history.MINUTE
    return ESV_SETC, [(epc + 1, history.set_time(top * _SLOT - _JST, n, step))], ms
