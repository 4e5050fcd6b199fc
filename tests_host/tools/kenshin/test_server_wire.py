"""Each reading is checked by itself: the table of what is right and what is not."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kenshin.server import wire
from kenshin.server.status import clean

T0 = 1_795_392_000


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"power": -(2**31) + 1},
        {"power": 2**31 - 3},
        {"current_r": -32767, "current_t": 32765},
        {"current_t": None},
        {"normal": 0, "reverse": 0},
        {"normal": 2**63 - 1},
        {"normal": 2**53 + 1},
        {"t": wire.T_MIN},
        {"t": T0 + wire.T_AHEAD},
        {"t": T0 - 17},
        {"quality": "meter"},
        {"quality": "server"},
        {"origin": "E2"},
        {"kind": "half-hour", "power": None, "normal": 5},
        {"kind": "half-hour", "power": None, "t": T0 - 1800, "origin": "inf"},
        {"kind": "minute", "power": None, "normal": 5, "t": T0 - 60, "origin": "D0"},
        {"power": None},  # asked, and the meter said "not measured"
    ],
)
def test_a_right_reading_passes_unchanged(row, change):
    fields = {"power": 500, **change}
    sent = row(1, **fields)
    found = wire.check(sent, T0)
    assert isinstance(found, wire.Row), found
    again = [1, found.kind, found.t, found.slot.quality, *found.slot.values, *found.slot.origins]
    assert again == sent


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"kind": "hour"}, "kind: must be 'instant'"),
        ({"kind": None}, "kind: "),
        ({"kind": ["instant"]}, "kind: "),
        ({"t": None}, "t: "),
        ({"t": "1795392000"}, "t: must be a valid integer"),
        ({"t": 1_795_392_000.0}, "t: must be a valid integer"),
        ({"t": True}, "t: must be a valid integer"),
        ({"t": 12345}, "t: must be greater"),  # seconds since the board's start
        ({"t": T0 - 946_684_800}, "t: must be greater"),  # seconds since 2000
        ({"t": T0 * 1000}, "t: lies in the future"),  # milliseconds
        ({"t": 10**30}, "t: lies in the future"),
        ({"t": T0 + wire.T_AHEAD + 1}, "t: lies in the future"),
        ({"quality": None}, "quality: must be 'ntp'"),
        ({"quality": "gps"}, "quality: "),
        ({"power": 1.5}, "power: must be a valid integer"),
        ({"power": "500"}, "power: "),
        ({"power": False}, "power: "),
        ({"power": 0x7FFFFFFE}, "power: must be less"),  # "not measured", unconverted
        ({"power": 0x7FFFFFFF}, "power: must be less"),
        ({"power": -0x80000000}, "power: must be greater"),
        ({"power": []}, "power: "),
        ({"current_r": 0x7FFE}, "current_r: must be less"),
        ({"current_t": 0x7FFF}, "current_t: must be less"),
        ({"current_t": -0x8000}, "current_t: must be greater"),
        ({"current_r": 65521}, "current_r: "),  # -1.5 A, read as unsigned
        ({"normal": -1}, "normal: must be greater"),
        ({"normal": 2**63}, "normal: must be less"),
        ({"reverse": 12.3}, "reverse: "),
        ({"reverse": 10**400}, "reverse: "),
        ({"origin": "E3"}, "origin: "),
        ({"origin": None}, "origin: "),
        ({"kind": "half-hour", "power": None, "t": T0 + 1}, "t: not on a half-hour"),
        ({"kind": "half-hour", "power": 5}, "power, current: not part of half-hour"),
        ({"kind": "minute", "power": None, "current_t": 5}, "power, current: not part of minute"),
    ],
)
def test_a_wrong_reading_is_told_why(row, change, why):
    found = wire.check(row(1, **change), T0)
    assert isinstance(found, str), found
    assert found.startswith(why)
    assert len(found) < 120


@pytest.mark.parametrize("fields", [1, 9, 11])
def test_the_number_of_fields_is_checked(row, fields):
    long = [*row(1), 0, 0]
    assert wire.check(long[:fields], T0) == f"has {fields} fields instead of 10"


@pytest.mark.parametrize(
    ("body", "where"),
    [
        ("[]", "/"),
        ("null", "/"),
        ("1", "/"),
        ('"v"', "/"),
        ("{}", "/v"),
        ('{"v":2,"stream":1,"readings":[]}', "/v"),
        ('{"v":"1","stream":1,"readings":[]}', "/v"),
        ('{"v":true,"stream":1,"readings":[]}', "/v"),
        ('{"v":1.0,"stream":1,"readings":[]}', "/v"),
        ('{"v":1,"readings":[]}', "/stream"),
        ('{"v":1,"stream":-1,"readings":[]}', "/stream"),
        ('{"v":1,"stream":4294967296,"readings":[]}', "/stream"),
        ('{"v":1,"stream":"1","readings":[]}', "/stream"),
        ('{"v":1,"stream":1.5,"readings":[]}', "/stream"),
        ('{"v":1,"stream":1}', "/readings"),
        ('{"v":1,"stream":1,"readings":{}}', "/readings"),
        ('{"v":1,"stream":1,"readings":null}', "/readings"),
        ('{"v":1,"stream":1,"readings":[[]]}', "/readings/0"),
        ('{"v":1,"stream":1,"readings":[[1],5]}', "/readings/1"),
        ('{"v":1,"stream":1,"readings":[["1"]]}', "/readings/0"),
        ('{"v":1,"stream":1,"readings":[[-1]]}', "/readings/0"),
        ('{"v":1,"stream":1,"readings":[[true]]}', "/readings/0"),
        ('{"v":1,"stream":1,"readings":[[9007199254740992]]}', "/readings/0"),
        ('{"v":1,"stream":1,"readings":[],"status":[]}', "/status"),
        ('{"v":1,"stream":1,"readings":[],"status":"ok"}', "/status"),
    ],
)
def test_a_wrong_envelope_is_refused_as_a_whole_and_pointed_at(body, where):
    with pytest.raises(wire.Malformed) as caught:
        wire.parse(body.encode())
    assert caught.value.errors[0]["where"] == where
    assert caught.value.errors[0]["why"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"v":1,"stream":1,"readings":[',
        b'{"v":1,"stream":NaN,"readings":[]}',
        b"\xff\xfe",
        b'"\xed\xa0\x80"',
        b"[" * 100_000,
        b'{"v":' + b"9" * 5000 + b"}",
    ],
)
def test_what_is_not_json_is_told_apart(body):
    with pytest.raises(wire.NotJson):
        wire.parse(body)


def test_too_many_readings_are_refused():
    body = {"v": 1, "stream": 1, "readings": [[n] for n in range(wire.MOST_READINGS + 1)]}
    with pytest.raises(wire.Malformed):
        wire.parse(json.dumps(body).encode())


def test_gateways_may_be_newer_than_the_server():
    body = b'{"v":1,"stream":1,"readings":[],"new":{},"status":{"word":null,"newer":[1]}}'
    batch = wire.parse(body)
    assert batch.status == {"word": None, "newer": [1]}
    assert batch.status_faults == ()


def nested(levels):
    return [nested(levels - 1)] if levels else 1


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("radio", {"polls": 3, "worst": [1, -2, None], "link": {"lqi": 7.5}}, True),
        ("deep", nested(8), True),
        ("deep", nested(9), False),
        ("long", "x" * 8000, True),
        ("long", "x" * 8200, False),
        ("n" * 40, 1, True),
        ("n" * 41, 1, False),
        ("", 1, False),
        ("two\nlines", 1, False),
        ("huge", 10**400, True),
        ("endless", float("inf"), False),
        ("nothing", float("nan"), False),
    ],
)
def test_what_is_not_known_of_a_status_is_kept_within_bounds(name, value, kept):
    status, faults = clean({"rssi": -70, name: value})
    assert status == ({"rssi": -70, name: value} if kept else {"rssi": -70})
    assert len(faults) == (not kept)
    assert all(fault.isprintable() and len(fault) <= 40 for fault in faults)


def test_what_is_known_is_not_crowded_out_by_what_is_not():
    status, faults = clean({"big": "x" * 8100, "detail": "y" * 400})
    assert status == {"detail": "y" * 400}
    assert faults == ("big",)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("word", "fire"),
        ("code", 5),
        ("code", "x" * 501),
        ("detail", "two\nlines"),
        ("detail", "a\u0000b"),
        ("uptime", -1),
        ("uptime", 1.5),
        ("rssi", "near"),
        ("rssi", 5000),
        ("queue", True),
        ("counters", []),
        ("counters", {"a": "b"}),
        ("counters", {"a": 1e400}),
        ("counters", {str(n): n for n in range(101)}),
        ("meter", "one"),
        ("meter", {"digits": "six"}),
        ("quality", [1]),
        ("quality", [-1, 0]),
        ("quality", [0, 101]),
        ("quality", {"unsent": 1}),
        ("resets", ["watchdog"]),
        ("events", 5),
        ("events", "EjRWJ"),
        ("events", "EjRWJAI"),
        ("events", "EjRW!AI="),
        ("events", "EjRWJA=="),
        ("events", "A" * 340),
    ],
)
def test_a_wrong_field_of_the_status_is_left_out_and_named(field, value):
    status = json.dumps({"fw": "0.1.0", field: value}).replace("Infinity", "1e400")
    batch = wire.parse(b'{"v":1,"stream":1,"readings":[],"status":%s}' % status.encode())
    assert batch.status == {"fw": "0.1.0"}
    assert batch.status_faults == (field,)


def test_a_whole_status_is_kept():
    status = {
        "word": "radio",
        "code": "too-far",
        "detail": "最後のビーコン -91 dBm",
        "fw": "0.1.0",
        "board": "generic",
        "uptime": 86400,
        "rssi": -91,
        "rssi_age": 3,
        "module": "BP35A1 1.2.10",
        "net_rssi": -55,
        "queue": 12,
        "quality": [3, 17],
        "events": "EjRWJAISNFYlAA==",
        "counters": {"polls": 2880, "late": 3},
        "meter": {
            "maker": "000016",
            "serial": "S18B12345",
            "release": "F",
            "coefficient": 1,
            "unit": 1,
            "digits": 6,
        },
        "reset": "power-on",
        "resets": "13 watchdog; 12 power-on",
    }
    body = json.dumps({"v": 1, "stream": 1, "readings": [], "status": status})
    batch = wire.parse(body.encode())
    assert batch.status == status | {"quality": (3, 17)}
    assert batch.status_faults == ()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=10) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=20,
)


@given(st.lists(json_values, max_size=12))
def test_whatever_a_row_holds_it_is_stored_or_told_why(fields):
    found = wire.check(fields, T0)
    assert isinstance(found, str | wire.Row)


@given(st.binary() | json_values.map(lambda value: json.dumps(value).encode()))
def test_whatever_a_body_holds_it_is_taken_or_told_why(body):
    try:
        wire.parse(body)
    except (wire.NotJson, wire.Malformed):
        pass


@given(
    st.lists(st.integers(0, wire.SEQ_MAX), max_size=300),
    st.lists(st.tuples(st.integers(0, wire.SEQ_MAX), st.text(max_size=150)), max_size=300),
)
def test_an_answer_always_fits_a_board_and_always_tells_something(acked, rejected):
    ack = [(n, n) for n in acked]
    text = wire.receipt(T0, ack, rejected)
    assert len(text) <= wire.REPLY_MAX
    answer = json.loads(text)
    assert answer["ack"] == [list(span) for span in ack[: len(answer["ack"])]]
    assert answer["rejected"] == [list(pair) for pair in rejected[: len(answer["rejected"])]]
    assert bool(answer["ack"]) == bool(ack)
    assert bool(answer["rejected"]) == bool(rejected)
    assert (answer["v"], answer["time"], answer["want"], answer["interval"]) == (1, T0, [], None)
