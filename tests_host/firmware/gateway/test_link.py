# Joining: remembered PAN first, a scan otherwise, patience, and the right word for each failure.
from fakeclock import Recorder
from gateway.ladder import Ladder, fresh
from gateway.link import Link
from gateway.session import Session
from linkrig import FAR, MAC, NEAR, SETTINGS, Radio, connect
from wisun import GateClosed, Info, JoinRefused, JoinTimeout, Refused, Timeout


def test_remembered_pan_is_joined_without_a_scan():
    radio = Radio([None])
    joined, app, status, clock, _ = connect(radio, (0x3B, 0x8CF5, MAC))
    assert joined
    assert radio.named("find") == 0
    assert clock.slept == []


def test_first_time_scans_and_remembers():
    radio = Radio([None], [NEAR])
    joined, app, status, _, _ = connect(radio)
    assert joined
    assert app.store.kept == (0x3B, 0x8CF5, MAC)
    assert status.rssi == -55


def test_remembered_pan_is_forgotten_only_after_joins_failed():
    radio = Radio([JoinTimeout(), JoinTimeout(), None], [NEAR], looks=[[]])
    joined, app, status, _, _ = connect(radio, (0x21, 0x1111, MAC))
    assert joined
    assert [c[0] for c in radio.calls[2:]] == ["join", "look", "join", "find", "join"]
    assert app.store.kept == (0x3B, 0x8CF5, MAC)


def test_pauses_grow_from_10_to_240_seconds():
    radio = Radio([None], [None])
    joined, _, _, clock, _ = connect(radio, pauses=8)
    assert not joined
    for pause, slept in zip([10, 20, 40, 80, 160, 200, 200, 200], clock.slept):
        assert pause * 1000 <= slept <= pause * 1200


def test_wrong_password_needs_three_refusals_in_good_reception():
    radio = Radio([JoinRefused()], [NEAR])
    _, _, status, _, log = connect(radio, pauses=1)
    assert status.code("config") is None and status.code("radio") == "join-refused"
    _, _, status, _, log = connect(Radio([JoinRefused()], [NEAR]), pauses=2)
    assert status.code("config") == "wrong-password"
    assert SETTINGS["broute.password"] not in repr((log.lines, status.problems))


def test_refusals_far_away_do_not_blame_the_password():
    _, _, status, _, _ = connect(Radio([JoinRefused()], [FAR], looks=[[FAR]]), pauses=9)
    assert status.code("config") is None
    assert status.code("radio") == "join-refused"


def test_remembered_pan_refused_three_times_is_judged_after_a_scan():
    _, _, status, _, _ = connect(Radio([JoinRefused()], [NEAR]), (0x3B, 0x8CF5, MAC), pauses=3)
    assert status.code("config") == "wrong-password"


# SKSTACK says the same of a meter that refuses and of one that is not there.
def test_refused_by_nobody_is_no_refusal():
    radio = Radio([JoinRefused()], [None], looks=[[]])
    _, _, status, _, _ = connect(radio, (0x3B, 0x8CF5, MAC), pauses=3)
    assert status.code("radio") == "no-beacon" and status.code("config") is None
    assert [c[0] for c in radio.calls if c[0] in ("join", "find")][:3] == ["join", "join", "find"]


# What the ladder knows when a join is kept waiting.
def waiting(heard):
    memory = fresh(5)
    ladder = Ladder(memory)
    ladder.next("silent", 5, 0)
    for _ in range(4):
        ladder.joins(5)
    ladder.looked(heard, 5)
    assert ladder.next("no-join", 5, 0) == ("join", 360_000 if heard else 720_000)
    return memory


# Such a join begins when a beacon is heard where none was, and not for one that was there.
def test_a_meter_that_comes_back_is_joined_at_once():
    kept = (0x3B, 0x8CF5, MAC)
    radio = Radio([None], looks=[[], [], [], [NEAR]])
    joined, _, status, clock, _ = connect(radio, kept, silence=waiting(False))
    assert joined and clock.slept == [60_000] * 3
    assert status.counters["event.39"] == 1, "a look is no step"
    radio = Radio([None], looks=[[NEAR]])
    joined, _, _, clock, _ = connect(radio, kept, silence=waiting(True))
    assert joined and clock.slept == [60_000] * 6


def test_a_module_that_dies_while_a_join_waits_is_set_up():
    radio = Radio([None], looks=[[], Timeout("SKSCAN"), [NEAR]])
    joined, _, status, clock, _ = connect(radio, (0x3B, 0x8CF5, MAC), silence=waiting(False))
    assert joined and radio.named("probe") == 2
    assert status.counters["module.failed"] == 1


def test_wrong_id_hears_others_but_not_ours():
    _, _, status, _, log = connect(Radio([None], [None], [[NEAR]]), pauses=1)
    assert status.code("config") == "wrong-id"
    assert SETTINGS["broute.id"] not in repr((log.lines, status.problems))


def test_nobody_heard():
    _, _, status, _, _ = connect(Radio([None], [None], [[]]), pauses=1)
    assert status.code("radio") == "no-beacon"
    assert status.code("config") is None


def test_beacon_but_no_join_is_too_far():
    _, _, status, _, _ = connect(Radio([JoinTimeout()], [FAR], looks=[[FAR]]), pauses=1)
    assert status.code("radio") == "too-far"
    assert "-92" in status.detail("radio")


def test_cause_gone_clears_the_word():
    radio = Radio([JoinRefused(), JoinRefused(), JoinRefused(), None], [NEAR])
    joined, _, status, _, _ = connect(radio)
    assert joined and status.problems == {}
    joined, _, status, _, _ = connect(Radio([None], [None, None, NEAR], [[NEAR], [NEAR]]))
    assert joined and status.problems == {}


def test_no_module_is_named_and_found_later():
    info = Info("SKSTACK", "DSE", "1.5.2", None, False)
    radio = Radio([None], [NEAR], probes=[Timeout("SKVER")] * 3 + [info])
    joined, app, status, _, _ = connect(radio, pauses=0)
    assert not joined
    assert status.code("radio") == "module-silent"
    joined, app, status, _, _ = connect(
        Radio([None], [NEAR], probes=[Timeout("SKVER")] * 2 + [info]), pin=True
    )
    assert joined and app.board.calls == ["pin"] and status.problems == {}


def test_module_dying_in_the_join_is_probed_again():
    radio = Radio([Timeout("SKJOIN"), None], [NEAR])
    joined, _, status, _, _ = connect(radio)
    assert joined
    assert radio.named("probe") == 2 and radio.named("configure") == 2


def test_a_single_hop_module_hears_the_meter_before_it_joins_again():
    radio = Radio([None], scans=[[FAR]])
    radio.info = Info("skstack", "single", "1.2.10", "rev26e", True)
    heard = []

    async def scan(duration, mask):
        heard.append((duration, mask))
        return [FAR]

    radio.scan = scan
    joined, app, status, _, _ = connect(radio, (0x3B, 0x8CF5, MAC))
    assert joined and heard == [(6, 1 << 26)]
    assert status.rssi == FAR.rssi
    assert radio.calls[-1] == ("join", FAR.rssi)


def test_what_that_scan_does_not_hear_is_joined_all_the_same():
    radio = Radio([None])
    radio.info = Info("skstack", "single", "1.2.10", "rev26e", True)

    async def scan(duration, mask):
        raise Refused("SKSCAN", "ER10")

    radio.scan = scan
    joined, _, status, _, _ = connect(radio, (0x3B, 0x8CF5, MAC))
    assert joined and status.rssi is None


def test_a_used_up_budget_is_no_dead_module():
    radio = Radio([GateClosed("limited"), None])
    joined, app, status, clock, _ = connect(radio, (0x3B, 0x8CF5, MAC))
    assert joined and clock.slept == [60_000]
    assert radio.named("probe") == 1 and app.board.calls == []
    radio = Radio([None])
    radio.gate = "limited"
    joined, _, status, clock, _ = connect(radio, (0x3B, 0x8CF5, MAC), pauses=3)
    assert not joined and status.code("radio") == "limited"
    assert radio.named("join") == 0


# A module that may send again tells it by nothing but the beacons that it hears.
def test_after_a_used_up_budget_the_meter_is_looked_for_each_minute():
    radio = Radio([GateClosed("limited"), None], looks=[[NEAR], [], [], [NEAR]])
    joined, _, _, clock, _ = connect(radio, (0x3B, 0x8CF5, MAC), silence=waiting(False))
    assert joined and clock.slept == [60_000] * 3


def test_a_meter_that_comes_back_during_the_scan_is_no_wrong_id():
    radio = Radio([None], [None, NEAR], [[NEAR]])
    joined, _, status, clock, _ = connect(radio)
    assert joined and clock.slept == []
    assert "config" not in status.problems


def test_the_rungs_of_a_long_silence():
    radio = Radio([None], [None], [[]])
    _, app, status, _, _ = connect(radio, pauses=18, pin=True)
    assert ("reset",) in radio.calls
    assert app.board.calls == ["pin", "power"]
    assert status.counters["module.pin-reset"] == 1
    for code in ("38", "39", "3a", "3b", "3c", "3d"):  # each step told
        assert code == "38" or status.counters["event." + code] >= 1


# Of the outbox what counts for a restart: readings in RAM, of which `stuck` cannot be written.
class Outbox:
    def __init__(self, live, stuck=0, root="/"):
        self.live, self.stuck, self.root = live, stuck, root

    def __len__(self):
        return self.live + 100  # these are on flash: a restart costs them nothing

    def aside(self, name):
        assert name == "spill" and self.root
        self.live = self.stuck


def test_the_board_restarts_only_when_no_reading_would_be_lost():
    for outbox, restarts in (
        (Outbox(0), True),
        (Outbox(5), True),
        (Outbox(5, 2), False),
        (Outbox(0, root=None), True),
        (Outbox(1, root=None), False),
    ):
        radio = Radio([None], [None], probes=[Timeout("SKVER")])
        _, app, _, _, log = connect(radio, pauses=130, outbox=outbox)
        assert app.board.calls.count("board") == (2 if restarts else 0)
        assert any("board restarts" in line for line in log.lines) == restarts


def test_what_ended_the_session_is_not_all_the_modules_fault():
    # None: it was over before anybody listened
    causes = ((None, 0), (0x24, 0), (0x26, 0), (0x27, 0), (0x28, 0), (0x34, 0), (0x37, 1))
    for cause, dead in causes:
        radio = Radio([None])
        joined, _, status, _, _ = connect(radio, (0x3B, 0x8CF5, MAC), cause=cause, ready=not dead)
        assert joined and radio.named("join") == 1
        assert radio.named("probe") == dead, cause


# The module reports on what was sent before, and the line soils a word: neither has ended it.
def test_the_first_event_after_the_session_is_what_ended_it():
    radio = Radio([None])
    _, app, _, _, _ = connect(radio, (0x3B, 0x8CF5, MAC))
    session = Session(app)
    session.cause = None
    session.live = Recorder()
    session.live.wake = bool
    for joined, code in ((True, 0x21), (False, 0x26), (False, 0x21), (False, 0x36)):
        radio.joined = joined
        session.event(code, 0)
        assert session.cause == (None if joined else 0x26)


# Whoever wants the meter, too, takes it before it has answered: not only then is it seen.
def test_a_session_that_the_meter_ends_before_it_answered_counts_too():
    _, app, status, _, _ = connect(Radio([None]), (0x3B, 0x8CF5, MAC))
    silence = fresh(0)
    app.session = session = Session(app)
    session.silence, session.cause, session.since = silence, 0x26, (0, 3)
    Link(app, session)
    assert "(4)" in status.detail("radio") and session.since == (0, 4)
    assert session.silence is silence


def test_waiting_for_the_budget_is_counted_as_every_step_is():
    radio = Radio([GateClosed("limited"), GateClosed("limited"), None])
    joined, _, status, _, _ = connect(radio, (0x3B, 0x8CF5, MAC))
    assert joined and status.counters["step.wait"] == 2


def test_who_has_let_us_in_before_does_not_mind_the_password():
    for joined_before in (0, 1):
        radio = Radio([JoinRefused()], [NEAR])
        _, _, status, _, _ = connect(radio, pauses=6, counters={"joined": joined_before})
        if joined_before:
            assert "config" not in status.problems and status.code("radio") == "join-refused"
            assert "another controller has it" in status.detail("radio")
        else:
            assert status.code("config") == "wrong-password"


def test_to_be_let_in_says_nothing_of_the_other_settings():
    for code, kept in (("wrong-settings", True), ("wrong-password", False), ("wrong-id", False)):
        status = Recorder()
        status.problem("config", code, "")
        joined, _, _, _, _ = connect(Radio([None]), (0x3B, 0x8CF5, MAC), status=status)
        assert joined and ("config" in status.problems) == kept


def test_a_join_that_the_module_did_not_begin_is_none():
    for command, counted in (("SKTERM", 0), ("0053", 0), ("SKJOIN", 5), ("0056", 5)):
        radio = Radio([Timeout(command)] * 5 + [None], [NEAR])
        joined, _, _, clock, _ = connect(radio, (0x3B, 0x8CF5, MAC))
        assert joined
        assert (sum(clock.slept) > 250_000) == (counted > 0), (command, clock.slept)
