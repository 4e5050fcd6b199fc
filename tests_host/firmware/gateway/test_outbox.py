# Nothing leaves unless it was acknowledged, rejected or counted as dropped; no number comes twice.
import json

from fakeboard import FakeNvs
from fakeclock import FakeClock
from gateway import waiting
from gateway.batch import Batch
from gateway.reading import Reading
from gateway.store import Store
from helpers import raises
from rambox import Box, T, half_hour, instant, outbox, rows


def test_a_row_is_what_was_measured():
    box = outbox()
    box.append(Reading("instant", T, "ntp", -1500, -123, 7, None, None, "get"))
    box.append(Reading("half-hour", T, "meter", None, None, None, 1 << 40, 0, "E2"))
    box.append(Reading("minute", T, "server", 0, 0, 0, 5, (1 << 63) - 1, "D0"))
    assert rows(box) == [
        [1, "instant", T, "ntp", -1500, -123, 7, None, None, "get"],
        [2, "half-hour", T, "meter", None, None, None, 1 << 40, 0, "E2"],
        [3, "minute", T, "server", 0, 0, 0, 5, (1 << 63) - 1, "D0"],
    ]
    assert b"".join(box.batch(1).rows()) == (
        b'[1,"instant",1800000000,"ntp",-1500,-123,7,null,null,"get"]'
    )


def test_extremes_survive_and_what_is_beyond_is_refused():
    box = outbox()
    for power in (-(2**31) + 1, 2**31 - 1):
        box.append(instant(T, power))
    assert [row[4] for row in rows(box)] == [-(2**31) + 1, 2**31 - 1]
    for bad in (
        instant(T, 2**31),
        instant(T, -(2**31)),
        Reading("instant", T, "ntp", 1, 32768, None, None, None, "get"),
        Reading("instant", T, "ntp", 1, None, -32768, None, None, "get"),
        half_hour(T, -1),
        half_hour(T, None, 1 << 63),
        Reading("day", T, "ntp", 1, None, None, None, None, "get"),
        Reading("instant", T, "gps", 1, None, None, None, None, "get"),
    ):
        raises(ValueError, box.append, bad)
    assert len(box) == 2


def test_batches_are_the_oldest_first():
    box = outbox()
    for i in range(10):
        assert box.append(instant(T + i)) == i + 1
    assert [row[0] for row in rows(box, 4)] == [1, 2, 3, 4]
    assert box.acknowledge([(1, 4)]) == 4
    assert [row[0] for row in rows(box, 4)] == [5, 6, 7, 8]
    assert len(box) == 6 and box.snapshot()["queue"] == 6
    assert outbox().batch(5).count == 0


def test_batches_of_the_newest():
    box = outbox()
    for i in range(10):
        box.append(instant(T + i, quality="ntp" if i != 8 else None))
    assert [row[0] for row in rows(box, 4)] == [1, 2, 3, 4]
    box.sent = Batch(box, 4, newest=True)
    assert box.sent.count == 4
    text = b"".join(box.sent.rows())
    assert len(text) == box.sent.length
    assert [row[0] for row in json.loads(b"[" + text + b"]")] == [6, 7, 8, 10]
    assert box.acknowledge([(1, 10)]) == 4
    assert [row[0] for row in rows(box)] == [1, 2, 3, 4, 5]
    assert Batch(box, 100, newest=True).count == 5


def test_half_hours_that_wait_and_those_that_were_delivered():
    box = outbox()
    told = []
    box.on_delivered = lambda t, half: told.append((t, half))
    for t in (T, T + 1800, T + 3600 * 24, T + 17, T - 1800, T + 1800 * 64):
        box.append(half_hour(t, 5))
    box.append(instant(T + 3600))
    bits = bytearray(8)
    waiting.mark(box, T, bits)
    assert bits == bytes([3, 0, 0, 0, 0, 0, 1, 0])
    box.batch(10)
    box.reject([(2, "no")])
    # The meter would tell the same again, each day for 99 days.
    assert told == [(T + 1800, None)]
    del told[:]
    box.acknowledge([(1, 1), (3, 9)])
    assert told == [(t, True) for t in (T, T + 3600 * 24, T + 17, T - 1800, T + 1800 * 64)]
    bits = bytearray(8)
    waiting.mark(box, T, bits)
    assert bits == bytes(8)


def test_only_what_was_sent_can_be_acknowledged():
    box = outbox()
    for i in range(6):
        box.append(instant(T + i))
    box.batch(0)
    assert box.acknowledge([(1, 6)]) == 0
    box.batch(3)
    assert box.acknowledge([(0, 1 << 40), (2, 2)]) == 3
    assert len(box) == 3
    assert box.acknowledge([(4, 6)]) == 0, "not in the batch under way"
    assert [row[0] for row in rows(box)] == [4, 5, 6]


def test_parts_are_acknowledged_and_the_rest_sent_again():
    box = outbox()
    for i in range(8):
        box.append(instant(T + i))
    box.batch(8)
    assert box.acknowledge([(1, 2), (5, 5), (7, 8)]) == 5
    assert [row[0] for row in rows(box)] == [3, 4, 6]
    assert box.acknowledge([(6, 3)]) == 0


def test_rejected_ones_are_set_aside_and_shown():
    box = outbox()
    for i in range(8):
        box.append(instant(T + i))
    box.batch(8)
    assert box.reject([(2, "t: in the future"), (99, "never heard of")]) == 1
    assert (2, "t: in the future") in box.rejects
    assert len(box) == 7
    box.reject([(i, "no") for i in range(3, 9)])
    assert len(box.rejects) == 4 and [row[0] for row in rows(box)] == [1]


def test_many_rounds_through_the_ring():
    box = outbox(100)
    seen = []
    n = 0
    for round_ in range(60):
        for _ in range(37):
            box.append(instant(T + n, n))
            n += 1
        while len(box) > round_ % 50:
            got = rows(box, 29)
            seen += [row[4] for row in got]
            assert box.acknowledge([(got[0][0], got[-1][0])]) == len(got)
    seen += [row[4] for row in rows(box)]
    assert seen == list(range(n))


# -- numbers


def test_numbers_are_reserved_ahead_and_never_reused():
    nvs = FakeNvs()
    box = outbox(100, nvs)
    first = [box.append(instant(T)) for _ in range(5)]
    stream = box.stream
    box = outbox(100, nvs)  # the power went
    assert box.stream == stream
    second = box.append(instant(T))
    assert second == 1025 and max(first) < second
    box = outbox(100, nvs)
    last = second
    for _ in range(1500):
        last = box.append(instant(T))
        rows(box, 1)
        box.acknowledge([(last, last)])
    assert last == 2048 + 1500
    assert outbox(100, nvs).append(instant(T)) > last


def test_flash_is_written_once_in_1024_readings():
    nvs = FakeNvs()
    box = outbox(100, nvs)
    before = nvs.writes
    for _ in range(1024):
        n = box.append(instant(T))
        rows(box, 1)
        box.acknowledge([(n, n)])
    assert nvs.writes - before == 1


def test_numbers_are_reserved_while_there_is_memory_for_it():
    nvs = FakeNvs()
    box = outbox(100, nvs)
    for _ in range(1000):
        n = box.append(instant(T))
        rows(box, 1)
        box.acknowledge([(n, n)])
    before = nvs.writes
    box.tend()
    box.tend()
    assert nvs.writes - before == 1
    for _ in range(1000):
        n = box.append(instant(T))
        rows(box, 1)
        box.acknowledge([(n, n)])
    assert nvs.writes - before == 1, "and not in the midst of the talk"


def test_an_erased_or_damaged_memory_begins_another_stream():
    nvs = FakeNvs()
    a = outbox(100, nvs)
    assert 0 <= a.stream < 1 << 32
    a.append(instant(T))
    assert outbox(100).stream != a.stream
    for name in nvs.blobs:
        good = nvs.blobs[name]
        damaged = FakeNvs({n: (good[:-1] if n == name else nvs.blobs[n]) for n in nvs.blobs})
        b = outbox(100, damaged)
        assert b.stream != a.stream, name
        assert outbox(100, damaged).stream == b.stream, "and keeps it"


# -- time


def test_readings_of_unknown_time_wait_for_it():
    clock = FakeClock()
    box = Box(clock, Store(FakeNvs()), 100)
    box.append(instant(5, 1, None))
    box.append(half_hour(T, 7))
    box.append(instant(35, 2, None))
    assert [row[0] for row in rows(box)] == [2]
    box.acknowledge([(1, 3)])
    assert box.batch(10).count == 0 and len(box) == 2
    clock.set(T + 100, "server")
    box.fix(T + 60)
    assert [row[:5] for row in rows(box)] == [
        [1, "instant", T + 65, "server", 1],
        [3, "instant", T + 95, "server", 2],
    ]
    # what is fixed never changes again
    clock.set(T + 100, "ntp")
    box.fix(T)
    assert rows(box)[0][2:4] == [T + 65, "server"]


# -- half-hours


def test_both_directions_of_a_half_hour_become_one_row():
    box = outbox()
    n = box.append(half_hour(T, 100))
    box.append(instant(T))
    assert box.append(half_hour(T, None, 5, "E4")) == n
    assert box.append(half_hour(T, 100, 5)) == n, "the same again is nothing"
    assert box.append(half_hour(T, None, None)) == n, "None overwrites nothing"
    assert rows(box)[0] == [n, "half-hour", T, "meter", None, None, None, 100, 5, "inf"]
    assert len(box) == 2


def test_a_different_value_is_kept_beside_it():
    box = outbox()
    n = box.append(half_hour(T, 100))
    other = box.append(half_hour(T, 101, 7))
    assert other != n
    assert [row[7:9] for row in rows(box)] == [[100, None], [101, 7]]
    assert box.append(half_hour(T, 0)) not in (n, other), "0 is a value"


def test_other_slots_and_kinds_do_not_merge():
    box = outbox()
    box.append(half_hour(T, 100))
    box.append(half_hour(T + 1800, None, 5))
    box.append(Reading("minute", T, "ntp", None, None, None, None, 5, "D0"))
    assert len(box) == 3


def test_what_is_under_way_is_not_changed():
    box = outbox()
    n = box.append(half_hour(T, 100))
    batch = box.batch(10)
    assert box.append(half_hour(T, None, 5)) != n
    assert len(b"".join(batch.rows())) == batch.length
    box.acknowledge([(n, n)])
    assert [row[7:9] for row in rows(box)] == [[None, 5]]


def test_what_was_sent_is_not_changed_either_though_no_answer_came():
    # The server may have it under this number, and would not look at it again.
    box = outbox()
    n = box.append(half_hour(T, 100))
    box.batch(10).end()
    later = box.append(half_hour(T, None, 5))
    assert later != n
    assert [row[7:9] for row in rows(box)] == [[100, None], [None, 5]]
    box.sent.end()
    assert box.append(half_hour(T, 100)) == n and len(box) == 2, "the same again is nothing"
    assert box.append(half_hour(T, 101)) not in (n, later)
    box.batch(1)
    assert box.acknowledge([(n, n)]) == 1 and len(box) == 2
    # Only what was in the batch: the next one is still open.
    other = box.append(half_hour(T + 1800, 1))
    box.batch(1)
    box.sent.end()
    assert box.append(half_hour(T + 1800, None, 2)) == other
