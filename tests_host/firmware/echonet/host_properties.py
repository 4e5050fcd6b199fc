"""What holds of the codec for all inputs, sought by hypothesis."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from echonet import EchonetError, dates, encode, history, maps, meter, values
from echonet.frame import ESV_GET, ESV_GET_RES, ESV_GET_SNA, Frame, build, is_answer
from echonet.node import Node, Object
from echonet.planner import Planner

# A busy machine is no fault of the codec.
settings.register_profile(
    "patient", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("patient")

SINGLE = (0x60, 0x61, 0x62, 0x63, 0x71, 0x72, 0x73, 0x74, 0x7A)
SNA = (0x50, 0x51, 0x52, 0x53)
DOUBLE = (0x6E, 0x7E)
JST = timezone(timedelta(hours=9))

epcs = st.integers(0x80, 0xFF)
props = st.lists(st.tuples(epcs, st.binary(max_size=255)), min_size=1, max_size=12)
eojs = st.integers(0, 0xFFFFFF)
tids = st.integers(0, 0xFFFF)
headers = st.tuples(tids, eojs, eojs)
bodies = st.one_of(
    st.tuples(st.sampled_from(SINGLE), props, st.none()),
    st.tuples(st.sampled_from(SNA), st.one_of(props, st.just([])), st.none()),
    st.tuples(st.sampled_from(DOUBLE), props, props),
    st.tuples(st.just(0x5E), st.one_of(props, st.just([])), st.one_of(props, st.just([]))),
)
counts = st.one_of(st.none(), st.integers(0, 99_999_999))
seconds = st.integers(-62_000_000_000, 250_000_000_000)
half_hours = st.integers(0, 2_000_000).map(lambda n: n * 1800)
minutes = st.integers(0, 60_000_000).map(lambda n: n * 60)


def write(buf: bytearray | memoryview, header: tuple, body: tuple) -> int:
    tid, seoj, deoj = header
    esv, first, second = body
    return build(buf, tid, seoj, deoj, esv, first, second)


def written(header: tuple, body: tuple) -> bytes:
    buf = bytearray(7000)
    return bytes(buf[: write(buf, header, body)])


@given(headers, bodies, st.sampled_from((bytes, bytearray, memoryview)))
def test_what_is_built_is_read_again(header, body, kind):
    f = Frame().parse(kind(written(header, body)))
    assert (f.tid, f.seoj, f.deoj) == header
    assert f.esv == body[0]
    assert [(f.epc(i), bytes(f.edt(i))) for i in range(f.opc)] == body[1]
    assert [(f.epc2(i), bytes(f.edt2(i))) for i in range(f.opc2)] == (body[2] or [])


@given(headers, bodies, st.data())
def test_no_part_of_a_frame_is_a_frame(header, body, data):
    whole = written(header, body)
    n = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(EchonetError, match=f"frame ends at byte {n}"):
        Frame().parse(whole[:n])


@given(headers, bodies, st.binary(min_size=1, max_size=40))
def test_nothing_may_follow_a_frame(header, body, more):
    whole = written(header, body)
    with pytest.raises(EchonetError, match=f"excess {more[0]:02X} at byte {len(whole)}"):
        Frame().parse(whole + more)


@given(headers, bodies, st.integers(0, 300))
def test_a_small_buffer_is_refused_and_nothing_is_written_behind_it(header, body, room):
    whole = written(header, body)
    buf = bytearray(b"\xa5" * 7000)
    view = memoryview(buf)[:room]
    if room < len(whole):
        with pytest.raises(EchonetError, match="too small"):
            write(view, header, body)
    else:
        assert write(view, header, body) == len(whole)
    assert buf[min(room, len(whole)) :] == b"\xa5" * (7000 - min(room, len(whole)))


@given(st.binary(max_size=300))
def test_chance_is_refused_with_the_codecs_own_error(noise):
    f = Frame()
    try:
        f.parse(b"\x10\x81" + noise)
    except EchonetError:
        assert f.opc == 0


def value_strategies() -> dict[int, st.SearchStrategy]:
    signed32 = st.integers(-2147483647, 2147483645)
    signed16 = st.integers(-32767, 32765)
    special = st.sampled_from([None, "overflow", "underflow"])
    pairs = st.tuples(counts, counts)
    date = st.dates().map(lambda d: (d.year, d.month, d.day))
    day = st.tuples(
        st.one_of(st.none(), st.integers(0, 99)), st.lists(counts, min_size=48, max_size=48)
    )

    def rows(times: st.SearchStrategy[int], step: int, most: int) -> st.SearchStrategy:
        return st.tuples(times, st.lists(pairs, max_size=most)).map(
            lambda v: [(v[0] - i * step, *pair) for i, pair in enumerate(v[1])]
        )

    return {
        0x80: st.booleans(),
        0x81: st.one_of(st.integers(0, 255), st.binary(min_size=16, max_size=16).map(_position)),
        0x82: st.tuples(st.sampled_from("ABCDEFGHIJKLMNOPQR"), st.integers(0, 255)),
        0x83: st.binary(min_size=17, max_size=17).map(bytes.hex),
        0x88: st.booleans(),
        0x8A: st.binary(min_size=3, max_size=3).map(bytes.hex),
        0x8D: st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=12),
        0x97: st.tuples(st.integers(0, 23), st.integers(0, 59)),
        0x98: date,
        0x9A: st.integers(0, 0xFFFFFFFF),
        0x9F: st.sets(epcs).map(lambda s: bytes(sorted(s))),
        0xC0: st.binary(min_size=16, max_size=16).map(bytes.hex),
        0xD0: st.tuples(seconds, counts, counts),
        0xD3: st.integers(0, 999_999),
        0xD7: st.integers(1, 8),
        0xE0: counts,
        0xE1: st.integers(0, 255),
        0xE2: day,
        0xE5: st.one_of(st.none(), st.integers(0, 99)),
        0xE7: st.one_of(signed32, special),
        0xE8: st.tuples(st.one_of(signed16, special), st.one_of(signed16, special)),
        0xEA: st.tuples(seconds, counts),
        0xEC: rows(half_hours, 1800, 12),
        0xED: st.one_of(st.none(), st.tuples(half_hours, st.integers(1, 12))),
        0xEE: rows(minutes, 60, 10),
        0xEF: st.one_of(st.none(), st.tuples(minutes, st.integers(1, 10))),
    }


def _position(tail: bytes) -> str:
    return (b"\x01" + tail).hex()


VALUES = value_strategies()


@pytest.mark.parametrize("epc", VALUES, ids=lambda epc: f"{epc:02X}")
@given(data=st.data())
def test_values_survive_the_wire(epc, data):
    value = data.draw(VALUES[epc])
    edt = encode.encode(epc, value)
    assert values.decode(epc, edt) == value
    assert encode.encode(epc, values.decode(epc, edt)) == edt


@given(st.binary(max_size=16), epcs.filter(lambda epc: epc != 0xE7), st.integers())
def test_readers_in_the_frame_see_only_their_property(before, epc, watts):
    watts = watts % 2_000_000 - 1_000_000
    edt = encode.power(watts)
    body = (ESV_GET_RES, [(epc, before), (0xE7, edt), (0x80, b"\x30")], None)
    f = Frame().parse(written((1, meter.METER, meter.CONTROLLER), body))
    assert meter.power(f.data, f.find(0xE7)) == meter.power(f.get(0xE7)) == watts


@given(st.sets(epcs))
def test_maps_have_one_form_for_each_set(codes):
    edt = maps.encode(codes)
    assert maps.decode(edt) == bytes(sorted(codes))
    assert len(edt) == (len(codes) + 1 if len(codes) < 16 else 17)
    assert edt[0] == len(codes)


@given(seconds)
def test_dates_agree_with_the_calendar(t):
    when = datetime.fromtimestamp(t, UTC).astimezone(JST)
    civil = (when.year, when.month, when.day, when.hour, when.minute, when.second)
    assert dates.jst(t) == civil
    assert dates.utc(*civil) == t
    midnight = when.replace(hour=0, minute=0, second=0)
    assert dates.midnight(t) == int(midnight.timestamp())


@given(*[st.integers(0, 70)] * 5, st.integers(1, 9999))
def test_dates_refuse_what_the_calendar_refuses(month, day, hour, minute, second, year):
    try:
        when = datetime(year, month, day, hour, minute, second, tzinfo=JST)
    except ValueError:
        with pytest.raises(EchonetError):
            dates.utc(year, month, day, hour, minute, second)
    else:
        assert dates.utc(year, month, day, hour, minute, second) == int(when.timestamp())


UNITS = {0: 1, 1: "0.1", 2: "0.01", 3: "0.001", 4: "0.0001", 10: 10, 11: 100, 12: 1000, 13: 10000}


@given(
    st.integers(0, 99_999_999),
    st.one_of(st.none(), st.integers(1, 999_999)),
    st.sampled_from(sorted(UNITS)),
)
def test_energy_is_exact(raw, coefficient, unit):
    kwh = raw * (coefficient or 1) * Fraction(UNITS[unit])
    assert meter.Scale(coefficient, unit, 6).energy(raw) == kwh * 10_000


# A counter that is read often enough gives back every count, over any number of roll-overs.
@given(st.integers(1, 8), st.data())
def test_deltas_add_up_over_roll_overs(digits, data):
    turn = 10**digits
    scale = meter.Scale(3, 2, digits)
    total = data.draw(st.integers(0, turn - 1))
    start, seen, energy = total, total % turn, 0
    for step in data.draw(st.lists(st.integers(0, turn // 10), max_size=40)):
        total += step
        delta = scale.delta(seen, total % turn)
        assert delta is not None
        energy += delta
        seen = total % turn
    assert energy == (total - start) * 300


@given(
    st.lists(epcs, max_size=30),
    st.sets(epcs),
    st.one_of(st.none(), st.sets(epcs).map(lambda s: bytes(sorted(s)))),
    st.integers(1, 12),
    st.integers(1, 9),
)
def test_planner_gets_all_there_is_from_any_meter(wanted, have, getmap, limit, cut):
    plan = Planner(wanted, getmap, limit)
    asked_for = {epc for epc in wanted if getmap is None or epc in getmap}
    gets = 0
    while asked := plan.next():
        assert len(asked) <= limit
        answered = [(epc, b"\x01" if epc in have else b"") for epc in asked[:cut]]
        whole = len(answered) == len(asked) and all(edt for _, edt in answered)
        body = (ESV_GET_RES if whole else ESV_GET_SNA, answered, None)
        f = Frame().parse(written((gets, meter.METER, meter.CONTROLLER), body))
        assert is_answer(f, gets, meter.METER, ESV_GET, asked)
        plan.answer(f)
        gets += 1
        assert gets <= 2 * len(asked_for) + 5
    assert set(plan.values) == asked_for & have
    assert set(plan.refused) == set(wanted) - (asked_for & have)


@given(tids, st.lists(epcs, min_size=1, max_size=20), st.sets(epcs), st.sampled_from((0x62, 0x63)))
def test_answers_of_a_node_match_its_requests(tid, asked, have, esv):
    node = Node(Object(meter.METER, dict.fromkeys(have - {157, 158, 159}, b"\x01")))
    body = (esv, [(epc, b"") for epc in asked], None)
    request = Frame().parse(written((tid, meter.CONTROLLER, meter.METER), body))
    buf = bytearray(1024)
    (n,) = node.answers(request, buf)
    answer = Frame().parse(bytes(buf[:n]))
    assert answer.epcs() == bytes(asked)
    assert is_answer(answer, tid, meter.METER, esv, bytes(asked))
    assert not is_answer(answer, tid ^ 1, meter.METER, esv, bytes(asked))
    complete = set(asked) <= have | {0x9D, 0x9E, 0x9F}
    assert answer.esv == (esv + 0x10 if complete else esv - 0x10)


@given(half_hours, st.integers(1, 12), st.sampled_from((history.HALF_HOUR, history.MINUTE)))
def test_history_requests_read_back(t, n, step):
    assume(step == history.HALF_HOUR or n <= 10)
    edt = history.set_time(t, n, step)
    assert history.requested(edt, 0, step) == (t, n)
    rows = list(history.entries(encode.entries(t, [(1, 2)] * n, step), 0, step))
    assert [row[0] for row in rows] == [t - i * step for i in range(n)]
