import captures
from echonet.frame import ESV_GET, ESV_GET_RES, ESV_GET_SNA, Frame, build, is_answer
from echonet.maps import decode
from echonet.planner import Planner
from helpers import hex_

METER = 0x028801
CONTROLLER = 0x05FF01
CONSTANTS = b"\x82\x8a\x8d\xd3\xd7\xe1"


# What a meter that has these properties says to a Get. After `cut` properties it falls silent,
# and calls that an SNA, as a real one does.
def reply(asked, have, cut=6):
    props = [(epc, have.get(epc, b"")) for epc in asked[:cut]]
    whole = len(asked) <= cut and all(edt for _, edt in props)
    return frame(ESV_GET_RES if whole else ESV_GET_SNA, props)


def frame(esv, props):
    buf = bytearray(1024)
    return Frame().parse(bytes(buf[: build(buf, 1, METER, CONTROLLER, esv, props)]))


# Asks until nothing is missing; -> the Gets.
def ask_all(plan, have, cut=6):
    gets = []
    while True:
        asked = plan.next()
        if not asked:
            return gets
        gets.append(asked)
        answer = reply(asked, have, cut)
        assert is_answer(answer, 1, METER, ESV_GET, asked)
        plan.answer(answer)
        assert len(gets) < 40


def full(epcs):
    return {epc: bytes([epc]) for epc in epcs}


def test_five_at_a_time():
    plan = Planner(CONSTANTS)
    assert ask_all(plan, full(CONSTANTS)) == [b"\x82\x8a\x8d\xd3\xd7", b"\xe1"]
    assert plan.values == full(CONSTANTS)
    assert plan.missing == []
    assert plan.refused == []


def test_only_what_the_map_has_is_asked_for():
    have = decode(captures.edt(captures.P6, 0x9F))
    plan = Planner(b"\xe7\xe8\xd0\xe0\x83", have)
    assert plan.refused == [0xD0, 0x83]
    assert plan.next() == b"\xe7\xe8\xe0"


def test_nothing_wanted():
    assert Planner(b"").next() == b""
    assert Planner(b"\xd0", b"\xe7").next() == b""


def test_without_an_answer_the_same_is_asked_again():
    plan = Planner(CONSTANTS)
    assert plan.next() == plan.next() == b"\x82\x8a\x8d\xd3\xd7"
    assert plan.missing == list(CONSTANTS)


def test_doubles_are_asked_once():
    assert Planner(b"\xe7\xe8\xe7").next() == b"\xe7\xe8"


def test_a_refused_property_is_not_asked_again():
    have = full(CONSTANTS)
    del have[0xD3]
    plan = Planner(CONSTANTS)
    assert ask_all(plan, have) == [b"\x82\x8a\x8d\xd3\xd7", b"\xe1"]
    assert plan.refused == [0xD3]
    assert 0xD3 not in plan.values


def test_captured_refusal():
    plan = Planner(b"\x83")
    assert plan.next() == b"\x83"
    assert plan.answer(Frame().parse(captures.P4)) == []
    assert plan.refused == [0x83]


def test_mixed_refusal():
    plan = Planner(b"\xe0\xeb")
    plan.next()
    assert plan.answer(Frame().parse(captures.S8)) == []
    assert plan.values == {0xE0: hex_("0000FE73")}
    assert plan.refused == [0xEB]


# The meter of a well-known report: more than six properties come back as an SNA with the first
# six, all of them good.
def test_cut_off_after_six():
    wanted = bytes(range(0xC0, 0xD4))
    plan = Planner(wanted, None, 10)
    gets = ask_all(plan, full(wanted), cut=6)
    assert gets == [wanted[:10], wanted[6:12], wanted[12:18], wanted[18:]]
    assert plan.values == full(wanted)
    assert plan.limit == 6


def test_every_limit_against_every_cut():
    wanted = bytes(range(0xC0, 0xCD))
    have = full(wanted)
    del have[0xC0], have[0xC7], have[0xCC]
    for limit in range(1, 14):
        for cut in range(1, 9):
            plan = Planner(wanted, None, limit)
            ask_all(plan, have, cut)
            assert plan.values == have
            assert sorted(plan.refused) == [0xC0, 0xC7, 0xCC]
            assert plan.missing == []


# A meter may also refuse an over-long Get as a whole.
def test_all_refused_at_once_means_too_many():
    wanted = b"\xe7\xe8\xe0\xe3"
    plan = Planner(wanted)
    assert plan.next() == wanted
    plan.answer(frame(ESV_GET_SNA, [(epc, b"") for epc in wanted]))
    assert plan.next() == b"\xe7\xe8"
    plan.answer(reply(b"\xe7\xe8", full(wanted)))
    assert plan.next() == b"\xe0\xe3"


def test_an_empty_refusal_means_too_many():
    plan = Planner(b"\xe7\xe8\xe0\xe3\xd3")
    sna = Frame().parse(captures.N5)
    for size in (5, 2, 1):
        assert len(plan.next()) == size
        plan.answer(sna)
    assert plan.refused == [0xE7]
    assert plan.next() == b"\xe8"


def test_a_meter_that_only_refuses_comes_to_an_end():
    plan = Planner(CONSTANTS)
    ask_all(plan, {})
    assert sorted(plan.refused) == sorted(CONSTANTS)
    assert plan.values == {}


def test_histories_go_alone():
    wanted = b"\xe7\xe2\xe8\xe4\xec\xe0\xee"
    gets = ask_all(Planner(wanted), full(wanted))
    assert gets == [b"\xe7\xe8\xe0", b"\xe2", b"\xe4", b"\xec", b"\xee"]
    assert ask_all(Planner(b"\xe2\xe7\xe4"), full(wanted)) == [b"\xe2", b"\xe7", b"\xe4"]


def test_a_late_answer_still_fills_what_is_missing():
    plan = Planner(b"\xe7\xe8\xe0\xe3\xd3\xd7", None, 2)
    plan.next()
    plan.answer(reply(b"\xe7\xe8", full(b"\xe7\xe8")))
    assert plan.next() == b"\xe0\xe3"
    assert plan.answer(reply(b"\xd3\xd7", full(b"\xd3\xd7"))) == [0xE0, 0xE3]


def test_an_answer_that_comes_twice_changes_nothing():
    plan = Planner(b"\xe7\xe8\xe0", None, 2)
    asked = plan.next()
    answer = reply(asked, {0xE7: b"\x01"})
    assert plan.answer(answer) == [0xE0]
    assert plan.next() == b"\xe0"
    assert plan.answer(answer) == [0xE0]
    assert plan.refused == [0xE8]


def test_a_property_twice_in_one_answer():
    plan = Planner(b"\xe7\xe8")
    plan.next()
    plan.answer(frame(ESV_GET_SNA, [(0xE7, b""), (0xE7, b""), (0xE8, b"\x01"), (0xE8, b"")]))
    assert plan.refused == [0xE7]
    assert plan.values == {0xE8: b"\x01"}
    plan = Planner(b"\xe7\xe8")
    plan.next()
    plan.answer(frame(ESV_GET_SNA, [(0xE7, b""), (0xE7, b"\x02"), (0xE8, b"\x01")]))
    assert plan.values == {0xE7: b"\x02", 0xE8: b"\x01"}
    assert plan.refused == []


def test_values_outlive_the_buffer():
    data = bytearray(captures.P2)
    plan = Planner(b"\xe7")
    plan.next()
    plan.answer(Frame().parse(memoryview(data)))
    data[-1] = 0
    assert plan.values == {0xE7: hex_("00000263")}
