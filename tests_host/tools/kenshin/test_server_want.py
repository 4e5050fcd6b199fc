"""Days that are missing here are wished for, of a gateway that believes to have sent them."""

from datetime import datetime

import pytest

from kenshin.server import units, want, wire
from kenshin.server.housekeeping import Housekeeper

JST = 9 * 3600
DAY = 86_400


def told(missing: int | None = 0, days: int | None = 99, reading: str | None = None):
    return {"status": {"repair": {"missing": missing, "days": days, "reading": reading}}}


def day(today, back):
    """The UTC second at which a day began in Japan."""
    return ((today + JST) // DAY - back) * DAY - JST


@pytest.fixture
def fill(lab, slot):
    """Uploads whole days, counted back from today."""
    numbers = iter(range(1, 1_000_000))

    def put(board, *backs, slots=range(48), **values):
        for back in backs:
            begin = day(lab.now, back)
            rows = [
                slot(next(numbers), begin + 1800 * k, **{"normal": 5, **values}) for k in slots
            ]
            board.upload(*rows)

    return put


def test_a_new_server_wishes_for_all_days_in_turn(lab, board):
    seen = set()
    for _ in range(5):
        days = board.upload(**told())["want"]
        assert 0 < len(days) <= wire.WANT_MAX
        seen.update(days)
        lab.now += want.EVERY
    assert len(seen) == 99
    assert max(seen) == "2026-11-22" and min(seen) == "2026-08-16"


def test_a_half_hour_that_cannot_be_had_hides_no_other_day(lab, board, slot):
    never = day(lab.now, 2) + 7 * 1800  # a gap in the meter's own history
    keeper = Housekeeper(lab.store, lambda: lab.now)
    asked = set()
    for _ in range(8):
        # What it cannot have the gateway counts as missing, for as long as the meter goes back.
        for wish in board.upload(**told(missing=1))["want"]:
            begin = int(datetime.fromisoformat(wish).replace(tzinfo=units.JST).timestamp())
            times = [t for t in range(begin, begin + DAY, 1800) if t != never]
            if wish not in asked:
                board.upload(*[slot(n, t, 5) for n, t in enumerate(times)], stream=begin)
            asked.add(wish)
        keeper.work()
        lab.now += want.EVERY
    assert len(asked) == 99
    assert board.upload(**told(missing=1))["want"] == ["2026-11-21"]


def test_only_days_that_are_not_whole(lab, board, fill):
    fill(board, *(b for b in range(1, 100) if b not in (3, 40)))
    fill(board, 40, slots=range(47))
    fill(board, 3, normal=None)  # nothing in it
    assert board.upload(**told())["want"] == ["2026-11-20", "2026-10-14"]


def test_a_reverse_value_alone_is_one(lab, board, fill):
    fill(board, *range(1, 100), normal=None, reverse=7)
    assert board.upload(**told())["want"] == []


def test_today_is_live_pollings_business(lab, board, fill):
    fill(board, *range(1, 100))
    assert board.upload(**told())["want"] == []


def test_no_further_back_than_the_meter_tells(lab, board):
    assert len(board.upload(**told(days=14))["want"]) == 14


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"status": {"fw": "0.1.0"}},
        {"status": {"repair": None}},
        {"status": {"repair": "all well"}},
        {"status": {"repair": {}}},
        told(missing=5, reading="2026-11-20"),
        told(missing=None),
        told(days=0),
        told(days=None),
    ],
)
def test_nothing_of_gateways_that_keep_no_history_or_mend_by_themselves(board, status):
    assert board.upload(**status)["want"] == []


def test_it_is_looked_at_once_an_hour_for_each_gateway(lab, board):
    other = lab.board("other")
    assert board.upload(**told())["want"]
    assert board.upload(**told())["want"] == []
    assert other.upload(**told())["want"]
    lab.now += want.EVERY - 1
    assert board.upload(**told())["want"] == []
    lab.now += 1
    assert board.upload(**told())["want"]


def test_days_of_others_do_not_count(lab, board, fill):
    fill(lab.board("other"), *range(1, 100))
    assert len(board.upload(**told(days=10))["want"]) == 10


def test_the_state_of_the_mending_is_kept(board):
    board.upload(status={"repair": {"missing": 12, "days": 99, "reading": "2026-11-01"}})
    kept = board.detail()["status"]["repair"]
    assert kept == {"missing": 12, "days": 99, "reading": "2026-11-01"}
