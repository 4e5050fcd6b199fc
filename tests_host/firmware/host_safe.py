"""Starts that fail, safe mode, and the way out of it: boot.py and main.py on a virtual board."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from boardline import SECONDS, Line
from meterlab.board.events import Event

Make = Callable[..., Line]


def memory(line: Line) -> bytes:
    """What the RTC memory holds, asked without a new start."""
    text = line.type("import machine; print(machine.RTC().memory())")
    return eval(text, {"__builtins__": {}})


def change_main(folder: Path, old: str, new: str) -> None:
    main = folder / "main.py"
    text = main.read_text()
    assert old in text
    main.write_text(text.replace(old, new))


def break_lib(folder: Path) -> None:
    (folder / "lib" / "boards" / "hw.mpy").unlink()
    change_main(folder, "_PAUSE_S = 10", "_PAUSE_S = 1")


# Nothing of lib/ can be loaded, so this is what boot.py and main.py do alone.
def test_a_broken_lib_is_shown_and_tried_again_and_after_three_times_seldom(start: Make) -> None:
    line = start(break_lib)
    # The first start may have spoken before anybody listened.
    out = line.until("The board restarts in 600 s", 2 * SECONDS)
    assert 2 <= out.count("The board restarts in 1 s") <= 3 and "ImportError" in out
    line.send("\x03")
    line.until(">>> ")
    assert line.type("1 + 1") == "2"


# The rhythm of safe mode, told from what the LED did.
def short_and_seldom(event: Event) -> bool:
    times = event["times"]
    return len(times) == 2 and times[1] > 10 * times[0]


# A program that fails each time, with everything needed for safe mode in its place.
def break_run(folder: Path) -> None:
    (folder / "lib" / "gateway" / "app.mpy").write_bytes(b"not bytecode")
    change_main(folder, "_PAUSE_S = 10", "_PAUSE_S = 0")


def test_three_starts_that_fail_lead_to_safe_mode(start: Make) -> None:
    line = start(break_run)
    out = line.until("SAFE MODE", 2 * SECONDS)
    # The first start may have spoken before anybody listened; the board's own count is below.
    assert 2 <= out.count("The board restarts") <= 3
    out = line.until("The next try is in 10 min.")
    assert "3 starts in a row failed, the last by: hard: " in out and "incompatible" in out
    line.board.events.wait("led", SECONDS, 0, short_and_seldom)
    # The prompt is free; whoever comes there has the board in his hands, and the count is over.
    line.send("\x03")
    line.until(">>> ")
    assert memory(line)[1:] == b"\0\0\0"
    assert "incompatible" in line.type("gateway.board().reset_cause()")
    assert "Why the board started: hard: " in line.type("gateway.status()")


def test_the_button_leads_to_safe_mode(start: Make) -> None:
    line = start()
    line.board.button(True)
    line.board.power_cycle()
    out = line.until(">>> ")
    assert "SAFE MODE, the gateway is not started: the button was held" in out
    line.board.button(False)
    line.send("gateway.run()\r")
    line.until("missing-settings")


def test_a_stop_is_no_failed_start(start: Make) -> None:
    line = start()
    for _ in range(5):
        line.until("missing-settings")
        line.send("\x03")
        line.until(">>> ")
        assert memory(line)[1:2] == b"\0"
        line.send("gateway.reboot()\r")
    assert "SAFE MODE" not in line.until("missing-settings")
