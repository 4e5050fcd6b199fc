"""Bring what lies on a board up to date with the files that `make build` made.

Order: what would hide a new module goes first, then come the new files, each replaced as a whole,
boot.py and main.py last, then what is left over goes. So an interruption at any point leaves a
board that gives its prompt, and the same command again finishes the work.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kenshin.board.ports import BoardError
from kenshin.board.repl import Entry, Repl

LEAST_VERSION = (1, 24)
MPY_VERSION = 6
BLOCK = 4096
SPARE_BLOCKS = 8  # littlefs needs room to work in
FIRST_SECONDS = 20

# Of the root's files these are ours; what else lies there is the owner's, or readings.
START_FILES = ("boot.py", "main.py")

Say = Callable[[str], None]


@dataclass(frozen=True)
class About:
    """What there is at the port."""

    version: tuple[int, int, int]
    machine: str
    platform: str
    mpy: int
    flash_free: int  # bytes

    @property
    def text(self) -> str:
        return f"MicroPython {'.'.join(map(str, self.version))} on {self.machine}"


def about(repl: Repl) -> About:
    """Ask the board what it is."""
    repl.exec("import sys, os; _s = os.statvfs('/')")
    version, machine, platform, mpy, free = repl.eval(
        "(tuple(sys.implementation.version[:3]), getattr(sys.implementation, '_machine', '?'), "
        "sys.platform, getattr(sys.implementation, '_mpy', 0), _s[1] * _s[3])"
    )
    return About(tuple(version), machine, platform, mpy, free)


def check(board: About) -> None:
    """BoardError when our files cannot run there."""
    least = ".".join(map(str, LEAST_VERSION))
    if board.version[:2] < LEAST_VERSION or board.mpy & 0xFF != MPY_VERSION:
        raise BoardError(
            f"This board has {board.text}; {least} or later is needed. Install a newer "
            "MicroPython first: README.md, section Flashing."
        )
    if board.platform not in ("esp32", "linux"):
        raise BoardError(f"This board is a {board.platform}; only the ESP32 family will do.")


@dataclass
class Plan:
    """What is to be done on the board."""

    first: list[Entry]  # would be imported in place of a new file
    folders: list[str]
    copy: dict[str, bytes]
    last: list[Entry]
    same: int  # files that are up to date

    @property
    def done(self) -> bool:
        return not (self.first or self.folders or self.copy or self.last)

    @property
    def blocks(self) -> int:
        """Flash blocks that the copies take, at most."""
        return sum(-(-len(data) // BLOCK) for data in self.copy.values()) + len(self.folders) * 2


def read_files(folder: Path) -> dict[str, bytes]:
    """The board's files as {path on the board: bytes}."""
    if not (folder / "main.py").is_file() or not (folder / "lib").is_dir():
        raise BoardError(f"{folder} does not hold a board's files. Run: make build")
    files = {
        "/" + path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted((folder / "lib").rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    for name in START_FILES:
        files["/" + name] = (folder / name).read_bytes()
    return files


def make_plan(repl: Repl, files: dict[str, bytes], there: list[Entry]) -> Plan:
    """Compare the board with `files`; `there` is everything under its /lib."""
    known = {entry.path: entry for entry in there}
    folders = sorted({path.rpartition("/")[0] for path in files} - {"", "/lib"})
    top = [] if known or repl.eval("'lib' in __import__('os').listdir('/')") else ["/lib"]
    plan = Plan([], top + [path for path in folders if path not in known], {}, [], 0)
    # A file where a folder must be, or the other way round, has to go first as well.
    for entry in there:
        is_file = entry.path in files
        if entry.folder and (is_file or entry.path not in folders):
            (plan.first if is_file else plan.last).append(entry)
        elif not entry.folder and not is_file:
            twin = entry.path.endswith(".py") and entry.path[:-3] + ".mpy" in files
            hides = twin or entry.path in folders or _hides_package(entry.path, folders)
            (plan.first if hides else plan.last).append(entry)
    if repl.eval(_exists("/.part")):  # of a start file whose copy was interrupted
        plan.last.append(Entry("/.part", 0, False))
    for path in _different(repl, files):
        plan.copy[path] = files[path]
    plan.same = len(files) - len(plan.copy)
    return plan


# The paths of `files` that the board lacks or has otherwise.
def _different(repl: Repl, files: dict[str, bytes]) -> list[str]:
    hashes = repl.sha256(list(files))
    return [path for path in files if hashes[path] != hashlib.sha256(files[path]).digest()]


def _hides_package(path: str, folders: list[str]) -> bool:
    stem, _, ending = path.rpartition(".")
    return ending in ("py", "mpy") and stem in folders


def carry_out(repl: Repl, plan: Plan, say: Callable[[str, int, int], None]) -> None:
    """Do it; `say(path, n, of)` is told of each file before it is copied."""
    for entry in reversed(plan.first):
        _remove_all(repl, entry)
    for folder in plan.folders:
        repl.mkdir(folder)
    for n, (path, data) in enumerate(plan.copy.items(), 1):
        say(path, n, len(plan.copy))
        repl.write(path, data)
    for entry in reversed(plan.last):
        _remove_all(repl, entry)


# A folder may have got new files meanwhile, such as an interrupted copy.
def _remove_all(repl: Repl, entry: Entry) -> None:
    if entry.folder:
        for inner in reversed(repl.tree(entry.path)):
            repl.remove(inner)
    if repl.eval(_exists(entry.path)):
        repl.remove(entry)


def _exists(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return f"{name!r} in __import__('os').listdir({folder or '/'!r})"


def flash(
    port: str | None, folder: Path, say: Say, progress: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """Do all of it; -> how many files were copied, removed and left alone."""
    files = read_files(folder)
    # What is half copied had better not start.
    with Repl(port, revive=False) as repl:
        board = about(repl)
        say(f"{repl.port}: {board.text}, {board.flash_free // 1024} KB of flash free")
        check(board)
        plan = make_plan(repl, files, repl.tree("/lib"))
        need = (plan.blocks + SPARE_BLOCKS) * BLOCK
        if plan.copy and need > board.flash_free:
            raise BoardError(
                f"{need // 1024} KB of flash are needed and {board.flash_free // 1024} KB are "
                "free. Remove files of yours, or start afresh with: kenshin board erase"
            )
        carry_out(repl, plan, progress)
        _verify(repl, files)
        gone = len(plan.first) + len(plan.last)
        say(f"copied {len(plan.copy)}, removed {gone}, already there {plan.same}; all verified")
        repl.restart()
        lines = first_lines(repl)
        for line in lines:
            say(f"  {line}")
        if any("missing-settings" in line for line in lines):
            say("Next: .venv/bin/kenshin board configure")
    return {"copied": len(plan.copy), "removed": gone, "same": plan.same}


def _verify(repl: Repl, files: dict[str, bytes]) -> None:
    there = {entry.path for entry in repl.tree("/lib") if not entry.folder}
    wanted = {path for path in files if path.startswith("/lib/")}
    if there != wanted or _different(repl, files):
        raise BoardError("The files on the board are not what was copied. Run it again.")


def first_lines(repl: Repl) -> list[str]:
    """What the board says when it starts: up to its first line of status."""

    def enough(text: str) -> bool:
        whole = text.rpartition("\n")[0]
        return "queue " in whole or "SAFE MODE" in whole or "restarts in" in whole

    text = repl.read_text(FIRST_SECONDS, enough).replace("\r", "")
    # Before it the chip's boot ROM speaks, at another speed perhaps.
    at = max(text.find("Kenshin"), 0)
    return [line for line in text[at:].split("\n") if line.strip()][:12]
