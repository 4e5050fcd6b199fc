# What becomes of the readings when the flash is full: the rule of docs/durability.md.
import os

from flashbox import ROOM, Board, T, all_of, each, half_hour, instant, outage, send, small
from flashroom import UPY, FlashRoom
from gateway.reading import Reading
from helpers import skip


def test_a_long_outage_is_thinned_and_half_hours_are_spared():
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        assert outage(board, 900) <= ROOM
        board.pass_time()
        box = board.box
        assert room.used() == box.used <= ROOM
        assert len(room.names()) < 30
        dropped = board.counts.pop("dropped.instant")
        assert board.counts == {}
        assert len(box) == 1800 + 30 - dropped
        again = board.again()
        assert len(again) == len(box) and again.used == box.used
        halves = []
        times = []
        whole = 0
        for row in each(again):
            if row[1] == "half-hour":
                halves.append(row[7])
            else:
                times.append(row[2] - T)
                whole += row[7] is not None
        assert halves == list(range(0, 900, 30))
        assert len(times) == 1800 - dropped
        assert times == sorted(set(times)), "none twice"
        # The rule: nowhere is it thinner than twice what it is elsewhere, but for the newest.
        steps = [b - a for a, b in zip(times, times[1:])]
        assert max(steps) <= 4 * min(steps[:-250]) and times[0] < 600
        # and where there is one with energies in a period, that one stays
        assert whole == len([t for t in times if t % 300 == 0]) > len(times) // 6


def test_a_flood_that_leaves_no_time_to_thin_costs_half_hours_last():
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        box = board.box
        box.on_delivered = None
        for i in range(1200):
            if i % 24 == 0:
                box.append(half_hour(T + 1800 * (i // 24), i))
            box.append(instant(T + i, i))
        assert room.used() <= ROOM
        assert len(box) == 1250 - board.counts["dropped.instant"] < 1250
        assert len([row for row in each(box) if row[1] == "half-hour"]) == 50


def test_thinning_to_minutes_keeps_one_of_each_minute():
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        outage(board, 560)
        board.pass_time()
        assert 0 < board.counts["dropped.instant"] < 560
        seen = bytearray(560)
        for row in each(board.box):
            if row[1] == "instant":
                seen[(row[2] - T) // 60] += 1
        assert min(seen) == 1 and max(seen) == 2


def test_each_reading_that_is_thinned_away_is_counted_whatever_room_it_took():
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        for i in range(1000):  # every second one needs two slots
            board.box.append(instant(T + 30 * i, i, 1 << 40 if i % 2 else None))
            board.clock.t += 30_000
            if i % 10 == 0:
                board.box.tend()
        board.pass_time()
        left = sum(1 for _ in each(board.box))
        assert left < 900 and left + board.counts.pop("dropped.instant") == 1000
        assert board.counts == {}


def test_thinning_and_sending_at_once_lose_nothing():
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        halves = set()
        different = set()

        def take(got):
            halves.update(row[7] for row in got if row[1] == "half-hour")
            different.update(row[0] for row in got)

        for start in range(0, 700, 40):
            outage(board, 40, start)
            if start > 400:
                take(send(board.box, 30))
                if board.box.job:
                    take(send(board.box, 64))
        board.pass_time()
        while len(board.box):
            take(send(board.box))
        assert halves == set(range(0, 720, 30))
        # What was left out of the new file may still have been sent from the old one.
        assert 0 <= len(different) - (1440 + 24 - board.counts["dropped.instant"]) <= 128
        assert room.names() == [] and board.box.used == 0


def test_what_cannot_be_thinned_any_more_goes_oldest_first_and_half_hours_last():
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        box = board.box
        for i in range(50):
            box.append(instant(T + 86400 * i, i, 1 << 40 if i % 2 else None))  # one slot, or two
        for i in range(1100):
            box.append(half_hour(T + 1800 * i, i, None, "E2"))
            board.clock.t += 60_000
            if i % 10 == 9:
                box.tend()
            assert box.used <= ROOM
        board.pass_time()
        left = [row[7] for row in each(board.again())]
        assert left == list(range(left[0], 1100)) and len(left) > 700
        assert board.counts["dropped.instant"] == 50
        assert board.counts["dropped.half-hour"] == left[0]


def test_a_file_that_is_gone_or_cannot_be_read_makes_room_all_the_same():
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        box = board.box
        n = 0
        while board.counts == {}:
            box.append(half_hour(T + 1800 * n, n, None, "E2"))
            n += 1
            board.clock.t += 60_000
            if n % 10 == 9:
                box.tend()
            if n == 300:
                name = min(room.names(), key=lambda one: int(one, 16))
                os.remove(room.root + "outbox/" + name)
            assert n < 1200 and box.used <= ROOM
        board.pass_time()
        assert sorted(board.counts) == ["dropped.half-hour"]
        last = None
        for row in each(box):  # all together they are too many for a small heap
            last = row[7]
        assert last == n - 1


def test_minutes_are_thinned_as_instants_are():
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        for i in range(1200):
            board.box.append(Reading("minute", T + 60 * i, "meter", None, None, None, i, i, "D0"))
            board.clock.t += 60_000
            if i % 10 == 0:
                board.box.tend()
            assert board.box.used <= ROOM
        board.pass_time()
        got = [row[7] for row in each(board.again())]
        assert len(got) + board.counts["dropped.minute"] == 1200
        assert got == sorted(got) and got[0] < 8 and got[-1] == 1199


def test_many_small_files_become_few():
    with FlashRoom() as room:
        small(room)
        board = Board(room, utc=None)
        for boot in range(60):
            for i in range(3):
                board.box.append(instant(5 + i, 10 * boot + i, quality=None))
            board.pass_time()
            board.clock.set(T + 86400 + 1000 * boot, "ntp")
            board.box.fix(T + 1000 * boot)
            assert len(room.names()) <= 46, (boot, len(room.names()))
            board.pass_time()
            board.again(None)
        assert len(room.names()) < 46 and board.counts == {}
        got = all_of(board.box)
        assert sorted(row[4] for row in got) == [10 * b + i for b in range(60) for i in range(3)]
        times = [T + 1000 * b + 5 + i for b in range(60) for i in range(3)]
        assert [row[2] for row in got] == times
        assert {row[3] for row in got} == {"ntp"}


def test_a_full_file_system_costs_old_instants_not_half_hours():
    with FlashRoom() as room:
        board = Board(room)
        outage(board, 300)
        board.pass_time()
        if not UPY:
            skip("here the file system is as large as the PC's")
        with open(room.root + "other", "wb") as f:
            try:
                while True:
                    f.write(b"x" * 1024)
                    f.flush()
            except OSError:
                pass
        for i in range(300, 600):
            board.box.append(instant(T + 60 * i, i))
            if i % 30 == 0:
                board.box.append(half_hour(T + 60 * i, i))
            board.clock.t += 60_000
            board.box.tend()
        board.pass_time(300)
        halves = set()
        instants = last = 0
        for row in each(board.box):
            if row[1] == "half-hour":
                halves.add(row[7])
            else:
                instants += 1
                last = row[4]
        assert halves == set(range(0, 600, 30)) and last == 599
        assert instants + board.counts["dropped.instant"] == 900
