"""Sets of sequence numbers as ranges: [(first, last), ...], both ends included."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

Span = tuple[int, int]


def union(spans: Iterable[Span]) -> list[Span]:
    """The same numbers in the fewest spans, ascending; adjacent spans are joined."""
    merged: list[Span] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(merged[-1][1], last))
        else:
            merged.append((first, last))
    return merged


def spans_of(numbers: Iterable[int]) -> list[Span]:
    """The fewest spans that hold exactly `numbers`."""
    found = set(numbers)
    if found and max(found) - min(found) + 1 == len(found):
        return [(min(found), max(found))]
    return union((number, number) for number in found)


def holds(spans: Sequence[Span], number: int) -> bool:
    """Whether `number` lies in `spans` (ascending and apart, as `union` gives them)."""
    at = bisect_right(spans, number, key=lambda span: span[0])
    return at > 0 and number <= spans[at - 1][1]
