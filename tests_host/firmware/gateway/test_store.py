# Two alternating copies: whatever a power cut leaves behind, one of them is good.
import json

from fakeboard import FakeNvs, PowerCut
from gateway.store import Store
from gateway.twins import Twins
from helpers import raises

TEARS = ("old", "new", "half", "noise", "none")


def twins(nvs):
    return Twins(nvs, "t", 100)


def test_what_is_saved_is_loaded():
    nvs = FakeNvs()
    t = twins(nvs)
    assert t.load() is None and t.damage is None
    for payload in (b"one", b"", b"three" * 20):
        t.save(payload)
        assert twins(nvs).load() == payload
    assert nvs.commits == 3


def test_copies_alternate_and_the_older_one_stays():
    nvs = FakeNvs()
    t = twins(nvs)
    t.save(b"first")
    before = dict(nvs.blobs)
    t.save(b"second")
    kept = [name for name in before if nvs.blobs[name] == before[name]]
    assert len(kept) == 1 and len(nvs.blobs) == 2


def test_a_cut_at_any_write_loses_at_most_that_write():
    for tear in TEARS:
        for n in range(5):
            nvs = FakeNvs()
            nvs.cut_after(n, tear)
            t = twins(nvs)
            done = None
            try:
                for i in range(8):
                    t.save(b"payload %d" % i)
                    done = i
            except PowerCut:
                pass
            after = twins(FakeNvs(nvs.blobs))
            got = after.load()
            good = [None if done is None else b"payload %d" % done, b"payload %d" % n]
            assert got in good, (tear, n, got)
            # and writing goes on from there
            after.save(b"next")
            assert twins(FakeNvs(nvs.blobs)).load() == b"next"


def test_a_second_cut_right_after_the_first():
    for tear in TEARS:
        for again in TEARS:
            nvs = FakeNvs()
            t = twins(nvs)
            t.save(b"a")
            t.save(b"b")
            for how in (tear, again):
                nvs.cut_after(0, how)
                t = twins(nvs)
                t.load()
                try:
                    t.save(b"c")
                except PowerCut:
                    pass
            assert twins(FakeNvs(nvs.blobs)).load() in (b"b", b"c"), (tear, again)


def test_any_flipped_bit_is_noticed_and_the_other_copy_used():
    nvs = FakeNvs()
    t = twins(nvs)
    t.save(b"older")
    t.save(b"newer")
    name = [n for n in nvs.blobs if b"newer" in nvs.blobs[n]][0]
    blob = nvs.blobs[name]
    for i in range(len(blob) * 8):
        bad = bytearray(blob)
        bad[i // 8] ^= 1 << i % 8
        t = twins(FakeNvs({"t.0": nvs.blobs["t.0"], "t.1": nvs.blobs["t.1"], name: bytes(bad)}))
        assert t.load() == b"older", i
        assert t.damage == "t: copy %s damaged, the other one is used" % name[-1]


def test_both_damaged_is_said():
    t = twins(FakeNvs({"t.0": b"rubbish", "t.1": b""}))
    assert t.load() is None
    assert t.damage == "t: no good copy left (0, 1)"


def test_saving_heals():
    nvs = FakeNvs({"t.0": b"rubbish"})
    t = twins(nvs)
    t.load()
    t.save(b"x")
    t.save(b"y")
    t = twins(nvs)
    assert t.load() == b"y" and t.damage is None


def test_generation_wraps():
    nvs = FakeNvs()
    t = twins(nvs)
    t._generation = 0xFFFD
    for i in range(6):
        t.save(b"%d" % i)
        assert twins(nvs).load() == b"%d" % i


def test_too_long_is_refused_and_nothing_changes():
    nvs = FakeNvs()
    t = twins(nvs)
    t.save(b"x" * 100)
    e = raises(ValueError, t.save, b"x" * 101)
    assert "101" in str(e) and twins(nvs).load() == b"x" * 100


# -- Store


def test_store_counts_boots():
    nvs = FakeNvs()
    assert Store(nvs).boot == 1
    assert Store(nvs).boot == 2


def test_store_keeps_facts_and_writes_only_changes():
    nvs = FakeNvs()
    s = Store(nvs)
    s.set("stream", 4_000_000_000)
    n = nvs.writes
    s.set("stream", 4_000_000_000)
    assert nvs.writes == n
    again = Store(nvs)
    assert again.get("stream") == 4_000_000_000
    again.set("stream", None)
    assert again.get("stream") is None and again.get("stream", 7) == 7
    assert Store(nvs).get("stream") is None


def test_pan_is_remembered_and_forgotten():
    nvs = FakeNvs()
    pan = (0x3B, 0x8CF5, b"\x00\x1c\x64\x00\x03\x0c\x12\xa4")
    assert Store(nvs).pan() is None
    Store(nvs).set_pan(pan)
    assert Store(nvs).pan() == pan
    Store(nvs).set_pan(None)
    assert Store(nvs).pan() is None


def test_two_stores_on_one_flash_do_not_undo_each_other():
    nvs = FakeNvs()
    old = Store(nvs)
    new = Store(nvs)
    old.set("seq", 1024)
    new.set("pan", [1, 2, "00"])
    old.set("seq", 2048)
    new.set("other", 1)
    last = Store(nvs)
    assert last.get("seq") == 2048 and last.get("pan") == [1, 2, "00"] and last.get("other") == 1


def test_damaged_store_says_so_and_starts_from_what_is_left():
    nvs = FakeNvs()
    s = Store(nvs)
    s.set("seq", 1024)
    s.set("seq", 2048)
    for name in list(nvs.blobs):
        if json.dumps(2048).encode() in nvs.blobs[name]:
            nvs.blobs[name] = nvs.blobs[name][:-1]
    s = Store(nvs)
    assert "damaged" in s.damage
    assert s.get("seq") == 1024
    assert Store(nvs).damage is None


# -- a flash that cannot be written any more


def test_what_is_there_is_read_when_nothing_can_be_written():
    nvs = FakeNvs()
    Store(nvs).set("pan", [0x3B, 0x8CF5, "001c6400030c12a4"])
    nvs.fails = True
    s = Store(nvs)
    assert "cannot be written" in s.damage and "ESP_FAIL" in s.damage
    assert s.pan() == (0x3B, 0x8CF5, b"\x00\x1c\x64\x00\x03\x0c\x12\xa4")
    raises(OSError, s.set, "seq", 1024)
    assert s.get("seq") is None, "what was not written is not in force"
    nvs.fails = False
    s.set("seq", 1024)
    s = Store(nvs)
    assert s.damage is None and s.get("seq") == 1024 and s.boot == 2


# A number that comes again would give readings that wait for the time that of another boot.
def test_boots_that_cannot_be_counted_have_numbers_all_the_same():
    nvs = FakeNvs()
    Store(nvs)
    nvs.fails = True
    numbers = {Store(nvs).boot for _ in range(20)}
    assert len(numbers) > 15 and all(0 <= n <= 0xFFFF for n in numbers)
