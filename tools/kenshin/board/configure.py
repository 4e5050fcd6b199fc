"""Give a board its settings, check each on the board, and test network, server and radio."""

from __future__ import annotations

import json
import os
import textwrap
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, cast

from kenshin.board.console import Console
from kenshin.board.ports import BoardError
from kenshin.board.repl import BoardSaid, Repl

START_SECONDS = 30
CHECK_SECONDS = 140
JOIN_SECONDS = 300
AGAIN_SECONDS = 5

Say = Callable[[str], None]
Value = str | int | None

# Run on the board: what is set, what is missing, and what can be set.
_LOOK = """
import gateway, json
from gateway.settings import Settings
from gateway.settings_table import TABLE
import boards
s = Settings(gateway.nvs())
print(json.dumps({"own": s.export(), "set": sorted(s.own), "missing": s.missing(),
    "problems": s.problems(), "secret": [r[0] for r in TABLE if r[3]],
    "keys": [r[0] for r in TABLE],
    "boards": boards.load("names").NAMES}))
"""

# Literals that both Pythons read; JSON's null, true and false are not among them.
_SET = """
import gateway
from gateway.settings import Settings, SettingError
try:
    Settings(gateway.nvs()).load({%s})
    print("ok")
except SettingError as e:
    print(e)
"""

_SCAN = """
import gateway, json
try:
    print(json.dumps(gateway.board().net.scan()))
except (OSError, RuntimeError) as e:
    print("[]")
"""

_HELP = "from gateway import settings_check; print(settings_check.help_text(%r))"


class SettingRefused(BoardError):
    """The board does not take a value; the text is the board's, and names no secret."""


class Settings:
    """The settings on the board at the other end of `repl`."""

    def __init__(self, repl: Repl) -> None:
        self._repl = repl
        self.look()

    def look(self) -> None:
        try:
            found: dict[str, Any] = json.loads(self._repl.exec(_LOOK))
        except BoardSaid as error:
            raise BoardError(
                f"There is no Kenshin on this board ({error}). Run: kenshin board flash"
            ) from None
        self.own: dict[str, Any] = found["own"]
        self.set_keys: list[str] = found["set"]
        self.missing: list[str] = found["missing"]
        self.problems: list[str] = [text for _, text in found["problems"]]
        self.keys: list[str] = found["keys"]
        self.secret: list[str] = found["secret"]
        self.boards: list[str] = found["boards"]

    def put(self, values: Mapping[str, Value]) -> None:
        """All of them or none; SettingRefused says why not."""
        pairs = ", ".join(f"{key!r}: {ascii(value)}" for key, value in values.items())
        said = self._repl.exec(_SET % pairs).strip()
        if said != "ok":
            raise SettingRefused(said)
        self.look()

    def networks(self) -> list[tuple[int, str]]:
        """The Wi-Fi networks in sight, the strongest first."""
        return [(row[0], row[1]) for row in json.loads(self._repl.exec(_SCAN, 30))]

    def help(self, key: str) -> str:
        return self._repl.exec(_HELP % key).strip()


def read_toml(path: Path, environment: Mapping[str, str] | None = None) -> dict[str, Value]:
    """The settings in a file. A value may be {env = "NAME"}: taken from the environment."""
    environment = os.environ if environment is None else environment
    try:
        with path.open("rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BoardError(f"{path}: not valid TOML: {error}") from None
    return dict(_flat(path, "", tables, environment))


def _flat(
    path: Path, prefix: str, table: Mapping[str, Any], environment: Mapping[str, str]
) -> list[tuple[str, Value]]:
    found: list[tuple[str, Value]] = []
    for name, value in table.items():
        key = f"{prefix}{name}"
        if isinstance(value, dict):
            inner = cast("dict[str, Any]", value)
            if set(inner) == {"env"}:
                variable = str(inner["env"])
                if variable not in environment:
                    raise BoardError(f"{path}: {key}: ${variable} is not set in the environment")
                found.append((key, environment[variable]))
            else:
                found += _flat(path, key + ".", inner, environment)
        elif isinstance(value, (str, int)) and not isinstance(value, bool):
            found.append((key, value))
        else:
            raise BoardError(f"{path}: {key}: give text, a number or {{env = NAME}}")
    return found


class Asker(Protocol):
    """Asks a person."""

    def text(self, question: str, default: str) -> str:
        """One line."""
        ...

    def secret(self, question: str) -> str:
        """One line, read without echo; "" when nothing was typed."""
        ...


# What belongs together when it is asked for again.
_GROUPS = {
    "wifi": ("wifi.ssid", "wifi.key"),
    "broute": ("broute.id", "broute.password"),
    "server": ("server.url", "server.token"),
}


def ask_all(settings: Settings, asker: Asker, say: Say, again: Sequence[str] = ()) -> None:
    """Ask for what is missing, and for `again` whatever is set, until the board takes it."""
    wanted = [key for name in again for key in _GROUPS.get(name, (name,))]
    for key in wanted:
        if key not in settings.keys:
            raise BoardError(f"--ask {key}: no such setting; docs/settings.md has them all")
    if "board.type" not in settings.set_keys or "board.type" in wanted:
        _ask(settings, "board.type", asker, say, settings.boards)
    if "wifi.ssid" in [*settings.missing, *wanted]:
        say("Looking for Wi-Fi networks ...")
        seen = settings.networks()
        for n, (rssi, name) in enumerate(seen, 1):
            say(f"  {n:2}  {name}  {rssi} dBm")
        _ask(settings, "wifi.ssid", asker, say, [name for _, name in seen])
        _ask(settings, "wifi.key", asker, say)
    for key in wanted:
        if key not in ("board.type", *_GROUPS["wifi"]):
            _ask(settings, key, asker, say)
    if "wifi.key" in wanted and "wifi.ssid" not in wanted:
        _ask(settings, "wifi.key", asker, say)
    while settings.missing:
        _ask(settings, settings.missing[0], asker, say)


def _ask(
    settings: Settings, key: str, asker: Asker, say: Say, choices: list[str] | None = None
) -> None:
    say("")
    say(textwrap.fill(settings.help(key), 78))
    if key == "board.type":
        for n, name in enumerate(choices or [], 1):
            say(f"  {n:2}  {name}")
    while True:
        if key in settings.secret:
            kept = ", Enter keeps it" if key in settings.set_keys else ""
            answer = asker.secret(f"{key} (not shown{kept})")
        else:
            default = "generic" if key == "board.type" else str(settings.own.get(key, ""))
            answer = asker.text(key, default).strip()
        if not answer:
            if key not in settings.missing:  # as it is, or it can be left out
                return
            say(f"{key}: the gateway needs it.")
            continue
        if choices and answer.isdigit() and len(answer) < 3:
            if not 0 < int(answer) <= len(choices):
                say(f"There is no {answer} here: from 1 to {len(choices)}, or the name.")
                continue
            answer = choices[int(answer) - 1]
        try:
            settings.put({key: answer})
            return
        except SettingRefused as error:
            say(str(error))


# What to do about a check that failed, by its first word.
_NEXT = {
    "network": "Until the board is in your network nothing can be sent; readings wait on the "
    "board.\n  To type name and password again: kenshin board configure --ask wifi",
    "time": "The board is in your network, at {}; only the time is missing. Without the Internet "
    "set time.ntp\n  to a time server of your own, or leave it: then the meter's clock serves.",
    "server": "docs/troubleshooting.md goes through it by word and code.\n  To type address and "
    "token again: kenshin board configure --ask server",
    "silence": "Is the server running, and does it listen on more than 127.0.0.1 (--host 0.0.0.0)?"
    "\n  To type address and token again: kenshin board configure --ask server",
    "token": "The server knows another token; `kenshin server gateway token NAME` makes a new one."
    "\n  To type it again: kenshin board configure --ask server.token",
    "certificate": "docs/upload.md says which file server.ca is, and how it comes to the board.",
    "radio": "docs/troubleshooting.md goes through it by symptom.\n"
    "  To type ID and password again: kenshin board configure --ask broute",
}


def advice(what: str, problem: str) -> str:
    """What to do about the check `what` that failed with this problem, in the board's words."""
    if what == "server":
        if "status 401" in problem or "status 403" in problem:
            what = "token"
        elif "certificate" in problem:
            what = "certificate"
        elif "nobody answers" in problem or "no answer in" in problem:
            what = "silence"
    return _NEXT[what]


def test_all(port: str | None, say: Say, checks: tuple[str, ...]) -> bool:
    """Start the gateway and let it check itself; -> whether all went well."""
    good = True
    with Repl(port) as repl:
        repl.restart()
    with Console(port) as console:
        # Its first words may have come before this line was open: then it answers a word.
        started = console.wait_line("Type help", 5)
        if not started:
            console.type("help")
            started = console.wait_line("json on|off", START_SECONDS)
        if not started:
            raise BoardError("The gateway does not start. It said:\n" + "\n".join(console.lines))
        failed: set[str] = set()
        for what in checks:
            if what == "server" and "network" in failed:
                continue
            result = _check(console, what, say)
            if not result.get("ok"):
                problem = str(result.get("problem", "no answer from the board"))
                here = what == "network" and result.get("ip")
                if not here:
                    failed.add(what)
                good = False
                say(f"  {what}: {problem}")
                say(f"  {_NEXT['time'].format(here) if here else advice(what, problem)}")
            else:
                say(f"  {what}: {_words(result)}")
    return good


def _check(console: Console, what: str, say: Say) -> dict[str, Any]:
    say(f"Checking the {what} ...")
    end = time.monotonic() + JOIN_SECONDS
    while True:
        result = console.check(what, CHECK_SECONDS)
        problem = str(result.get("problem", ""))
        # A meter that still holds the last session refuses once or twice.
        joining = what == "radio" and ("joining" in problem or "trying again" in problem)
        if not joining or time.monotonic() > end:
            return result
        time.sleep(AGAIN_SECONDS)


def _words(result: Mapping[str, Any]) -> str:
    if result["check"] == "network":
        rssi = f", {result['rssi']} dBm" if result.get("rssi") is not None else ""
        return f"the board is at {result.get('ip')}{rssi}"
    if result["check"] == "server":
        return f"{result.get('url')} lets it in"
    return f"joined the meter, {result.get('rssi')} dBm, {result.get('module')}"
