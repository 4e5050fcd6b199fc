# The console against a typed line: what it answers, what it leaves alone, and that it sleeps.
import asyncio
import json

from fakeclock import FakeClock
from gateway import ring, summary
from gateway.console import Console
from gateway.log import Log
from gateway.reading import Reading
from gateway.status import Status
from helpers import run

UTC = 1763609696  # 2025-11-20 12:34:56 JST
TURNS = 40


class Board:
    name = "fake"

    def led(self, pattern):
        pass

    def reset_cause(self):
        return "power-on"


class Keys:
    """A serial line on which somebody types."""

    def __init__(self):
        self.data = b""
        self.some = asyncio.Event()
        self.reads = 0
        self.closed = False

    async def readinto(self, buf):
        self.reads += 1
        while not self.data:
            self.some.clear()
            await self.some.wait()
        if self.data is EOF:
            return 0
        if self.closed:
            await asyncio.Event().wait()
        buf[0] = self.data[0]
        self.data = self.data[1:]
        return 1


EOF = b"EOF"


class HeldClock(FakeClock):
    """While `held`, time does not pass for who waits with a limit."""

    held = False

    async def wait_for(self, awaitable, ms):
        if self.held:
            return await awaitable
        return await super().wait_for(awaitable, ms)


class App:
    """What the console knows of the gateway."""

    def __init__(self):
        self.clock = HeldClock(UTC)
        self.log = Log(self.clock)
        self.status = Status(Board(), self.clock, self.log)
        self.stops = 0
        self.checks = []
        self.gate = asyncio.Event()  # while not set, it holds checks back
        self.gate.set()

    def stop(self):
        self.stops += 1

    async def check(self, what):
        self.checks.append(what)
        await self.gate.wait()
        if what == "server":
            raise OSError(113)
        return {"check": what, "ok": True}


class Rig:
    def __init__(self, prepare=None):
        self.app = App()
        self.status = self.app.status
        self.keys = Keys()
        self.out = ""
        self.beats = []
        self.status.set_phase("running")
        if prepare:
            prepare(self.app)
        self.console = Console(self.app, self.keys, self._write)

    def _write(self, text):
        self.out += text

    async def start(self):
        self.task = asyncio.create_task(self.console.run(self.beats.append))
        await self.turns()

    async def turns(self):
        for _ in range(TURNS):
            await asyncio.sleep(0)

    # Types and returns what came.
    async def type(self, data):
        self.out = ""
        self.keys.data += data
        self.keys.some.set()
        for _ in range(len(data) + 1):
            await self.turns()
        return self.out

    async def end(self):
        self.task.cancel()
        try:
            await self.task
        except asyncio.CancelledError:
            pass


# Runs `scenario(rig)` with a console that is up.
def with_console(scenario, prepare=None):
    async def go():
        rig = Rig(prepare)
        await rig.start()
        try:
            await scenario(rig)
        finally:
            await rig.end()

    run(go())


def reading(power=1234, normal=None):
    return Reading("instant", UTC, "ntp", power, 50, None, normal, None, "get")


# -- words


def test_it_says_what_to_type():
    async def scenario(rig):
        assert rig.out.startswith("Kenshin ")
        assert "help" in rig.out and "Ctrl-C" in rig.out
        assert rig.out.endswith("running  sent 0\n")

    with_console(scenario)


def test_without_settings_it_says_what_to_do():
    def prepare(app):
        app.status.problem("config", "missing-settings", "not set: broute.id")

    async def scenario(rig):
        assert "gateway.setup()" in rig.out
        assert "config: missing-settings" in rig.out and "(not set: broute.id)" in rig.out

    with_console(scenario, prepare)


def test_help_names_every_word():
    async def scenario(rig):
        out = await rig.type(b"help\r")
        for word in ("help", "status", "log", "stop", "check network|server|radio", "json on|off"):
            assert word in out, word
        assert "[" not in out and "gateway.set" not in out

    with_console(scenario)


def test_case_and_blanks_do_not_matter():
    async def scenario(rig):
        assert await rig.type(b"  HELP  \r") == "  HELP  \n" + (await rig.type(b"help\r"))[5:]

    with_console(scenario)


def test_status_tells_it_all():
    async def scenario(rig):
        rig.status.reading(reading())
        rig.status.radio(-71)
        rig.status.module = "skstack BP35A1"
        rig.status.problem("server", "refused", "unknown token")
        out = await rig.type(b"status\r")
        for text in (
            "1234 W  5.0 A  at 2025-11-20 12:34:56 JST",
            "skstack BP35A1, -71 dBm (fair) 0 s ago",
            "server: refused, unknown token",
            "five flashes, white",
        ):
            assert text in out, text

    with_console(scenario)


def test_log_shows_the_lines():
    async def scenario(rig):
        rig.app.log.info("one %d", 1)
        rig.app.log.warn("two")
        out = await rig.type(b"log\r")
        assert " I one 1\n" in out and " W two\n" in out

    with_console(scenario)


def test_logging_while_the_log_is_shown_does_no_harm():
    async def scenario(rig):
        for n in range(200):
            rig.app.log.info("line %d", n)
        kept = len(list(ring.lines(rig.app.log)))
        rig.app.clock.sleep_ms = noisy(rig.app.log)
        out = await rig.type(b"log\r")
        assert len(out.split("\n")) == kept + 2, (len(out.split("\n")), kept)

    def noisy(log):
        async def sleep_ms(n):
            log.info("meanwhile")

        return sleep_ms

    with_console(scenario)


def test_stop_stops():
    async def scenario(rig):
        await rig.type(b"stop\r")
        assert rig.app.stops == 1

    with_console(scenario)


def test_enter_alone_shows_the_status_line_once():
    async def scenario(rig):
        assert await rig.type(b"\r\n") == "\n" + summary.line(rig.status) + "\n"

    with_console(scenario)


MISTAKES = (
    (b"hlep\r", "hlep? Type help\n"),
    (b"stat\r", "stat? Type status\n"),
    (b"?\r", "?? Type help to see the words\n"),
    (b"gateway.show()\r", "Type help to see the words\n"),
    (b"json\r", "json? Type json on\n"),
    (b"json of\r", "json of? Type json off\n"),
    (b"json please now\r", "json please now? Type json on\n"),
    (b"check\r", "check? Type check radio\n"),
    (b"check netwrok\r", "check netwrok? Type check network\n"),
    (b"check everything\r", "check everything? Type check "),
    (b"stop it\r", "stop it? Type stop\n"),
    (b"log 5\r", "log 5? Type log\n"),
    (b"quit\r", "Type "),
)


def test_every_mistake_gets_an_answer():
    async def scenario(rig):
        for typed, answer in MISTAKES:
            out = await rig.type(typed)
            assert answer in out, (typed, out)
            assert out.count("\n") == 2, out
        assert not rig.app.stops and not rig.app.checks

    with_console(scenario)


# -- checks


def test_check_gives_one_json_line():
    async def scenario(rig):
        for what in ("network", "radio"):
            out = await rig.type(b"check %s\r" % what.encode())
            assert json.loads(out.split("\n")[1]) == {"check": what, "ok": True}

    with_console(scenario)


def test_a_check_that_fails_gives_json_too_and_is_logged():
    async def scenario(rig):
        out = await rig.type(b"check server\r")
        answer = json.loads([line for line in out.split("\n") if line.startswith("{")][0])
        assert answer["check"] == "server" and not answer["ok"] and "113" in answer["problem"]
        assert [line for line in ring.lines(rig.app.log) if "E check server" in line]
        assert not rig.task.done()

    with_console(scenario)


def test_the_console_answers_during_a_check_and_runs_only_one():
    async def scenario(rig):
        rig.app.gate.clear()
        rig.app.clock.held = True
        await rig.type(b"check radio\r")
        assert "under way" in await rig.type(b"check radio\r")
        assert "sent 0" in await rig.type(b"\r")
        assert rig.app.checks == ["radio"]
        rig.out = ""
        rig.app.gate.set()
        await rig.turns()
        assert json.loads(rig.out) == {"check": "radio", "ok": True}
        await rig.type(b"check radio\r")
        assert rig.app.checks == ["radio", "radio"]

    with_console(scenario)


def test_a_check_without_end_is_ended():
    async def scenario(rig):
        rig.app.gate.clear()
        out = await rig.type(b"check radio\r")
        for _ in range(5):
            await rig.turns()
        assert json.loads((out + rig.out).split("\n")[1])["problem"] == "no result in 130 s"

    # The jumping clock calls the time over as soon as nothing else is ready.
    with_console(scenario)


# -- JSON lines


def jsons(out):
    return [json.loads(line) for line in out.split("\n") if line.startswith("{")]


def test_json_once_a_second_and_nothing_when_off():
    async def scenario(rig):
        await rig.type(b"json on\r")
        rig.out = ""
        start = rig.app.clock.t
        for _ in range(60):
            await rig.turns()
        lines = jsons(rig.out)
        seconds = (rig.app.clock.t - start) // 1000
        assert len(lines) >= 5 and abs(len(lines) - seconds) <= 1, (len(lines), seconds)
        assert lines[-1]["phase"] == "running" and lines[-1]["time"] >= UTC
        await rig.type(b"json off\r")
        rig.out = ""
        reads = rig.keys.reads
        t = rig.app.clock.t
        for _ in range(20):
            await rig.turns()
        assert rig.out == "" and rig.keys.reads == reads and rig.app.clock.t == t

    with_console(scenario)


def test_json_has_all_that_a_program_wants():
    async def scenario(rig):
        line = jsons(await rig.type(b"json on\r"))[0]
        assert line["reading"] is None and line["energy"] is None
        assert line["phase"] == "running" and line["led"] == "ok" and line["word"] is None
        rig.status.reading(reading())
        rig.status.reading(reading(power=None, normal=2**40))
        rig.out = ""
        await rig.turns()
        await rig.turns()
        line = jsons(rig.out)[0]
        assert line["reading"] == ["instant", UTC, "ntp", 1234, 50, None, None, None, "get"]
        assert line["energy"] == ["instant", UTC, "ntp", None, 50, None, 2**40, None, "get"]

    with_console(scenario)


def test_json_does_not_make_up_for_what_was_missed():
    async def scenario(rig):
        await rig.type(b"json on\r")
        rig.out = ""
        rig.app.clock.t += 3_600_000
        await rig.turns()
        await rig.turns()
        assert len(jsons(rig.out)) < 10

    with_console(scenario)


def test_words_work_while_json_is_on():
    async def scenario(rig):
        await rig.type(b"json on\r")
        out = ""
        for c in b"stop\r":
            out += await rig.type(bytes([c]))
        assert rig.app.stops == 1
        assert len(jsons(out)) >= 1

    with_console(scenario)


def test_programs_see_no_status_lines():
    async def scenario(rig):
        await rig.type(b"json on\r")
        rig.out = ""
        rig.status.set_phase("joining")
        rig.status.reading(reading())
        assert rig.out == ""

    with_console(scenario)


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
