# Whichever module is fitted: found, its driver made, a session with the meter; fake modules.
import asyncio

from fakeboard import FakeBoard
from fakeclock import Lines, Recorder
from fakej11 import CHANNEL, J11Module
from fakemodule import Module
from fakeradio import PASSWORD, RBID, Clock, Wire
from gateway.session import Session
from gateway.store import Store
from helpers import run

SETTINGS = {
    "broute.id": RBID,
    "broute.password": PASSWORD,
    "radio.module": "auto",
    "radio.baud": None,
}


class App:
    def __init__(self, wire, blobs=None, **settings):
        self.clock = wire.clock
        self.board = board = FakeBoard(uart=wire, blobs=blobs)
        self.settings = dict(SETTINGS)
        for key, value in settings.items():
            self.settings["radio." + key] = value
        self.store = Store(board.nvs)
        self.status = Recorder()
        self.log = Lines()
        self.driver = None
        self.tuned = asyncio.Event()
        self.air = asyncio.Lock()
        self.events = []
        self.session = Session(self)

    def datagram(self, payload, source, secured, rssi):
        self.session.datagram(payload, source, secured, rssi)

    def event(self, name, value):
        self.events.append(name)
        self.session.event(name, value)

    async def radio(self):
        await self.tuned.wait()
        await self.driver.run()


# Plays scene(app) while the radio is read and time passes.
def play(wire, scene, blobs=None, **settings):
    apps = []

    async def whole():
        app = App(wire, blobs, **settings)
        apps.append(app)
        main = asyncio.create_task(scene(app))
        tasks = [asyncio.create_task(app.radio()), asyncio.create_task(wire.clock.run(main))]
        try:
            await main
        finally:
            for task in tasks:
                task.cancel()
                try:
                    await task
                except asyncio.CancelledError:
                    pass

    run(whole())
    return apps[0]


async def join(app):
    await app.session._join(lambda ms: None)


def test_a_j11_module_from_the_beginning():
    wire = J11Module(Clock())
    app = play(wire, join)
    assert app.driver.joined
    assert app.status.module == "j11 dual 1.3"
    assert app.store.get("module") == ["j11", 115200]
    assert app.store.pan()[0] == 0x31
    assert 0x51 in wire.lines and wire.lines.count(0x56) == 1


def test_a_j11_session_that_is_still_up_is_used_again():
    first = play(J11Module(Clock()), join)
    wire = J11Module(Clock())
    wire.go_on()
    start = wire.clock.ms()
    app = play(wire, join, first.board.nvs.blobs)
    assert app.driver.joined
    assert wire.clock.ms() - start < 2000
    for code in (0xD9, 0x5F, 0x54, 0x51, 0x53, 0x56, 0x57, 0x58):
        assert code not in wire.lines
    # and it works
    wire = J11Module(Clock())
    wire.go_on()

    async def ask(app):
        await join(app)
        assert await app.driver.send(b"\x10\x81\x00\x01\x05\xff") == 0

    play(wire, ask, first.board.nvs.blobs)
    assert wire.payloads == [b"\x10\x81\x00\x01\x05\xff"]


def test_a_j11_session_that_is_up_is_used_without_a_memory_too():
    wire = J11Module(Clock())
    wire.go_on()
    app = play(wire, join)
    assert app.driver.joined
    assert 0x56 not in wire.lines and 0xD9 not in wire.lines
    assert app.store.pan()[0] == 0x21 + 2 * (CHANNEL - 4)


def test_both_editions_of_skstack():
    for dual, firmware in ((False, "1.2.10"), (True, "1.5.2")):
        wire = Module(Clock(), dual=dual)
        app = play(wire, join)
        assert app.driver.joined
        assert app.status.module == "skstack %s %s" % ("dual" if dual else "single", firmware)
        assert app.store.get("module") == ["skstack", 115200]


def test_what_was_found_is_tried_first():
    first = play(J11Module(Clock()), join)
    wire = J11Module(Clock())
    play(wire, join, first.board.nvs.blobs)
    assert bytes(wire.written[0][:4]) == b"\xd0\xea\x83\xfc"
    # another one has taken its place
    wire = Module(Clock())
    app = play(wire, join, first.board.nvs.blobs)
    assert app.driver.joined and app.store.get("module") == ["skstack", 115200]


def test_the_owner_may_know_better():
    wire = Module(Clock(), dual=False)
    app = play(wire, join, module="rl7023")
    assert app.driver.info.hex_data and b"ROPT" not in wire.lines and b"WOPT 01" not in wire.lines
    assert not app.driver.info.edition == "dual"

    wire = Module(Clock(), dual=True)
    wire.replies[b"SKINFO"] = b"EINFO %s 001D129012345678 21 FFFF FFFE\r\nOK\r\n" % RBID.encode()
    app = play(wire, join, module="bp35c2")
    assert app.driver.info.edition == "dual" and app.driver.counters["flip"] == 0

    wire = Module(Clock(), dual=False)
    wire.replies[b"SKINFO"] = b"EINFO %s 001D129012345678 21 FFFF 0\r\nOK\r\n" % RBID.encode()
    app = play(wire, join, module="bp35a1")
    assert app.driver.info.edition == "single" and app.driver.counters["flip"] == 0

    wire = J11Module(Clock())
    app = play(wire, join, module="j11")
    assert app.driver.joined
    assert not any(b"SKVER" in said for said in wire.written)


class Stop(Exception):
    pass


# Until the gateway pauses. A module that would answer after a pause of its own does not.
async def once(app):
    ours = asyncio.current_task()

    async def stop(ms):
        if asyncio.current_task() is not ours:
            await sleep(1 << 29)
        raise Stop

    clock = app.clock
    sleep, clock.sleep_ms = clock.sleep_ms, stop
    try:
        await join(app)
    except Stop:
        pass
    finally:
        clock.sleep_ms = sleep


def test_nobody_there_says_what_was_tried():
    wire = Wire(Clock())
    wire.port = "UART(1, baudrate=115200, bits=8, parity=None, stop=1, tx=17, rx=16, txbuf=256)"
    app = play(wire, once)
    assert app.driver is None
    assert app.status.code("radio") == "no-module"
    text = app.status.detail("radio")
    assert "power, wiring and pins" in text
    assert "skstack at 115200 to 2400, j11 at 115200 baud" in text
    assert text.endswith("tx=17, rx=16")
    assert app.board.baud == 115200

    app = play(Wire(Clock()), once, module="j11", baud=115200)
    text = app.status.detail("radio")
    assert text.endswith("(tried j11 at 115200 baud)")
    assert text.startswith("radio.module is j11: try auto; radio.baud is 115200: try without; ")


# The other kind of module says nothing, or what we said: the setting's fault, and not a wire's.
def test_a_setting_that_narrows_the_search_is_named_first():
    app = play(Module(Clock()), once, module="j11")
    text = app.status.detail("radio")
    assert app.driver is None and text.startswith("radio.module is j11: try auto; ")
    assert "j11 at 115200 baud" in text and "2400" not in text
    app = play(J11Module(Clock()), once, module="bp35a1")
    assert app.status.detail("radio").startswith("radio.module is bp35a1: try auto; ")
    app = play(Wire(Clock()), once, baud=9600)
    assert app.status.detail("radio").startswith("radio.baud is 9600: try without; ")


def test_the_speed_that_was_set_is_the_only_one():
    wire = Module(Clock())
    app = play(wire, join, baud=57600)
    assert app.board.baud == 57600
    assert app.store.get("module") == ["skstack", 57600]
