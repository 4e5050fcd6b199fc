# A meter that may be back: when it is joined again, and that the hour never runs out of joins.
from gateway import ladder
from ladderrig import Silence, bounded


# The first three refusals may be those of a session that is cleared away; the rest keep apart, as
# does who was heard all the time.
def test_who_refuses_is_joined_soon_three_times():
    silence = Silence(None).ladder
    silence.next("silent", 7000, 0)
    for wait in (10_000, 10_000, 10_000, ladder.APART * 1000):
        silence.joins(7000)
        if silence.state == "seek":
            silence.next("heard", 7000, 0)
        assert silence.next("refused", 7000, 0)[1] == wait


# A beacon where there was none counts at once, as long as the hour to come can spare the join.
def test_who_is_back_is_joined_soon():
    silence = Silence(None).ladder
    silence.next("silent", 7000, 0)
    for _ in range(4):
        silence.joins(7000)
    assert not silence.looked(True, 7000), "it was never away"
    assert silence.next("no-join", 7000, 0)[1] == ladder.APART * 1000
    assert silence.early(7100) == ladder.APART - 100
    for _ in range(2):
        silence.joins(8800)
        assert silence.next("refused", 8800, 0)[1] == 10_000
    assert silence.step == "scan"
    assert silence.next("no-beacon", 8800, 0)[0] == "scan"
    assert silence.next("heard", 8800, 0) == ("join", 0)
    for _ in range(5):
        silence.joins(8800)
    assert silence.next("refused", 8800, 0)[1] == ladder.APART * 1000
    assert not silence.looked(False, 8810)
    assert silence.next("no-join", 8810, 0)[0] == "reset"
    assert silence.next("heard", 8810, 0)[1] == ladder.APART * 1000 - 10_000
    assert not silence.looked(False, 8820)
    assert not silence.looked(True, 8830), "the hour cannot spare it"
    assert silence.early(8830) == ladder.APART - 30
    assert not silence.looked(False, 10_700)
    assert silence.looked(True, 10_710)
    assert silence.early(10_710) == 0


# All that the first hour may have, one after the other, as it can spare them; then the second.
def test_the_first_hour_takes_nothing_from_the_second():
    silence = Silence(None)
    step = silence.ladder
    step.next("silent", 7000, 0)
    now = 7000
    while now < 7000 + 3 * 3600:
        step.joins(now)
        silence.joins.append(now)
        step.looked(False, now + 5)
        step.next("no-join", now + 5, 0)
        if step.state == "seek":
            step.next("heard", now + 5, 0)
        step.looked(False, now + 5)
        step.looked(True, now + 5)
        now += max(step.early(now), 5)
    silence.now = now - 1
    bounded(silence)
    assert silence.hourly()[:3] == [15, 12, 12]


# Three sessions in the first minutes with a line that spoilt them, a join that had to wait, and a
# meter that clears two of them away: the hour can spare what it takes, and owes the next nothing.
def test_a_meter_that_clears_away_one_session_after_the_other():
    silence = Silence(None).ladder
    silence.next("closed", 7000, 0)
    for now in (7080, 7230, 7325):
        silence.joins(now)
    silence.joins(7684)
    assert silence.next("refused", 7709, 0) == ("join", 10_000)
    silence.joins(7721)
    assert silence.next("refused", 7760, 0) == ("join", 10_000)


# Another controller holds the meter, and each fifth beacon goes unheard, which always looks as if
# the meter were back: quick joins must not use up what the rest of the hour needs.
def test_who_is_held_by_another_is_asked_again_and_again():
    for seed in range(8):
        silence = held(seed)
        bounded(silence)
        gaps = [b - a for a, b in zip(silence.joins, silence.joins[1:])]
        assert max(gaps) <= ladder.APART + 15, gaps
        assert min(gaps) < 60


def held(seed):
    silence = Silence(None, seed)
    dice = silence.dice.randrange
    now = silence.now
    cause = "silent"
    while now < silence.start + 3 * 3600:
        wait = silence.ladder.next(cause, now, dice(256))[1] // 1000
        if silence.ladder.state == "seek":
            now += wait + 12
            cause = "heard"
            continue
        while True:  # as gateway.link does
            now += min(wait, ladder.LOOK)
            early = silence.ladder.early(now)
            heard = dice(5) > 0
            if silence.ladder.looked(heard, now) or not early:
                break
            wait = max(silence.ladder.early(now), 1)
        silence.ladder.joins(now)
        silence.joins.append(now)
        now += 5 + dice(30)
        cause = "refused" if heard else "no-join"
    silence.now = now
    return silence
