# The `time` module of a board: whole seconds since 2000, no time zones; the RTC starts at
# 2000-01-01.
from time import sleep, sleep_ms, sleep_us, ticks_add, ticks_cpu, ticks_diff, ticks_ms, ticks_us

import vb_chip as chip
import vb_regs as r

_DAY = 86400
_DAYS_OF_400_YEARS = 146097
_EPOCH = 730425  # days from 0000-03-01 to 2000-01-01


def _days(year, month, day):
    year += (month - 1) // 12
    month = (month - 1) % 12 + 1
    if month < 3:
        year -= 1
        month += 12
    return (
        365 * year
        + year // 4
        - year // 100
        + year // 400
        + (153 * month - 457) // 5
        + day
        - 1
        - _EPOCH
    )


def _civil(days):
    days += _EPOCH
    era, rest = divmod(days, _DAYS_OF_400_YEARS)
    year = (rest - rest // 1460 + rest // 36524 - rest // 146096) // 365
    left = rest - (365 * year + year // 4 - year // 100)
    month = (5 * left + 2) // 153
    day = left - (153 * month + 2) // 5 + 1
    month = month + 3 if month < 10 else month - 9
    return era * 400 + year + (month < 3), month, day


# -> (seconds since 2000, microseconds) of the RTC.
def _rtc():
    now = chip.clock()
    micro = now[1] // 1000 + chip.R[r.RTC_MICROSECONDS]
    return now[0] + chip.R[r.RTC_SECONDS] + micro // 1000000, micro % 1000000


def _set_rtc(seconds, micro=0):
    now = chip.clock()
    micro -= now[1] // 1000
    chip.R[r.RTC_SECONDS] = seconds - now[0] + micro // 1000000
    chip.R[r.RTC_MICROSECONDS] = micro % 1000000


def time():
    return _rtc()[0]


def time_ns():
    seconds, micro = _rtc()
    return (seconds * 1000000 + micro) * 1000


def gmtime(seconds=None):
    seconds = time() if seconds is None else int(seconds)
    days, rest = divmod(seconds, _DAY)
    year, month, day = _civil(days)
    hour, rest = divmod(rest, 3600)
    yearday = days - _days(year, 1, 1) + 1
    return year, month, day, hour, rest // 60, rest % 60, (days + 5) % 7, yearday


localtime = gmtime


def mktime(tuple):
    if not 8 <= len(tuple) <= 9:
        raise TypeError("mktime needs a tuple of length 8 or 9")
    year, month, day, hour, minute, second = tuple[:6]
    return _days(year, month, day) * _DAY + hour * 3600 + minute * 60 + second
