# Why the board started, the last times: kept on flash, in few bytes, whatever was there before.
from fakeboard import FakeBoard
from gateway import resets


def starts(causes, blobs=None):
    board = FakeBoard(blobs=blobs)
    for number, cause in enumerate(causes, 1):
        board.cause = cause
        resets.note(board, number)
    return board, resets.read(board.nvs)


def test_nothing_is_known_at_first():
    assert resets.read(FakeBoard().nvs) == ""


def test_the_newest_comes_first():
    _, text = starts(("power-on", "watchdog", "hard: Hopeless: uplink died"))
    assert text == "3 hard: Hopeless: uplink died; 2 watchdog; 1 power-on"


def test_it_never_grows_beyond_its_place():
    board, text = starts(["hard: " + "x" * 200] * 3 + ["watchdog"] * 40)
    assert len(board.nvs.get("resets")) <= 200
    assert text.startswith("43 watchdog; 42 watchdog; ") and text.count("; ") >= 10


def test_one_cause_is_cut_and_cannot_break_the_line():
    _, text = starts(["hard: a; b\n\u3042" + "y" * 300])
    assert text.startswith("1 hard: a? b??yyy") and len(text) == 82


def test_a_damaged_blob_is_no_obstacle():
    for damage in (b"\0" * 50, b"\xff\xfe; \x80", b"; ; ;"):
        _, text = starts(["watchdog"], {"resets": damage})
        assert text.startswith("1 watchdog"), damage


def test_flash_that_fails_is_told_and_not_hidden():
    board = FakeBoard()

    def broken(name, blob):
        raise OSError(5, "I/O error")

    board.nvs.set = broken
    try:
        resets.note(board, 1)
        raise AssertionError
    except OSError as e:
        assert e.errno == 5
