# What the owner types at the Python prompt to run the gateway, and what that leaves behind.
import json
import sys

import gateway
from helpers import raises
from promptrig import at_prompt, fresh

# -- running

RUNS = []  # what the Apps of the next tests were made with


class FakeApp:
    outbox = "an outbox"
    status = log = None


# Stands where gateway.app is.
class FakeModule:
    def __init__(self, run, make):
        def app(board, outbox):
            if make:
                make()
            RUNS.append(outbox)
            one = FakeApp()
            one.run = run
            return one

        self.App = app


def with_app(run, call, make=None):
    fresh()
    gateway._outbox = None
    RUNS.clear()
    kept = dict(sys.modules)
    try:
        return call(FakeModule(run, make))
    finally:
        sys.modules.pop("gateway.app", None)
        sys.modules.update(kept)


# gateway.run() with that in the place of the real one; what is loaded is dropped after a run.
def run_it(module, name="run", *args):
    sys.modules["gateway.app"] = module
    return at_prompt(name, *args)


def test_what_was_not_sent_survives_a_stop():
    def go(app):
        run_it(app)
        run_it(app)

    with_app(lambda check: None, go)
    assert RUNS == [None, "an outbox"]


def test_ctrl_c_while_loading_loses_nothing_either():
    def interrupted():
        if len(RUNS) == 1 and not calls:
            calls.append(1)
            raise KeyboardInterrupt

    def go(app):
        for _ in range(3):
            out, _ = run_it(app)
            assert "gateway.run() starts it" in out

    calls = []
    with_app(lambda check: None, go, interrupted)
    assert calls and RUNS == [None, "an outbox"]


def test_a_run_that_fails_shows_on_the_led_and_is_told():
    from gateway.led import PATTERNS

    def run(check):
        raise ValueError("a bug")

    def go(app):
        assert str(raises(ValueError, run_it, app)) == "a bug"
        assert gateway.board().pattern == PATTERNS["fault"]
        assert callable(gateway.status)

    with_app(run, go)


def test_no_room_for_the_first_run_is_an_error():
    def no_room():
        raise MemoryError

    with_app(None, lambda app: raises(MemoryError, run_it, app), no_room)


def test_no_room_for_another_run_is_told():
    def no_room_again():
        if RUNS:
            raise MemoryError

    def go(app):
        assert "stopped" in run_it(app)[0]
        assert "gateway.reboot()" in run_it(app)[0]
        assert gateway._outbox == "an outbox"

    with_app(lambda check: None, go, no_room_again)


def test_check_prints_its_result():
    def run(check):
        return {"check": check, "ok": True}

    def go(app):
        out, result = run_it(app, "check", "radio")
        assert json.loads(out) == {"check": "radio", "ok": True} and result is None

    with_app(run, go)
    out, _ = with_app(lambda check: None, lambda app: run_it(app, "check", "server"))
    assert out == "Stopped before there was a result."


def test_reboot():
    board = fresh()
    assert at_prompt("reboot") == ("The board restarts.", None)
    assert board.resets == 1


# -- the package itself


def test_what_was_loaded_for_a_call_is_dropped():
    fresh()
    at_prompt("help")
    for name in ("repl", "view", "secret", "settings_check"):
        assert "gateway." + name not in sys.modules, name


def test_functions_stay_functions_whatever_is_imported():
    import gateway.log
    import gateway.status

    fresh()
    at_prompt("show")
    for name in "help show set run status log check reboot".split():
        assert callable(getattr(gateway, name)), name
    assert type(getattr(gateway, "log")) is type(gateway.help)  # noqa: B009


def test_modules_can_be_imported_from_the_package():
    from gateway import line, reading

    assert line.Line and reading.Reading
    raises(ImportError, __import__, "gateway.nothing")
