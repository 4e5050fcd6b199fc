"""Who folds hours and days and drops old instants, and when; clocks that were wrong."""

from sqlalchemy import select, update
from tests_host.tools.kenshin.sums import DAY0, HOUR, T0, count, ours, roll

from kenshin.server import hours, rollup, settings
from kenshin.server.housekeeping import LEASE, Housekeeper
from kenshin.server.schema import Health, Hour, Lease, Reading, State

# ---- who does it, and when ----


def test_a_midnight_that_comes_twice_begins_one_day():
    # In Havana clocks go back from 1:00 to 0:00.
    begin, zone = 1_793_505_600, "America/Havana"  # 2026-11-01, 0:00 summer time
    times = range(begin, begin + 25 * 3600, 1800)
    assert {rollup.day_start(t, zone) for t in times} == {begin}
    assert {rollup.month_start(t, zone) for t in times} == {begin}
    assert rollup.next_day(begin, zone) == begin + 25 * 3600


def test_the_housekeeper_folds_and_drops_by_the_settings(lab, board, instant):
    board.upload(instant(1, DAY0 - 500 * 86_400, 5), instant(2, DAY0, 6))
    keeper = Housekeeper(lab.store, lambda: lab.now)
    keeper.work()
    assert count(lab, Hour) == 2
    assert count(lab, Reading) == 1
    with lab.store.writing() as connection:
        settings.write(connection, {"retention.instant_days": 0})
    board.upload(instant(3, DAY0 - 600 * 86_400, 5))
    lab.now += 2 * HOUR
    keeper.work()
    assert count(lab, Reading) == 2


def test_one_server_at_a_time_keeps_house_and_another_takes_over(lab, board, instant):
    board.upload(instant(1, DAY0))
    one, two = (Housekeeper(lab.store, lambda: lab.now) for _ in range(2))
    assert one.lease() and one.lease()
    assert not two.lease()
    two.work()
    assert count(lab, Hour) == 0
    lab.now += LEASE + 1
    assert two.lease()
    assert not one.lease()
    # A lease from a clock that was far ahead does not hold for ever.
    with lab.store.writing() as connection:
        connection.execute(update(Lease).values(until=lab.now + 10**8))
    assert one.lease()


def test_a_clock_that_is_ahead_for_a_while_drops_and_folds_nothing_before_its_time(
    lab, board, instant
):
    gateway = ours(lab, board)
    real = lab.now
    board.upload(*[instant(n, real - n * HOUR, 10) for n in range(30)], status={"word": "radio"})
    keeper = Housekeeper(lab.store, lambda: lab.now)
    keeper.work()
    lab.now = real + 1200 * 86_400
    keeper.work()
    assert count(lab, Reading) == 30
    assert count(lab, Health) == 1
    board.upload(instant(30, real + 60, 10), status={"word": None})
    keeper.work()
    assert count(lab, Reading) == 31
    lab.now = real + 2 * HOUR
    board.upload(instant(31, real + HOUR, 10), status={"word": None})
    keeper.work()
    with lab.store.reading() as connection:
        state = connection.execute(select(State.rolled, State.purged)).one()
        folded = hours.stored(connection, gateway, 0, 2 * real)
    assert state.rolled <= real + 2 * 86_400 and not state.purged
    assert sum(hour.power_sum for hour in folded) == 320
    # And the history of its health goes on.
    with lab.store.reading() as connection:
        assert real + 2 * HOUR in set(connection.scalars(select(Health.t)))


def test_hours_folded_by_a_clock_that_was_years_ahead_are_opened_again(lab, board, instant):
    gateway = ours(lab, board)
    board.upload(instant(1, DAY0, 5))
    roll(lab, gateway)
    with lab.store.writing() as connection:
        connection.execute(update(State).values(rolled=lab.now // HOUR * HOUR + 1200 * 86_400))
    keeper = Housekeeper(lab.store, lambda: lab.now)
    keeper.work()
    with lab.store.reading() as connection:
        assert connection.scalar(select(State.rolled)) == rollup.target(lab.now)
        assert rollup.due(connection, lab.now, 10) == []
    # What comes now is seen at once, and folded in its time.
    board.upload(instant(2, lab.now - 60, 7))
    with lab.store.reading() as connection:
        rolled = connection.scalar(select(State.rolled))
        seen = hours.hours(connection, gateway, rolled, DAY0, lab.now)
    assert [hour.power_sum for hour in seen] == [5, 7]


def test_old_instants_of_a_gateway_that_is_silent_are_dropped_all_the_same(lab, board, instant):
    board.upload(instant(1, T0 - 500 * 86_400))
    lab.board("other").upload(instant(1, T0))
    Housekeeper(lab.store, lambda: lab.now).work()
    assert count(lab, Reading) == 1
