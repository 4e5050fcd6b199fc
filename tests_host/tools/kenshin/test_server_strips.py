"""What a group shows is what its gateways show, added up: to the last tenth of a watt-hour."""

import random
from datetime import date

import pytest
from sqlalchemy import event, update
from tests_host.tools.kenshin.test_server_together import edit, fold

from kenshin.server import gateways, groups, newest, rollup, strips
from kenshin.server.newest import Newest
from kenshin.server.schema import State

T0 = 1_795_392_000  # 2026-11-23 09:00 in Japan
DAY = 86_400
TODAY = T0 - 9 * 3600
ZONES = ("Asia/Tokyo", "Asia/Tokyo", "Asia/Tokyo", "Europe/Berlin")


def energy(lab, path, period, on="2026-11-23"):
    answer = lab.client.get(f"{path}/energy", params={"period": period, "on": on})
    assert answer.status_code == 200, answer.text
    return answer.json()


def plus(values):
    return strips.plus(values)


@pytest.fixture
def town(lab, slot):
    """Four gateways with holes, a meter that was changed and days that are missing."""
    chance = random.Random(1)
    boards = []
    for n, zone in enumerate(ZONES):
        board = lab.board(f"home {n}")
        edit(lab, board, zone=zone, group="town")
        counter, rows = 10**7 * (n + 1), []
        for seq, t in enumerate(range(T0 - 40 * DAY, T0 + 1, 1800)):
            counter += chance.randrange(9000)
            if n == 1 and t == T0 - 5 * DAY:
                counter = 17  # another meter
            missing = chance.random() < 0.05 or (n == 2 and T0 - 9 * DAY < t < T0 - 7 * DAY)
            sold = None if n == 0 else counter // 3
            if not missing:
                rows.append(slot(seq, t, counter, sold))
        board.sent = rows
        for begin in range(0, len(rows), 1000):
            board.upload(*rows[begin : begin + 1000])
        boards.append(board)
    fold(lab)
    with lab.store.reading() as connection:
        return boards, groups.listed(connection)[0].id


def same(lab, boards, number, period, on="2026-11-23"):
    """The bars of the group, which must be the sums of those of its gateways (of one zone)."""
    single = [energy(lab, f"/api/v1/gateways/{b.code}", period, on) for b in boards]
    whole = energy(lab, f"/api/v1/groups/{number}", period, on)
    assert {len(each["t"]) for each in [*single, whole]} == {len(whole["t"])}
    for field in ("normal", "reverse"):
        columns = zip(*(each[field] for each in single), strict=True)
        assert whole[field] == [plus(column) for column in columns], (period, on, field)
    if period != "year":
        short = [
            any(p or v is None for p, v in zip(parts, values, strict=True))
            for parts, values in zip(
                zip(*(each["partial"] for each in single), strict=True),
                zip(*(each["normal"] for each in single), strict=True),
                strict=True,
            )
        ]
        assert whole["partial"] == short, (period, on)
    return whole


def test_bars_of_a_group_are_the_sums_of_its_gateways(lab, town, slot):
    boards, number = town
    edit(lab, boards.pop(), group="")
    for period, on in (
        *(("day", "2026-11-23"), ("day", "2026-11-18"), ("day", "2026-11-15")),
        *(("day", "2026-09-01"), ("month", "2026-10-31"), ("month", "2026-11-01")),
        ("year", "2026-01-01"),
    ):
        same(lab, boards, number, period, on)
    # What came since the hours were folded is there at once.
    before = same(lab, boards, number, "day")
    lab.now = T0 + 1800
    for board in boards:
        board.upload(slot(9000, T0 + 1800, board.sent[-1][7] + 77, None))
    after = same(lab, boards, number, "day")
    assert before["normal"][18] is None
    assert after["normal"][18] == 77 * sum(b.sent[-1][2] == T0 for b in boards)
    # What comes late fills its place when it is folded.
    gone = next(t for t in range(T0 - 9 * DAY + 1800, T0, 1800))
    boards[2].upload(slot(9001, gone, boards[2].sent[0][7] + 10**9, 5))
    fold(lab)
    same(lab, boards, number, "day", "2026-11-14")
    same(lab, boards, number, "month")
    # Another gateway in the group, from now on and back to its beginning.
    edit(lab, boards[0], group="")
    same(lab, boards[1:], number, "month")
    page = lab.client.get(f"/groups/{number}?period=day&on=2026-11-18")
    assert page.status_code == 200 and 'data-period="day"' in page.text


def test_half_hours_of_a_group_are_those_of_the_day_whatever_the_zone_of_a_gateway(lab, town):
    boards, number = town
    berlin = boards[3]
    for board in boards[:3]:
        edit(lab, board, group="")
    with lab.store.writing() as connection:
        rollup.rezone(connection, gateways.find(connection, berlin.code).id)
    found = energy(lab, f"/api/v1/groups/{number}", "day", "2026-11-20")
    assert found["start"] % DAY == 15 * 3600 and len(found["t"]) == 48
    counters = {row[2]: row[7] for row in berlin.sent}
    wanted = [
        counters[t + 1800] - counters[t] if t in counters and t + 1800 in counters else None
        for t in found["t"]
    ]
    assert found["normal"] == wanted and None in wanted


def kept(lab, board):
    with lab.store.reading() as connection:
        number = gateways.find(connection, board.code).id
        columns = [getattr(State, name) for name in Newest._fields]
        stored = connection.execute(
            State.__table__.select().with_only_columns(*columns).where(State.gateway_id == number)
        ).one()
        return Newest(*stored), newest.look(connection, number)


def test_the_newest_values_are_those_of_the_readings(lab, board, instant, slot):
    chance = random.Random(2)
    assert kept(lab, board) == (Newest(), Newest())
    for n in range(60):
        rows = []
        for k in range(chance.randrange(1, 6)):
            t = T0 - 1800 * chance.randrange(8)
            value = chance.choice([None, 1000 + chance.randrange(4)])
            other = chance.choice([None, 50 + chance.randrange(4)])
            if chance.random() < 0.5:
                power = chance.choice([None, chance.randrange(900)])
                rows.append(instant(n * 10 + k, t, power, normal=value, reverse=other))
            else:
                rows.append(slot(n * 10 + k, t, value, other))
        board.upload(*rows)
        stored, looked = kept(lab, board)
        assert stored == looked, (n, rows)
    assert None not in kept(lab, board)[0]


def test_what_a_clock_ahead_brought_counts_when_its_time_has_come(lab, board, instant, slot):
    edit(lab, board, group="town")
    board.upload(slot(1, TODAY, 1000), instant(2, T0 - 60, 300, normal=5000), instant(3, T0, 310))
    board.upload(instant(4, T0 + 600, 900, normal=9000))
    with lab.store.reading() as connection:
        number = groups.listed(connection)[0].id

    def sums():
        return lab.client.get(f"/api/v1/groups/{number}").json()

    assert (sums()["power"], sums()["today"]) == (310, "0.4")
    lab.now = T0 + 601
    assert (sums()["power"], sums()["today"]) == (900, "0.8")


def members(lab, number):
    with lab.store.reading() as connection:
        return groups.members(connection, number, lab.now)


def test_sums_from_what_is_kept_are_those_from_the_readings(lab, town, slot):
    boards, number = town
    for later in (0, DAY - 9 * 3600 + 300, DAY - 9 * 3600 + 900, DAY + 7000, 9 * DAY):
        lab.now = T0 + later
        for n, board in enumerate(boards):
            begin = lab.now // DAY * DAY - 9 * 3600
            for t in {begin, begin + DAY, lab.now // 1800 * 1800}:
                if T0 < t <= lab.now and (n, later) != (0, DAY + 7000):
                    counter = 10**8 * (n + 1) + t - T0
                    board.upload(slot(10_000 + (t - T0) // 1800, t, counter, counter // 3))
        unfolded = members(lab, number)
        fold(lab)
        folded = members(lab, number)
        with lab.store.writing() as connection:
            connection.execute(update(State).values(day_t=None))
        assert members(lab, number) == folded, later
        assert [one.today for one in unfolded] == [one.today for one in folded]
        with lab.store.writing() as connection:
            for board in boards:
                rollup.roll(connection, gateways.find(connection, board.code).id, lab.now)
        assert members(lab, number) == folded
    assert any(one.today is not None for one in folded)


def test_a_counter_of_midnight_that_comes_late_counts_at_once(lab, board, slot):
    edit(lab, board, group="town")
    rows = [slot(n, TODAY + 1800 * (n - 20), 1000 * n, 500 * n) for n in range(39)]
    board.upload(*[row for row in rows if row[2] != TODAY])
    fold(lab)
    with lab.store.reading() as connection:
        number = groups.listed(connection)[0].id
    assert [(one.today, one.today_sold) for one in members(lab, number)] == [(None, None)]
    board.upload(*[row for row in rows if row[2] == TODAY])
    assert [(one.today, one.today_sold) for one in members(lab, number)] == [(18_000, 9_000)]


def test_no_sum_reads_a_month_of_readings_through(postgres_lab, slot):
    lab = postgres_lab
    boards = [lab.board(f"home {n}") for n in range(3)]
    for board in boards:
        edit(lab, board, group="town")
        board.upload(slot(1, TODAY, 1), slot(2, T0, 2))
    with lab.store.writing() as connection:
        number = groups.listed(connection)[0].id
        connection.exec_driver_sql(
            "INSERT INTO readings (gateway_id, kind, t, quality, normal, origins, received)"
            f" SELECT n, 1, {T0} + n, 0, n, 1, 0 FROM generate_series(1, 40000) AS s (n)"
        )
        connection.exec_driver_sql(
            "INSERT INTO strips (gateway_id, period, t, normal, reverse, partial)"
            f" SELECT n, 0, {TODAY}, '[]', '[]', '[]' FROM generate_series(1, 40000) AS s (n)"
        )
        connection.exec_driver_sql("ANALYZE readings")
        connection.exec_driver_sql("ANALYZE strips")
    asked = []
    event.listen(
        lab.store.engine, "before_cursor_execute", lambda *found: asked.append(found[2:4])
    )
    with lab.store.reading() as connection:
        groups.members(connection, number, lab.now)
        for period in ("day", "month", "year"):
            groups.bars(connection, number, period, date(2026, 11, 23), "Asia/Tokyo")
    statements = list(asked)
    with lab.store.reading() as connection:
        plans = [
            "\n".join(connection.exec_driver_sql(f"EXPLAIN {text}", given).scalars())
            for text, given in statements
        ]
    assert sum("LATERAL" in text for text, _ in statements) >= 4
    for plan in plans:
        assert "Seq Scan on readings" not in plan and "Seq Scan on strips" not in plan, plan
