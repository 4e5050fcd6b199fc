"""Bars of a day, a month and a year: what was not measured is a gap, never a peak."""

import pytest

from kenshin.server import gateways, rollup

T0 = 1_795_392_000  # 2026-11-23 09:00 in Japan
DAY0 = T0 - 9 * 3600


@pytest.fixture
def filled(lab, board, slot):
    """40 days of 10 Wh a half hour and 1 Wh back, with a hole of nearly two days."""
    start = DAY0 - 40 * 86_400
    rows = []
    for n in range(40 * 48 + 19):
        t = start + n * 1800
        if DAY0 - 3 * 86_400 < t < DAY0 - 86_400:  # two days less a slot
            continue
        rows.append(slot(n, t, 1_000_000 + 100 * n, 10 * n))
    board.upload(*rows)
    lab.now = T0 + 1200
    more = True
    while more:
        with lab.store.writing() as connection:
            known = gateways.find(connection, board.code)
            more = rollup.roll(connection, known.id, lab.now)
    return board


def bars(lab, board, **parameters):
    answer = lab.client.get(f"/api/v1/gateways/{board.code}/energy", params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_day_has_48_bars_and_the_future_is_not_measured(lab, filled):
    found = bars(lab, filled)
    assert (found["start"], found["end"]) == (DAY0, DAY0 + 86_400)
    assert found["t"] == [DAY0 + 1800 * n for n in range(48)]
    assert found["normal"] == [100] * 18 + [None] * 30
    assert found["reverse"] == [10] * 18 + [None] * 30
    assert (found["previous"], found["next"]) == ("2026-11-22", "2026-11-24")
    assert (found["total_normal"], found["total_reverse"]) == ("0.18", "0.018")


def test_a_gap_is_in_no_bar_but_in_the_whole(lab, filled):
    found = bars(lab, filled, on="2026-11-20")
    assert found["normal"] == [None] * 48  # only its first moment was measured
    found = bars(lab, filled, period="month")
    assert len(found["t"]) == 30
    assert found["normal"][:19] == [4800] * 19
    assert found["normal"][19:21] == [None, None]
    assert found["partial"][19:22] == [True, True, False]
    assert found["normal"][21] == 4800
    assert found["normal"][22] == 1800 and found["partial"][22]
    assert found["normal"][23:] == [None] * 7
    # The counter tells what was used in the gap, though not when.
    assert found["total_normal"] == "10.74"
    assert (found["previous"], found["next"]) == ("2026-10-01", "2026-12-01")


def test_a_year_is_twelve_months(lab, filled):
    found = bars(lab, filled, period="year", on="2026-05-05")
    assert len(found["t"]) == 12
    assert found["normal"][:9] == [None] * 9
    assert found["normal"][9] == 18 * 4800 and found["partial"][9]
    assert found["normal"][10] == 20 * 4800 + 1800 and found["partial"][10]
    assert found["normal"][11] is None
    assert (found["previous"], found["next"]) == ("2025-01-01", "2027-01-01")


@pytest.mark.parametrize(
    "parameters", [{"on": "today"}, {"on": "0001-01-01"}, {"on": "2026-1-1"}, {"period": "week"}]
)
def test_a_wrong_day_is_told(lab, board, parameters):
    answer = lab.client.get(f"/api/v1/gateways/{board.code}/energy", params=parameters)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
