"""What a lossy air costs: how the minutes are counted, and the aim."""

from __future__ import annotations

import pytest

from campaign import loss

HOUR = list(range(17, 3_600, 60))


@pytest.mark.parametrize(
    ("times", "missing"),
    [
        (HOUR, 0),
        ([t + 20 if t % 7 == 0 else t for t in HOUR], 0),  # a second and third try
        (HOUR[:10] + HOUR[11:], 1),
        (HOUR[5:40] + HOUR[50:], 15),
        (HOUR + [t + 10 for t in HOUR[20:30]], 0),  # two in a minute make up for nothing
        (HOUR[:20] + [t + 10 for t in HOUR[:20]] + HOUR[30:], 10),
        ([], 60),
    ],
)
def test_minutes_without_a_reading(times: list[int], missing: int) -> None:
    assert loss.without(times, [10.0], 3_600) == missing


def test_a_new_session_has_a_grid_of_its_own() -> None:
    times = [t for t in HOUR if t < 1_800] + list(range(1_830, 3_600, 60))
    assert loss.without(times, [10.0, 1_815.0], 3_600) == 0


def test_a_clock_that_is_set_moves_the_grid() -> None:
    times = list(range(15, 7_200, 60)) + list(range(7_231, 14_400, 60))
    assert loss.without(times, [10.0], 14_400) == 0
    assert loss.without(times[:30] + times[40:150] + times[155:], [10.0], 14_400) == 15


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c1-j11-t01"])
def test_a_fifth_lost_each_way_costs_less_than_a_hundredth_of_the_minutes(kind: str) -> None:
    lost = loss.measure(kind, loss.AIM[0], 1.5)
    assert 0 < lost.gap < loss.AIM[1]
