# A flash with damaged blocks, and an index that is gone: what is left is sent, and nothing stops.
from flashbox import Board, Given, T, all_of, each, half_hour, instant, rows, small
from flashroom import UPY, FlashRoom
from helpers import skip


def test_without_an_index_and_a_memory_no_number_is_given_twice():
    with FlashRoom() as room:
        board = Board(room)
        given = Given()
        for start in range(5):
            for i in range(6):
                given.append(board.box, instant(T + 1000 * start + i))
            board.pass_time()
            for row in rows(board.box):  # the server has it, and its answer is lost
                given.note(board.box, row[0], row[2])
            board.box.batch.end()
            room.write("index", b"KSO1")
            if start % 2:
                board.nvs.blobs.clear()
            board.again()
        board.pass_time()
        numbers = [row[0] for row in rows(board.box)]
        assert len(set(numbers)) == len(numbers) == 30 and max(numbers) < 1 << 30
        board.box.batch.end()


def test_readings_that_waited_for_their_time_are_counted_when_the_index_is_gone():
    with FlashRoom() as room:
        board = Board(room, utc=None)
        for i in range(5):
            board.box.append(instant(5 + i, i, quality=None))
        board.pass_time()
        assert board.box.undated == 5
        room.write("index", b"")
        box = board.again()
        box.tend()
        assert (box.lost, box.undated, box.stored) == (5, 0, 0) and len(box) == 0


# Fills files of instants and one of half-hours. -> what the instants say
def fill(board, n=300, energy=None):
    for i in range(n):
        board.box.append(instant(T + 30 * i, i, energy))
        if i % 30 == 0:
            board.box.append(half_hour(T + 60 * i, i))
        board.clock.t += 30_000
        board.box.tend()
    board.pass_time()
    return set(range(n))


# The number of the block where the file's last slots lie.
def last_block(room, name):
    return room.flash.data.find(room.read(name)[-48:]) // 4096


def test_a_block_that_cannot_be_read_costs_what_lies_there_and_no_more():
    if not UPY:
        skip("there is no device under the file system here")
    with FlashRoom() as room:
        board = Board(room)
        fill(board)
        newest = [name for name in room.names() if room.read(name)[1] == 0][-1]
        lost = len(room.read(newest)) // 24 - 1
        room.flash.bad = (last_block(room, newest),)
        box = board.box
        for start in range(3):
            box = board.again()
            assert "5" in box.trouble and board.counts["flash.failed"]
            for i in range(20):
                box.append(instant(T + 50_000 + 1000 * start + i, 1000 + 20 * start + i))
            board.pass_time()
            assert box.live == 0, "another file takes what is new"
        powers = []
        halves = []
        while True:
            got = rows(box, 40)
            box.batch.acknowledge([(row[0], row[0]) for row in got])
            box.batch.end()
            if not got:
                break
            powers += [row[4] for row in got if row[1] == "instant"]
            halves += [row[7] for row in got if row[1] == "half-hour"]
        assert powers == list(range(300 - lost)) + list(range(1000, 1060))
        assert halves == list(range(0, 300, 30))
        assert len(box) == lost, "perhaps it can be read another time"
        room.flash.bad = ()
        assert [row[4] for row in all_of(board.again())] == list(range(300 - lost, 300))


def test_an_index_that_cannot_be_read_is_made_anew_elsewhere():
    if not UPY:
        skip("there is no device under the file system here")
    with FlashRoom() as room:
        small(room)
        board = Board(room)
        # A small one is part of its folder, which littlefs keeps twice.
        made = fill(board, 430, 1 << 40)
        assert len(room.read("index")) > 128
        room.flash.bad = (room.flash.data.find(room.read("index")) // 4096,)
        box = board.again()
        box.append(instant(T + 50_000, 430))
        board.pass_time()
        assert board.counts["flash.rebuilt"] == 1 and box.live == 0
        got = {row[4] for row in each(board.again()) if row[1] == "instant"}
        assert got == made | {430}


def test_blocks_that_are_worn_out_cost_nothing():
    if not UPY:
        skip("there is no device under the file system here")
    with FlashRoom() as room:
        board = Board(room)
        made = fill(board)
        room.flash.worn = range(5, 24, 3)
        for i in range(300, 420):
            board.box.append(instant(T + 30 * i, i))
            board.clock.t += 30_000
            board.box.tend()
        board.pass_time()
        assert room.flash.refused and board.box.live == 0
        got = all_of(board.again())
        assert {row[4] for row in got if row[1] == "instant"} == made | set(range(300, 420))
