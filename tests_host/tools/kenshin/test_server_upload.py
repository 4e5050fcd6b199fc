"""Uploads: what is acknowledged, merged, kept beside, and set aside."""

import pytest
from sqlalchemy import select
from tests_host.tools.kenshin.conftest import T0

from kenshin.server import aside, ingest, settings
from kenshin.server.schema import Conflict, Received, Rejection
from kenshin.server.store import Store

# ---- the answer ----


def test_an_upload_is_acknowledged_and_kept(lab, board, instant, slot):
    answer = board.upload(instant(10, power=-450, current_r=-15), slot(11, normal=47_575_000))
    assert answer == {
        "v": 1,
        "time": T0,
        "ack": [[10, 11]],
        "rejected": [],
        "want": [],
        "interval": None,
    }
    half_hour, now = board.readings()
    assert (now["power"], now["current_r"], now["current_t"]) == (-450, -15, None)
    assert (half_hour["normal"], half_hour["normal_kwh"]) == (47_575_000, "4757.5")
    assert half_hour["reverse"] is None and half_hour["reverse_kwh"] is None
    assert half_hour["origins"] == ["inf"]
    assert half_hour["time"] == "2026-11-23T09:00:00+09:00"


def test_a_wrong_reading_is_rejected_and_does_not_hold_up_the_others(board, instant, caplog):
    answer = board.upload(instant(1), instant(2, t=T0 + 30, power=1.5), instant(3, t=T0 + 60))
    assert answer["ack"] == [[1, 1], [3, 3]]
    assert answer["rejected"] == [[2, "power: must be a valid integer"]]
    assert [reading["t"] for reading in board.readings()] == [T0, T0 + 60]
    detail = board.detail()
    assert (detail["stored"], detail["rejected"]) == (2, 1)
    assert detail["rejections"] == [
        {
            "stream": 1,
            "seq": 2,
            "why": "power: must be a valid integer",
            "row": f'[2,"instant",{T0 + 30},"ntp",1.5,null,null,null,null,"get"]',
            "received": T0,
        }
    ]
    assert f"{board.code}: 1 readings rejected, such as 2: power" in caplog.text


def test_energies_beyond_32_and_53_bits_come_back_exactly(board, slot):
    huge = 2**63 - 1
    board.upload(slot(1, normal=huge, reverse=2**53 + 1))
    (reading,) = board.readings()
    assert (reading["normal"], reading["reverse"]) == (huge, 2**53 + 1)
    assert reading["normal_kwh"] == "922337203685477.5807"
    assert board.detail()["newest"]["normal"]["text"] == "922337203685477.5807"


def test_the_wished_interval_is_told_from_the_moment_it_is_set(lab, board):
    assert board.upload()["interval"] is None
    for wish, told in ((120, 120), (3600, 3600), (0, None)):
        # As by the command, in another process.
        other = Store(lab.store.url)
        with other.writing() as connection:
            settings.write(connection, {"upload.interval": wish})
        other.close()
        assert board.upload()["interval"] == told
    with pytest.raises(settings.SettingError, match="0, or between 10 and 3600"):
        settings.check("upload.interval", 9)


def test_a_heartbeat_without_readings_keeps_the_status(lab, board):
    assert board.upload(status={"word": "radio", "code": "too-far"})["ack"] == []
    lab.now += 60
    board.upload()
    detail = board.detail()
    assert detail["status"] == {"word": "radio", "code": "too-far"}
    assert (detail["status_t"], detail["last_seen"]) == (T0, T0 + 60)
    board.upload(status={"word": None})
    assert board.detail()["status"] == {"word": None}


def test_a_wrong_status_never_stops_readings(board, instant, caplog):
    answer = board.upload(instant(1), status={"rssi": "near", "fw": "0.1.0"})
    assert answer["ack"] == [[1, 1]]
    assert board.detail()["status"] == {"fw": "0.1.0"}
    assert "status ignored: rssi" in caplog.text


def test_a_long_answer_still_ends(board, row):
    # As a board does it: what was neither acknowledged nor rejected is sent again.
    waiting = {n: row(n, "nonsense" if n % 2 else "instant", T0 - n) for n in range(1000)}
    for _ in range(50):
        answer = board.post({"v": 1, "stream": 1, "readings": list(waiting.values())})
        assert len(answer.content) <= 4096
        for first, last in answer.json()["ack"]:
            for seq in range(first, last + 1):
                del waiting[seq]
        for seq, _ in answer.json()["rejected"]:
            del waiting[seq]
        if not waiting:
            break
    assert not waiting
    detail = board.detail()
    assert (detail["stored"], detail["rejected"]) == (500, 500)


# ---- conflicts and merging ----


def test_normal_and_reverse_of_a_slot_become_one_row(board, slot):
    board.upload(slot(1, normal=100, origin="E2"))
    board.upload(slot(2, reverse=7, origin="E4", quality="meter"))
    (reading,) = board.readings()
    assert (reading["normal"], reading["reverse"]) == (100, 7)
    assert reading["origins"] == ["E2", "E4"]
    assert reading["conflicts"] == []


def test_a_different_value_is_kept_beside_and_shown(lab, board, slot):
    board.upload(slot(1, normal=100))
    board.upload(slot(2, normal=101, reverse=5, origin="E2"))
    board.upload(slot(3, normal=101, origin="EC"))  # the same disagreement again: nothing
    board.upload(slot(4, normal=100, origin="EC"))
    (reading,) = board.readings()
    assert (reading["normal"], reading["reverse"]) == (100, 5)
    assert reading["conflicts"] == [
        {"field": "normal", "value": 101, "quality": "ntp", "origin": "E2"}
    ]
    detail = board.detail()
    assert (detail["stored"], detail["conflicts"]) == (1, 1)
    with lab.store.reading() as connection:
        assert len(connection.execute(select(Conflict.value)).all()) == 1


def test_two_reports_of_one_moment_in_one_upload_merge_too(board, slot, instant):
    board.upload(
        slot(1, normal=100),
        slot(2, reverse=7),
        slot(3, normal=99),
        instant(4, power=1),
        instant(5, power=None, normal=3),
        instant(6, power=2),
    )
    half_hour, now = board.readings()
    assert (half_hour["normal"], half_hour["reverse"]) == (100, 7)
    assert [c["value"] for c in half_hour["conflicts"]] == [99]
    assert (now["power"], now["normal"]) == (1, 3)
    assert [c["value"] for c in now["conflicts"]] == [2]


def test_kinds_do_not_mix(board, slot, row):
    board.upload(slot(1, normal=100), row(2, "instant", normal=200), row(3, "minute", normal=300))
    assert {r["kind"]: r["normal"] for r in board.readings()} == {
        "half-hour": 100,
        "instant": 200,
        "minute": 300,
    }


# ---- sequence numbers ----


def test_received_numbers_are_kept_as_ranges_not_one_by_one(lab, board, instant):
    for start in (0, 200, 100, 300):
        board.upload(*[instant(n, t=T0 - n) for n in range(start, start + 100)])
    with lab.store.reading() as connection:
        rows = connection.execute(select(Received.first, Received.last)).all()
    assert [tuple(row) for row in rows] == [(0, 399)]
    assert board.detail()["streams"] == [{"stream": 1, "received": [[0, 399]]}]


def test_a_number_given_twice_in_one_upload_holds_up_nothing_and_both_are_kept(board, instant):
    answer = board.upload(
        instant(1), instant(2, T0 - 30, 7), instant(2, T0 - 60, 8), instant(2, T0 - 30, 7)
    )
    assert (answer["ack"], answer["rejected"]) == ([[1, 2]], [])
    assert [(r["t"], r["power"]) for r in board.readings()] == [
        (T0 - 60, 8),
        (T0 - 30, 7),
        (T0, 500),
    ]
    # Again, and nothing is new.
    board.upload(instant(2, T0 - 30, 7), instant(2, T0 - 60, 8))
    assert (board.detail()["stored"], board.detail()["conflicts"]) == (3, 0)


def test_of_two_with_one_number_the_wrong_one_is_set_aside(board, instant):
    answer = board.upload(instant(2), instant(2, T0 - 60, 1.5), instant(2, T0 - 90, 2.5))
    why = "power: must be a valid integer"
    assert (answer["ack"], answer["rejected"]) == ([], [[2, why]])
    assert [reading["t"] for reading in board.readings()] == [T0]
    (kept,) = board.detail()["rejections"]
    assert kept["row"].startswith(f'[2,"instant",{T0 - 60},')


@pytest.mark.parametrize("values", [{"power": 8}, {"power": None, "normal": 5}])
def test_an_old_number_with_another_reading_is_not_taken_for_the_old_one(board, instant, values):
    board.upload(instant(1), instant(2, T0 - 30))
    answer = board.upload(instant(2, T0 - 60, **values), instant(3, T0 - 90))
    assert (answer["ack"], answer["rejected"]) == ([[2, 3]], [])
    found = {reading["t"]: reading for reading in board.readings()}
    assert set(found) == {T0, T0 - 30, T0 - 60, T0 - 90}
    assert all(found[T0 - 60][name] == value for name, value in values.items())
    # A value that is added to a reading already sent comes with the number it had.
    board.upload(instant(1, T0, None, reverse=77))
    assert board.readings()[-1]["reverse"] == 77
    assert board.readings()[-1]["power"] == 500
    assert board.detail()["conflicts"] == 0


def test_another_stream_has_its_own_numbers(board, instant):
    board.upload(instant(1), stream=1)
    assert board.upload(instant(1, t=T0 + 30), stream=2**32 - 1)["ack"] == [[1, 1]]
    assert len(board.readings()) == 2


def test_old_ranges_are_forgotten_and_sending_again_is_still_harmless(
    lab, board, instant, monkeypatch
):
    monkeypatch.setattr(
        ingest,
        "_OLDEST_SPAN_KEPT",
        ingest._OLDEST_SPAN_KEPT.offset(9),  # pyright: ignore
    )
    holes = [instant(n, t=T0 - n) for n in range(0, 100, 2)]
    board.upload(*holes)
    (stream,) = board.detail()["streams"]
    assert stream["received"] == [[n, n] for n in range(80, 100, 2)]
    assert board.upload(*holes)["ack"] == [[n, n] for n in range(0, 100, 2)]
    assert len(board.readings()) == 50
    assert board.detail()["conflicts"] == 0


def test_a_rejected_number_is_counted_once_and_may_become_right(lab, board, instant):
    lab.now = T0 - 10 * 86_400  # our own clock is behind
    for _ in range(3):
        answer = board.upload(instant(1, quality="server"))
        assert answer["rejected"] == [[1, "t: lies in the future"]]
    assert board.detail()["rejected"] == 1
    lab.now = T0
    assert board.upload(instant(1, quality="server"))["ack"] == [[1, 1]]
    assert board.detail()["rejections"] == []
    assert len(board.readings()) == 1


def test_only_the_newest_rejected_readings_are_kept(lab, board, row, monkeypatch):
    monkeypatch.setattr(aside, "MOST_REJECTIONS", 5)
    for n in range(4):
        lab.now += 1
        board.upload(*[row(10 * n + k, "nonsense") for k in range(4)])
    with lab.store.reading() as connection:
        kept = connection.execute(select(Rejection.seq).order_by(Rejection.seq)).scalars().all()
    assert kept == [23, 30, 31, 32, 33]
    assert board.detail()["rejected"] == 16
