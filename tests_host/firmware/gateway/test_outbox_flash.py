# What the outbox keeps on flash, and that it comes back from there whatever happens.
import json
import os
import sys

from flashbox import Board, Given, T, all_of, half_hour, instant, outage, rows, send
from flashroom import UPY, FlashRoom
from gateway.batch import Batch
from gateway.reading import Reading
from helpers import skip


def test_what_waits_too_long_goes_to_flash_and_survives():
    with FlashRoom() as room:
        board = Board(room)
        box = board.box
        box.append(instant(T, -5, 77))
        box.append(instant(T + 30, 1, None))
        box.tend()
        assert room.names() == [], "not yet"
        board.clock.t += 44_000
        box.tend()
        assert room.names() == []
        board.clock.t += 2_000
        box.tend()
        assert len(room.names()) == 1 and box.live == 0 and len(box) == 2
        before = rows(box)
        box.batch.end()
        box = board.again()
        assert len(box) == 2 and rows(box) == before
        assert before[0] == [1, "instant", T, "ntp", -5, 12, None, 77, None, "get"]
        assert "gateway.spill" not in sys.modules
        box.batch.end()
        assert "gateway.backlog" not in sys.modules
        assert send(box) == before and len(box) == 0 and room.names() == []
        assert len(board.again()) == 0


def test_a_half_hour_just_measured_is_on_flash_at_once():
    with FlashRoom() as room:
        board = Board(room)
        board.box.append(instant(T))
        board.box.append(half_hour(T, 100, 5))
        board.box.append(half_hour(T + 1800, 110, None, "get"))
        board.box.append(half_hour(T - 1800, 90, None, "E2"))
        box = board.again()
        assert [row[2:] for row in rows(box)] == [
            [T, "meter", None, None, None, 100, 5, "inf"],
            [T + 1800, "meter", None, None, None, 110, None, "get"],
        ]
        assert box.append(instant(T)) == 1025
        box.batch.end()
        send(box)
        assert len(box) == 0 and room.names() == []


def test_a_half_hour_waits_for_memory_and_goes_to_flash_as_soon_as_there_is_some():
    with FlashRoom() as room:
        board = Board(room)
        box = board.box
        box.shut = True
        box.append(half_hour(T, 100, 5))
        assert box.shut is None and room.names() == [], "no memory for that now"
        box.tend()
        assert box.shut is False and len(room.names()) == 1 and box.live == 0


def test_every_value_comes_back_as_it_was():
    with FlashRoom() as room:
        board = Board(room)
        box = board.box
        full = (1 << 32) - 1
        made = []
        for i, power in enumerate(
            (None, 0, -1, 0x7FFFFF, 0x800000, -0x7FFFFF, -0x800000, 2**31 - 1, -(2**31) + 1)
        ):
            made.append(instant(T + i, power))
        for i, (a, b) in enumerate(
            ((0, None), (full - 1, full - 1), (full, 0), (1, full), (1 << 40, None), (5, 6))
        ):
            made.append(instant(T + 100 + i, 5, a, "server", b))
        made.append(Reading("instant", T, "meter", None, -32767, 32767, None, None, "inf"))
        made.append(instant(T - 8_000_000, 1))
        made.append(instant(T + 8_300_000, 1))  # out of reach of the first one's file: 97 days
        made.append(half_hour(T, (1 << 63) - 1, 0, "E4"))
        made.append(Reading("half-hour", T, "meter", -7, 1, None, 3, None, "EC"))
        made.append(Reading("minute", T, "ntp", None, None, None, 5, None, "D0"))
        made.append(Reading("minute", T, "ntp", 2**31 - 1, None, -9, 5, 6, "EE"))
        for r in made:
            box.append(r)
        board.pass_time()
        assert box.live == 0 and board.counts == {}
        want = [[i + 1] + list(r) for i, r in enumerate(made)]
        box = board.again()
        assert rows(box) == want
        assert rows(box, 5) == want[:5]


def test_a_file_is_full_and_the_next_one_begins():
    with FlashRoom() as room:
        board = Board(room)
        made = []
        for i in range(400):
            board.box.append(instant(T + 30 * i, i))
            made.append(i)
            board.clock.t += 30_000
            board.box.tend()
        board.pass_time()
        assert len(room.names()) >= 2
        for name in room.names():
            assert len(room.read(name)) <= 4096
        assert len(board.again()) == 400
        seen = []
        while len(board.box):
            seen += [row[4] for row in send(board.box, 61)]
        assert seen == made and room.names() == []


def test_kinds_are_sent_in_the_order_of_their_numbers():
    with FlashRoom() as room:
        board = Board(room)
        for i in range(60):
            if i % 3 == 0:
                board.box.append(half_hour(T + 1800 * i, i))
            elif i % 3 == 1:
                board.box.append(instant(T + i))
            else:
                board.box.append(
                    Reading("minute", T + 60 * i, "ntp", None, None, None, i, None, "D0")
                )
        board.pass_time()
        box = board.again()
        assert box.live == 0
        seen = []
        while len(box):
            seen += [row[0] for row in send(box, 7)]
        assert seen == list(range(1, 61)) and len(room.names()) == 0


def test_the_newest_are_those_in_ram():
    with FlashRoom() as room:
        board = Board(room)
        for i in range(10):
            board.box.append(instant(T + i))
        board.pass_time()
        assert [row[0] for row in rows(board.box, 3, True)] == [1, 2, 3], "there are no others"
        board.box.batch.end()
        for i in range(5):
            board.box.append(instant(T + 10 + i))
        assert [row[0] for row in rows(board.box, 3, True)] == [13, 14, 15]
        assert board.box.batch.acknowledge([(1, 99)]) == 3
        board.box.batch.end()
        assert [row[0] for row in rows(board.box, 99)] == list(range(1, 13))
        assert [row[0] for row in rows(board.box, 99, True)] == [11, 12]


# -- acknowledged


def test_what_is_acknowledged_in_parts_is_not_sent_again():
    with FlashRoom() as room:
        board = Board(room)
        box = board.box
        for i in range(40):
            box.append(instant(T + i))
        board.pass_time()
        rows(box, 20)
        assert box.batch.acknowledge([(1, 3), (8, 8), (10, 20), (21, 40)]) == 15
        assert box.batch.reject([(5, "no"), (30, "not sent")]) == 1
        box.batch.end()
        assert len(box) == 24
        assert [row[0] for row in rows(box, 8)] == [4, 6, 7, 9, 21, 22, 23, 24]
        assert box.batch.acknowledge([(4, 9)]) == 4
        box.batch.end()
        assert [row[0] for row in rows(box)] == list(range(21, 41))
        # after a power cut the last ones acknowledged may come again: never fewer
        box = board.again()
        assert [row[0] for row in rows(box)][-20:] == list(range(21, 41))


def test_a_server_that_acknowledges_every_other_one_gets_no_reading_stuck():
    with FlashRoom() as room:
        board = Board(room)
        box = board.box
        for i in range(300):
            box.append(instant(T + i, i))
            board.clock.t += 10_000
            box.tend()
        board.pass_time()
        seen = set()
        for _ in range(300):
            got = rows(box, 40)
            if not got:
                break
            seen.update(row[0] for row in got)
            assert box.batch.acknowledge([(row[0], row[0]) for row in got[::2]])
            box.batch.end()
            assert len(box.ahead) <= 12
        assert seen == set(range(1, 301)) and len(box) == 0 and room.names() == []


def test_what_is_acknowledged_is_written_down_now_and_then():
    with FlashRoom() as room:
        board = Board(room)
        for i in range(900):
            board.box.append(instant(T + i, i))
            board.clock.t += 10_000
            board.box.tend()
        board.pass_time()
        for _ in range(13):
            send(board.box, 64)
        left = len(board.box)
        box = board.again()
        assert 900 - 13 * 64 == left <= len(box) <= left + 512
        total = 0
        while len(box):
            total += len(send(box))
        assert total <= left + 512


def test_nothing_leaves_ram_while_it_is_being_sent():
    with FlashRoom() as room:
        board = Board(room)
        box = board.box
        for i in range(6):
            box.append(instant(T + i))
        batch = Batch(box, 4)
        first = b"".join(batch.rows())
        board.pass_time()
        assert box.live == 4 and b"".join(batch.rows()) == first
        batch.end()
        board.pass_time()
        assert box.live == 0 and len(box) == 6
        # The later ones came first to flash: all the same to the server.
        assert [row[0] for row in rows(box)] == [5, 6, 1, 2, 3, 4]


def test_a_batch_stays_the_same_while_files_come_and_go():
    with FlashRoom() as room:
        board = Board(room)
        box = board.box
        for i in range(30):
            box.append(instant(T + i))
        board.pass_time()
        batch = Batch(box, 20)
        first = b"".join(batch.rows())
        for i in range(300):
            box.append(instant(T + 100 + i))
            box.append(half_hour(T + 1800 * i, 5))
            board.clock.t += 60_000
            box.tend()
        assert b"".join(batch.rows()) == first
        assert batch.acknowledge([(1, 5)]) == 5 and batch.reject([(6, "no")]) == 1
        batch.end()
        assert [row[0] for row in rows(box, 3)] == [7, 8, 9]


# -- time


def test_readings_of_unknown_time_get_it_when_it_is_known():
    with FlashRoom() as room:
        board = Board(room, utc=None)
        box = board.box
        box.append(instant(5, 1, quality=None))
        box.append(Reading("minute", 7, None, None, None, None, 9, None, "D0"))
        box.append(half_hour(T, 100))
        board.pass_time()
        box.append(instant(95, 2, quality=None))
        assert len(room.names()) == 3 and len(box) == 4
        assert [row[0] for row in rows(box)] == [3]
        box.batch.end()
        board.clock.set(T + 1000, "server")
        box.fix(T)
        want = [
            [1, "instant", T + 5, "server", 1],
            [2, "minute", T + 7, "server", None],
            [3, "half-hour", T, "meter", None],
            [4, "instant", T + 95, "server", 2],
        ]
        assert [row[:5] for row in rows(box)] == want
        box.batch.end()
        # never again another time: neither in this run nor in the next
        board.clock.set(T + 1000, "ntp")
        box.fix(T + 10)
        box.append(instant(T + 99, 3))
        board.pass_time()
        assert [row[:5] for row in rows(box)][:4] == want
        box = board.again()
        assert [row[:5] for row in rows(box)][:4] == want
        while len(box):
            send(box, 2)
        assert room.names() == []


def test_a_boot_that_never_knew_the_time_keeps_its_readings_and_counts_them():
    with FlashRoom() as room:
        board = Board(room, utc=None)
        for boot in range(6):
            for i in range(boot + 1):
                board.box.append(instant(5 + i, i, quality=None))
            board.pass_time()
            assert board.box.undated == boot + 1
            board.again(None)
        box = board.again(T)
        assert box.lost == 3 + 4 + 5 + 6 and len(room.names()) == 4
        assert box.snapshot()["undated"] == 18
        assert len(box) == 0 and rows(box) == []
        box.batch.end()
        box.fix(T)
        box.append(instant(T, 7))
        board.pass_time()
        assert [row[4] for row in rows(box)] == [7], "nobody knows when the others were"


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
