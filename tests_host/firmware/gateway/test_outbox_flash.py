# What the outbox keeps on flash, and that it comes back from there whatever happens.
import sys

from flashbox import Board, T, half_hour, instant, rows, send
from flashroom import FlashRoom
from gateway.batch import Batch
from gateway.reading import Reading


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


def test_a_boot_that_learns_the_time_gives_it_to_its_own_readings_only():
    with FlashRoom() as room:
        board = Board(room, utc=None)
        board.box.append(instant(5, 1, quality=None))
        board.pass_time()
        box = board.again(None)
        box.append(instant(9, 2, quality=None))
        board.pass_time()
        assert box.undated == box.lost == 1
        board.clock.quality = "ntp"
        box.fix(T)
        assert [(row[2], row[4]) for row in rows(box)] == [(T + 9, 2)]
