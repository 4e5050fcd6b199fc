# Civil time in Japan (JST, UTC + 9 h, no summer time) and UTC seconds since 1970, in integers.
# Days are counted from 1 March of year 0 (proleptic Gregorian), so that leap days end a year.
from echonet import EchonetError
from micropython import const

_JST = const(32400)
_DAY = const(86400)
_EPOCH = const(719468)  # 1970-01-01, in days since 0000-03-01


def utc(year, month, day, hour=0, minute=0, second=0):
    """UTC seconds of a time in Japan; EchonetError when there is no such date or time."""
    y = year - (month < 3)
    days = y * 365 + y // 4 - y // 100 + y // 400 + (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    time = hour * 3600 + minute * 60 + second
    if _civil(days) != (year, month, day) or _clock(time % _DAY) != (hour, minute, second):
        when = (year, month, day, hour, minute, second)
        raise EchonetError("no such time: %s" % (when,))
    return (days - _EPOCH) * _DAY + (time - _JST)


def jst(t):
    """(year, month, day, hour, minute, second) in Japan at UTC second `t`."""
    t += _JST
    return _civil(t // _DAY + _EPOCH) + _clock(t % _DAY)


def _civil(days):
    era = days // 146097
    days %= 146097
    y = (days - days // 1460 + days // 36524 - days // 146096) // 365
    days -= y * 365 + y // 4 - y // 100
    m = (5 * days + 2) // 153
    month = m + 3 if m < 10 else m - 9
    return y + era * 400 + (month < 3), month, days - (153 * m + 2) // 5 + 1


def _clock(time):
    return time // 3600, time // 60 % 60, time % 60


def midnight(t):
    """UTC second at which the day of UTC second `t` began in Japan."""
    return t - (t + _JST) % _DAY
