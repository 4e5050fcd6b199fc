"""What is done beside answering goes on after a fault, and ends when it is told to."""

import threading

from kenshin.server.store import Unavailable
from kenshin.server.wheel import Wheel

LIMIT = 60.0


def test_a_fault_of_one_turn_is_logged_and_the_next_one_comes(caplog):
    faults = [Unavailable("the disk is full"), ValueError("seven")]
    enough = threading.Event()

    def work():
        if faults:
            raise faults.pop(0)
        enough.set()

    wheel = Wheel("washing", 0.001, work)
    wheel.start()
    assert enough.wait(LIMIT)
    assert wheel.close()
    assert not wheel.close()
    assert "washing: not now: the disk is full" in caplog.text
    assert "washing failed; it is tried again" in caplog.text and "seven" in caplog.text


def test_a_long_turn_sees_that_it_shall_end():
    begun, ended = threading.Event(), threading.Event()

    def work():
        begun.set()
        while not wheel.stopping:
            threading.Event().wait(0.001)
        ended.set()

    wheel = Wheel("long", 0.001, work)
    wheel.start()
    assert begun.wait(LIMIT) and not ended.is_set()
    assert wheel.close() and ended.is_set()
