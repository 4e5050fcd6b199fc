# Nothing leaves unless it was acknowledged, rejected or counted as dropped; no number comes twice.
import json
import sys

from fakeboard import FakeNvs
from fakeclock import FakeClock
from gateway import waiting
from gateway.batch import Batch
from gateway.outbox import Outbox
from gateway.reading import KINDS, QUALITIES, Reading
from gateway.store import Store
from helpers import raises

T = 1_800_000_000


# With the batch under way at hand.
class Box(Outbox):
    def batch(self, limit):
        self.sent = Batch(self, limit)
        return self.sent

    def acknowledge(self, ranges):
        return self.sent.acknowledge(ranges)

    def reject(self, refused):
        return self.sent.reject(refused)


def outbox(capacity=100, nvs=None):
    return Box(FakeClock(T), Store(nvs or FakeNvs()), capacity)


def instant(t, power=100, quality="ntp"):
    return Reading("instant", t, quality, power, 12, None, None, None, "get")


def half_hour(t, normal=None, reverse=None, origin="inf"):
    return Reading("half-hour", t, "meter", None, None, None, normal, reverse, origin)


def rows(box, limit=1000):
    """The batch as the server will read it; checks that the length told is right."""
    batch = box.batch(limit)
    text = b"".join(batch.rows())
    assert len(text) == batch.length
    assert b"".join(batch.rows()) == text, "can be sent again"
    out = json.loads("[" + text.decode() + "]")
    assert len(out) == batch.count
    return out


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
    box.on_delivered = lambda t, half: told.append(t)
    for t in (T, T + 1800, T + 3600 * 24, T + 17, T - 1800, T + 1800 * 64):
        box.append(half_hour(t, 5))
    box.append(instant(T + 3600))
    bits = bytearray(8)
    waiting.mark(box, T, bits)
    assert bits == bytes([3, 0, 0, 0, 0, 0, 1, 0])
    box.batch(10)
    box.reject([(2, "no")])
    assert told == []
    box.acknowledge([(1, 1), (3, 9)])
    assert told == [T, T + 3600 * 24, T + 17, T - 1800, T + 1800 * 64]
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


# -- no room


def fill(box, n, start=0):
    for i in range(n):
        box.append(instant(T + start + i, start + i))


def test_when_full_the_old_instants_are_thinned():
    box = outbox(100)
    drops = {}
    box.count = lambda name, n: drops.update({name: drops.get(name, 0) + n})
    fill(box, 100)
    assert len(box) == 100 and drops == {}
    box.append(instant(T + 100, 100))
    kept = [row[4] for row in rows(box)]
    assert kept == list(range(1, 75, 2)) + list(range(75, 101))
    assert drops == {"dropped.instant": 38}
    fill(box, 3000, 101)
    kept = [row[4] for row in rows(box)]
    assert len(kept) <= 100 and kept[-26:] == list(range(3101 - 26, 3101)), "the newest stay"
    assert kept == sorted(kept)
    assert len(kept) + drops["dropped.instant"] == 3101, "and each one gone is counted"
    assert kept[0] < 1600, "a little of the oldest stays, too"
    assert "gateway.thin" not in sys.modules


def test_half_hours_go_last():
    box = outbox(100)
    drops = {}
    box.count = lambda name, n: drops.update({name: drops.get(name, 0) + n})
    for i in range(50):
        box.append(half_hour(T + 1800 * i, i))
    fill(box, 2000)
    got = rows(box)
    assert len([row for row in got if row[1] == "half-hour"]) == 50
    assert sorted(drops) == ["dropped.instant"]
    box = outbox(100)
    box.count = lambda name, n: drops.update({name: drops.get(name, 0) + n})
    drops.clear()
    for i in range(100):
        box.append(Reading("minute", T + 60 * i, "ntp", None, None, None, i, None, "D0"))
    box.append(half_hour(T, 1))
    assert sorted(drops) == ["dropped.minute"]
    box = outbox(100)
    box.count = lambda name, n: drops.update({name: drops.get(name, 0) + n})
    for i in range(140):
        box.append(half_hour(T + 1800 * i, i))
    assert drops["dropped.half-hour"] > 0
    got = [row[7] for row in rows(box)]
    assert got == sorted(got) and got[-1] == 139


def test_gaps_are_closed_before_anything_is_thinned():
    box = outbox(100)
    fill(box, 100)
    box.batch(100)
    box.acknowledge([(n, n) for n in range(2, 100, 3)])
    left = [row[0] for row in rows(box)]
    box.count = lambda name, n: raises(AssertionError, name)
    fill(box, 100 - len(left), 100)
    assert [row[0] for row in rows(box)][: len(left)] == left
    assert len(box) == 100


def test_a_batch_under_way_is_not_thinned():
    box = outbox(100)
    fill(box, 100)
    batch = box.batch(64)
    first = b"".join(batch.rows())
    fill(box, 300, 100)
    assert b"".join(batch.rows()) == first
    assert box.acknowledge([(1, 64)]) == 64


def test_random_traffic_keeps_its_books():
    seed = [12345]

    def dice(n):
        seed[0] = (seed[0] * 1103515245 + 12345) & 0x7FFFFFFF
        return (seed[0] >> 8) % n

    box = outbox(100)
    dropped = [0]

    def count(name, n):
        dropped[0] += n

    box.count = count
    made = sent = 0
    for step in range(1500):
        what = dice(10)
        if what < 7:
            kind = KINDS[dice(3)]
            energy = made if kind != "instant" else None
            t = T + 1800 * made
            box.append(Reading(kind, t, QUALITIES[dice(3)], None, None, None, energy, None, "get"))
            made += 1
        elif what < 9:
            got = rows(box, 1 + dice(20))
            ack = [(row[0], row[0]) for row in got if dice(3)]
            sent += box.acknowledge(ack)
        else:
            got = rows(box, 1 + dice(5))
            sent += box.reject([(row[0], "no") for row in got if dice(2)])
        assert made == sent + dropped[0] + len(box), step
        numbers = [row[0] for row in rows(box)]
        assert numbers == sorted(set(numbers)) and len(numbers) == len(box)
