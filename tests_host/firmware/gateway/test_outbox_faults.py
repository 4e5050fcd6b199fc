# The outbox when memory or flash is damaged, full or dead: no number twice, no loss unsaid.
import json
import os

from flashbox import Board, Given, T, all_of, half_hour, instant, outage, rows, send
from flashroom import UPY, FlashRoom
from gateway.batch import Batch
from gateway.reading import Reading
from helpers import skip

# -- numbers


def test_a_damaged_memory_does_not_use_a_number_twice_that_is_still_on_flash():
    with FlashRoom() as room:
        board = Board(room)
        n = 0
        for i in range(1100):
            n = board.box.append(instant(T + i, i))
            board.clock.t += 10_000
            board.box.tend()
            if i % 3 == 0 and len(board.box) > 60:
                send(board.box)
        board.pass_time()
        stream = board.box.stream
        board.nvs.blobs.clear()
        box = board.again()
        assert box.stream != stream
        assert box.append(instant(T, 1)) > n
        assert len(rows(box)) == len(box)


def test_an_nvs_that_cannot_be_written_does_not_stop_the_readings():
    with FlashRoom() as room:
        board = Board(room)
        box = board.box
        good = box.stream
        box.append(instant(T))
        board.nvs.fails = True
        box.seq = box.reserved
        assert box.append(instant(T + 1)) == 1025
        other = box.stream
        assert other != good, "for these numbers may come again"
        assert board.counts == {"flash.failed": 1} and box.trouble
        for i in range(100):
            box.append(instant(T + 2 + i))
        assert 2 <= board.counts["flash.failed"] < 20, "tried again, now and then"
        board.nvs.fails = False
        for i in range(100):
            box.append(instant(T + 102 + i))
        assert box.store.get("seq") >= box.seq, "these are reserved"
        assert box.stream == other, "one until the next start"
        assert board.again().stream == good


def test_numbers_given_while_the_nvs_failed_are_not_given_again():
    for drained in (False, True):
        with FlashRoom() as room:
            board = Board(room)
            given = Given()
            given.append(board.box, instant(T))
            board.box.seq = 1020
            board.nvs.fails = True
            for i in range(10):
                given.append(board.box, instant(T + 100 + i))
                given.append(board.box, half_hour(T + 1800 * i, i))
            board.pass_time()
            board.nvs.fails = False
            for start in range(1, 4):
                box = board.again()
                if drained:
                    given.send(box)  # and then the power goes before another number was given
                    box = board.again()
                for i in range(5):
                    given.append(box, instant(T + 1000 * start + i))
                board.pass_time()
                numbers = [row[0] for row in rows(box)]
                assert len(numbers) == len(set(numbers)) and numbers
                box.batch.end()
            given.send(board.box)


def test_what_is_drained_after_the_memory_was_damaged_keeps_its_numbers_to_itself():
    with FlashRoom() as room:
        board = Board(room)
        given = Given()
        for i in range(40):
            given.append(board.box, instant(T + i))
        board.pass_time()
        board.nvs.blobs.clear()
        given.send(board.again())
        board.again()
        for i in range(50):
            given.append(board.box, instant(T + 100 + i))


def test_readings_that_went_to_flash_late_do_not_hide_the_highest_number():
    with FlashRoom() as room:
        board = Board(room)
        for i in range(45):
            board.box.append(instant(T + i))
        batch = Batch(board.box, 43)  # these stay while the two after them go
        board.pass_time()
        batch.end()
        board.pass_time()
        assert [row[0] for row in rows(board.box)][:3] == [44, 45, 1]
        board.nvs.blobs.clear()
        assert board.again().append(instant(T + 100)) > 45


def test_a_damaged_end_of_a_file_hides_no_number_either():
    with FlashRoom() as room:
        board = Board(room)
        for i in range(100):
            board.box.append(instant(T + i))
            board.box.tend()
            board.clock.t += 10_000
        board.pass_time()
        file = bytearray(room.read("1"))
        file[-24 * 60 :] = bytes(24 * 60)
        room.write("1", file)
        board.nvs.blobs.clear()
        assert board.again().append(instant(T + 1000)) > 100
        board.pass_time()
        assert [row[2] for row in rows(board.box)] == [T + i for i in range(40)] + [T + 1000]
        board.box.batch.end()
        assert board.again().seq < 1 << 25, "once is enough"


# -- flash that is damaged, full or dead


def test_damaged_slots_are_skipped_and_counted():
    with FlashRoom() as room:
        board = Board(room)
        for i in range(30):
            board.box.append(instant(T + i, i, 1 << 33 if i == 20 else None))
        board.pass_time()
        good = room.read("1")
        index = room.read("index")
        for at in range(24, len(good), 7):
            bad = bytearray(good)
            bad[at] ^= 0x10
            room.write("1", bad)
            board.counts.clear()
            box = board.again()
            got = all_of(box)
            lost = {row[4] for row in got} ^ set(range(30))
            slot = at // 24 - 1
            assert lost == {slot if slot < 20 else max(slot - 1, 20)}, at
            assert board.counts.pop("flash.corrupt") in ((2,) if lost == {20} else (1,)), at
            assert board.counts == {} and room.names() == []
            room.write("1", good)
            room.write("index", index)


def test_a_damaged_index_is_made_anew_from_the_files():
    with FlashRoom() as room:
        board = Board(room)
        outage(board, 300)
        board.pass_time()
        send(board.box, 10)
        want = all_numbers(board.box)
        for index in (b"", b"KSO1", room.read("index")[:-1], b"\x00" * 92):
            room.write("index", index)
            room.write("note.txt", b"nothing of ours")
            board.counts.clear()
            highest = board.box.seq
            box = board.again()
            assert board.counts == {} and box.live == 0, "not while the board starts"
            assert box.append(instant(T + 88_888, 5)) > highest
            box.tend()
            assert want <= all_numbers(box), "what was acknowledged may come again"
            assert board.counts == {"flash.rebuilt": 1} and box.job is None
            assert box.used == room.used() - len(b"nothing of ours")
            box.append(instant(T + 99_999, 5))
            board.pass_time()
            assert len(all_numbers(box)) > len(want)
            assert len(board.again()) >= len(want)
        room.write(room.names()[0], b"?" * 500)
        room.write("index", b"")
        board.counts.clear()
        box = board.again()
        box.tend()
        assert len(all_numbers(box)) > len(want) - 200, "the other files are still read"
        assert board.counts == {"flash.rebuilt": 1, "flash.corrupt": 1}


def all_numbers(box):
    batch = Batch(box, 10_000)
    out = {json.loads("[" + row.decode().rstrip(",") + "]")[0][0] for row in batch.rows()}
    batch.end()
    return out


def test_a_file_that_is_gone_is_an_empty_one():
    with FlashRoom() as room:
        board = Board(room)
        outage(board, 150)
        board.pass_time()
        names = room.names()
        os.remove(room.root + "outbox/" + names[0])
        box = board.again()
        got = all_of(box)
        assert got and board.counts == {}
        box.append(half_hour(T, 1))
        box.append(instant(T, 1))
        board.pass_time()
        assert len(board.again()) == 2 and len(all_of(board.box)) == 2


# Every call of this name fails from now on.
class Failing:
    def __init__(self, name, number):
        import builtins

        self.where = builtins if name == "open" else os
        self.name = name
        self.number = number

    def __enter__(self):
        def fail(*args):
            self.calls += 1
            raise OSError(self.number)

        self.calls = 0
        self.real = getattr(self.where, self.name)
        setattr(self.where, self.name, fail)
        return self

    def __exit__(self, *_):
        setattr(self.where, self.name, self.real)


def test_a_flash_that_fails_costs_nothing_as_long_as_ram_lasts():
    if UPY:
        skip("the functions of a built-in module cannot be replaced; see the next test")
    for name, number in (("open", 28), ("open", 5), ("remove", 5), ("mkdir", 30), ("stat", 5)):
        with FlashRoom() as room:
            board = Board(room)
            with Failing(name, number) as failing:
                for i in range(20):
                    board.box.append(instant(T + i, i))
                board.box.append(half_hour(T, 20))
                board.pass_time()
                got = send(board.box, 10)
                assert got and (failing.calls or name in ("remove", "stat"))
                if board.box.live:
                    assert board.counts["flash.failed"] >= 1 and board.box.snapshot()["flash"]
            board.pass_time()
            assert board.box.live == 0, name
            seen = {row[4] if row[7] is None else row[7] for row in got + all_of(board.box)}
            assert seen == set(range(21)), name


def test_a_device_that_fails_is_tried_again():
    if not UPY:
        skip("there is no device under the file system here")
    with FlashRoom() as room:
        board = Board(room)
        room.flash.broken = 5
        for i in range(40):
            board.box.append(instant(T + i, i))
        board.box.append(half_hour(T, 40))
        board.pass_time()
        assert board.box.live == 41 and board.box.trouble
        failed = board.counts["flash.failed"]
        assert failed > 1
        for i in range(100):
            board.box.append(instant(T + 100 + i, 100 + i))
        assert board.box.live <= 48 and board.counts["dropped.instant"]
        room.flash.broken = None
        board.pass_time()
        assert board.box.live == 0
        got = all_of(board.again())
        assert len(got) == 141 - board.counts["dropped.instant"]
        assert [row[7] for row in got if row[1] == "half-hour"] == [40]


def test_nothing_is_in_ram_for_longer_than_the_window():
    for window in (0, 60):
        with FlashRoom() as room:
            board = Board(room, window=window)
            box = board.box
            born = {}
            for second in range(0, 300, 5):
                board.clock.t += 5_000
                # History comes in as fast as it may, and now and then everything else.
                if len(born) % 50 < 40 and box.live < 32:
                    for _ in range(6):
                        n = len(born)
                        born[box.append(half_hour(T + 1800 * n, n, None, "E2"))] = second
                if second % 10 == 0:
                    born[box.append(instant(T + second))] = second
                if second % 25 == 0:
                    r = Reading("minute", T + second, "ntp", None, None, None, 5, None, "D0")
                    born[box.append(r)] = second
                if second % 15 == 0:
                    box.tend()
                for number in ram(box):
                    assert second - born[number] <= window, (window, number)
            assert len(born) > 100 and board.counts == {}


# Numbers of the readings in RAM.
def ram(box):
    return [box.buf[at] | box.buf[at + 1] << 8 for at in box.rows()]


def test_the_window_may_be_nothing_or_an_hour():
    with FlashRoom() as room:
        board = Board(room, window=0)
        board.box.append(instant(T))
        assert board.box.live == 0
        assert len(board.again()) == 1
        board = Board(room, window=3600)
        for i in range(38):
            board.box.append(instant(T + i))
        board.pass_time(3500)
        assert board.box.live == 0


def test_without_a_memory_no_number_is_given_twice_in_a_stream():
    with FlashRoom() as room:
        board = Board(room)
        board.box.append(instant(T))
        board.pass_time()
        board.nvs.fails = True
        given = {}
        for start in range(4):
            box = board.again()
            assert box.trouble and "ESP_FAIL" in box.trouble
            numbers = given.setdefault(box.stream, set())
            for i in range(3):
                # What lies on flash goes out in this stream, too.
                numbers.update(row[0] for row in rows(box))
                box.batch.end()
                n = box.append(instant(T + start * 1000 + i))
                assert n not in given.get(box.stream, ())
                given.setdefault(box.stream, set()).add(n)
            board.pass_time()
        assert len(given) >= 4, "each start has a stream of its own"
        assert [row[2] for row in rows(board.box)] == [T] + [
            T + start * 1000 + i for start in range(4) for i in range(3)
        ]
        board.box.batch.end()
