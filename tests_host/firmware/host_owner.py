"""The owner at a board's serial line: the shipped files on a virtual board.

No radio module is attached and no server is there; what matters is that the board always says what
to do, and that a person and a program get its prompt at any moment.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from boardline import SECONDS, Line
from meterlab.board.events import Event
from meterlab.board.registers import WDT_MS

ID = "0123456789ABCDEF0123456789ABCDEF"
PASSWORD = "ABCDEFGH0123"
KEY = "correct horse battery"
OTHER_KEY = "staple and so on"
SETTINGS = {
    "broute.id": ID,
    "broute.password": PASSWORD,
    "wifi.ssid": "home",
    "wifi.key": KEY,
    "server.url": "http://192.0.2.1:8000",
    "server.token": "an-invented-token",
}


Make = Callable[..., Line]


def configure(line: Line) -> None:
    """Give the board settings, as a program does, and start it anew."""
    line.raw()
    assert line.run(f"import gateway\ngateway.set({SETTINGS!r})") == ""
    line.friendly()
    line.soft_reset()


# config's rhythm, told from what the LED did.
def long_and_short(event: Event) -> bool:
    times = event["times"]
    return len(times) == 4 and times[0] > 3 * times[2] and times[1] < times[3]


# -- without settings


def test_a_new_board_says_what_to_do(start: Make) -> None:
    line = start()
    out = line.until("config: missing-settings")
    assert "Kenshin " in out and "Type help" in out and "gateway.setup()" in out
    line.board.events.wait("led", SECONDS, 0, long_and_short)
    line.send("help\r")
    line.until("Ctrl-C stops the gateway")
    line.send("\x03")
    line.until("The gateway is stopped")
    line.until(">>> ")
    out = line.type("gateway.show()")
    assert "MISSING" in out and 'gateway.set("broute.id")' in out
    assert "missing-settings" in line.type("gateway.status()")


def test_the_whole_set_up_by_hand(start: Make) -> None:
    line = start()
    line.until("missing-settings")
    line.send("stop\r")
    line.until(">>> ")
    out = ""
    for key, value in SETTINGS.items():
        if key in ("wifi.ssid", "server.url"):
            assert f"{key} = {value}" in line.type(f'gateway.set("{key}", "{value}")')
        else:
            line.send(f'gateway.set("{key}")\r')
            line.until("while you type): ")
            line.send(value + "\r")
            out = line.until(">>> ")
            assert f"{key} = set" in out and value not in out
    assert "Missing" not in out
    line.send("gateway.run()\r")
    line.until("joining")
    line.board.power_cycle()
    assert "missing" not in line.until("joining")


# -- secrets


def test_secrets_at_the_prompt_and_from_a_program(start: Make) -> None:
    line = start()
    line.raw()
    assert line.run(f'import gateway\ngateway.set("wifi.key", "{KEY}")') == ""
    line.friendly()
    out = line.type(f'gateway.set("wifi.key", "{OTHER_KEY}")')
    assert "not changed" in out and 'gateway.set("wifi.key")' in out
    line.raw()
    code = "from gateway.settings import Settings\nprint(Settings(gateway.nvs())['wifi.key'])"
    assert line.run(code) == KEY


def test_mpremote_sets_and_shows(start: Make) -> None:
    line = start()
    line.until("missing-settings")
    line.port.close()

    def mpremote(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "mpremote", "connect", str(line.board.serial), "exec", code],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert mpremote(f"import gateway; gateway.set('wifi.key', {KEY!r})") == ""
    assert "from 10 to 3600" in mpremote("import gateway; gateway.set('poll.interval', 1)")
    mpremote("import gateway; gateway.set({'wifi.ssid': 'home', 'poll.interval': 60})")
    out = mpremote("import gateway; gateway.show('json')")
    assert json.loads(out) == {"wifi.ssid": "home", "poll.interval": 60}
    assert KEY not in mpremote("import gateway; gateway.show()")


# -- the prompt at any moment


def test_a_program_gets_through_at_any_moment(start: Make) -> None:
    line = start()
    configure(line)
    for n in range(16):
        # From the first instant of boot.py, through loading, to a gateway at work.
        time.sleep(n * n * 0.01)
        line.raw()
        assert line.run("print(6 * 7)") == "42"
        line.friendly()
        line.soft_reset()


# As an app leaves whose tasks take their time to end: the console still lives, but is closed.
SLOW_TO_LEAVE = """
import asyncio, sys, gateway
from gateway.app import App
async def slowly():
    await asyncio.sleep_ms(200)
def leave():
    app = App(gateway.board())
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(loop.create_task(app.serve()))
    except KeyboardInterrupt:
        app.console.close()
    loop.run_until_complete(slowly())
    asyncio.new_event_loop()
    while sys.stdin.buffer.read(1) != b"\\x01":
        pass
    print("Ctrl-A was left")
"""


def test_what_follows_ctrl_c_is_for_the_prompt(start: Make) -> None:
    line = start()
    configure(line)
    # While the console is busy with a word, writes JSON, or waits for the rest of a word. mpremote
    # sends Ctrl-A right behind Ctrl-C: the console that is ending must leave it for the prompt.
    for before in ("\r", "json on\r", "check rad"):
        line.raw()
        line.run(SLOW_TO_LEAVE)
        line.friendly()
        line.send("leave()\r")
        line.until("joining")
        line.send(before + "\x03")
        line.send("\r\x01")
        line.until("Ctrl-A was left\r\n>>> ")
        line.soft_reset()


def test_nervous_owners_get_the_prompt_too(start: Make) -> None:
    line = start()
    configure(line)
    for n in range(6):
        line.until("joining")
        for _ in range(n + 2):
            line.send("\x03")
            time.sleep(0.01 * n)
        line.until(">>> ")
        line.send("\r")
        assert line.type("1 + 1").endswith("2")
        line.send("gateway.run()\r")
    line.until("joining")


def test_stop_and_run_again(start: Make) -> None:
    line = start()
    configure(line)
    for _ in range(3):
        line.until("joining")
        line.send("stop\r")
        line.until("The gateway is stopped")
        line.until(">>> ")
        assert "stopped" in line.type("gateway.status()")
        assert " I gateway: stopped" in line.type("gateway.log()")
        line.send("gateway.run()\r")


def test_no_secret_is_said_anywhere(start: Make) -> None:
    line = start()
    configure(line)
    said = line.until("joining")
    for word, end in (("status", "reset "), ("log", "gateway: joining"), ("json on", "}")):
        line.send(word + "\r")
        said += line.until(end)
    line.send("json off\r\x03")
    said += line.until(">>> ")
    for command in ("gateway.show()", "gateway.status()", "gateway.log()"):
        said += line.type(command)
    for value in (ID, PASSWORD, KEY, SETTINGS["server.token"]):
        assert value.lower() not in said.lower()


# -- the link to the house's network


@pytest.mark.parametrize("kind", ["generic-lan8720", "generic-w5500"])
def test_ethernet(start: Make, kind: str) -> None:
    line = start()
    line.raw()
    without = {key: value for key, value in SETTINGS.items() if not key.startswith("wifi")}
    without |= {"board.type": kind, "radio.module": "j11"}
    line.run(f"import gateway\ngateway.set({without!r})")
    line.friendly()
    line.soft_reset()
    line.until(f"on {kind}.")
    line.send("check network\r")
    line.until("192.168.4.23")
    assert line.board.chip.wlan.attempts == 0
    line.board.lan_cable(False)
    line.send("stop\r")
    line.until("The gateway is stopped")
    line.until(">>> ")
    assert line.type("gateway.board().net.why()") == "'no-cable'"


# -- the time before anybody told it


def calendar(line: Line) -> datetime:
    line.until("missing-settings")
    line.send("\x03")
    line.until(">>> ")
    fields = eval(line.type("import time; print(time.gmtime()[:6])"), {"__builtins__": {}})
    return datetime(*fields, tzinfo=UTC)


def test_a_board_that_lost_its_time_begins_when_it_was_built(start: Make, files: Path) -> None:
    built = datetime.fromtimestamp(int((files / "lib/gateway/built.txt").read_text()), UTC)
    line = start()
    assert timedelta() <= calendar(line) - built < timedelta(minutes=5)
    # A calendar that is ahead of that is left alone.
    later = built + timedelta(days=40)
    fields = (later.year, later.month, later.day, 0, later.hour, later.minute, later.second, 0)
    line.type(f"import machine; machine.RTC().datetime({fields})")
    line.soft_reset()
    assert timedelta() <= calendar(line) - later < timedelta(minutes=5)
    line.board.power_cycle()
    assert timedelta() <= calendar(line) - built < timedelta(minutes=5)


# -- the way back in


def arm(line: Line, note: str, ms: int = 1500) -> None:
    line.raw()
    line.run(f"import machine\nmachine.RTC().memory(b'{note}')\nmachine.WDT(timeout={ms})")
    line.send("\x04")  # a soft reset that does not run main.py, as mpremote's
    line.until("soft reboot")


def test_a_watchdog_that_runs_is_stretched_after_a_soft_reset(start: Make) -> None:
    line = start()
    arm(line, "W", 60_000)
    assert line.run("print(6 * 7)") == "42"
    assert line.board.chip.registers[WDT_MS] == 3_600_000
    assert [e for e in line.board.events.all("reset") if e["cause"] != "soft"] == []


def test_a_watchdog_that_does_not_run_is_not_started(start: Make) -> None:
    line = start()
    line.raw()
    mark = line.board.events.mark()
    line.send("import machine\nmachine.RTC().memory(b'W12')\nmachine.reset()\x04")
    line.board.events.wait("boot", SECONDS, mark)
    line.raw()
    # A real reset stopped it, and boot.py has noted that.
    assert line.run("import machine\nprint(machine.RTC().memory()[:1])") == "b'-'"


def test_without_the_note_the_watchdog_bites_and_it_is_told_who_it_was(start: Make) -> None:
    line = start()
    mark = line.board.events.mark()
    arm(line, "-\\0\\0m")
    line.board.events.wait("reset", SECONDS, mark, lambda e: e["cause"] != "soft")
    line.until("missing-settings")
    line.send("\x03")
    line.until(">>> ")
    assert "watchdog (meter)" in line.type("gateway.status()")


def test_a_settings_area_that_takes_nothing_stops_nothing(start: Make) -> None:
    line = start()
    configure(line)
    line.raw()
    line.run(
        "import esp32\nnvs = esp32.NVS('junk')\nfor size in (2000, 200, 20):\n"
        " for n in range(30):\n  try:\n   nvs.set_blob('%d.%d' % (size, n), bytes(size))\n"
        "  except OSError:\n   break\nnvs.commit()"
    )
    line.friendly()
    line.soft_reset()
    assert "ESP_ERR_NVS_NOT_ENOUGH_SPACE" in line.until("sent 0")
    line.send("log\r")
    line.until("memory: cannot be written")
