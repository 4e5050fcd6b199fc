"""Sets of numbers as ranges, against Python's own sets."""

from hypothesis import given
from hypothesis import strategies as st

from kenshin.server import ranges

numbers = st.integers(0, 60)
spans = st.tuples(numbers, st.integers(0, 8)).map(lambda pair: (pair[0], pair[0] + pair[1]))


def as_set(found):
    return {number for first, last in found for number in range(first, last + 1)}


@given(st.lists(spans))
def test_a_union_holds_the_same_numbers_in_the_fewest_spans(parts):
    found = ranges.union(parts)
    assert as_set(found) == as_set(parts)
    # Apart by at least one number: nothing left to join.
    assert all(a[1] + 1 < b[0] for a, b in zip(found, found[1:], strict=False))


@given(st.sets(numbers))
def test_spans_of_numbers_hold_those_numbers(some):
    found = ranges.spans_of(some)
    assert as_set(found) == some
    assert all(ranges.holds(found, number) == (number in some) for number in range(-1, 70))


def test_adjacent_numbers_are_one_span():
    assert ranges.spans_of([3, 1, 2, 5]) == [(1, 3), (5, 5)]
    assert ranges.union([]) == []
