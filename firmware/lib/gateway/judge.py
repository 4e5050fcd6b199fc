# Which source of time the clock believes, and how it gets there. Loaded when one tells the time,
# then dropped.
from gateway.clock import LATEST
from micropython import const

# Better first. A source is believed over a better one only when that was not heard for a week:
# a board's crystal loses less in a week than the meter's clock, which has no seconds, is off by.
_ORDER = ("ntp", "meter", "server")
_STALE_MS = const(604_800_000)
# How far a source may say "earlier" without being right: NTP by its way through the net, the meter
# because it tells whole minutes, the server because of whole seconds and an answer's way.
_VAGUE_MS = (500, 60_000, 2_000)
_SLEW_MS = const(90_000)  # a step back up to this is spread out


# A clock that another source confirmed within a day is not moved further than this by one answer.
_JUMP_MS = const(90_000)
_VOUCHED_MS = const(90_000_000)  # 25 h: the meter's clock is read once a day
_SAME_MS = const(2_000)


def believe(clock, utc, quality, at_ms=None):
    """See Clock.set()."""
    now = clock.ms()
    if not clock.floor <= utc < LATEST:
        return False
    rank = _ORDER.index(quality)
    told = utc * 1000 + (0 if at_ms is None else now - at_ms)
    have = clock.utc_ms(now)
    far = have is not None and abs(told - have) > _JUMP_MS
    if clock.quality is not None and rank > _ORDER.index(clock.quality):
        if now - clock.set_ms < _STALE_MS:
            if not far:
                clock.vouched = now
                clock.doubt = clock.against = None
            elif clock.doubt is not None and abs(told - now - clock.doubt) <= _JUMP_MS:
                # What the better source said, and nobody believed: it was right.
                _move(clock, now, clock.doubt + now, have, "ntp", 0)
                clock.vouched = now
            elif _outvoted(clock, rank, told - now):
                _move(clock, now, told, have, quality, rank)
                clock.vouched = now
                return True
            return False
    elif far and not rank and _doubtful(clock, now, told):
        return False
    _move(clock, now, told, have, quality, rank)
    return True


# Is this jump, as NTP tells it, one to be confirmed first? By any other source; where it was the
# meter alone that had set the clock, by another answer.
def _doubtful(clock, now, told):
    vouched = clock.vouched is not None and now - clock.vouched < _VOUCHED_MS
    if not vouched and clock.quality != "meter":
        return False
    before = clock.doubt
    clock.doubt = told - now
    return vouched or before is None or abs(before - clock.doubt) > _SAME_MS


# Do two lesser sources say the same against the one that is in force?
def _outvoted(clock, rank, offset):
    before = clock.against
    if before and before[0] != rank and abs(before[1] - offset) <= _JUMP_MS:
        return True
    clock.against = rank, offset
    return False


def _move(clock, now, told, have, quality, rank):
    clock.doubt = clock.against = None
    clock.quality = quality
    clock.set_ms = now
    if have is not None and -_VAGUE_MS[rank] <= told - have <= _VAGUE_MS[0]:
        return
    clock.base = told
    clock.at = now
    clock.slew = 0
    if have is not None and told < have:
        if have - told <= _SLEW_MS:
            clock.slew = have - told
        else:
            clock.jumps += 1
    if clock.board is not None:
        clock.board.set_rtc(told // 1000)
    for hear in clock.on_set:
        hear()
