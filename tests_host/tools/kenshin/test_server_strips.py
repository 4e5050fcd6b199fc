"""What a group shows is what its gateways show, added up: to the last tenth of a watt-hour."""

import random

import pytest
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
