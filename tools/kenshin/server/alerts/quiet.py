"""Hours in which nobody wants to hear anything, in Japanese time. Pure."""

from kenshin.server import units

_DAY = 86_400


def parse(text: str) -> int | None:
    """Minutes of the day from 22:30; None from nothing. Raises ValueError."""
    text = text.strip()
    if not text:
        return None
    hour, colon, minute = text.partition(":")
    if not (colon and len(hour) in (1, 2) and len(minute) == 2 and (hour + minute).isdecimal()):
        raise ValueError("a time is written as 22:30")
    if not (text.isascii() and int(hour) < 24 and int(minute) < 60):
        raise ValueError("a time is between 0:00 and 23:59")
    return int(hour) * 60 + int(minute)


def show(minutes: int | None) -> str:
    """22:30, or nothing."""
    return "" if minutes is None else f"{minutes // 60:02}:{minutes % 60:02}"


def ends(now: int, begin: int | None, end: int | None) -> int | None:
    """When the quiet hours that `now` lies in end; None when it lies in none."""
    if begin is None or end is None or begin == end:
        return None
    offset = units.JST.utcoffset(None)
    midnight = (now + int(offset.total_seconds())) // _DAY * _DAY - int(offset.total_seconds())
    for day in (midnight - _DAY, midnight):
        first, last = day + begin * 60, day + end * 60
        if last <= first:
            last += _DAY
        if first <= now < last:
            return last
    return None
