"""Alerts: what the rules find, that it is told once, and so is its end. Time stands still."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from kenshin.server import gateways, groups, service
from kenshin.server.alerts import book, judge, quiet, rules, worker
from kenshin.server.alerts.judge import Spread, Verdict
from kenshin.server.alerts.worker import Alarms
from kenshin.server.schema import AlertMessage

T0 = 1_795_392_000  # 09:00 in Japan
MINUTE = 60

BOTH = pytest.mark.parametrize("database", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def database(request):
    """SQLite, or what the test says: the statements are tried on both, the rules on one."""
    kind = getattr(request, "param", "sqlite")
    return str(request.getfixturevalue("file" if kind == "sqlite" else "postgres"))


@pytest.fixture
def rule(lab, monkeypatch):
    """Makes a rule: rule(kind, field="value"); its number."""

    def make(kind, **fields):
        with lab.store.writing() as connection:
            return rules.add(connection, {"kind": kind, "mail": "1", **fields})

    monkeypatch.setattr(worker, "LEASE", 900)  # so that fewer looks suffice
    # The first look after a pause gives gateways time to come; here the server was always there.
    lab.service.alarms.work()
    return make


@pytest.fixture
def after(lab):
    """Let minutes pass, in steps as the server looks; then what is open, as (name, kind)."""

    def wait(minutes, upload=None, step=5):
        end = lab.now + minutes * MINUTE
        while lab.now < end:
            lab.now = min(end, lab.now + step * MINUTE)
            if upload is not None:
                upload()
            lab.service.alarms.work()
        return found(lab)

    return wait


def found(lab, still=True):
    with lab.store.reading() as connection:
        return [(e.name, e.kind) for e in book.entries(connection, still=still, limit=100)]


def messages(lab):
    with lab.store.reading() as connection:
        rows = connection.execute(
            select(
                AlertMessage.what, AlertMessage.way, AlertMessage.due, AlertMessage.state
            ).order_by(AlertMessage.created, AlertMessage.what, AlertMessage.way)
        )
        return [tuple(row) for row in rows]


def whats(lab):
    return [row[0] for row in messages(lab)]


# ---- the kinds ----


@BOTH
def test_a_silent_gateway_is_told_once_and_so_is_its_return(lab, board, instant, rule, after):
    rule("silent")
    board.upload(instant(1))
    lab.board("never came")
    assert after(14) == []
    assert after(2) == [("home", "silent")]
    assert after(120) == [("home", "silent")]
    assert whats(lab) == ["begin"]
    board.upload(instant(2, lab.now))
    assert after(1) == []
    assert found(lab, still=False) == [("home", "silent")]
    assert whats(lab) == ["begin", "end"]


def test_silence_while_no_server_listened_is_not_the_gateways(lab, board, instant, rule, after):
    rule("silent")
    board.upload(instant(1))
    lab.now += 5 * 3600  # the server was off, or its clock jumped
    lab.service.alarms.work()
    assert found(lab) == []
    assert after(14) == []
    assert after(2) == [("home", "silent")]


def test_a_clock_that_jumps_back_raises_nothing(lab, board, instant, rule, after):
    rule("silent")
    board.upload(instant(1))
    lab.now -= 86_400
    assert after(60) == []


@BOTH
def test_a_weak_radio_for_an_hour(lab, board, rule, after):
    rule("rssi")

    def heard(dbm):
        return lambda: board.upload(status={"rssi": dbm})

    assert after(50, upload=heard(-90)) == []
    assert after(20, upload=heard(-90)) == [("home", "rssi")]
    # One good value is not yet the end of it, nor is one bad one its return.
    assert after(4, upload=heard(-80)) == [("home", "rssi")]
    assert after(20, upload=heard(-80)) == []
    assert after(20, upload=heard(-90)) == []
    assert whats(lab) == ["begin", "end"]


def test_one_good_value_within_the_hour_is_enough(lab, board, rule, after):
    rule("rssi")
    heard = [-90]
    assert after(30, upload=lambda: board.upload(status={"rssi": heard[0]})) == []
    heard[0] = -88
    assert after(6, upload=lambda: board.upload(status={"rssi": heard[0]})) == []
    heard[0] = -95
    assert after(40, upload=lambda: board.upload(status={"rssi": heard[0]})) == []
    assert after(40, upload=lambda: board.upload(status={"rssi": heard[0]})) == [("home", "rssi")]


def power(board, lab, instant):
    seq = iter(range(1, 10_000))

    def measured(watts, **other):
        return lambda: board.upload(instant(next(seq), lab.now, watts, **other))

    return measured


@pytest.mark.parametrize(("kind", "sign"), [("used", 1), ("sold", -1)])
def test_power_over_a_limit_for_a_time(lab, board, instant, rule, after, kind, sign):
    rule(kind, threshold="2000", minutes="30")
    measured = power(board, lab, instant)
    assert after(25, upload=measured(1999 * sign)) == []
    assert after(15, upload=measured(2500 * sign)) == []
    assert after(30, upload=measured(2000 * sign)) == [("home", kind)]
    with lab.store.reading() as connection:
        (entry,) = book.entries(connection, still=True, limit=10)
    assert entry.value == 2500
    assert after(8, upload=measured(-5000 * sign)) == []


@BOTH
def test_near_the_contracts_amperes_both_phases_count(lab, board, instant, rule, after):
    rule("contract")
    measured = power(board, lab, instant)
    near = measured(5000, current_r=200, current_t=160)
    assert after(10, upload=near) == []  # nobody said what the contract is
    with lab.store.writing() as connection:
        gateways.edit(connection, gateways.find(connection, "home"), contract=40)
    assert after(4, upload=measured(5000, current_r=200, current_t=159)) == []
    assert after(4, upload=near) == [("home", "contract")]


@BOTH
def test_half_hours_that_are_missing(lab, board, slot, rule, after):
    rule("missing", threshold="2")
    times = [T0 + 1800 * n for n in range(1, 200)]
    later = T0 + 30 * 3600
    rows = [slot(n, t, n) for n, t in enumerate(times) if t <= later]
    gap = rows.pop(40), rows.pop(40)
    lab.now = later
    board.upload(*rows)
    assert after(1) == [("home", "missing")]
    board.upload(*gap)
    assert after(12) == []


def test_a_new_gateway_owes_nothing_from_before(lab, slot, rule, after):
    rule("missing")
    lab.now += 40 * 3600
    board = lab.board("new")
    board.upload(slot(1, lab.now // 1800 * 1800, 5))
    assert after(60) == []


@pytest.mark.parametrize(
    ("database", "kind", "field"),
    [("sqlite", "used-day", "normal"), ("postgresql", "sold-day", "reverse")],
    indirect=["database"],
)
def test_energy_of_a_day(lab, board, slot, rule, after, kind, field):
    rule(kind, threshold="10")
    midnight = T0 - 9 * 3600
    lab.now = midnight + 3 * 1800
    values = [0, 40_000, 99_999]
    board.upload(*[slot(n, midnight + 1800 * n, **{field: v}) for n, v in enumerate(values)])
    assert after(11) == []
    board.upload(slot(3, midnight + 3 * 1800, **{field: 100_000}))
    assert after(11) == [("home", kind)]
    # A meter that was changed begins again: what it shows is not what was used.
    lab.now = midnight + 86_400 + 3600
    board.upload(
        *[slot(10 + n, midnight + 86_400 + 1800 * n, **{field: v}) for n, v in enumerate([7, 0])]
    )
    assert after(11) == []
    # Nor is the step to one that has counted more, or one value that was read wrongly.
    lab.now += 3 * 1800
    more = enumerate([40_000_000, 40_000_004, 40_300_000, 40_000_009])
    board.upload(*[slot(20 + n, midnight + 90_000 + 1800 * n, **{field: v}) for n, v in more])
    assert after(11) == []


# ---- whose rule ----


def test_an_own_rule_stands_in_for_the_groups_and_that_for_the_one_for_all(
    lab, instant, rule, after
):
    boards = {name: lab.board(name) for name in ("all", "grouped", "own", "off")}
    with lab.store.writing() as connection:
        for name in ("grouped", "own", "off"):
            gateways.edit(connection, gateways.find(connection, name), group="shops")
    rule("silent", threshold="20")
    rule("silent", threshold="40", target="group:shops")
    rule("silent", threshold="60", target="own")
    rule("silent", threshold="5", target="off", off="1")
    for board in boards.values():
        board.upload(instant(1))
    assert sorted(name for name, _ in after(25)) == ["all"]
    assert sorted(name for name, _ in after(20)) == ["all", "grouped"]
    assert sorted(name for name, _ in after(20)) == ["all", "grouped", "own"]


def test_a_rule_that_goes_takes_its_alerts_along_without_a_word(lab, board, instant, rule, after):
    number = rule("silent")
    board.upload(instant(1))
    assert after(20) == [("home", "silent")]
    with lab.store.writing() as connection:
        fields = {"kind": "silent", "mail": "1", "threshold": "30"}
        rules.edit(connection, number, fields, lab.now)
    assert found(lab) == []
    # The same silence is found by the changed rule again.
    assert after(60) == [("home", "silent")]
    with lab.store.writing() as connection:
        rules.remove(connection, number, lab.now)
    assert after(5) == [] and "end" not in whats(lab)


def test_a_gateway_that_is_removed_takes_everything_along(lab, board, instant, rule, after):
    rule("silent")
    rule("rssi", target="home")
    board.upload(instant(1))
    assert after(20)
    with lab.store.writing() as connection:
        gateways.remove(connection, gateways.find(connection, "home"))
    assert after(5) == [] and messages(lab) == []


@BOTH
def test_a_group_that_is_removed_takes_its_rules_along(lab, board, instant, rule, after):
    with lab.store.writing() as connection:
        gateways.edit(connection, gateways.find(connection, "home"), group="shops")
    rule("silent", target="group:shops")
    board.upload(instant(1))
    assert after(20) == [("home", "silent")]
    with lab.store.writing() as connection:
        groups.remove(connection, gateways.group_id(connection, "shops"))
    assert after(10) == []
    assert [row[3] for row in messages(lab)] == [book.DROPPED]


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "nothing"}, "the kind is one of"),
        ({"threshold": "1"}, "between 5 and 10080"),
        ({"threshold": "x"}, "a whole number"),
        ({"target": "nobody"}, "no gateway"),
        ({"target": "group:none"}, "no group"),
        ({"mail_to": "a@b.example, broken"}, '"broken" is no mail address'),
        ({"mail_to": "a@b.example\r\nBcc: x@y.example"}, '"Bcc:" is no mail address'),
        ({"mail_to": ",".join(["a@b.example"] * 11)}, "at most 10"),
        ({"quiet_from": "22:00"}, "a beginning and another end"),
        ({"quiet_from": "25:00", "quiet_to": "7:00"}, "between 0:00 and 23:59"),
        ({"quiet_from": "ten", "quiet_to": "7:00"}, "written as 22:30"),
    ],
)
def test_a_rule_that_cannot_be_is_told_in_words(lab, fields, words):
    with pytest.raises(rules.RuleError, match=words), lab.store.writing() as connection:
        rules.add(connection, {"kind": "silent", **fields})


# ---- quiet hours ----


@pytest.mark.parametrize(
    ("clock", "begin", "end", "until"),
    [
        ("09:00", "22:00", "07:00", None),
        ("23:00", "22:00", "07:00", 8 * 60),
        ("01:00", "22:00", "07:00", 6 * 60),
        ("07:00", "22:00", "07:00", None),
        ("22:00", "22:00", "07:00", 9 * 60),
        ("12:30", "12:00", "13:00", 30),
        ("13:00", "12:00", "13:00", None),
    ],
)
def test_quiet_hours_are_japanese_time(clock, begin, end, until):
    now = T0 - 9 * 3600 + (quiet.parse(clock) or 0) * MINUTE
    ends = quiet.ends(now, quiet.parse(begin), quiet.parse(end))
    assert ends == (None if until is None else now + until * MINUTE)


@pytest.mark.parametrize("drop", ["", "1"])
def test_quiet_hours_hold_messages_back(lab, board, instant, rule, after, drop):
    rule("silent", quiet_from="8:00", quiet_to="12:00", quiet_drop=drop)  # it is 9:00
    board.upload(instant(1))
    assert after(20) == [("home", "silent")]
    assert [row[2:] for row in messages(lab)] == [(T0 + 3 * 3600, book.WAITING)]
    board.upload(instant(2, lab.now))
    assert after(2) == []
    # What came and went in that time is told afterwards, or not at all.
    states = [(row[0], row[3]) for row in messages(lab)]
    if drop:
        assert states == [("begin", book.DROPPED)]
    else:
        assert states == [("begin", book.WAITING), ("end", book.WAITING)]
    # What lasts until then is told in any case.
    assert after(40) == [("home", "silent")]
    assert messages(lab)[-1][2:] == (T0 + 3 * 3600, book.WAITING)


def test_what_wavers_is_not_told_again_at_once(lab, board, instant, rule, after):
    rule("silent", threshold="5")
    for n in range(1, 4):
        board.upload(instant(n, lab.now))
        after(7, step=1)
    assert whats(lab) == ["begin", "end"]
    assert after(40) == [("home", "silent")]
    assert whats(lab) == ["begin", "end", "begin"]


# ---- several processes ----


@BOTH
def test_only_the_holder_of_the_lease_looks(lab, board, instant, rule):
    rule("silent")
    board.upload(instant(1))
    other = Alarms(lab.store, lambda: lab.now)
    for _ in range(10):
        lab.now += 100
        assert lab.service.alarms.work() and not other.work()
    assert whats(lab) == ["begin"]
    lab.now += worker.LEASE + 1  # the holder died
    assert other.work() and not lab.service.alarms.work()
    assert whats(lab) == ["begin"]


def test_a_server_that_ends_hands_on_at_once(lab, board):
    first = service.Service(lab.store, now=lambda: lab.now)
    first.alarms.start()
    assert first.alarms.work()
    assert not lab.service.alarms.work()
    first.alarms.close()
    assert lab.service.alarms.work()


# ---- the judgement by itself ----

NOW = 10**6
spreads = st.one_of(
    st.none(),
    st.builds(
        lambda n, first, a, b: Spread(n, first, min(a, b), max(a, b)),
        *(st.integers(1, 99), st.integers(NOW - 3600, NOW)),
        *(st.integers(-200, 200), st.integers(-200, 200)),
    ),
)


@given(spreads, spreads, st.integers(-100, 100), st.integers(1, 60), st.booleans())
def test_what_is_so_is_beyond_the_limit_and_what_is_over_is_not(span, last, limit, minutes, above):
    verdict = judge.lasting(NOW, minutes, span, last, limit, above=above)
    if verdict is Verdict.SO:
        assert span is not None
        assert span.least >= limit if above else span.most < limit
    if verdict is Verdict.OVER:
        assert last is not None
        assert last.most < limit if above else last.least >= limit
    if span is None and last is None:
        assert verdict is Verdict.OPEN
