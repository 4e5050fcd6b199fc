# How the radio link has fared: kept in bits and bytes, read by people and programs.
from binascii import a2b_base64

from fakeclock import FakeClock, Lines
from gateway import track, view
from gateway.status import Status

QUARTER = 900_000


class Board:
    name = "fake"

    def led(self, pattern):
        pass

    def reset_cause(self):
        return "power-on"


def status():
    return Status(Board(), FakeClock(), Lines())


def test_every_event_is_counted_under_its_name():
    s = status()
    for code in (0x24, 0x25, 0x25, 0x26, 0x27, 0x28, 0x29, 0x32, 0x33, 0x34, 0x35, 0x36, 0x37):
        s.event(code, None)
    for value in (0, 0, 1, 2):
        s.event(0x21, value)
    for code in range(0x38, 0x40):
        s.event(code, 0)
    assert track.counters(s) == {
        "event.sent": 2,
        "event.unsent": 1,
        "event.queued": 1,
        "event.join-failed": 1,
        "event.joined": 2,
        "event.peer-closed": 1,
        "event.ended": 1,
        "event.end-timeout": 1,
        "event.expired": 1,
        "event.limited": 1,
        "event.unlimited": 1,
        "event.lost": 1,
        "event.receive-failed": 1,
        "event.garbage": 1,
        "event.reboot": 1,
        "step.setup": 1,
        "step.join": 1,
        "step.scan": 1,
        "step.reset": 1,
        "step.pin": 1,
        "step.power": 1,
        "step.board": 1,
        "step.retry": 1,
    }


def test_the_last_fifty_events_are_kept():
    s = status()
    assert list(track.events(s)) == [] and track.packed(s) == ""
    s.event(0x29, None)
    s.clock.t += 7_000
    s.event(0x24, 3)
    s.event(0x21, 1)
    assert list(track.events(s)) == [(5, "expired", 0), (12, "join-failed", 3), (12, "unsent", 1)]
    for n in range(70):
        s.clock.t += 1000
        s.event(0x3F, n)
    told = list(track.events(s))
    assert len(told) == 50
    assert told[0] == (12 + 21, "retry", 20) and told[-1] == (12 + 70, "retry", 69)


def test_what_is_all_in_a_days_work_pushes_nothing_out():
    s = status()
    s.event(0x26, None)
    for code, value in ((0x20, None), (0x21, 0), (0x21, 2), (0x36, 700)):
        for _ in range(60):
            s.event(code, value)
    assert [e[1] for e in track.events(s)] == ["peer-closed"]


def test_the_upload_has_five_bytes_for_each():
    s = status()
    s.clock.t = 0x123456 * 1000
    s.event(0x24, 2)
    s.event(0x25, None)
    assert a2b_base64(track.packed(s)) == b"\x12\x34\x56\x24\x02\x12\x34\x56\x25\x00"
    for n in range(50):
        s.event(0x36 if n % 7 else 0x37, 1000)
    for n in range(120):
        s.event(0x34, n)
    text = track.packed(s)
    assert len(text) == 336 and a2b_base64(text)[-1] == 119
    s.clock.t = 200 * 86_400_000  # the seconds begin anew after half a year
    s.event(0x34, 0)
    assert list(track.events(s))[-1][0] == 200 * 86_400 - (1 << 24)


def test_quality_is_of_the_last_thirty_requests():
    s = status()
    assert track.quality(s) is None
    for why in (None, "silent", None, "unsent", "gate"):
        s.try_ended(why)
    assert (s.tried, track.quality(s)) == (4, (25, 25))
    for _ in range(30):
        s.try_ended(None)
    assert (s.tried, track.quality(s)) == (30, (0, 0))
    for _ in range(10):
        s.try_ended("silent")
    for _ in range(5):
        s.try_ended("unsent")
    assert track.quality(s) == (17, 33)
    for _ in range(40):
        s.try_ended("silent")
    assert track.quality(s) == (0, 100)


def test_signal_strength_is_smoothed():
    s = status()
    s.radio(-60)
    assert s.rssi == -60
    s.radio(-80)
    assert s.rssi == -65
    for _ in range(30):
        s.radio(-80)
    assert s.rssi == -80
    for _ in range(30):
        s.radio(-61)
    assert s.rssi == -61
    # what is old has no weight
    s.clock.t += 2 * QUARTER
    s.radio(-90)
    assert s.rssi == -90 and s.far


def test_one_weak_frame_is_not_too_far():
    s = status()
    for _ in range(10):
        s.radio(-85)
    s.radio(-94)
    assert not s.far
    for _ in range(10):
        s.radio(-94)
    assert s.far


def test_a_day_of_signal_strength():
    s = status()
    s.clock.t = 50 * QUARTER
    assert list(track.day(s)) == []
    s.radio(-50)
    s.clock.t += 2 * QUARTER
    s.radio(-70)
    told = list(track.day(s))
    assert len(told) == 96
    assert told[-4:] == [None, -50, None, -70] and set(told[:-4]) == {None}
    s.clock.t += 3 * QUARTER + 5
    assert list(track.day(s))[-6:] == [-50, None, -70, None, None, None]
    for n in range(100):
        s.clock.t += QUARTER
        s.radio(-40 - n // 2)
    told = list(track.day(s))
    assert None not in told and len(told) == 96
    s.clock.t += 40 * QUARTER
    s.radio(-80)
    told = list(track.day(s))
    assert told[-1] == -80 and set(told[-40:-1]) == {None} and None not in told[:56]
    s.clock.t += 500 * QUARTER
    assert set(track.day(s)) == {None}


def test_the_owner_can_read_it():
    s = status()
    lines = []
    view.status(s, lines.append)
    assert not [line for line in lines if line[:6] in ("link  ", "signal", "events")]
    s.radio(-72)
    s.clock.t += QUARTER
    s.radio(-60)
    s.try_ended(None)
    s.try_ended("silent")
    s.event(0x24, 2)
    for _ in range(60):
        s.clock.t += 60_000
        s.event(0x3F, 1)
    lines = []
    view.status(s, lines.append)
    assert "link       of the last 2 requests 0 % not acknowledged, 50 % not answered" in lines
    assert any(line.startswith("signal     -7") and "to -6" in line for line in lines)
    events = [line for line in lines if "ago retry 1" in line]
    assert len(events) > 10 and max([len(line) for line in lines]) < 80
    assert events[-1].endswith("0 s ago retry 1")
