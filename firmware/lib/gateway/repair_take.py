# What the meter answered to a question about its history: readings, or why there are none. Loaded
# for one answer, and dropped.
from echonet import EchonetError, history
from echonet import meter as m0288
from echonet.frame import ESV_SET_RES
from gateway import repair_map
from gateway.reading import Reading
from gateway.repair_map import has
from micropython import const

_SLOT = const(1800)
_JST = const(32400)
_DAY = const(86400)
_SURE = const(3600)  # s; that an older half-hour has no value is final
_OFF = const(120)  # s that a meter's clock may be off without a word
_DAILY_MS = const(86_400_000)
_AGAIN_MS = const(20_000)  # after a failure: live polling first
_REST_MS = const(900_000)
_REST_MAX_MS = const(21_600_000)
_NEXT_MS = const(2_000)
_FEED_MS = const(5_000)
_FULL = const(32)  # readings in the outbox; RAM has room for 48, and live ones need some
_CLOCK = const(0x97)
_E2 = const(0xE2)
_E4 = const(0xE4)
_EC = const(0xEC)
_EE = const(0xEE)


# `esv` and `edts`, {EPC: EDT}: what was answered, None when nothing was, to what was asked at ms
# `asked`.
def take(r, esv, edts, asked):
    try:
        why = "silent" if edts is None else _understand(r, esv, edts, asked)
    except EchonetError as e:
        r.app.log.warn("repair: unreadable answer: %s", e)
        why = "bad"
    if why:
        _failed(r, why)
    else:
        r.due = 0 if r.job else r.app.clock.ms() + _NEXT_MS


# -> None, or in one word why it is to be tried again.
def _understand(r, esv, edts, asked):
    epc = r.job[0]
    if epc == _CLOCK:
        return _clock(r, edts, asked)
    if r.stage == 0:
        if esv != ESV_SET_RES:
            return _refused(r)
        r.stage = 1
        return None
    edt = edts.get(_E4 if r.stage == 2 else epc)
    r.fails = 0  # it does answer
    if not edt:
        if r.stage == 2:
            return _fed(r)  # no reverse direction after all
        return _refused(r)
    if epc == _E2:
        return _day(r, edt)
    return _entries(r, edt)


# Failures never end the session: that is what polls are for. What fails three times is passed
# over for this round, after a rest; it grows while no history is answered at all.
def _failed(r, why):
    now = r.app.clock.ms()
    if why != "silent" and r.job[0] != _CLOCK:
        r.stage = 0  # and the day or time is set anew
    r.tries += 1
    r.app.status.count("history." + why)
    r.due = now + _AGAIN_MS
    if r.tries >= 3 or r.fails >= 4:
        r.fails += 1
        r.rest = now + min(_REST_MS << min(max(r.fails - 4, 0), 5), _REST_MAX_MS)
        r.app.log.info("repair: EPC %02X: %s, resting", r.job[0], why)
    if r.tries >= 3 and r.job[0] != _CLOCK:
        _below(r)


# Goes on below what the job was about.
def _below(r):
    epc, top, n = r.job
    r.at = top // 48 * 48 if epc == _E2 else top - n + 1
    r.job = r.half = r.back = None
    r.stage = 0


# What the meter refuses to tell, or tells of another day again, it does not have.
def _refused(r):
    epc, top, _ = r.job
    r.app.status.count("history.refused")
    r.half = None
    if epc == _E2:
        r.kept = r.today - top // 48 - 1
        r.app.log.info("repair: the meter keeps %d days", r.kept)
        r.job = None
    elif epc == _EC and has(r, _E2) and not _beyond(r):
        r.ec = 0
        r.job = None
    else:
        if not has(r, _E2):
            r.kept = r.today - top // 48 - 1
        r.job = None
        r.at = 0  # and nothing that is older
    repair_map.found(r)
    return None


# Is the job about days that E2 does not reach?
def _beyond(r):
    return r.today - r.job[1] // 48 > r.kept


# -- the meter's clock, by which its histories are dated; the last fixed-time values


def _clock(r, edts, asked):
    clock = r.app.clock
    last = []
    for epc in (0xEA, 0xEB):
        edt = edts.get(epc)
        if edt:
            t, value = m0288.fixed_time(edt)
            last += [(t + _JST) // _SLOT, value]
    date, hm = edts.get(0x98), edts.get(_CLOCK)
    if date and hm:
        utc = m0288.clock(date, hm)
        off = utc + 30 - clock.utc_at(asked)
        clock.set(utc, "meter", asked)
        if abs(off) > _OFF:
            r.app.status.count("time.meter-off")
            r.app.log.warn("time: the meter's clock is %d s off", off)
            if abs(utc - clock.utc_at(asked)) > _DAY:
                # One of them is wrong. What is filed under a wrong time stays there: let it wait.
                r.at = r.job = None
                r.rest = clock.ms() + _REST_MS
                return None
        r.skew = (utc + 30) * 1000 - asked
    else:
        r.skew = clock.utc_at(0) * 1000  # it has none: let us hope that it goes as ours
    if len(last) > 1 and last[1] is not None:
        r.proof = last[0], last[1], last[3] if len(last) > 2 else None
    now = clock.ms()
    r.checked = now + _DAILY_MS
    utc = (r.skew + now) // 1000
    r.today = (utc + _JST) // _DAY
    repair_map.roll(r, r.today)
    repair_map.facts(r, r.today)
    r.at = repair_map.newest(utc) + 1
    r.job = None
    r.fails = r.tries = 0
    return None


# -- by day


def _day(r, edt):
    utc = (r.app.clock.ms() + r.skew) // 1000
    age = history.day(edt)
    if (utc + _JST) // _DAY != r.today:
        return "midnight"
    if age != r.today - r.job[1] // 48:
        if r.tries:
            return _refused(r)
        return "wrong-day"
    if r.stage == 1:
        r.half = edt
        r.back = None
        # A day of which nothing is known in one direction has nothing in the other.
        if not has(r, _E4) or not any(history.slot(r.half, k) is not None for k in range(48)):
            return _fed(r)
        r.stage = 2
        r.tries = 0
        return None
    r.back = edt
    return _fed(r)


def _fed(r):
    r.at = min(r.at, r.job[1] + 1)
    r.stage = 3
    return None


# Both directions of a day are here: `r.half`, and `r.back` or None. They are handed on only as
# fast as the outbox is emptied, the newest first; nothing else is asked for until that is done.
def feed(r):
    energy = repair_map.scale(r).energy
    box = r.app.outbox
    first = r.job[1] - 47
    while r.at > first:
        if len(box) >= _FULL:
            code = r.app.status.code
            stuck = code("server") or code("network")
            r.due = r.app.clock.ms() + (_AGAIN_MS if stuck else _FEED_MS)
            return
        k = r.at - 1
        normal = history.slot(r.half, k - first)
        reverse = history.slot(r.back, k - first) if r.back else None
        _slot(r, energy, k, normal, reverse, _E2)
        r.at = k
    _done(r)
    r.due = r.app.clock.ms() + _NEXT_MS


# -- by half-hour (EC) and by minute (EE)


def _entries(r, edt):
    energy = repair_map.scale(r).energy
    epc, top, n = r.job
    step = history.HALF_HOUR if epc == _EC else history.MINUTE
    rows = []
    for t, normal, reverse in history.entries(edt, 0, step):
        rows.append((t, normal, reverse))
    if len(rows) != n or rows[0][0] != top * _SLOT - _JST:
        return _refused(r) if r.tries else "wrong-time"
    if epc == _EC and (not _ordered(rows) or (r.ec is None and r.proof and n == 2)):
        _prove(r, rows)
        return None
    known = 0
    for i in range(n):
        if top - i < r.at:
            known += rows[i][1] is not None or rows[i][2] is not None
            _slot(r, energy, top - i, rows[i][1], rows[i][2], epc, has(r, _E2) or epc == _EE)
    if not known and (epc == _EE or _beyond(r)):
        return _refused(r)
    if known < n and epc == _EC and has(r, _E2) and not _beyond(r):
        r.doubt = top // 48
        r.job = None
    else:
        _done(r)
        if n == 1 and not known:
            r.at = top // 48 * 48  # the rest of that day another time, so that there is an end
    return None


# Each entry is older than the one before: so no counter may grow from one to the next.
def _ordered(rows):
    for i in (1, 2):
        newer = None
        for row in rows:
            if row[i] is not None:
                if newer is not None and row[i] > newer:
                    return False
                newer = row[i]
    return True


# That the first entry is the half-hour asked for, and the next an older one, is shown by no
# capture. When nothing was used in that half hour, nothing is shown either: another time.
def _prove(r, rows):
    if not _ordered(rows):
        r.ec = 0
    else:
        normal, reverse = r.proof[1:]
        a, b = rows
        if a[1] != normal or (reverse is not None and a[2] != reverse):
            r.ec = 0
        elif (b[1] or normal) < normal or (reverse and (b[2] or reverse) < reverse):
            r.ec = 1
    r.proof = r.job = None
    r.fails = 0
    r.app.log.info("repair: EC is%s understood", "" if r.ec else " not")
    if r.ec is not None:
        repair_map.found(r)


# -- readings


def _slot(r, energy, k, normal, reverse, epc, perhaps=False):
    at = k - r.first * 48
    if not 0 <= at < 8 * len(r.map) or r.map[at >> 3] >> (at & 7) & 1:
        return  # the server has it
    t = k * _SLOT - _JST
    if normal is None and reverse is None:
        # Nothing is put in its place. Not asked for again, unless it is too young to be sure.
        if not perhaps and t < (r.app.clock.ms() + r.skew) // 1000 - _SURE:
            r.map[at >> 3] |= 1 << (at & 7)
            r.dirty = True
        return
    origin = "E4" if epc == _E2 and normal is None else "%02X" % epc
    r.app.outbox.append(
        Reading("half-hour", t, "meter", None, None, None, energy(normal), energy(reverse), origin)
    )
    r.app.status.count("history.slots")


def _done(r):
    r.app.status.count("history.read")
    _below(r)
    repair_map.count(r, (r.app.clock.ms() + r.skew) // 1000)
