# What was delivered, day by day; and what is asked of the meter's history, and when.
import struct

from echonet.dates import jst, utc
from fakeboard import FakeNvs, PowerCut
from gateway.reading import Reading
from helpers import run
from repairrig import DAY, JST, NONE, NOW, TODAY, Rig, settled

# -- the map


def test_what_is_delivered_is_remembered_and_moves_on_with_the_days():
    r = Rig().repair
    r.delivered(NOW - NOW % 1800)
    assert settled(r, NOW) and r.first == TODAY - 99
    r.delivered(NOW - 99 * DAY)
    assert settled(r, NOW - 99 * DAY)
    r.delivered(NOW - 101 * DAY)  # older than anything that can be told
    assert sum([bin(b).count("1") for b in r.map]) == 2
    r.delivered(NOW + DAY)
    assert settled(r, NOW) and settled(r, NOW + DAY) and r.first == TODAY - 98
    assert not settled(r, NOW - 98 * DAY)
    r.delivered(NOW + 500 * DAY)
    assert sum([bin(b).count("1") for b in r.map]) == 1


def test_a_half_hour_in_one_direction_is_not_done():
    rig = Rig()
    rig.repair.delivered(NOW, True)
    assert not settled(rig.repair, NOW), "the meter has the other direction, too"
    rig.repair.delivered(NOW - 2 * DAY, True)
    assert settled(rig.repair, NOW - 2 * DAY), "the meter was asked for that, and had no more"
    rig.map = b"\xe2\xe5\xea"
    rig.repair.delivered(NOW, True)
    assert settled(rig.repair, NOW)


def test_what_the_server_refuses_is_not_read_again():
    rig = Rig()
    r = rig.repair
    t = NOW // 1800 * 1800
    for k in range(48 * 100):
        if k != 77:
            r.delivered(t - 1800 * k)
    t -= 1800 * 77
    r.delivered(t, None)
    assert settled(r, t)
    # A wrong time moves nothing.
    before = bytes(r.map), r.first
    r.delivered(NOW + 9 * DAY, None)
    assert before == (bytes(r.map), r.first)
    assert not history(rig)
    # But when the server wants the day all the same, it gets it.
    r.want(["%d-%02d-%02d" % jst(t)[:3]])
    assert not settled(r, t)
    assert history(rig)


# What it asks of the meter's history now, before there are newer half-hours.
def history(rig):
    wait = 0
    while wait < 600_000:
        rig.clock.t += wait
        wait = max(rig.step(), 1)
    return {0xE2, 0xE4, 0xEC} & {epc for epc, _ in rig.asked}


def test_every_half_hour_of_a_day_has_its_own_bit():
    r = Rig().repair
    begin = TODAY * DAY - JST
    for k in range(48):
        r.delivered(begin + 1800 * k)
        assert sum([bin(b).count("1") for b in r.map]) == k + 1
    assert r.map[-6:] == b"\xff" * 6


def test_the_map_survives_a_restart_and_costs_one_write():
    rig = Rig()
    for k in range(20):
        rig.repair.delivered(NOW - 1800 * k)
    rig.board.nvs.writes = 0
    rig.repair.save()
    rig.repair.save()
    assert rig.board.nvs.writes == 1
    again = Rig(rig.board.nvs).repair
    assert again.map == rig.repair.map and again.first == rig.repair.first


def test_a_power_cut_leaves_the_old_map_or_the_new_one():
    for tear in ("old", "new", "half", "noise", "none"):
        rig = Rig()
        rig.repair.delivered(NOW)
        rig.repair.save()
        old = bytes(rig.repair.map)
        rig.repair.delivered(NOW - 1800)
        rig.board.nvs.cut_after(0, tear)
        try:
            rig.repair.save()
        except PowerCut:
            pass
        again = Rig(FakeNvs(rig.board.nvs.blobs)).repair
        assert bytes(again.map) in (old, bytes(rig.repair.map)), tear


def test_a_lost_map_means_that_all_is_read_again():
    rig = Rig()
    rig.repair.delivered(NOW)
    rig.repair.save()
    blobs = {name: b"\x00" * len(b) for name, b in rig.board.nvs.blobs.items() if "repair" in name}
    again = Rig(FakeNvs(blobs))
    assert not any(again.repair.map) and again.log.lines
    short = Rig(FakeNvs({}))
    short.board.nvs.blobs.update({})
    assert short.repair.told is None


def test_a_clock_that_was_wrong_for_a_while_does_not_end_the_mending():
    for now, offset in ((5 * 365 * DAY, -5 * 365 * DAY), (0, 5 * 365 * DAY), (20 * DAY, 0)):
        rig = Rig(now=NOW + now)
        rig.offset = offset
        for _ in range(9):
            rig.clock.t += rig.step()
        rig.repair.delivered(NOW + now + offset)  # what that clock made of a half-hour
        rig.repair.save()
        rig = Rig(rig.board.nvs)
        rig.steps(4)
        assert [epc for epc, _ in rig.asked] == [0x98, 0xE5, 0xE2, 0xE4], (now, offset)
        assert rig.repair.first == TODAY - 99
        assert len(rig.outbox.kept) == 27


def test_clocks_that_are_days_apart_are_waited_for():
    """What is filed under a wrong time stays there; the history is still there when they agree."""
    for offset in (3 * DAY, -3 * DAY, -26 * 365 * DAY):
        rig = Rig()
        rig.clock.set = lambda utc, quality, at: False  # the meter is not believed
        rig.offset = offset
        rig.steps(3)
        assert {epc for epc, _ in rig.asked} == {0x98} and not rig.outbox.kept
        assert rig.clock.t >= 2 * 900_000
        rig.offset = 0
        rig.steps(4)
        assert [epc for epc, _ in rig.asked[3:]] == [0x98, 0xE5, 0xE2, 0xE4]
        assert len(rig.outbox.kept) >= 27


def test_a_meter_that_tells_no_time_at_all_is_believed_to_have_ours():
    rig = Rig(epcs=b"\x82\xe2\xe4\xe5")
    rig.props[0x82] = b"\0\0F\0"
    rig.steps(4)
    assert [epc for epc, _ in rig.asked] == [0x82, 0xE5, 0xE2, 0xE4]
    assert len(rig.outbox.kept) == 27


def test_days_that_are_right_stay_when_the_clock_comes_back():
    rig = Rig()
    for k in range(48 * 30):
        rig.repair.delivered(NOW - 1800 * k)
    rig.repair.delivered(NOW + 20 * DAY)
    rig.steps(3)
    r = rig.repair
    assert r.first == TODAY - 99
    assert settled(r, NOW) and settled(r, NOW - 29 * DAY) and not settled(r, NOW - 31 * DAY)
    assert sum([bin(b).count("1") for b in r.map]) == 48 * 30


def test_a_clock_of_ours_that_is_behind_costs_no_day():
    rig = Rig()
    for k in range(48 * 30):
        rig.repair.delivered(NOW - 1800 * k)
    rig.repair.save()
    rig = Rig(rig.board.nvs, now=NOW - 10 * DAY)
    rig.offset = 10 * DAY
    rig.steps(2)
    assert sum([bin(b).count("1") for b in rig.repair.map]) == 48 * 30


# -- when it asks


def test_it_does_not_disturb():
    rig = Rig()
    assert rig.step(left=9_999) == 9_999, "the next poll is too near"

    async def busy():
        async with rig.air:
            return await rig.repair.step(rig.exchange, 25_000)

    assert run(busy()) == 25_000
    rig.outbox.waiting = 17
    assert rig.step() == 5_000
    rig.repair.due = 0
    rig.status.problem("server", "unreachable")
    assert rig.step() == 60_000
    assert rig.asked == []


def test_it_keeps_clear_of_half_hours_and_midnight():
    for hour, minute, wait in (
        (14, 0, 360),
        (14, 5, 60),
        (14, 28, 480),
        (14, 30, 360),
        (14, 59, 420),
        (23, 50, 0),
    ):
        rig = Rig(now=utc(2026, 11, 20, hour, minute, 0))
        assert rig.step() == (wait * 1000 or 1), (hour, minute)
        assert bool(rig.asked) == (not wait)
    # The meter's clock may be another one than ours: it is midnight there.
    for offset, minute in ((900, 38), (-900, 10)):
        rig = Rig(now=utc(2026, 11, 20, 23 if offset > 0 else 0, minute, 0))
        rig.offset = offset
        rig.step()  # its clock
        assert [epc for epc, _ in rig.asked] == [0x98]
        assert rig.step() > 1 or rig.step() > 1
        assert len(rig.asked) == 1


def test_without_a_clock_or_a_unit_nothing_is_asked():
    rig = Rig(now=None)
    assert rig.step() == 60_000
    rig = Rig()
    rig.constants = None
    assert rig.step() == 60_000
    assert rig.asked == []


# -- what it asks


def test_a_day_is_set_read_in_both_directions_and_kept():
    rig = Rig()
    rig.steps(4)
    assert [epc for epc, _ in rig.asked] == [0x98, 0xE5, 0xE2, 0xE4]
    assert rig.asked[1][1] == b"\x00"
    rows = rig.outbox.kept
    assert len(rows) == 27  # 00:00 to 13:00; younger ones are live polling's business
    t = TODAY * DAY - JST
    normal, reverse = rig.value(t)
    assert rows[-1] == Reading(
        "half-hour", t, "meter", None, None, None, normal * 1000, reverse * 1000, "E2"
    )
    assert [r.t for r in rows] == [t + 1800 * k for k in range(26, -1, -1)]
    rig.steps(1)
    assert rig.asked[4] == (0xE5, b"\x01")


def test_it_hands_on_only_as_fast_as_the_outbox_is_emptied():
    rig = Rig()
    rig.outbox.append = lambda r: (rig.outbox.kept.append(r), setattr(rig.outbox, "waiting", 32))
    rig.outbox.waiting = 16
    rig.steps(4)
    assert len(rig.outbox.kept) == 1
    for n in range(2, 28):
        assert rig.step() > 1000
        rig.clock.t += 5_000
        rig.step()
        assert len(rig.outbox.kept) == n - 1, "not before the outbox has room"
        rig.outbox.waiting = 31
        rig.clock.t += 5_000
        rig.step()
        assert len(rig.outbox.kept) == n
    assert rig.repair.stage == 0 and len(rig.asked) == 4


def test_nothing_is_invented():
    rig = Rig()
    gap = NOW - NOW % 1800 - 5 * 1800
    whole = rig.value
    rig.value = lambda t: (NONE, NONE) if t == gap else whole(t)
    rig.steps(4)
    assert gap not in [r.t for r in rig.outbox.kept]
    assert settled(rig.repair, gap), "the meter was asked, and does not know"
    assert not settled(rig.repair, gap - 1800), "not before the server has it"


def test_an_answer_of_another_day_is_not_taken():
    rig = Rig()
    wrong = struct.pack(">H", 3) + struct.pack(">I", 7) * 48
    rig.props[0xE2] = wrong
    rig.steps(3)
    assert rig.outbox.kept == [] and rig.status.counters["history.wrong-day"] == 1
    del rig.props[0xE2]
    rig.steps(3)
    assert [epc for epc, _ in rig.asked[3:]] == [0xE5, 0xE2, 0xE4], "the day is set anew"
    assert len(rig.outbox.kept) == 27


def test_a_meter_that_lost_the_day_is_told_it_again():
    rig = Rig()
    rig.props[0xE2] = struct.pack(">H", 0xFF) + struct.pack(">I", NONE) * 48
    rig.steps(4)
    assert [epc for epc, _ in rig.asked] == [0x98, 0xE5, 0xE2, 0xE5]


def test_broken_answers_are_counted_and_passed_over():
    for edt in (b"\x00\x00", b"\x00\x77" + bytes(192), bytes(195)):
        rig = Rig()
        rig.props[0xE2] = edt
        rig.steps(3)
        assert rig.status.counters["history.bad"] == 1
        assert rig.outbox.kept == []
        rig.steps(5)  # twice more; then that day is passed over, after a rest
        assert rig.asked[-1] == (0xE5, b"\x01") and rig.clock.t > 900_000


def test_midnight_between_setting_and_reading():
    rig = Rig(now=utc(2026, 11, 20, 23, 40, 0))
    rig.steps(2)
    assert rig.asked[-1] == (0xE5, b"\x00")
    rig.clock.t += 40 * 60_000  # it took its time
    rig.repair.due = 0
    rig.steps(1)
    assert rig.asked[-1][0] == 0xE2
    assert rig.outbox.kept == [] and rig.status.counters["history.midnight"] == 1


def test_the_last_day_is_the_99th_and_then_there_is_peace():
    rig = Rig()
    r = rig.repair
    r.delivered(NOW)
    for i in range(6, len(r.map)):
        r.map[i] = 0xFF
    rig.steps(4)
    assert rig.asked[1] == (0xE5, b"\x63") and len(rig.outbox.kept) == 48
    assert rig.outbox.kept[-1].t == (TODAY - 99) * DAY - JST
    for row in rig.outbox.kept:
        r.delivered(row.t)
    end = rig.clock.t + DAY * 990
    while rig.clock.t < end:
        rig.clock.t += rig.step()
    assert len(rig.asked) == 4 and r.at is None and r.told["missing"] == 0


def test_want_makes_days_missing_once():
    rig = Rig()
    r = rig.repair
    r.delivered(NOW)
    for k in range(48 * 3):
        r.delivered(TODAY * DAY - JST - 1800 * k)
    day = TODAY - 1
    text = "%d-%02d-%02d" % jst(day * DAY - JST)[:3]
    r.want([text, "2026-13-01", "rubbish", "", "2020-01-01"])
    assert not settled(r, day * DAY - JST) and settled(r, (day - 1) * DAY - JST)
    assert len(rig.log.lines) == 1
    r.delivered(day * DAY - JST)
    r.want([text])
    assert settled(r, day * DAY - JST), "what the meter does not know is wanted for ever"
    r.delivered(NOW + 8 * DAY)
    r.want([text])
    assert not settled(r, day * DAY - JST), "but another server may want it next week"
