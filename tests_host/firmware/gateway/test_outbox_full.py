# An outbox in RAM that is full: what is thinned, what goes last, and that its books are right.
import sys

from gateway.reading import KINDS, QUALITIES, Reading
from helpers import raises
from rambox import T, half_hour, instant, outbox, rows

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
