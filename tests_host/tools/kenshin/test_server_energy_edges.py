"""Of a long span only the hours at its edges are loaded: the totals are the same."""

import random

import pytest

from kenshin.server import energy, gateways, rollup
from kenshin.server.hours import HOUR

T0 = 1_795_392_000
DAY = 86_400


@pytest.mark.parametrize("seed", range(6))
def test_the_totals_of_a_long_span_are_those_of_all_its_hours(
    sqlite_lab, instant, slot, monkeypatch, seed
):
    lab, chance = sqlite_lab, random.Random(seed)
    board, rows = lab.board(), []
    begin = T0 - 5 * DAY
    for n, t in enumerate(range(begin - 3 * HOUR, T0, 900)):
        # Gaps of hours, a direction that begins later, values missing here and there.
        if chance.random() < 0.3 or (n // 20) % 5 == seed % 5:
            continue
        both = {"normal": 5 * n, "reverse": n if n > 100 * (seed % 3) else None}
        make = slot if t % 1800 == 0 and chance.random() < 0.6 else instant
        rows.append(make(n, t + (make is instant) * chance.randrange(60), **both))
    for first in range(0, len(rows), 200):
        board.upload(*rows[first : first + 200])
    with lab.store.writing() as connection:
        number = gateways.find(connection, "home").id
        while rollup.roll(connection, number, T0 - (seed % 2) * 7 * HOUR):
            pass
    differ = 0
    with lab.store.reading() as connection:
        rolled = connection.exec_driver_sql("SELECT rolled FROM gateway_state").scalar()
        for _ in range(40):
            start = begin + chance.randrange(0, 30) * HOUR
            end = start + chance.randrange(2 * HOUR, 4 * DAY)
            found = []
            for longest in (10**9, 0):
                monkeypatch.setattr(energy, "LONG", longest)
                loaded = energy.load(connection, number, rolled, start, end)
                found.append([energy.total(one, start, end) for one in loaded])
                differ += len(loaded.normal.lasts) * (1 if longest else -1)
                found[-1] += energy.until(connection, number, rolled, start, end)
            assert found[0] == found[1], (start, end)
    assert differ > 100  # it did load less
