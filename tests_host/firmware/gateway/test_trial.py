# The checks after gateway.setup(), in words.
import asyncio

from consolerig import with_console


# What each look finds, one after the other; the last one stays.
def finds(app, **found):
    async def check(what):
        app.checks.append(what)
        await app.gate.wait()
        answers = found.get(what) or [None]
        problem = answers.pop(0) if len(answers) > 1 else answers[0]
        result = {"check": what, "ok": not problem}
        if problem:
            result["problem"] = problem
            if what == "network" and "time" in problem:
                result["ip"] = "192.168.1.9"
        return result

    app.check = check


# Its checks run through; -> what was made, and what was said.
def told(**found):
    seen = []

    async def scenario(rig):
        for _ in range(20):
            await rig.turns()
        assert rig.console.checking is None and not rig.console.trial
        seen.extend([list(rig.app.checks), rig.out])

    with_console(scenario, lambda app: finds(app, **found), trial=True)
    return seen


def test_all_is_well():
    checks, out = told()
    assert checks == ["network", "server", "radio"]
    assert "The network works.\n" in out and "The server lets this board in.\n" in out
    assert "The meter is joined.\n" in out and "All is well. The gateway runs" in out


def test_without_a_network_there_is_no_server():
    checks, out = told(network=["no-wifi: home is not in sight"])
    assert checks == ["network", "radio"]
    assert "It does not work: no-wifi: home is not in sight\n" in out
    assert "gateway.setup() again" in out and "All is well" not in out


def test_only_the_time_is_missing():
    checks, out = told(network=["no time from ntp.example"])
    assert checks == ["network", "server", "radio"]
    assert "only the time is missing: no time from ntp.example\n" in out and "time.ntp" in out
    assert "gateway.setup() again" not in out


def test_a_join_under_way_is_waited_for():
    joining = "still joining, ask again in a minute"
    checks, out = told(radio=[joining, None])
    assert checks == ["network", "server", "radio", "radio"]
    assert "The meter is joined." in out and joining not in out
    checks, out = told(radio=[joining])
    assert checks.count("radio") == 3 and out.count("It does not work: " + joining) == 1


def test_what_breaks_a_check_is_told():
    async def scenario(rig):
        for _ in range(20):
            await rig.turns()
        assert rig.app.checks == ["network", "server", "radio"]
        assert "It does not work: OSError" in rig.out and "113" in rig.out
        assert rig.console.checking is None

    with_console(scenario, trial=True)


def test_meanwhile_the_console_answers_and_ends_it():
    async def scenario(rig):
        assert "under way" in await rig.type(b"check radio\r")
        assert "power" in await rig.type(b"status\r")
        checking = rig.console.checking
        await rig.end()
        assert checking.done() and rig.app.checks == ["network"]

    with_console(scenario, hold, trial=True)


def hold(app):
    app.clock.held = True
    app.gate.clear()


# The console starts anew, after it died: it does not check again.
def test_it_happens_once():
    async def scenario(rig):
        for _ in range(20):
            await rig.turns()
        await rig.end()
        assert rig.app.checks == ["network", "server", "radio"]
        rig.task = asyncio.create_task(rig.console.run(rig.beats.append))
        for _ in range(20):
            await rig.turns()
        assert rig.app.checks == ["network", "server", "radio"]

    with_console(scenario, finds, trial=True)
