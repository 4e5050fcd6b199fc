"""Another meter, told and shown; a counter that begins again at 0, computed where it is known."""

import random

import pytest
from tests_host.tools.kenshin.test_server_together import edit, fold

from kenshin.server import energy, gateways, groups, meters
from kenshin.server.meters import Turn

T0 = 1_795_392_000  # 2026-11-23 09:00 in Japan
TODAY = T0 - 9 * 3600
FIRST = {
    **{"maker": "000016", "serial": "A1000", "release": "F"},
    **{"coefficient": None, "unit": 1, "digits": 6},
}
TURN = 10**6 * 1000  # 0.1 Wh: six digits of 0.1 kWh
STEP = 3000  # 0.3 kWh a half-hour


def tell(board, seq, *rows, **meter):
    return board.upload(*rows, status={"meter": {**FIRST, **meter}})


def day(lab, board, on="2026-11-23"):
    answer = lab.client.get(
        f"/api/v1/gateways/{board.code}/energy", params={"period": "day", "on": on}
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


def counters(slot, begin, since=TODAY):
    """Half-hours up to now of a counter that began with `begin`; with what was really used."""
    times = range(since, T0 + 1, 1800)
    return [
        slot(n, t, (begin + STEP * n) % TURN, (begin + 2 * STEP * n) % TURN)
        for n, t in enumerate(times)
    ]


def test_a_counter_that_began_again_at_0_is_counted_through(lab, board, slot):
    edit(lab, board, group="town")
    tell(board, 0, *counters(slot, TURN - 10 * STEP))
    bars = day(lab, board)
    assert bars["normal"][:18] == [STEP] * 18 and bars["reverse"][:18] == [2 * STEP] * 18
    assert (bars["total_normal"], bars["total_reverse"]) == ("5.4", "10.8")
    assert not any(bars["partial"][:18])

    def sums():
        with lab.store.reading() as connection:
            number = groups.listed(connection)[0].id
        found = lab.client.get(f"/api/v1/groups/{number}").json()
        half_hours = lab.client.get(f"/api/v1/groups/{number}/energy?period=day").json()
        return found["today"], found["today_sold"], half_hours["normal"][:18]

    assert sums() == ("5.4", "10.8", [STEP] * 18)  # from half-hours that are not folded yet
    fold(lab)
    assert sums() == ("5.4", "10.8", [STEP] * 18)
    today = lab.client.get(f"/api/v1/gateways/{board.code}/today").json()["today"]
    assert (today["normal"], today["reverse"]) == (18 * STEP, 36 * STEP)
    csv = lab.client.get(
        f"/external_api/v1/export?gateway={board.code}&from=2026-11-23&to=2026-11-24"
    ).text.splitlines()
    assert [line.split(",")[5] for line in csv[1:19]] == ["0.3"] * 18


@pytest.mark.parametrize(
    ("meter", "begin"),
    [
        ({"digits": None}, TURN - 10 * STEP),  # where it begins again is not known
        ({"unit": None}, TURN - 10 * STEP),
        ({"digits": 5}, TURN - 10 * STEP),  # the counter was beyond that already
        ({"digits": 7}, TURN - 10 * STEP),  # this one would have gone on
        ({"coefficient": 3}, TURN - 10 * STEP),
    ],
)
def test_what_is_not_known_to_begin_again_is_not_made_up(lab, board, slot, meter, begin):
    tell(board, 0, *counters(slot, begin), **meter)
    bars = day(lab, board)
    assert bars["normal"][:18].count(None) == 1
    assert bars["normal"][9] is None and bars["total_partial"]
    assert bars["total_normal"] == "5.1"


def test_another_meter_makes_no_energy(lab, board, slot):
    rows = counters(slot, TURN - 10 * STEP)
    tell(board, 0, *rows[:9])
    lab.now += 60
    # It begins where the old one would have gone on, as if to deceive.
    tell(board, 0, *rows[9:], serial="B2000")
    bars = day(lab, board)
    assert bars["normal"][9] is None and bars["total_normal"] == "5.1"


def test_a_span_in_which_the_meter_was_changed_is_not_counted_through(lab, board, slot):
    """The old one was told until `before`, the new one from `t` on; between is neither."""
    with lab.store.reading() as connection:
        number = gateways.find(connection, board.code).id
    tell(board, 0)
    lab.now += 1000
    tell(board, 0)
    lab.now += 1000
    tell(board, 0, unit=2, digits=7)
    with lab.store.reading() as connection:
        assert meters.turns(connection, number) == [
            Turn(0, T0 + 1000, TURN),
            Turn(T0 + 2000, 2**62, 10**7 * 100),
        ]


def test_the_energy_across_the_turn_is_exact():
    chance = random.Random(3)
    known = 0
    for _ in range(3000):
        turn = 10 ** chance.randrange(1, 9) * chance.choice([1, 10, 1000, 7 * 1000])
        used = chance.randrange(1, 2 * 10 ** chance.randrange(1, 8))
        begin = max(0, turn - 1 - chance.randrange(2 * used))
        seconds = 1800 * chance.randrange(1, 100)
        turns = [Turn(0, 10**9, turn)]
        found = energy.step((0, begin), (seconds, (begin + used) % turn), turns)
        if begin + used >= turn and used < turn and used <= 100_000 * seconds / 360:
            assert found == (used if used <= turn // 10 else None)
            known += found is not None
        # Another time, another meter: nobody knows.
        elsewhere = [Turn(1, 10**9, turn), Turn(0, seconds - 1, turn)]
        if begin + used >= turn > used:
            assert energy.step((0, begin), (seconds, (begin + used) % turn), elsewhere) is None
    assert known > 100


def test_a_meter_that_was_changed_is_shown_in_both_languages(lab, board, slot):
    page = f"/gateways/{board.code}"
    tell(board, 0)
    for n in range(3):  # the same again
        lab.now += 60
        tell(board, n)
    assert 'id="meters"' not in lab.client.get(page).text
    assert day(lab, board)["meters"] == []
    lab.now += 540
    tell(board, 0, serial="B2000", unit=2, digits=7, coefficient=20)
    with lab.store.reading() as connection:
        number = gateways.find(connection, board.code).id
        (change,) = meters.changes(connection, number)
    old = {"serial": "A1000", "coefficient": None, "unit": 1, "digits": 6}
    new = {"serial": "B2000", "coefficient": 20, "unit": 2, "digits": 7}
    assert change == (T0 + 720, T0 + 180, old, new)
    (told,) = day(lab, board)["meters"]
    assert (told["t"], told["before"]) == (T0 + 720, T0 + 180)
    assert (told["old"]["serial"], told["new"]["serial"]) == ("A1000", "B2000")
    assert day(lab, board, "2026-11-22")["meters"] == []
    for path in (page, f"/energy/{board.code}?period=day&on=2026-11-23", f"/energy/{board.code}"):
        for language, words in (("en", "Meter changes"), ("ja", "メーターの変更")):
            text = lab.client.get(path, headers={"Accept-Language": language}).text
            assert words in text, (path, language)
            for word in (
                "A1000",
                "B2000",
                "0.1 kWh",
                "0.01 kWh",
                "09:03",
                "09:12",
                "on=2026-11-23",
            ):
                assert word in text, (path, language, word)
    other = lab.client.get(f"/energy/{board.code}?period=day&on=2026-11-22").text
    assert 'id="meters"' not in other
    assert lab.client.get(f"/energy/{board.code}?period=day&on=9999-12-31").status_code == 200


def test_a_meter_that_says_more_of_itself_is_still_the_same(lab, board):
    tell(board, 0, digits=None, serial=None)
    lab.now += 60
    tell(board, 0)
    lab.now += 60
    board.upload(status={"meter": {"maker": "000016", "serial": "A1000"}})
    with lab.store.reading() as connection:
        number = gateways.find(connection, board.code).id
        assert meters.changes(connection, number) == []
        assert [turn.turn for turn in meters.turns(connection, number)] == [TURN]
    with lab.store.writing() as connection:
        gateways.remove(connection, gateways.find(connection, board.code))
        assert meters.turns(connection, number) == []


def test_of_a_gateway_that_tells_another_meter_each_time_only_the_newest_are_kept(
    lab, board, monkeypatch
):
    monkeypatch.setattr(meters, "_MOST", 5)
    for n in range(9):
        lab.now = T0 + n
        tell(board, n, serial=f"B{n}")
    with lab.store.reading() as connection:
        known = gateways.find(connection, board.code)
        found = meters.changes(connection, known.id)
        kept = connection.exec_driver_sql("SELECT count(*) FROM meters").scalar()
    assert [each.new.get("serial") for each in found] == ["B5", "B6", "B7", "B8"]
    assert kept == 5
