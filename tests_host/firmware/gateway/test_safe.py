# Safe mode: whether it is wanted, how long it lasts, what it says.
import builtins
import select as real_select
import sys
import time as real

import gateway
from fakeboard import FakeBoard
from gateway import led

PRINT = print


class Time:
    """A clock that the wait moves."""

    def __init__(self, board, release=None):
        self.now = 0
        self.board = board
        self.release = release  # ms at which the button is let go

    def ticks_ms(self):
        self.now += 100
        if self.release is not None and self.now > self.release:
            self.board.pressed = False
        return self.now

    @staticmethod
    def ticks_add(a, b):
        return a + b

    @staticmethod
    def ticks_diff(a, b):
        return a - b

    def sleep(self, s):
        self.now += s * 1000


class Serial:
    """A serial line, and the poll that waits for it: bytes come at the moments told."""

    POLLIN = 1

    def __init__(self, clock, keys):
        self.clock = clock
        self.keys = list(keys)  # (ms, byte)
        self.buffer = self

    def poll(self, ms=None):
        if ms is None:
            return self
        if self.keys and self.keys[0][0] <= self.clock.now + ms:
            self.clock.now = max(self.clock.now, self.keys[0][0])
            return [self]
        self.clock.now += ms
        return []

    def register(self, stream, what):
        assert stream is self and what == self.POLLIN

    def read(self, n):
        assert n == 1
        return self.keys.pop(0)[1]


def start(board, release=None, keys=()):
    """-> (what mode() gave, what it printed, minutes it waited)"""
    clock = Time(board, release)
    serial = Serial(clock, keys)
    sys.modules["time"] = clock
    sys.modules["select"] = serial
    sys.modules.pop("gateway.safe", None)
    try:
        gateway.use(board)
        from gateway import safe

        lines = []
        builtins.print = lambda *words: lines.append(" ".join([str(word) for word in words]))
        safe.sys = serial  # its stdin
        serial.stdin = serial
        try:
            stays = safe.mode()
        except KeyboardInterrupt:
            stays = KeyboardInterrupt
        return stays, "\n".join(lines), clock.now // 60_000
    finally:
        builtins.print = PRINT
        sys.modules["select"] = real_select
        gateway.use(None)
        sys.modules["time"] = real


def test_an_ordinary_start():
    for starts in (0, 1, 2, 3):
        board = FakeBoard()
        board.bad_starts = starts
        assert start(board) == (False, "", 0)
        assert board.patterns == [] and board.resets == 0
    assert "gateway.safe" not in sys.modules


def test_after_three_failed_starts_it_waits_and_tries_again():
    board = FakeBoard()
    board.bad_starts = 4
    board.cause = "watchdog"
    stays, said, waited = start(board)
    assert not stays and waited == 10
    assert "SAFE MODE" in said and "3 starts in a row failed, the last by: watchdog" in said
    assert "next try is in 10 min" in said and "next try is in 1 min" in said
    assert board.patterns == [led.PATTERNS["safe"]]
    assert board.resets == 1 and "after safe mode" in board.cause and "watchdog" in board.cause
    assert board.starts() == (0, 1), "three tries before the next"


def test_the_wait_doubles_up_to_two_hours():
    board = FakeBoard()
    waits = []
    for _ in range(6):
        board.bad_starts = 4
        waits.append(start(board)[2])
    assert waits == [10, 20, 40, 80, 120, 120]


def test_the_button_is_held():
    board = FakeBoard()
    board.pressed = True
    stays, said, waited = start(board)
    assert stays and waited == 0 and board.resets == 0
    assert "the button was held" in said and "It stays" in said
    assert board.patterns == [led.PATTERNS["safe"]]


def test_a_touch_of_the_button_is_not_meant():
    board = FakeBoard()
    board.pressed = True
    assert start(board, release=500) == (False, "", 0)


def test_the_button_goes_before_what_failed():
    board = FakeBoard()
    board.pressed = True
    board.bad_starts = 9
    stays, _, waited = start(board)
    assert stays and waited == 0


def failing():
    board = FakeBoard()
    board.bad_starts = 4
    return board


def test_enter_tells_again_and_other_bytes_change_nothing():
    _, quiet, _ = start(failing())
    _, said, waited = start(failing(), keys=((5_000, b"\r"), (6_000, b"x"), (7_000, b"")))
    assert waited == 10
    assert said.count("next try is in 10 min") == quiet.count("next try is in 10 min") + 1 == 2


def test_ctrl_c_that_came_as_a_byte_ends_the_wait():
    board = failing()
    stays, _, waited = start(board, keys=((90_000, b"\x03"),))
    assert stays is KeyboardInterrupt and waited == 1 and board.resets == 0
