"""Hours and days are folded, old instants dropped, and no total ever changes by that."""

import random
import threading
import time

import pytest
from sqlalchemy import select, text, update
from tests_host.tools.kenshin.sums import DAY0, HOUR, T0, count, days, ours, roll, totals

from kenshin.server import gateways, hours, ingest, rollup, wire
from kenshin.server.schema import Gateway, Reading, Stale, State
from kenshin.server.slots import INSTANT

LIMIT = 60.0


@pytest.mark.parametrize("seed", range(4))
def test_no_total_changes_by_folding_or_by_dropping_instants(lab, board, instant, slot, seed):
    chance = random.Random(seed)
    gateway = ours(lab, board)
    rows, counter, back = [], 10_000, 500
    for minute in range(0, 3 * 24 * 60, 7):
        t = DAY0 + minute * 60
        counter += chance.randrange(60)
        back += chance.randrange(3)
        # Now and then nothing for hours; half-hours are missing at random.
        if (minute // 60) % 11 in (3, 4):
            continue
        seen = {"normal": counter if chance.random() < 0.8 else None, "reverse": back}
        rows.append(instant(len(rows), t, chance.randrange(-500, 3000), **seen))
    for n in range(0, 3 * 48):
        if chance.random() < 0.6:
            at = [r for r in rows if r[1] == "instant" and r[2] <= DAY0 + n * 1800 and r[7]]
            value = at[-1][7] if at else 10_000
            rows.append(slot(len(rows), DAY0 + n * 1800, value, at[-1][8] if at else 500))
    lab.now = DAY0 + 3 * 86_400 + 1200
    for k in range(0, len(rows), 500):
        board.upload(*rows[k : k + 500])
    spans = [(DAY0 + n * 86_400, DAY0 + (n + 1) * 86_400) for n in range(3)]
    spans += [(DAY0, DAY0 + 3 * 86_400), (DAY0 + 5 * 1800, DAY0 + 99 * 1800)]
    spans += [(DAY0 + n * HOUR, DAY0 + (n + 1) * HOUR) for n in range(72)]
    before = totals(lab, gateway, spans)
    assert sum(1 for found in before if found.value) > 50
    roll(lab, gateway)
    assert totals(lab, gateway, spans) == before
    folded = days(lab, gateway)
    assert [folded[start].normal for start, _ in spans[:3]] == [t.value for t in before[0:6:2]]
    assert [folded[start].reverse for start, _ in spans[:3]] == [t.value for t in before[1:6:2]]
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, DAY0 + 2 * 86_400) > 100
    left = count(lab, Reading, Reading.kind == INSTANT, Reading.t < DAY0 + 2 * 86_400)
    assert left == 0
    assert count(lab, Reading, Reading.kind == INSTANT) > 50
    assert totals(lab, gateway, spans) == before
    roll(lab, gateway)
    assert days(lab, gateway) == folded


def test_an_hour_knows_its_sum_its_extremes_and_its_ends(lab, board, instant):
    board.upload(
        instant(1, DAY0 + 10, 100, current_r=-50, normal=None, reverse=5),
        instant(2, DAY0 + 20, -300, current_r=40, current_t=7, normal=70),
        instant(3, DAY0 + 30, None, normal=71),
        instant(4, DAY0 + HOUR, 9),
    )
    gateway = ours(lab, board)
    roll(lab, gateway)
    with lab.store.reading() as connection:
        first, second = hours.stored(connection, gateway, DAY0, DAY0 + 2 * HOUR)
    assert (first.n, first.power_sum, first.power_min, first.power_max) == (2, -200, -300, 100)
    assert (first.power_max_t, first.current_r_max, first.current_t_max) == (DAY0 + 10, -50, 7)
    assert (first.normal_first_t, first.normal_first) == (DAY0 + 20, 70)
    assert (first.normal_last_t, first.normal_last) == (DAY0 + 30, 71)
    assert (first.reverse_first, first.reverse_last) == (5, 5)
    assert (second.t, second.n) == (DAY0 + HOUR, 1)


def test_late_readings_are_counted_again(lab, board, instant, slot):
    gateway = ours(lab, board)
    board.upload(instant(1, DAY0 + 60, 100), slot(2, DAY0, 1000))
    roll(lab, gateway)
    assert days(lab, gateway)[DAY0].power_sum == 100
    board.upload(instant(3, DAY0 + 90, 11), slot(4, DAY0 + HOUR, 1200))
    assert count(lab, Stale) == 2  # the half-hour ends one hour and begins another
    with lab.store.reading() as connection:
        assert rollup.due(connection, lab.now, 10) == [gateway]
    roll(lab, gateway)
    today = days(lab, gateway)[DAY0]
    assert (today.power_sum, today.n, today.normal, today.slots) == (111, 2, 200, 2)
    assert count(lab, Stale) == 0
    # A half-hour at midnight ends one day and begins the next.
    board.upload(slot(5, DAY0 - 86_400, 300))
    roll(lab, gateway)
    assert days(lab, gateway)[DAY0 - 86_400].normal == 700


def test_a_late_instant_on_the_hour_is_of_the_hour_that_begins(lab, board, instant):
    gateway = ours(lab, board)
    board.upload(instant(1, DAY0 + 60, 100))
    roll(lab, gateway)
    board.upload(instant(2, DAY0 + 5 * HOUR, 7), instant(3, DAY0 + HOUR, 8))
    roll(lab, gateway)
    with lab.store.reading() as connection:
        found = {h.t: h.power_sum for h in hours.stored(connection, gateway, 0, T0)}
    assert found == {DAY0: 100, DAY0 + HOUR: 8, DAY0 + 5 * HOUR: 7}
    assert days(lab, gateway)[DAY0].power_sum == 115


@pytest.mark.parametrize("seed", range(3))
def test_in_whatever_order_readings_come_the_sums_are_the_same(lab, board, instant, slot, seed):
    chance = random.Random(seed)
    gateway = ours(lab, board)
    rows = [
        instant(n, DAY0 - 86_400 + n * 600, chance.randrange(3000), normal=1000 + n)
        for n in range(180)
    ]
    rows += [
        slot(200 + n, DAY0 - 86_400 + n * 1800, 1000 + 3 * n) for n in range(0, 60, 2) if n != 48
    ]
    chance.shuffle(rows)
    for k in range(0, len(rows), 35):
        board.upload(*rows[k : k + 35])
        roll(lab, gateway)
    folded = days(lab, gateway)
    with lab.store.reading() as connection:
        kept = hours.stored(connection, gateway, 0, T0)
        assert kept == hours.raw(connection, gateway, 0, rollup.target(lab.now))
        rolled = connection.scalar(select(State.rolled))
        for start in (DAY0 - 86_400, DAY0):
            again = rollup.day(connection, gateway, rolled, start, start + 86_400)
            assert {name: getattr(folded[start], name) for name in vars(folded[start])} == {
                name: again[name] for name in vars(folded[start])
            }


def test_a_wrong_value_at_midnight_is_found_out_by_the_one_after_it(lab, board, slot):
    gateway = ours(lab, board)
    board.upload(slot(1, DAY0 - 86_400, 1000), slot(2, DAY0 - 1800, 1090), slot(3, DAY0, 9000))
    roll(lab, gateway)
    assert days(lab, gateway)[DAY0 - 86_400].normal == 8000
    board.upload(slot(4, DAY0 + 1800, 1100), slot(5, DAY0 + HOUR, 1110))
    roll(lab, gateway)
    found = days(lab, gateway)
    assert (found[DAY0 - 86_400].normal, found[DAY0].normal) == (90, 10)


class Meanwhile:
    """An upload by another connection that begins while a function is at work."""

    def __init__(self, monkeypatch, lab, board, name, row):
        self.store = lab.store
        self.work = getattr(rollup, name)
        self.upload = threading.Thread(target=self.put, args=(board, row))
        monkeypatch.setattr(rollup, name, self)

    def put(self, board, row):
        batch = wire.Batch(7, {row[0]: row}, None, ())
        with self.store.writing() as connection:
            known = gateways.find(connection, board.code)
            self.outcome = ingest.ingest(connection, known.id, batch, T0)

    def waits(self):
        """Whether it waits for the end of the transaction in which the function is at work."""
        with self.store.reading() as connection:
            return connection.scalar(text("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    def __call__(self, *arguments):
        if self.upload.ident is None:
            result = self.work(*arguments)
            self.upload.start()
            until = time.monotonic() + LIMIT
            while self.upload.is_alive() and not self.waits() and time.monotonic() < until:
                time.sleep(0.01)
            return result
        return self.work(*arguments)


@pytest.mark.parametrize("late", [False, True])
def test_what_comes_while_an_hour_is_folded_is_not_forgotten(
    postgres_lab, instant, monkeypatch, late
):
    lab = postgres_lab
    board = lab.board()
    gateway = ours(lab, board)
    board.upload(instant(1, DAY0 + 60, 1))
    if late:
        roll(lab, gateway)
        board.upload(instant(2, DAY0 + 70, 10))
    meanwhile = Meanwhile(monkeypatch, lab, board, "_keep", instant(3, DAY0 + 80, 100))
    roll(lab, gateway)
    meanwhile.upload.join(LIMIT)
    assert meanwhile.outcome.ack == [(3, 3)]
    roll(lab, gateway)
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, T0) == (3 if late else 2)
    assert days(lab, gateway)[DAY0].power_sum == (111 if late else 101)


def test_what_comes_while_old_instants_are_dropped_is_folded_first(
    postgres_lab, instant, monkeypatch
):
    lab = postgres_lab
    board = lab.board()
    gateway = ours(lab, board)
    board.upload(instant(1, DAY0 + 60, 1))
    roll(lab, gateway)
    row = instant(3, DAY0 + 80, 100)
    meanwhile = Meanwhile(monkeypatch, lab, board, "_oldest", row)
    with lab.store.writing() as connection:
        rollup.purge(connection, gateway, T0)
    meanwhile.upload.join(LIMIT)
    roll(lab, gateway)
    # Either it was in time and is counted, or the gateway was told that it was not.
    counted = 101 if meanwhile.outcome.ack else 1
    assert days(lab, gateway)[DAY0].power_sum == counted
    assert meanwhile.outcome.ack or meanwhile.outcome.rejected


def test_what_was_dropped_and_comes_again_is_refused_and_not_counted_twice(lab, board, instant):
    gateway = ours(lab, board)
    board.upload(instant(1, DAY0 + 60, 100))
    roll(lab, gateway)
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, DAY0 + HOUR) == 1
    closed = "t: this hour is closed: only its sums are kept"
    again = board.upload(instant(1, DAY0 + 60, 100), instant(2, DAY0 + 70, 1), stream=2)
    assert again["rejected"] == [[1, closed], [2, closed]]
    # An hour of which nothing was known may still come.
    assert board.upload(instant(3, DAY0 - 50, 7), stream=2)["ack"] == [[3, 3]]
    roll(lab, gateway)
    assert days(lab, gateway)[DAY0].power_sum == 100
    assert days(lab, gateway)[DAY0 - 86_400].power_sum == 7
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, DAY0 + HOUR) == 1
    roll(lab, gateway)
    assert days(lab, gateway)[DAY0 - 86_400].power_sum == 7


def test_a_backlog_older_than_what_is_kept_arrives_in_parts(lab, board, instant):
    gateway = ours(lab, board)
    board.upload(instant(1, DAY0 + 60, 100))
    roll(lab, gateway)
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, DAY0 + HOUR) == 1
    # An hour of which nothing was known: folded between two parts of it, it still has its raw.
    board.upload(instant(2, DAY0 - 50, 7))
    roll(lab, gateway)
    assert board.upload(instant(3, DAY0 - 40, 8), instant(3, DAY0 - 30, 9))["rejected"] == []
    roll(lab, gateway)
    assert days(lab, gateway)[DAY0 - 86_400].power_sum == 24
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, DAY0 + HOUR) == 3
    closed = "t: this hour is closed: only its sums are kept"
    answer = board.upload(instant(9, DAY0 - 20, 7), instant(9, DAY0 - 10, 7))
    assert answer["rejected"] == [[9, closed]]
    roll(lab, gateway)
    assert days(lab, gateway)[DAY0 - 86_400].power_sum == 24


def test_nothing_that_is_not_folded_is_dropped(lab, board, instant):
    gateway = ours(lab, board)
    board.upload(instant(1, DAY0 + 60, 100))
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, T0) == 0
    roll(lab, gateway)
    board.upload(instant(2, DAY0 + 70, 100))  # late: to be counted again first
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, T0) == 0
    roll(lab, gateway)
    with lab.store.writing() as connection:
        assert rollup.purge(connection, gateway, T0) == 2


def test_a_day_is_the_day_of_the_gateways_time_zone(lab, board, instant):
    gateway = ours(lab, board)
    board.upload(*[instant(n, DAY0 - 86_400 + n * HOUR, 1) for n in range(30)])
    roll(lab, gateway)
    assert {t: day.n for t, day in days(lab, gateway).items()} == {DAY0 - 86_400: 24, DAY0: 6}
    with lab.store.writing() as connection:
        connection.execute(update(Gateway).values(zone="UTC"))
        rollup.rezone(connection, gateway)
    found = {t: day.n for t, day in days(lab, gateway).items() if day.n}
    assert found == {T0 - 2 * 86_400: 9, T0 - 86_400: 21}


def test_days_of_23_and_25_hours():
    zone = "Europe/Berlin"
    for day, length in ((1_774_738_800, 23), (1_792_879_200, 25)):  # 2026-03-29, 2026-10-25
        assert rollup.day_start(day, zone) == day
        assert rollup.next_day(day, zone) - day == length * HOUR
