"""Which module is it: every answer, every silence, and what is said of it."""

import asyncio

from fakej11 import J11Module
from fakemodule import Module
from fakeradio import Clock, Wire
from helpers import run
from wisun import RadioError
from wisun.probe import BAUDS, find


class Speed:
    """The host's speed. A module with another hears and says noise."""

    def __init__(self, wire, baud=115200):
        self.wire = wire
        self.baud = baud
        self.tried = []
        self.hear = wire.hear
        self.feed = wire.feed

    def __call__(self, baud):
        self.tried.append(baud)
        good = baud == self.baud
        self.wire.hear = self.hear if good else lambda data: None
        self.wire.feed = self.feed if good else lambda data: self.feed(b"\xf8\x00" * len(data))


# What `find` returns, or the text of its error; and how long it took in ms.
def look(wire, speed=None, before=None, **options):
    clock = wire.clock
    speed = speed or Speed(wire)
    took = []

    async def scene():
        if before:
            before()
        main = asyncio.create_task(find(wire, clock, speed, **options))
        time = asyncio.create_task(clock.run(main))
        start = clock.ms()
        try:
            return await main
        except RadioError as error:
            return str(error)
        finally:
            took.append(clock.ms() - start)
            time.cancel()
            try:
                await time
            except asyncio.CancelledError:
                pass

    return run(scene()), took[0]


def skstack(**options):
    return Module(Clock(), **options)


def test_either_language_at_once():
    for first in (("skstack", "j11"), ("j11", "skstack")):
        for dual in (False, True):
            for echo in (False, True):
                found, ms = look(skstack(dual=dual, echo=echo), protocols=first)
                assert found == ("skstack", 115200) and ms <= 400
        found, ms = look(J11Module(Clock()), protocols=first)
        assert found == ("j11", 115200) and ms <= 400


def test_answers_in_pieces():
    for chunk in (1, 2, 5):
        assert look(skstack(chunk=chunk))[0] == ("skstack", 115200)
        assert look(J11Module(Clock(), chunk=chunk))[0] == ("j11", 115200)


def test_half_a_datagram_is_filled_up():
    for size in (1, 100, 1232):
        module = skstack()
        module.hear(b"SKSENDTO 1 FE80:0000:0000:0000:021C:6400:036E:8CF5 0E1A 1 %04X " % size)
        found, ms = look(module)
        assert found == ("skstack", 115200)
        assert ms < 4000
        assert len(module.payloads) == 1


def test_half_a_frame_is_given_up():
    whole = b"\xd0\xea\x83\xfc\x00\x08\x04\xff" + (0x33C + 0x103).to_bytes(2, "big")
    for left in (b"\xd0", whole[:7], whole, whole + bytes(1000)):
        for first in (("skstack", "j11"), ("j11", "skstack")):
            module = J11Module(Clock())
            found, ms = look(module, None, lambda m=module, d=left: m.hear(d), protocols=first)
            assert found == ("j11", 115200)
            assert ms < 4000


def test_a_module_that_is_still_starting():
    for module, name in ((skstack(), "skstack"), (J11Module(Clock()), "j11")):
        hear = module.hear
        module.hear = lambda data, m=module, h=hear: h(data) if m.clock.ms() > 2500 else None
        speed = Speed(module)
        speed.hear = module.hear
        assert look(module, speed)[0] == (name, 115200)


def test_a_session_under_way_tells_the_language():
    module = J11Module(Clock())
    module.go_on()
    module.replies[0x006B] = None
    said = module.datagram(b"\x10\x81\x00\x01")
    assert look(module, None, lambda: module.say(900, said))[0] == ("j11", 115200)


def test_other_speeds():
    for baud in BAUDS[1:]:
        module = skstack()
        speed = Speed(module, baud)
        found, ms = look(module, speed)
        assert found == ("skstack", baud)
        assert ms < 8000
        assert speed.tried == list(BAUDS[: BAUDS.index(baud) + 1])


def test_the_likelier_speed_comes_first():
    module = skstack()
    speed = Speed(module, 9600)
    found, ms = look(module, speed, bauds=(9600, 115200))
    assert found == ("skstack", 9600) and ms < 400


def test_nobody():
    wire = Wire(Clock())
    speed = Speed(wire)
    text, ms = look(wire, speed)
    assert text == (
        "not one byte came: check power, wiring and pins "
        "(tried skstack at 115200 to 2400, j11 at 115200 baud)"
    )
    assert ms < 10_000
    assert speed.tried == list(BAUDS) + [115200]


def test_only_what_was_chosen_is_tried():
    wire = J11Module(Clock())
    text, _ = look(wire, protocols=("skstack",), bauds=(57600,))
    assert text.endswith("(tried skstack at 57600 baud)")
    # J11 has one speed only, and another that was found before is tried first.
    text, _ = look(Wire(Clock()), protocols=("j11",))
    assert text.endswith("(tried j11 at 115200 baud)")
    text, _ = look(Wire(Clock()), protocols=("j11",), bauds=(9600, 115200))
    assert text.endswith("(tried j11 at 9600 to 115200 baud)")
    assert wire.lines == []


def test_an_echo_is_no_module():
    wire = Wire(Clock())
    wire.hear = lambda data: wire.feed(data)
    assert look(wire)[0].startswith("only our own words came back: check wiring")


def test_noise_is_no_module():
    wire = Wire(Clock())
    wire.hear = lambda data: wire.feed(b"EVER \xff\r\xd0\xf9\xee\x5d" + bytes(300))
    text, _ = look(wire)
    assert "bytes came that no module says" in text


def test_a_line_that_takes_nothing():
    wire = Wire(Clock())
    wire.stalled = True
    text, ms = look(wire, bauds=(115200,))
    assert text.startswith("not one byte came")
    assert ms < 60_000
