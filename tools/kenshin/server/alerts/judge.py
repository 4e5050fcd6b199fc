"""Whether a rule's condition holds. Pure.

Between "it is so" and "it is over" lies a zone where nothing changes: a value that wavers about
its limit makes one alert, not a hundred. What was not measured decides nothing.
"""

from enum import Enum
from typing import NamedTuple


class Verdict(Enum):
    """What the measured values say."""

    SO = "so"
    OVER = "over"
    OPEN = "open"  # neither: what was before stays


class Spread(NamedTuple):
    """Values of a span of time: how many, the first one's moment, the least and the most."""

    n: int
    first: int
    least: int
    most: int


def recent(minutes: int) -> int:
    """Seconds for which all must be well again before it is over."""
    return max(300, min(900, minutes * 15))


def lasting(
    now: int, minutes: int, span: Spread | None, last: Spread | None, limit: int, *, above: bool
) -> Verdict:
    """All values of the last `minutes` beyond the limit: so. None of the last ones: over.

    `span` = of the last `minutes`, `last` = of the last `recent` seconds. Values must reach back
    to the beginning of the span, but for a poll or two, for it to be so.
    """
    if last is not None and last.n:
        fine = last.most < limit if above else last.least >= limit
        if fine:
            return Verdict.OVER
    if span is None or not span.n:
        return Verdict.OPEN
    reaches = span.first <= now - minutes * 60 + max(120, min(360, minutes * 20))
    beyond = span.least >= limit if above else span.most < limit
    return Verdict.SO if beyond and reaches else Verdict.OPEN


def counted(value: int | None, limit: int) -> Verdict:
    """A number that is known at once, or not at all."""
    if value is None:
        return Verdict.OPEN
    return Verdict.SO if value >= limit else Verdict.OVER
