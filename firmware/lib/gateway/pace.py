# When to upload again: so that a server that was away, or a whole region's power, does not bring
# all gateways back in the same second. Pure, in ms; docs/upload.md tells the rule, and `meterlab
# swarm` plays it with ten thousand. Loaded for that moment, and dropped.
#
# `bits` are 8 random ones.
from micropython import const

_FIRST_MS = const(60_000)
_LEAST_MS = const(5_000)
_REFUSED_MS = const(60_000)  # the first pause when the token is wrong: no hurry
_MOST_MS = const(600_000)
_NEXT_MS = const(1_000)
_SHARE = const(8)
_WAIT_S = const(3_600)
_DAYS = (0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334)
_MONTHS = "janfebmaraprmayjunjulaugsepoctnovdec"


def first(bits):
    """From the power's coming to the first upload: within a minute."""
    return _FIRST_MS * bits >> 8


def pause(last, refused):
    """After a failure: twice the last pause, 5 s to 10 min; `last`: 0 when all was well."""
    return min(max(last * 2, _REFUSED_MS if refused else _LEAST_MS), _MOST_MS)


def spread(ms, wait_s, bits):
    """What a pause is in truth: half of it to all of it. Longer when the server asked for
    `wait_s`: that, and up to a quarter and 5 s more."""
    asked = wait_s * 1000
    if asked:
        asked += (asked // 4 + _LEAST_MS) * bits >> 8
    return max(ms - (ms * bits >> 9), asked)


def backlog(took, bits):
    """Between two batches of a backlog: a second, or eight times what one took. So a server that
    is slow, for all come at once, is asked less, and the meter has most of the time."""
    ms = max(_NEXT_MS, took * _SHARE)
    return ms + (ms * bits >> 10)


def retry_after(value, date, utc):
    """Seconds that the headers Retry-After and Date ask for: at most an hour, 0 when they make no
    sense. `utc`: now, or None."""
    value = value.strip()
    if value.isdigit():
        return min(int(value[:6]), _WAIT_S)
    until = http_date(value)
    now = http_date(date) or utc
    if not until or now is None:
        return 0
    return min(max(until - now, 0), _WAIT_S)


def http_date(text):
    """UTC seconds of a date in one of the three forms of RFC 9110, 5.6.7; None: it is none."""
    numbers = []
    month = clock = None
    for word in text.replace(",", " ").replace("-", " ").split():
        if word.isdigit():
            numbers.append(int(word[:4]))
        elif ":" in word:
            clock = word.split(":")
        elif len(word) == 3 and _MONTHS.find(word.lower()) % 3 == 0:
            month = _MONTHS.find(word.lower()) // 3
    if month is None or clock is None or len(numbers) != 2 or len(clock) != 3:
        return None
    day, year = numbers
    if year < 100:
        year += 2000
    try:
        h, m, s = [int(part) for part in clock]
    except ValueError:
        return None
    if not (2000 <= year < 2100 and 0 < day < 32):
        return None
    leaps = (year - 1968 - (month < 2)) // 4
    days = (year - 1970) * 365 + leaps + _DAYS[month] + day - 1
    return days * 86_400 + h * 3600 + m * 60 + s
