"""Back up what is only on the board: settings and readings that no server has yet."""

from __future__ import annotations

import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any, cast

from kenshin.board.configure import Settings
from kenshin.board.ports import BoardError
from kenshin.board.repl import Repl

VERSION = 1
MANIFEST = "kenshin-backup.json"
OUTBOX = "/outbox"

# The numbers of readings that a board gave away after the backup was made must not be given away
# again: the server knows readings by them.
AHEAD = 1 << 20

_SECRETS = """
import gateway, json
from gateway.settings import Settings
print(json.dumps(Settings(gateway.nvs()).export(True)))
"""

# What the gateway remembers by itself; of it, a backup needs how readings are numbered.
_FACTS = """
import gateway, json
from gateway.twins import Twins
t = Twins(gateway.nvs(), "memory", 400)
p = t.load()
print("{}" if p is None else str(p, "utf-8"))
"""

_PUT_FACTS = """
f = json.loads(str(p, "utf-8")) if p else {}
f.update(%s)
t.save(json.dumps(f).encode())
"""
_NUMBERS = ("stream", "seq")

_ERASE = """
import esp32
n = esp32.NVS("kenshin")
for k in ("settings.0", "settings.1", "memory.0", "memory.1"):
    try:
        n.erase_key(k)
    except OSError as e:
        if e.args[0] != -0x1102:
            raise
n.commit()
import machine
machine.RTC().memory(b"")
"""


def backup(port: str | None, path: Path, with_secrets: bool) -> dict[str, int]:
    """Write the backup; -> {"settings": n, "files": n}. With secrets, only you can read it."""
    with Repl(port) as repl:
        settings = Settings(repl)
        values = json.loads(repl.exec(_SECRETS)) if with_secrets else settings.own
        facts: dict[str, Any] = json.loads(repl.exec(_FACTS))
        files = {
            entry.path: repl.read(entry.path)
            for entry in repl.tree("/")
            if _is_owners(entry.path) and not entry.folder
        }
        repl.restart()
    manifest = {
        "v": VERSION,
        "secrets": with_secrets,
        "settings": values,
        "facts": {name: facts[name] for name in _NUMBERS if name in facts},
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(MANIFEST, json.dumps(manifest, indent=1))
        for name, content in files.items():
            archive.writestr("files" + name, content)
    part = path.with_name(path.name + ".part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(data.getvalue())
        os.replace(part, path)
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from None
    return {"settings": len(values), "files": len(files)}


def _is_owners(path: str) -> bool:
    return path not in ("/boot.py", "/main.py") and not path.startswith("/lib")


def restore(port: str | None, path: Path) -> dict[str, int]:
    """Put a backup on a board that has no readings of its own."""
    manifest, files = _read(path)
    with Repl(port) as repl:
        settings = Settings(repl)
        waiting = [entry for entry in repl.tree(OUTBOX) if not entry.folder]
        has_readings = any(name.startswith(OUTBOX + "/") for name in files)
        if waiting and has_readings:
            raise BoardError(
                "This board has readings of its own that wait for the server. Let it send them "
                "first, or throw them away with: kenshin board erase"
            )
        settings.put(manifest["settings"])
        numbers = {name: manifest["facts"][name] for name in _NUMBERS if name in manifest["facts"]}
        if "seq" in numbers:
            numbers["seq"] += AHEAD
        if numbers and has_readings:
            repl.exec(_FACTS)
            repl.exec(_PUT_FACTS % ascii(numbers))
        known = {entry.path for entry in repl.tree("/") if entry.folder}
        for name, content in files.items():
            for folder in _folders(name):
                if folder not in known:
                    repl.mkdir(folder)
                    known.add(folder)
            repl.write(name, content)
        missing = settings.missing
        repl.restart()
    return {"settings": len(manifest["settings"]), "files": len(files), "missing": len(missing)}


def _folders(name: str) -> list[str]:
    parts = name.split("/")[1:-1]
    return ["/" + "/".join(parts[: n + 1]) for n in range(len(parts))]


def _read(path: Path) -> tuple[dict[str, Any], dict[str, bytes]]:
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = cast("dict[str, Any]", json.loads(archive.read(MANIFEST)))
            files = {
                name.removeprefix("files"): archive.read(name)
                for name in archive.namelist()
                if name.startswith("files/")
            }
    except OSError as error:
        raise BoardError(f"{path}: {error.strerror}") from None
    except (zipfile.BadZipFile, KeyError, ValueError):
        raise BoardError(f"{path} is no backup of a board.") from None
    if manifest.get("v") != VERSION:
        raise BoardError(f"{path} was made by a newer Kenshin.")
    for name in files:
        if ".." in name.split("/") or not _is_owners(name):
            raise BoardError(f"{path} holds {name}, which is no backup's business.")
    return manifest, files


def erase(port: str | None) -> int:
    """Everything of ours and the owner's goes; -> how many files."""
    with Repl(port, revive=False) as repl:
        repl.exec(_ERASE)
        entries = repl.tree("/")
        for entry in reversed(entries):
            repl.remove(entry)
    return sum(not entry.folder for entry in entries)
