# The console against a typed line: what it leaves alone, and that it sleeps.
import asyncio

from consolerig import EOF, Rig, reading, with_console
from gateway import summary
from helpers import run

# -- quietness


def test_nothing_wakes_it():
    async def scenario(rig):
        reads = rig.keys.reads
        for _ in range(20):
            await rig.turns()
        assert rig.keys.reads == reads and rig.app.clock.slept == []
        assert rig.beats[-1] is None

    with_console(scenario)


def test_readings_make_one_line_a_minute_and_the_first_at_once():
    async def scenario(rig):
        rig.out = ""
        for n in range(40):
            rig.status.reading(reading(power=n))
            rig.app.clock.t += 15_000
        lines = rig.out.split("\n")[:-1]
        assert len(lines) == 10, lines
        assert "  0 W  " in lines[0] and "  4 W  " in lines[1]

    with_console(scenario)


def test_every_change_of_state_makes_a_line_with_the_reason_once():
    async def scenario(rig):
        rig.out = ""
        rig.status.problem("network", "no-wifi", "home is not in reach")
        rig.status.problem("network", "no-wifi", "home is still not in reach")
        rig.status.clear("network")
        lines = rig.out.split("\n")[:-1]
        assert len(lines) == 2, lines
        assert "network: no-wifi" in lines[0] and "(home is not in reach)" in lines[0]
        assert "running" in lines[1]

    with_console(scenario)


def test_errors_are_shown_and_the_rest_of_the_log_is_not():
    async def scenario(rig):
        rig.out = ""
        for base in (rig.app.clock.base, None):
            rig.app.clock.base = base
            rig.app.log.info("E as text")
            rig.app.log.warn("hm")
            rig.app.log.error("uplink: %s", "MemoryError")
        lines = rig.out.split("\n")[:-1]
        assert len(lines) == 2 and lines[0].endswith(" E uplink: MemoryError"), lines

    with_console(scenario)


def test_output_leaves_what_is_being_typed():
    async def scenario(rig):
        await rig.type(b"sto")
        rig.out = ""
        rig.status.set_phase("joining")
        line = summary.line(rig.status)
        assert rig.out == "\r\x1b[K" + line + "\nsto"
        await rig.type(b"p\r")
        assert rig.app.stops == 1

    with_console(scenario)


# -- bad input


def test_a_ctrl_c_from_before_the_start_stops_and_leaves_what_follows():
    async def scenario(rig):
        rig.keys.data = b"\r\x03\r\x01"
        rig.keys.some.set()
        for _ in range(4):
            await rig.turns()
        assert rig.app.stops == 1
        assert rig.keys.data == b"\r\x01"

    with_console(scenario)


def test_garbage_is_survived_and_bounded():
    async def scenario(rig):
        noise = bytes(c for c in range(256) if c != 3) * 8
        out = await rig.type(noise + b"\xff" * 500 + b"x" * 500 + b"\r")
        assert len(out) < 2000
        assert await rig.type(b"\x15stop\r")
        assert rig.app.stops == 1 and not rig.task.done()

    with_console(scenario)


def test_end_of_file_does_not_spin():
    async def scenario(rig):
        rig.keys.data = EOF
        rig.keys.some.set()
        await rig.turns()
        rig.keys.data = b""
        await rig.turns()
        assert rig.app.clock.slept and min(rig.app.clock.slept) >= 10_000
        await rig.type(b"stop\r")
        assert rig.app.stops == 1

    with_console(scenario)


def test_its_end_leaves_nothing_behind():
    async def go():
        rig = Rig()
        await rig.start()
        rig.app.gate.clear()
        rig.keys.data = b"check radio\r"
        rig.keys.some.set()
        for _ in range(12):
            await asyncio.sleep(0)
        await rig.end()
        assert rig.app.log.on_line is None and rig.status.on_change is None
        rig.out = ""
        rig.app.gate.set()
        rig.status.set_phase("joining")
        rig.app.log.error("x")
        for _ in range(5):
            await rig.turns()
        assert rig.out == ""

    run(go())
