# pyright: reportOptionalMemberAccess=false, reportAttributeAccessIssue=false
# pyright: reportArgumentType=false
import json

from fakeclock import FakeClock, Lines
from gateway import led, summary
from gateway.led import PATTERNS
from gateway.reading import Reading
from gateway.status import WORDS, Status
from gateway.summary import rssi_class, tenths

UTC = 1763609696  # 2025-11-20 12:34:56 JST


class Board:
    name = "fake"

    def __init__(self):
        self.patterns = []

    def led(self, pattern):
        self.patterns.append(pattern)

    def reset_cause(self):
        return "power-on"


def status(utc=UTC, phase="running"):
    s = Status(Board(), FakeClock(utc), Lines())
    s.set_phase(phase)
    return s


def reading(**values):
    fields = {
        "kind": "instant",
        "t": UTC,
        "quality": "ntp",
        "power": 1234,
        "current_r": 50,
        "current_t": 61,
        "normal": None,
        "reverse": None,
        "origin": "get",
    }
    fields.update(values)
    names = "kind t quality power current_r current_t normal reverse origin".split()
    return Reading(*[fields[n] for n in names])


def test_a_late_answer_is_not_the_newest_value():
    s = status()
    s.reading(reading(power=5, normal=7))
    s.reading(reading(power=6, normal=8, t=UTC - 60))
    assert s.last.power == 5 and s.energy.normal == 7
    s.reading(reading(power=9, normal=9, t=UTC - 301))
    assert s.last.power == 9 and s.energy.normal == 9, "the clock was set back"


# -- the lamp

# phase, rssi, {word: code}, {task: deaths} -> pattern
LED = (
    ("running", None, {}, {}, "ok"),
    ("running", -88, {}, {}, "ok"),
    ("running", -89, {}, {}, "too-far"),
    ("running", -60, {"network": "no-wifi"}, {}, "network"),
    ("running", -89, {"network": "no-wifi"}, {}, "network"),
    ("running", -60, {"server": "refused"}, {}, "server"),
    ("running", -89, {"server": "refused"}, {}, "server"),
    ("running", -60, {"network": "no-wifi", "server": "unreachable"}, {}, "network"),
    ("running", -60, {"meter": "silent"}, {}, "meter"),
    ("running", -89, {"meter": "silent"}, {}, "too-far"),
    ("running", -60, {"meter": "silent", "network": "no-wifi"}, {}, "meter"),
    ("running", -60, {"radio": "too-far"}, {}, "too-far"),
    ("running", None, {"radio": "link-lost"}, {}, "joining"),
    ("joining", None, {}, {}, "joining"),
    ("joining", -60, {}, {}, "joining"),
    ("joining", -89, {}, {}, "too-far"),
    ("joining", -60, {"radio": "too-far"}, {}, "too-far"),
    ("joining", None, {"radio": "no-beacon"}, {}, "joining"),
    ("joining", None, {"radio": "no-beacon", "network": "no-wifi"}, {}, "joining"),
    ("joining", None, {"radio": "module-silent"}, {}, "fault"),
    ("joining", None, {"radio": "no-module"}, {}, "fault"),
    ("joining", -60, {"config": "wrong-password"}, {}, "config"),
    ("joining", -95, {"config": "wrong-id", "radio": "too-far"}, {}, "config"),
    ("starting", None, {}, {}, "joining"),
    ("starting", None, {"config": "missing-settings"}, {}, "config"),
    ("running", -60, {}, {"uplink": 1}, "ok"),
    ("running", -60, {}, {"uplink": 2}, "fault"),
    ("running", -60, {"config": "wrong-id"}, {"uplink": 1, "network": 3}, "fault"),
    ("safe", -95, {"config": "wrong-id"}, {"uplink": 2}, "safe"),
    ("stopped", -95, {"config": "wrong-id"}, {"uplink": 2}, "off"),
)


def test_led_names_the_right_thing():
    for phase, rssi, problems, faults, name in LED:
        s = status(phase=phase)
        s.radio(rssi)
        for word, code in problems.items():
            s.problem(word, code)
        for task, deaths in faults.items():
            s.fault(task, deaths)
        assert led.name(s) == name, (phase, rssi, problems, faults, led.name(s))
        assert s.board.patterns[-1] == PATTERNS[name]


def test_every_pattern_is_reached():
    assert {row[4] for row in LED} == set(PATTERNS)


def test_the_lamp_is_touched_only_when_the_pattern_changes():
    s = status(phase="joining")
    n = len(s.board.patterns)
    s.set_phase("joining")
    s.radio(-60)
    s.radio(-61)
    s.reading(reading())
    s.problem("radio", "no-beacon")
    s.problem("radio", "link-lost")
    assert len(s.board.patterns) == n
    s.clear("radio")
    s.set_phase("running")
    assert s.board.patterns[n:] == [PATTERNS["ok"]]


# -- problems


def test_a_problem_holds_until_cleared():
    s = status()
    assert s.worst() == (None, None, None)
    s.problem("server", "refused", "the token is not known")
    assert s.code("server") == "refused"
    assert s.detail("server") == "the token is not known"
    assert s.code("network") is None and s.detail("network") is None
    s.clear("server")
    s.clear("server")
    assert s.worst() == (None, None, None)


def test_the_first_break_on_the_way_is_named():
    s = status()
    for word in reversed(WORDS):
        s.problem(word, "x", "in " + word)
        assert s.worst() == (word, "x", "in " + word)


def test_a_problem_is_logged_once_and_its_end_too():
    s = status()
    for n in range(5):
        s.problem("network", "no-wifi", "try %d" % n)
    s.clear("network")
    s.clear("network")
    told = [line for line in s.log.lines if line.startswith("network")]
    assert told == ["network: no-wifi (try 0)", "network: all right again"]


def test_a_new_code_is_logged_again():
    s = status()
    s.problem("network", "no-wifi")
    s.problem("network", "wrong-key", "five times")
    assert s.log.lines[-2:] == ["network: no-wifi", "network: wrong-key (five times)"]


def test_details_are_bounded():
    s = status()
    s.problem("server", "bad-reply", "<html>" * 1000)
    assert len(s.detail("server")) <= 120


def test_a_task_that_keeps_dying_is_a_fault_and_a_single_death_is_none():
    s = status()
    s.fault("uplink", 1)
    assert s.worst() == (None, None, None)
    s.fault("uplink", 2)
    assert s.worst() == (None, "fault", "uplink died 2 times in a row")
    s.fault("uplink", 0)
    s.fault("meter", 0)
    assert s.worst() == (None, None, None)


# -- values


def test_readings_keep_power_and_energy_apart():
    s = status()
    s.reading(reading(power=-300))
    s.reading(reading(kind="half-hour", power=None, normal=123456789, reverse=0, origin="inf"))
    assert s.last.power == -300
    assert s.energy.normal == 123456789


def test_history_is_not_the_newest():
    s = status()
    s.reading(reading(normal=5))
    for origin in ("E2", "E4", "EC", "EE"):
        s.reading(reading(power=9, normal=9, origin=origin))
    assert s.last.power == 1234 and s.energy.normal == 5


def test_zero_is_a_value():
    s = status()
    s.reading(reading(power=0, current_r=0, current_t=0, normal=0))
    assert s.last.power == 0 and s.energy.normal == 0
    assert "  0 W  0.0+0.0 A  0.0 kWh  " in summary.line(s)


def test_rssi_keeps_its_age():
    s = status()
    s.radio(-71)
    s.clock.t += 30_500
    s.radio(None)
    snap = summary.snapshot(s)
    assert snap["rssi"] == -71 and snap["rssi_age"] == 30


def test_rssi_classes():
    assert rssi_class(None) is None
    told = [rssi_class(n) for n in (-35, -70, -71, -80, -81, -88, -89, -120)]
    assert told == ["good", "good", "fair", "fair", "poor", "poor", "too far", "too far"]


def test_tenths_are_exact_and_signed():
    assert [
        tenths(n) for n in (0, 5, -5, 10, -15, 123456)
    ] == "0.0 0.5 -0.5 1.0 -1.5 12345.6".split()


def test_counters():
    s = status()
    s.count("poll.ok")
    s.count("poll.ok")
    s.count("uploaded", 12)
    s.event(0x25, None)
    s.event(0x39, 0)
    assert summary.snapshot(s)["counters"] == {
        "poll.ok": 2,
        "uploaded": 12,
        "event.joined": 1,
        "step.join": 1,
    }


# -- what others get


def test_snapshot_is_json_and_small():
    s = status()
    s.attach("outbox", lambda: {"queue": 3})
    s.attach("outbox", lambda: {"queue": 4})
    s.module = "skstack 1 BP35A1"
    s.radio(-71)
    s.reading(reading(normal=2**40, reverse=0))
    s.problem("server", "refused", "nein")
    for n in range(30):
        s.count("counter.%d" % n, 1000)
    for _ in range(60):
        s.event(0x24, 3)
    text = json.dumps(summary.snapshot(s))
    assert len(text) < 1900
    back = json.loads(text)
    assert back["word"] == "server" and back["code"] == "refused" and back["detail"] == "nein"
    assert back["queue"] == 4 and back["rssi"] == -71 and back["board"] == "fake"
    assert back["uptime"] == 5 and back["reset"] == "power-on"
    assert back["fw"].count(".") == 2


def test_frozen_it_needs_its_sources_no_more():
    s = status()
    queue = [3]
    s.attach("outbox", lambda: {"queue": queue[0]})
    s.on_change = queue.clear
    s.freeze()
    queue[0] = 5
    assert summary.snapshot(s)["queue"] == 3
    s.set_phase("stopped")
    assert queue == [5]


def test_line_of_a_running_gateway():
    s = status()
    s.attach("outbox", lambda: {"queue": 3})
    s.radio(-71)
    s.reading(reading(normal=123456789))
    s.count("uploaded", 120)
    assert summary.line(s) == (
        "12:34:56  running  1234 W  5.0+6.1 A  12345.6 kWh  -71 dBm fair  queue 3  sent 120"
    )


def test_line_leaves_out_what_is_not_known():
    s = status(utc=None, phase="joining")
    assert summary.line(s) == "--:--:--  joining  sent 0"
    s.problem("config", "wrong-password", "three refusals")
    assert summary.line(s) == "--:--:--  config: wrong-password  sent 0"
    s.clear("config")
    s.reading(reading(power=-1500, current_r=-75, current_t=None, normal=1000, reverse=98760))
    assert summary.line(s) == "--:--:--  joining  -1500 W  -7.5 A  0.1 kWh in  9.8 kWh out  sent 0"


def test_on_change_is_told_of_every_change():
    s = status()
    told = []
    s.on_change = lambda: told.append(s.phase)
    s.set_phase("running")
    assert not told
    s.set_phase("joining")
    s.problem("radio", "no-beacon")
    s.problem("radio", "no-beacon")
    s.reading(reading())
    s.clear("radio")
    s.clear("radio")
    assert len(told) == 4


def test_what_changed_while_there_was_no_memory_is_told_afterwards():
    s = status()
    told = []
    s.on_change = lambda: told.append(s.phase)
    s.hush = True
    s.set_phase("joining")
    s.problem("radio", "no-beacon")
    assert not told
    s.speak()
    assert told == ["joining"]
    s.hush = True
    s.speak()
    assert len(told) == 1, "nothing has changed"
    s.clear("radio")
    assert len(told) == 2
