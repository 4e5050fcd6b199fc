# The console against a typed line: what it answers.
import asyncio
import json

from consolerig import UTC, reading, with_console
from gateway import ring, summary

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


# -- where memory is scarce


class Crowded:
    """The session while it joins: there is room only for a line."""

    live = None
    errands = 0
    full = False

    def scarce(self):
        return True

    async def step_aside(self, ms):
        self.errands += 1
        if self.full:
            raise MemoryError
        return True

    def come_back(self):
        self.errands -= 1


def crowded(app):
    app.air = asyncio.Lock()
    app.session = Crowded()


def test_while_the_meter_is_joined_a_long_answer_waits_for_its_end():
    async def scenario(rig):
        await rig.app.air.acquire()
        rig.app.clock.held = True
        rig.app.log.warn("a line of the log")
        out = await rig.type(b"log\r")
        assert "no room" in out and "a line of the log" not in out
        assert rig.app.session.errands == 1, "what comes after joining has to wait"
        assert "under way" in await rig.type(b"log\r")
        assert "problem    none" in await rig.type(b"status\r"), "there is memory enough"
        assert "sent 0" in await rig.type(b"\r")
        await rig.type(b"stop\r")
        assert rig.app.stops == 1
        rig.out = ""
        rig.app.air.release()
        for _ in range(3):  # it comes with pauses
            await rig.turns()
        assert "a line of the log" in rig.out
        assert not rig.app.session.errands and not rig.app.air.locked()
        out = await rig.type(b"log\r")
        assert "no room" not in out and "running" in out, "at once, as nothing is in the way"

    with_console(scenario, crowded)


def test_a_long_answer_does_not_wait_for_ever():
    async def scenario(rig):
        await rig.app.air.acquire()
        rig.app.log.warn("a line of the log")
        out = await rig.type(b"log\r")
        for _ in range(1000):
            if rig.console.checking:
                await rig.turns()
        out += rig.out
        assert "still no room" in out and "a line of the log" not in out
        assert not rig.app.session.errands and rig.console.checking is None

    with_console(scenario, crowded)


def test_without_memory_for_a_word_the_console_lives_on():
    async def scenario(rig):
        rig.app.session.full = True
        assert "no room" in await rig.type(b"status\r")
        rig.app.session.full = False
        assert not rig.app.session.errands
        assert "problem    none" in await rig.type(b"status\r")
        assert not rig.task.done()

    with_console(scenario, crowded)


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
