# The reconnect ladder: its tables, and what they come to in hours of silence.
import random

from gateway import ladder
from gateway.ladder import CLIMB, LAST, PAUSES, STEPS, TABLE, find
from helpers import raises
from ladderrig import Dice, Silence, bounded

STATES = ("talk", "known", "seek", "fresh", "dead")
# What gateway.link can meet in each state, or Session and Live at the end of a session.
CAUSES = {
    "talk": "start silent unsent limited expired closed reboot torn module".split(),
    "known": "no-pan joined refused no-join limited module".split(),
    "seek": "heard no-beacon limited module".split(),
    "fresh": "joined refused no-join limited module".split(),
    "dead": "found module".split(),
}


def test_every_cause_has_its_row_in_every_state_and_nothing_else_has():
    for state in STATES:
        for cause in CAUSES[state]:
            assert find(state, cause, 1)[:2] == (state, cause)
    for state, cause, _, step, goal in TABLE:
        assert cause in CAUSES[state]
        assert goal in STATES
        assert step in STEPS or (step == "climb" and goal in CLIMB)
    raises(KeyError, find, "seek", "refused", 1)
    raises(KeyError, find, "talk", "found", 1)


def test_every_step_can_be_reached():
    steps = [row[3] for row in TABLE] + ["board"]
    for climb in CLIMB.values():
        steps += climb
    assert set(STEPS) == set(steps) - {"climb"}


def test_the_last_fitting_row_counts():
    assert [find("known", "refused", n)[3] for n in range(1, 5)] == [
        "join",
        "join",
        "scan",
        "scan",
    ]
    assert [find("fresh", "refused", n)[3] for n in (1, 4, 5, 99)] == ["join", "join"] + [
        "climb"
    ] * 2


def test_a_first_start_scans_and_joins_at_once():
    outcomes = {"join": ("no-pan", 0), "scan": ("heard", 20)}
    silence = Silence(lambda step, now: outcomes[step])
    assert silence.ladder.next("start", 7000, 255) == ("join", 0)
    assert silence.ladder.next("no-pan", 7000, 255) == ("scan", 0)
    assert silence.ladder.next("heard", 7020, 255) == ("join", 0)
    assert silence.ladder.state == "fresh"


def test_a_lost_session_is_joined_at_once():
    for cause in ("expired", "closed", "silent", "unsent"):
        silence = Silence(None)
        assert silence.ladder.next(cause, 7000, 255) == ("join", 0)
        assert silence.ladder.state == "known"


def test_a_module_that_forgot_or_lay_dead_is_set_up_first():
    for cause in ("reboot", "torn", "module"):
        silence = Silence(None)
        assert silence.ladder.next(cause, 7000, 255) == ("setup", 0)
        assert silence.ladder.next("found", 7001, 255) == ("join", 0)


# The meter refuses, quickly or slowly; the scan hears it.
def test_refused_for_a_day():
    for took in (1, 3, 12, 40):
        for seed in range(5):
            silence = Silence(
                lambda step, now, s=took: (
                    ("heard", 20) if step == "scan" or step in CLIMB["seek"] else ("refused", s)
                ),
                seed,
            )
            silence.run("start", 24)
            bounded(silence)
            gaps = [b - a for a, b in zip(silence.joins, silence.joins[1:])]
            assert max(gaps) <= 390  # with a join of some seconds: within 7 minutes
            assert gaps[0] <= 12 + took + 1 and gaps[1] <= 24 + took + 1


def test_no_end_of_the_join_for_a_day():
    def outcome(step, now):
        return ("heard", 20) if step != "join" else ("no-join", 62)

    for seed in range(5):
        silence = Silence(outcome, seed).run("silent", 24)
        bounded(silence)
        assert max([b - a for a, b in zip(silence.joins, silence.joins[1:])]) <= 390


def test_no_beacon_for_a_day_is_no_join():
    silence = Silence(lambda step, now: ("no-join", 61) if step == "join" else ("no-beacon", 166))
    silence.run("silent", 24)
    bounded(silence)
    assert len(silence.joins) == 2
    assert [s for _, s in silence.steps[:8]] == ["join"] * 2 + ["scan"] * 4 + ["reset", "scan"]
    pauses = silence.pauses
    assert pauses[0] == 0
    for pause, least in zip(pauses[1:], (10, 20, 40, 80, 160) + (200,) * 1000):
        assert least * 1000 <= pause <= least * 1200
    assert max(pauses) <= 240_000
    rungs = [s for _, s in silence.steps if s not in ("join", "scan")]
    assert rungs[:7] == ["reset", "pin", "power", "reset", "pin", "power", "reset"]


def test_the_boards_reset_is_the_very_last_rung():
    silence = Silence(lambda step, now: ("no-beacon", 166))
    silence.ladder.next("start", 0, 0)
    silence.run("no-pan", 60)
    boards = [t for t, s in silence.steps if s == "board"]
    assert boards and boards[0] > 20 * 3600
    silence = Silence(lambda step, now: ("module", 10))
    silence.run("module", 5)
    boards = [t for t, s in silence.steps if s == "board"]
    assert boards and 40 * 60 < boards[0] < 3 * 3600
    assert LAST["dead"] > len(CLIMB["dead"])


def test_a_dead_module_is_tried_often_and_pulled_by_its_pins():
    silence = Silence(lambda step, now: ("module", 5))
    silence.run("module", 1)
    assert [s for _, s in silence.steps[:5]] == ["setup", "pin", "power", "pin", "power"]
    times = [t for t, _ in silence.steps]
    assert max([b - a for a, b in zip(times, times[1:])]) <= 60
    assert silence.joins == []


# A module that is there, and refuses what is asked of it between a setup and a join or a scan.
def test_a_module_that_refuses_to_join_or_to_scan_does_not_spin():
    for remembered in (True, False):
        for refuses in (("known", "fresh"), ("known", "seek", "fresh"), ("seek",)):
            silence = refusing(remembered, refuses).run("start", 6)
            assert len(silence.steps) < 6 * 100, len(silence.steps)
            rungs = [s for t, s in silence.steps if s in CLIMB["seek"] and t < 3600]
            assert rungs[:1] == ["reset"]
            if not remembered or "known" in refuses:
                assert rungs[:3] == ["reset", "pin", "power"]
            silence = None  # before the next one needs its memory


def refusing(remembered, refuses):
    def outcome(step, now):
        state = silence.ladder.state
        if state == "dead":
            return "found", 1
        if state == "known" and not remembered:
            return "no-pan", 0
        if state in refuses:
            return "module", 0
        return ("heard", 2) if state == "seek" else ("no-join", 62)

    silence = Silence(outcome)
    return silence


# A session that is got and in which nothing can be sent, again and again.
def test_a_module_that_joins_and_does_not_send_is_reset():
    silence = Silence(None)
    now = 7000
    steps = []
    for _ in range(12):
        silence.ladder.lost()
        cause = "torn"
        while silence.ladder.state != "talk" or cause == "torn":
            step, ms = silence.ladder.next(cause, now, 128)
            now += (ms + 999) // 1000 + 5
            steps.append(step)
            cause = {"dead": "found", "seek": "heard"}.get(silence.ladder.state, "joined")
    assert steps[:4] == ["setup", "join", "retry", "setup"]
    assert [s for s in steps if s in CLIMB["seek"]] == ["reset", "pin", "power", "reset"]


# A module that comes and goes must not lead to joins without end.
def test_a_module_that_comes_and_goes():
    count = [0]

    def outcome(step, now):
        count[0] += 1
        if silence.ladder.state == "dead" and count[0] % 3:
            return "found", 1
        return "module", 4

    silence = Silence(outcome)
    silence.run("module", 12)
    bounded(silence)
    assert len(silence.joins) > 80


# A meter that is heard now and then, and never joined: the worst for the bound.
def test_chaos_keeps_the_bound():
    for seed in range(60):
        bounded(chaos(seed).run("silent", 8))


def chaos(seed):
    dice = random.Random(seed) if hasattr(random, "Random") else Dice(seed)

    def outcome(step, now):
        causes = [c for c in CAUSES[silence.ladder.state] if c not in ("joined", "no-pan")]
        return causes[dice.randrange(len(causes))], dice.randrange(1, 70)

    silence = Silence(outcome, seed)
    return silence


def test_sessions_in_which_nothing_is_answered_are_one_silence():
    silence = Silence(None)
    now = 7000
    pauses = []
    for _ in range(40):
        silence.ladder.lost()
        step, ms = silence.ladder.next("silent", now, 128)
        assert step == "join"
        pauses.append(ms)
        now += (ms + 999) // 1000
        silence.ladder.joins(now)
        silence.joins.append(now)
        assert silence.ladder.next("joined", now + 5, 0)[0] == "retry"
        assert silence.ladder.state == "talk"
        now += 185
    silence.now = now
    bounded(silence)
    assert pauses[0] == 0 and pauses[1] >= 10_000 and min(pauses[6:]) >= 140_000


def test_a_used_up_budget_is_waited_for():
    silence = Silence(lambda step, now: ("limited", 0))
    silence.run("silent", 1)
    assert [s for _, s in silence.steps[1:50]] == ["wait"] * 49
    assert set(silence.pauses[1:50]) == {ladder.WAIT * 1000}
    # for ever it is no budget's fault
    silence.run("limited", 1)
    assert "reset" in [s for _, s in silence.steps]


def test_pauses_are_those_of_the_field():
    assert PAUSES[1] == 10 and PAUSES[-1] * 6 // 5 == 240
    assert list(PAUSES) == sorted(PAUSES)
