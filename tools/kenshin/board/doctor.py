"""One file about a board that is safe to post: what somebody who helps needs to know."""

from __future__ import annotations

import hashlib
import json
import platform
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from kenshin import __version__
from kenshin.board.configure import Settings
from kenshin.board.console import Console
from kenshin.board.flash import About, about, read_files
from kenshin.board.ports import BoardError
from kenshin.board.repl import Repl

LISTEN_SECONDS = 6
Say = Callable[[str], None]

_MEMORY = """
import gc
gc.collect()
print("Python heap: %d bytes free, %d used" % (gc.mem_free(), gc.mem_alloc()))
try:
    import esp32
    print("IDF heap, (total, free, largest, least):", esp32.idf_heap_info(esp32.HEAP_DATA))
except (ImportError, AttributeError):
    print("IDF heap: not told by this MicroPython")
import machine
print("reset cause %d, RTC memory begins %r" % (machine.reset_cause(), machine.RTC().memory()[:4]))
"""

_SECRETS = """
import gateway, json
from gateway.settings import Settings
print(json.dumps(Settings(gateway.nvs()).secrets()))
"""

# Settings that are no secrets and yet nobody's business.
_PRIVATE = re.compile(r"wifi\d?\.ssid|server\.url|net\.hostname")
# Addresses of the meter, the module and the board; and long numbers, such as the meter's.
_ADDRESSES = re.compile(
    r"(?:[0-9A-Fa-f]{4}:){7}[0-9A-Fa-f]{4}|(?:[0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"
    r"|(?<![0-9A-Za-z])[0-9A-Fa-f]{12,}(?![0-9A-Za-z])"
)
_SERIAL = re.compile(r"\bserial ([^\s,]+)")
_HIDDEN = "***"


class Mask:
    """Takes out what must not be posted: secrets in any case and as hexadecimal, addresses."""

    def __init__(self, secrets: list[str]) -> None:
        words = [word for secret in secrets for word in (secret, secret.encode().hex())]
        words.sort(key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, words)), re.IGNORECASE) if words else None

    def __call__(self, text: str) -> str:
        if self._words is not None:
            text = self._words.sub(_HIDDEN, text)
        return _ADDRESSES.sub(_HIDDEN, text)


def examine(port: str | None, path: Path, built: Path, say: Say) -> None:
    """Listen to the board, stop the gateway, look, start it again; write the file."""
    say("listening to the gateway ...")
    with Console(port, keep_json=True) as console:
        for word in ("status", "log"):
            console.type(word)
            console.wait_line("\0", LISTEN_SECONDS / 2)  # there is none: it is the time
        state = console.state
        heard = list(console.lines)
    say("stopping it to look inside ...")
    parts: list[tuple[str, str]] = []
    secrets: list[str] = []
    with Repl(port, soft_reset=False) as repl:
        board = about(repl)
        parts.append(("Board", _board(board, repl)))
        for title, code in (
            ("Last status", "import gateway; gateway.status()"),
            ("Last log", "import gateway; gateway.log()"),
            ("Memory", _MEMORY),
        ):
            parts.append((title, _safely(repl, code)))
    with Repl(port) as repl:
        parts.append(("Files", _files(repl, built)))
        try:
            settings = Settings(repl)
            secrets = json.loads(repl.exec(_SECRETS))
            secrets += [
                str(value) for key, value in settings.own.items() if _PRIVATE.fullmatch(key)
            ]
            parts.append(("Settings", _settings(settings)))
        except BoardError as error:
            parts.append(("Settings", str(error)))
        parts.append(("Memory, nothing loaded", _safely(repl, _MEMORY)))
        repl.restart()
    parts.insert(1, ("State, as heard", json.dumps(state, indent=1) if state else "silent"))
    parts.insert(2, ("Console, as heard", "\n".join(heard) or "silent"))
    meter: dict[str, Any] = state.get("meter") or {}
    secrets.append(str(meter.get("serial") or ""))
    for _, body in parts:
        secrets += _SERIAL.findall(body)
    mask = Mask([secret for secret in secrets if secret])
    text = "\n\n".join(f"== {title}\n{mask(body.rstrip())}" for title, body in parts)
    head = f"Kenshin doctor {__version__}, {platform.system()}, Python {platform.python_version()}"
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    try:
        path.write_text(f"{head}, {when}\n\n{text}\n", encoding="utf-8")
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from None
    say(f"{path} is written; secrets, names and addresses in it are masked. The gateway restarts.")


def _board(board: About, repl: Repl) -> str:
    version = _safely(repl, "import gateway; print(gateway.VERSION)").strip()
    return f"{board.text}, mpy {board.mpy & 0xFF}.{board.mpy >> 8 & 3}\nKenshin {version}\n" + (
        f"flash free: {board.flash_free} bytes"
    )


def _safely(repl: Repl, code: str) -> str:
    try:
        return repl.exec(code).replace("\r", "")
    except BoardError as error:
        return str(error)


def _files(repl: Repl, built: Path) -> str:
    entries = [entry for entry in repl.tree("/") if not entry.folder]
    try:
        files: dict[str, bytes] = read_files(built)
    except BoardError:
        files = {}
    hashes = repl.sha256([entry.path for entry in entries])
    lines: list[str] = []
    for entry in entries:
        known = files.get(entry.path)
        wanted = hashlib.sha256(known).digest() if known is not None else None
        note = "as built here" if wanted == hashes[entry.path] else "other"
        if note == "other" or not files:
            lines.append(f"{entry.size:7} {entry.path}  {note if files else ''}")
    lines += [f"missing {name}" for name in files if name not in {e.path for e in entries}]
    return f"{len(entries)} files; not as built here:\n" + ("\n".join(lines) or "none")


def _settings(settings: Settings) -> str:
    lines: list[str] = []
    own: dict[str, Any] = settings.own
    for key in settings.set_keys:
        hidden = key in settings.secret or key not in own or _PRIVATE.fullmatch(key)
        lines.append(f"{key} = {'set, not shown' if hidden else own[key]}")
    lines.append(f"missing: {', '.join(settings.missing) or 'none'}")
    return "\n".join([*lines, *(f"problem: {text}" for text in settings.problems)])
