"""Integers as people read them: kWh, amperes, times. No float touches a value."""

from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

JST = timezone(timedelta(hours=9), "JST")

# Seconds since 1970 that datetime can show: the years 1 to 9999.
TIME_MIN, TIME_MAX = -62_135_596_800, 253_402_300_799 - 9 * 3600


def decimal(value: int, places: int) -> str:
    """`value` / 10**`places`, exact, without needless zeros: (123450, 4) -> "12.345"."""
    whole, part = divmod(abs(value), 10**places)
    digits = f"{part:0{places}d}".rstrip("0")
    sign = "-" if value < 0 else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def kwh(energy: int | None) -> str | None:
    """Energy in 0.1 Wh as kWh, exact."""
    return None if energy is None else decimal(energy, 4)


def rfc3339(t: int) -> str:
    """UTC seconds as RFC 3339 in Japanese time: the meters' own time zone."""
    return datetime.fromtimestamp(t, JST).isoformat()


def parse_time(text: str) -> int:
    """UTC seconds from epoch seconds or RFC 3339 with an offset.

    Raises ValueError, with what to write instead, for anything else.
    """
    text = text.strip()
    if len(text) == 10 and text[4] == text[7] == "-":
        text += "T00:00:00+09:00"  # a day, as the meters have it
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdecimal():
        if len(digits) > 12 or not TIME_MIN <= int(text) <= TIME_MAX:
            raise ValueError("seconds since 1970 expected; this is outside the years 1 to 9999")
        return int(text)
    # An unescaped "+" in a query string arrives as a space.
    if len(text) > 6 and text[-6] == " ":
        text = text[:-6] + "+" + text[-5:]
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(
            "a day, RFC 3339 or seconds since 1970 expected, such as 2026-11-20T08:30:00+09:00"
        ) from None
    if moment.tzinfo is None:
        raise ValueError("the offset is missing: write +09:00 or Z after the time")
    seconds = (moment - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(seconds=1)
    if not TIME_MIN <= seconds <= TIME_MAX:
        raise ValueError("the time is outside the years 1 to 9999")
    return seconds


def month(text: str) -> tuple[int, int]:
    """The beginning and the end of a month, 2026-11, in Japanese time. Raises ValueError."""
    year, dash, number = text.partition("-")
    if not (len(year) == 4 and dash and len(number) == 2 and (year + number).isdecimal()):
        raise ValueError("a month is written as 2026-11")
    if not (1 < int(year) < 9999 and 1 <= int(number) <= 12 and text.isascii()):
        raise ValueError("there is no such month")
    begin = datetime(int(year), int(number), 1, tzinfo=JST)
    later = datetime(int(year) + int(number) // 12, int(number) % 12 + 1, 1, tzinfo=JST)
    return int(begin.timestamp()), int(later.timestamp())


def local(t: int, zone: str) -> str:
    """UTC seconds as people read them in a time zone: 2026-11-20 08:30."""
    return datetime.fromtimestamp(t, ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def check_zone(zone: str) -> str:
    """A time zone whose days begin on a full hour in UTC. Raises ValueError."""
    try:
        found = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f'"{zone}" is no time zone, such as Asia/Tokyo') from None
    for number in (1, 7):
        offset = datetime(2026, number, 1, tzinfo=UTC).astimezone(found).utcoffset()
        if offset is None or offset.total_seconds() % 3600:
            raise ValueError(f"{zone}: days must begin on a full hour in UTC")
    return zone
