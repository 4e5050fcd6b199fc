"""Energy of a span: the meter's half-hours decide, a gap is no peak, nothing is invented."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kenshin.server.energy import SLOT, Series, Total, bars, total

T0 = 1_795_392_000
HOUR = 3600


def series(slots, instants=()):
    """A series from half-hours and instants: {seconds after T0: value}."""
    points = sorted((T0 + t, v) for t, v in dict(instants).items())
    hours = {}
    for t, v in points:
        hours.setdefault(t // HOUR, []).append((t, v))
    return Series(
        sorted((T0 + t, v) for t, v in slots.items()),
        [found[0] for found in hours.values()],
        [found[-1] for found in hours.values()],
    )


@pytest.mark.parametrize(
    ("slots", "instants", "value", "partial"),
    [
        ({}, {}, None, True),
        ({0: 100}, {}, None, True),
        ({0: 100, 1800: 150, 3600: 175}, {}, 75, False),
        ({0: 100, 3600: 175}, {}, 75, False),  # a hole in the middle loses nothing
        ({1800: 150, 3600: 175}, {}, 25, True),  # not from the beginning
        ({1800: 150, 3600: 175}, {-60: 99}, 76, False),  # an instant stands in
        ({1800: 150, 3600: 175}, {-2000: 90}, 25, True),  # too far away to stand in
        ({0: 100, 1800: 150}, {3500: 170}, 70, False),
        ({0: 100}, {1700: 120}, 20, True),  # half an hour or more is missing at the end
        ({0: 100}, {1801: 120}, 20, False),
        ({}, {60: 10, 3000: 30}, 20, False),
        ({}, {60: 10}, None, True),
        ({0: 100, 1800: 3, 3600: 10}, {}, 7, True),  # another meter: that step is unknown
        ({0: 1000, 1800: 500, 3600: 1010}, {}, 10, False),  # one wrong value between two right
        ({0: 1000, 1800: 9000, 3600: 1010}, {}, 10, False),
        ({0: 1000, 1800: 500, 3600: 510}, {}, 10, True),  # it stays: another meter
        ({0: 1000, 1800: 9000, 3600: 10}, {}, 8000, True),
        ({0: 1000, 1800: 5_001_001, 3600: 5_001_008}, {}, 7, True),  # another meter, or unit
        ({0: 1000, 1800: 5_001_000, 3600: 5_001_007}, {}, 5_000_007, False),
        ({0: 0, 1800: 0}, {1801: 100_000}, 100_000, False),  # a counter that counts by 10 kWh
        ({0: 0, 3600: 0}, {}, 0, False),
        ({0: 2**62, 3600: 2**62 + 1}, {}, 1, False),
    ],
)
def test_the_energy_of_an_hour(slots, instants, value, partial):
    assert total(series(slots, instants), T0, T0 + HOUR) == Total(value, partial)


def test_energy_from_before_the_span_is_never_put_into_it():
    # Silent for a day: what was used in it belongs to the days it may have been used in.
    found = series({0: 1000, 86_400 + 1800: 5000, 86_400 + 3600: 5010})
    assert total(found, T0 + 86_400, T0 + 86_400 + HOUR) == Total(10, True)
    # But a span that holds the gap holds its energy.
    assert total(found, T0, T0 + 86_400 + HOUR) == Total(4010, False)


@given(
    st.lists(st.tuples(st.integers(0, 47), st.integers(0, 5000)), min_size=1, max_size=48),
    st.lists(st.integers(0, 48), min_size=2, max_size=8, unique=True),
)
def test_spans_side_by_side_are_together_the_whole(used, ends):
    values, counter = {}, 0
    by_slot = dict(used)
    for n in range(49):
        values[n * SLOT] = counter
        counter += by_slot.get(n, 0)
    found = series(values)
    ends = sorted(ends)
    parts = [
        total(found, T0 + a * SLOT, T0 + b * SLOT) for a, b in zip(ends, ends[1:], strict=False)
    ]
    assert all(not part.partial for part in parts)
    whole = total(found, T0 + ends[0] * SLOT, T0 + ends[-1] * SLOT)
    assert sum(part.value or 0 for part in parts) == whole.value
    halves = bars(found, T0 + ends[0] * SLOT, T0 + ends[-1] * SLOT)
    assert None not in halves
    assert sum(half or 0 for half in halves) == whole.value


def test_a_gap_in_the_bars_is_a_gap_and_the_first_slot_after_it_no_peak():
    found = series({0: 0, 1800: 5, 3 * 1800: 5000, 4 * 1800: 5003, 5 * 1800: 1})
    assert bars(found, T0, T0 + 5 * 1800) == [5, None, None, 3, None]


def test_a_step_that_no_supply_carries_is_in_no_bar():
    found = series({0: 1_000, 1800: 10_000_040, 3600: 10_000_080})
    assert bars(found, T0, T0 + HOUR) == [None, 40]


def test_a_single_wrong_value_makes_no_bar():
    for wrong in (500, 9000):
        found = series({0: 1000, 1800: 1004, 2 * 1800: wrong, 3 * 1800: 1010, 4 * 1800: 1011})
        assert bars(found, T0, T0 + 4 * 1800) == [4, None, None, 1]


@given(st.lists(st.integers(0, 50), min_size=4, max_size=30), st.data())
def test_one_wrong_value_changes_no_total(used, data):
    right, counter = {}, 1000
    for n, energy in enumerate([0, *used]):
        counter += energy
        right[n * SLOT] = counter
    at = data.draw(st.integers(1, len(used) - 1)) * SLOT
    wrong = {**right, at: data.draw(st.integers(0, 10_000))}
    span = T0, T0 + len(used) * SLOT
    assert total(series(wrong), *span) == total(series(right), *span)
