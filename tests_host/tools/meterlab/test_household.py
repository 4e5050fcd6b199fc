"""A home that one can believe in, and counters that are the exact integral of its power."""

from __future__ import annotations

import pytest

from meterlab.household import DAY, INSTALLED, JST, Day, Household, day_of

KWH = 3_600_000
FROM = 20_600
SEEDS = range(10)


def _home(seed: int, solar: int = 0) -> Household:
    return Household(seed, solar=solar, installed=FROM)


def _slots(home: Household, day: int) -> Day:
    slots = home.day(day)
    assert slots is not None
    return slots


def _noon(day: int) -> int:
    return day * DAY - JST + 12 * 3600


def _daily(home: Household, days: range) -> list[tuple[float, float]]:
    out = []
    for day in days:
        values = _slots(home, day)
        used = values.normal[48] - values.normal[0]
        made = values.reverse[48] - values.reverse[0]
        out.append((used / KWH, made / KWH))
    return out


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_uses_as_much_as_a_home_does(seed):
    used = [day[0] for day in _daily(_home(seed), range(FROM, FROM + 365))]
    assert 3 < min(used) and max(used) < 40
    assert 6 < sum(used) / len(used) < 22


def test_winter_costs_more_than_spring():
    # 2027-01-05 on, and 2027-05-01 on
    for seed in SEEDS:
        home = _home(seed)
        winter = [day[0] for day in _daily(home, range(20_823, 20_853))]
        spring = [day[0] for day in _daily(home, range(20_939, 20_969))]
        assert sum(winter) > 1.15 * sum(spring)


def test_evenings_are_busier_than_nights():
    for seed in SEEDS:
        home = _home(seed)
        night = evening = 0
        for day in range(FROM, FROM + 30):
            slots = _slots(home, day).normal
            if not home.home.hot_water:
                night += slots[10] - slots[2]  # 01:00-05:00
            evening += slots[46] - slots[38]  # 19:00-23:00
        assert evening > 1.5 * night


def test_the_fridge_never_stops():
    home = _home(1)
    start = FROM * DAY - JST
    watts = [home.power(start + 60 * minute) for minute in range(3 * 1440)]
    assert 40 < min(watts) and max(watts) < 9_000


def test_without_cells_nothing_is_exported():
    home = _home(2)
    assert all(made == 0 for _, made in _daily(home, range(FROM, FROM + 60)))
    start = FROM * DAY - JST
    assert all(home.power(start + 600 * i) >= 0 for i in range(2_000))


@pytest.mark.parametrize("seed", SEEDS)
def test_cells_export_by_day_and_never_by_night(seed):
    home = _home(seed, solar=4_500)
    days = _daily(home, range(FROM, FROM + 365))
    exported = [made for _, made in days]
    assert 3 < sum(exported) / len(exported) < 18
    assert max(exported) < 32 and min(exported) < 3  # bright days and grey ones
    for day in range(FROM, FROM + 50):
        slots = _slots(home, day).reverse
        assert slots[7] == slots[0] and slots[48] == slots[40]  # to 03:30, from 20:00
    noon = [home.power(_noon(day)) for day in range(FROM, FROM + 200)]
    assert min(noon) < -2_000 and max(noon) > 0


@pytest.mark.parametrize("solar", [0, 4_000])
def test_counters_are_the_integral_of_power_and_never_fall(solar):
    home = _home(5, solar=solar)
    start = (FROM + 40) * DAY - JST
    before = home.energy(start)
    mean = [0, 0]
    for second in range(0, DAY, 20):
        now = home.energy(start + second)
        gone, come = now[0] - before[0], now[1] - before[1]
        assert gone >= 0 and come >= 0
        assert not (gone and come)  # 20 s lie within one minute, which has one direction
        power = home.power(start + second)
        mean[0] += power * 20
        before = now
    after = home.energy(start + DAY)
    first = home.energy(start)
    net = after[0] - first[0] - (after[1] - first[1])
    assert abs(mean[0] - net) < 0.01 * (after[0] - first[0])


def test_history_is_what_the_counters_showed():
    home = _home(7, solar=3_000)
    for day in (FROM, FROM + 1, FROM + 98):
        slots = _slots(home, day)
        midnight = day * DAY - JST
        for k in range(49):
            moment = home.energy(midnight + 1_800 * k)
            assert moment == (slots.normal[k], slots.reverse[k])
        assert _slots(home, day + 1).normal[0] == slots.normal[48]


def test_the_order_of_questions_does_not_matter():
    one, other = _home(3, 4_000), _home(3, 4_000)
    moments = [FROM * DAY + i * 777_777 for i in range(60)]
    forward = [(one.energy(t), one.power(t), one.currents(t)) for t in moments]
    backward = [(other.energy(t), other.power(t), other.currents(t)) for t in reversed(moments)]
    assert forward == backward[::-1]


def test_seeds_make_different_homes():
    totals = {_slots(_home(seed), FROM + 9).normal[48] for seed in range(20)}
    assert len(totals) == 20


def test_nothing_before_the_meter_was_fitted():
    home = Household(0)
    assert home.installed == INSTALLED
    assert home.day(INSTALLED - 1) is None
    assert home.energy(INSTALLED * DAY - JST - 1) == (0, 0)
    assert home.energy(INSTALLED * DAY - JST) == (0, 0)
    assert home.energy(INSTALLED * DAY - JST + 3_600)[0] > 0


def test_currents_fit_the_power():
    for solar in (0, 5_000):
        home = _home(4, solar)
        for i in range(500):
            t = FROM * DAY + i * 1_234
            r, phase_t = home.currents(t)
            assert abs((r + phase_t) * 9.7 - home.power(t)) < 25  # 0.1 A at 100 V, factor 0.97


def test_some_day_one_phase_exports_while_the_other_draws():
    home = _home(4, 5_000)
    pairs = [home.currents(FROM * DAY + i * 613) for i in range(5_000)]
    assert any(min(pair) < 0 < max(pair) for pair in pairs)


def test_days_are_japanese():
    assert day_of(0) == 0 and day_of(15 * 3600 - 1) == 0 and day_of(15 * 3600) == 1
