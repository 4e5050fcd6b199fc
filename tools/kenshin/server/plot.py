"""The points of a plot, with what was not measured shown as not measured. Pure."""

from collections.abc import Sequence
from statistics import median_low

# Never break the line for less, in seconds, however fast the polling: a late answer is no gap.
SHORTEST_GAP = 90


def longest_step(times: Sequence[int]) -> int:
    """Seconds between two points above which the line is broken: three usual steps."""
    if len(times) < 2:
        return SHORTEST_GAP
    usual = median_low(b - a for a, b in zip(times, times[1:], strict=False))
    return max(SHORTEST_GAP, 3 * usual)


def with_gaps(
    points: Sequence[tuple[int, int]], longest: int
) -> tuple[list[int], list[int | None]]:
    """Times and values for a chart: a None stands wherever two points are too far apart.

    `points` = (t, value) in time order, each t once. A chart breaks its line at a None.
    """
    times: list[int] = []
    values: list[int | None] = []
    for t, value in points:
        if times and t - times[-1] > longest:
            times.append((times[-1] + t) // 2)
            values.append(None)
        times.append(t)
        values.append(value)
    return times, values
