# Safe mode: the gateway is not started, and the Python prompt is free. Loaded at the start to see
# whether it is wanted, then dropped.
import select
import sys
import time

import gateway
from micropython import const

_STARTS = const(3)  # that were not good, in a row; boards/hw.py tells who counts
_HELD_MS = const(1000)
_FIRST_MIN = const(10)
_LONGEST_MIN = const(120)
_MINUTE_MS = const(60_000)


def mode():
    """True: the button was held, and safe mode stays. Else False, or it ends in a restart.

    After starts that failed it ends by itself, because the board may hang unattended in a meter
    cupboard: after 10 minutes, twice as long each time, at most two hours. Ctrl-C ends the wait.
    """
    try:
        return _mode(gateway.board())
    finally:
        gateway.drop("safe")


def _mode(board):
    held = board.button() and _held(board)
    starts, _ = board.starts()
    if held:
        _begin(board, "the button was held at the start")
        print("It stays. gateway.run() starts the gateway, gateway.help() tells more.")
    elif starts > _STARTS:
        last = board.reset_cause()
        minutes = min(_FIRST_MIN << (board.safe() - 1), _LONGEST_MIN)
        _begin(board, "%d starts in a row failed, the last by: %s" % (starts - 1, last))
        for left in range(minutes, 0, -1):
            _minute("The next try is in %d min. Ctrl-C gives the Python prompt." % left)
        board.restart("after safe mode, where it came by: " + last)
    return held


# Tells whoever presses Enter what is going on. A Ctrl-C that came while the board started, before
# it could interrupt, is a byte like any other.
def _minute(text):
    stdin = sys.stdin.buffer
    poll = select.poll()
    poll.register(stdin, select.POLLIN)
    end = time.ticks_add(time.ticks_ms(), _MINUTE_MS)
    print(text)
    while True:
        left = time.ticks_diff(end, time.ticks_ms())
        if left <= 0:
            return
        if poll.poll(left):
            c = stdin.read(1)
            if c == b"\x03":
                raise KeyboardInterrupt
            if c == b"\r":
                print(text)
            elif not c:
                time.sleep(1)  # nobody is connected


def _begin(board, why):
    from gateway import led

    board.led(led.PATTERNS["safe"])
    del led
    gateway.drop("led")
    print("SAFE MODE, the gateway is not started: %s." % why)


# A touch is not meant, nor a pin that floats.
def _held(board):
    end = time.ticks_add(time.ticks_ms(), _HELD_MS)
    while time.ticks_diff(end, time.ticks_ms()) > 0:
        if not board.button():
            return False
    return True
