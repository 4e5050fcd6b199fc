# Which source of time the clock believes, and how it gets there. Loaded when one tells the time,
# then dropped.
from gateway.clock import EARLIEST, LATEST
from micropython import const

# Better first. A source is believed over a better one only when that was not heard for a week:
# a board's crystal loses less in a week than the meter's clock, which has no seconds, is off by.
_ORDER = ("ntp", "meter", "server")
_STALE_MS = const(604_800_000)
# How far a source may say "earlier" without being right: NTP by its way through the net, the meter
# because it tells whole minutes, the server because of whole seconds and an answer's way.
_VAGUE_MS = (500, 60_000, 2_000)
_SLEW_MS = const(90_000)  # a step back up to this is spread out


def believe(clock, utc, quality, at_ms=None):
    """See Clock.set()."""
    now = clock.ms()
    if not EARLIEST <= utc < LATEST:
        return False
    rank = _ORDER.index(quality)
    if clock.quality is not None and rank > _ORDER.index(clock.quality):
        if now - clock.set_ms < _STALE_MS:
            return False
    told = utc * 1000 + (0 if at_ms is None else now - at_ms)
    have = clock.utc_ms(now)
    clock.quality = quality
    clock.set_ms = now
    if have is not None and -_VAGUE_MS[rank] <= told - have <= _VAGUE_MS[0]:
        return True
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
    return True
