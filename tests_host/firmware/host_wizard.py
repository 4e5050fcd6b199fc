"""gateway.setup() at a virtual board's prompt, as its owner types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boardline import SECONDS, Line
from meterlab.board import AccessPoint

Make = Callable[..., Line]

ID = "0123456789ABCDEF0123456789ABCDEF"
PASSWORD = "ABCDEFGH0123"
KEY = "correct horse battery"
TOKEN = "an-invented-token"
SECRETS = (ID, PASSWORD, KEY, TOKEN)


def ready(start: Make, **options: Any) -> Line:
    line = start(
        **options, networks=[AccessPoint("far", "x" * 8, rssi=-80), AccessPoint("home", KEY)]
    )
    line.until("Settings are missing. Press Ctrl-C, then type gateway.setup()")
    line.send("\x03")
    line.until(">>> ")
    return line


def answer(line: Line, question: str, text: str, enter: str = "\r") -> str:
    said = line.until(f"{question}")
    line.send(text + enter)
    return said


def test_it_asks_checks_and_keeps(start: Make) -> None:
    line = ready(start)
    line.send("gateway.setup()\r")
    said = answer(line, "board.type [generic]: ", "")
    assert "3  generic-w5500" in said
    said = answer(line, "wifi.ssid []: ", "9")
    assert "There is no 9 here: from 1 to 2, or the name." in line.until("wifi.ssid []: ")
    line.send("\uff33\r")
    assert "not plain ASCII" in line.until("wifi.ssid []: ")
    line.send("1\r")
    assert said.index("1  home  -55 dBm") < said.index("2  far  -80 dBm")
    said += answer(line, "wifi.key (not shown) [nothing]: ", "short")
    said += answer(line, "wifi.key (not shown) [nothing]: ", KEY)
    assert "has 5 characters" in said
    answer(line, "net.mode [dhcp]: ", "")
    answer(line, "broute.id (not shown) [nothing]: ", "")
    said += answer(line, "broute.id (not shown) [nothing]: ", ID[:4] + " " + ID[4:])
    assert "broute.id: the gateway needs it." in said
    said += answer(line, "broute.password (not shown) [nothing]: ", PASSWORD.lower())
    said += answer(line, "server.url []: ", "192.168.1.10")
    said += answer(line, "server.url []: ", "https://192.0.2.1:8000")
    assert "is not a server address" in said
    said += answer(line, "server.token (not shown) [nothing]: ", TOKEN)
    answer(line, "server.ca []: ", "ca.der")
    said += answer(line, "Check it all now? [yes] ", "no")
    said += line.until(">>> ")
    for secret in SECRETS:
        assert secret.lower() not in said.lower()
    assert line.type("gateway.show('json')").startswith('{"')
    assert "MISSING" not in line.type("gateway.show()")
    # Arrow up shows what the prompt remembers: nothing of what was answered.
    line.send("\x1b[A" * 3)
    line.send("\x03")
    said = line.until(">>> ")
    assert not [secret for secret in SECRETS if secret in said]
    assert "wizard" not in line.type("import sys; print([m for m in sys.modules if 'wiz' in m])")


def test_what_is_there_is_kept_by_enter_and_ctrl_c_ends(start: Make) -> None:
    line = ready(start)
    line.raw()
    line.run(f"import gateway\ngateway.set({{'wifi.ssid': 'home', 'wifi.key': {KEY!r}}})")
    line.friendly()
    # Some terminals send CR LF for Enter.
    line.send("gateway.setup()\r\n")
    answer(line, "board.type [generic]: ", "generic-w5500", "\r\n")
    said = line.until("net.mode [dhcp]: ")
    assert "wifi.ssid" not in said, "a cable needs no name"
    line.send("static\r\n")
    said = answer(line, "net.ip []: ", "192.168.1.50", "\r\n")
    assert said.count("net.mode") == 1 and "needs it" not in said, said
    line.until("net.mask []: ")
    line.send("\x03")
    assert "what was answered before is kept" in line.until(">>> ")
    said = line.type("gateway.show('net')")
    assert "static" in said and "192.168.1.50" in said


def entered(start: Make) -> Line:
    """All is set, the Wi-Fi's key wrongly, and setup has just been told to check it."""
    line = ready(start)
    line.raw()
    line.run(
        "import gateway\ngateway.set({'wifi.ssid': 'home', 'wifi.key': 'wrong horse battery', "
        f"'broute.id': {ID!r}, 'broute.password': {PASSWORD!r}, "
        f"'server.url': 'http://192.0.2.1:8000', 'server.token': {TOKEN!r}}})"
    )
    line.friendly()
    line.send("gateway.setup()\r")
    for _ in range(8):
        line.until("]: ")
        line.send("\r")
    line.until("Check it all now? [yes] ")
    line.send("\r")
    line.until("soft reboot")
    return line


def test_the_checks_are_told_in_words(start: Make) -> None:
    line = entered(start)
    said = line.until("gateway.setup() again.", 4 * SECONDS)
    assert said.count("Checking the network") == said.count("Checking the radio") == 1, said
    assert "does not take the password" in said and "check power, wiring" in said, said
    assert "Checking the server" not in said and "MemoryError" not in said, said
    # The gateway goes on, and with the next start nothing is checked.
    line.send("status\r")
    line.until("problem    network: ")
    line.send("\x03")
    line.until(">>> ")
    line.soft_reset()
    line.until("Type help")
    assert "Checking" not in line.until("radio: no-module")


def test_checks_that_end_early_do_not_come_again(start: Make) -> None:
    line = entered(start)
    line.until("Checking the network")
    line.send("\x03")
    line.until(">>> ")
    line.send("gateway.run()\r")
    line.until("Type help")
    assert "Checking" not in line.until("radio: no-module")
    line.board.power_cycle()
    line.until("Type help")
    assert "Checking" not in line.until("radio: no-module")
