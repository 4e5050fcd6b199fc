"""The project's own rules for the board's code, which no linter knows.

    python tools/setup/rules.py

Who may import whom, what MicroPython lacks, no float, no timed wait past the clock, no large
module; and lock files with hashes and without addresses. A finding is one line: file:line: words.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

# The largest source of a board's module: compiling a larger one takes too much of the heap.
LARGEST = 10 * 1024

OURS = frozenset({"boards", "echonet", "gateway", "wisun"})
HARDWARE = frozenset(
    {"bluetooth", "esp", "esp32", "espnow", "machine", "neopixel", "network", "_thread"}
)
NOT_ON_BOARD = frozenset(
    {"__future__", "dataclasses", "datetime", "decimal", "enum", "logging", "re", "threading"}
    | {"typing", "unittest", "kenshin", "meterlab"}
)
# Where the values are pure: bytes in, values out.
SANS_IO = re.compile(r"firmware/lib/(echonet/.*|wisun/(sk_parser|j11_frame|j11_state))\.py")
NO_IO = frozenset({"asyncio", "time", "socket", "select", "os", "sys", "io"})

MAY_IMPORT = {
    "boards": frozenset[str](),
    "echonet": frozenset[str](),
    "wisun": frozenset[str](),
    "gateway": frozenset({"echonet", "wisun"}),
}
# boot.py and main.py must work whatever lies in lib/, so they ask the chip themselves.
MAY_TOUCH_HARDWARE = re.compile(r"firmware/(boot|main|lib/boards/\w+)\.py")
# A raw REPL has not run main.py: there, the prompt's functions pick the board. And only the boards
# know their names.
MAY_PICK_BOARD = frozenset(
    f"firmware/lib/gateway/{name}.py" for name in ("__init__", "settings_check", "wizard")
)
# The clock makes the waits; the hardware's file may have reasons of its own.
MAY_WAIT = frozenset({"firmware/lib/gateway/clock.py", "firmware/lib/boards/rare.py"})
WAITS = frozenset({"sleep", "sleep_ms", "wait_for", "wait_for_ms"})
NOT_IN_ASYNCIO = frozenset({"Queue", "TaskGroup", "timeout", "to_thread", "wait", "shield"})
NOT_IN_STR = frozenset(
    {"capitalize", "casefold", "expandtabs", "isalnum", "isdecimal", "isidentifier", "isnumeric"}
    | {"ljust", "removeprefix", "removesuffix", "rjust", "swapcase", "zfill"}
)


def _imported(node: ast.Import | ast.ImportFrom, package: str) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name.partition(".")[0] for alias in node.names]
    if node.level:
        return [package]
    return [(node.module or "").partition(".")[0]]


class Checker(ast.NodeVisitor):
    """Collects the findings of one file of the board."""

    def __init__(self, name: str) -> None:
        self.name = name
        parts = name.split("/")
        self.package = parts[2] if len(parts) > 3 and parts[1] == "lib" else ""
        self.findings: list[str] = []

    def _say(self, node: ast.AST, words: str) -> None:
        self.findings.append(f"{self.name}:{getattr(node, 'lineno', 1)}: {words}")

    def _import(self, node: ast.Import | ast.ImportFrom) -> None:
        for module in _imported(node, self.package):
            if module in NOT_ON_BOARD:
                self._say(node, f"{module} is not for the board")
            if module in HARDWARE and not MAY_TOUCH_HARDWARE.fullmatch(self.name):
                self._say(node, f"{module} is touched in boards/ only")
            if module in NO_IO and SANS_IO.fullmatch(self.name):
                self._say(node, f"{module}: this module is bytes in, values out")
            if module == "boards" and self.name in MAY_PICK_BOARD:
                continue
            if self.package and module in OURS - {self.package} - MAY_IMPORT[self.package]:
                self._say(node, f"{self.package} does not import {module}")

    def visit_Import(self, node: ast.Import) -> None:
        self._import(node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        self._import(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.Div):
            self._say(node, "/ gives a float, of 24 bits on a board; // gives an integer")
        self.generic_visit(node)

    def visit_AugAssign(self, node: ast.AugAssign) -> None:
        if isinstance(node.op, ast.Div):
            self._say(node, "/= gives a float, of 24 bits on a board; //= gives an integer")
        self.generic_visit(node)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, float):
            self._say(node, f"{node.value!r} is a float, of 24 bits on a board")

    def visit_Call(self, node: ast.Call) -> None:
        called = node.func
        if isinstance(called, ast.Name) and called.id == "float":
            self._say(node, "float() gives 24 bits on a board")
        if isinstance(called, ast.Attribute):
            self._method(node, called)
        self.generic_visit(node)

    def _method(self, node: ast.Call, called: ast.Attribute) -> None:
        keywords = {keyword.arg for keyword in node.keywords}
        if called.attr in ("from_bytes", "to_bytes") and "signed" in keywords:
            self._say(node, f"{called.attr} has no signed= on MicroPython")
        if called.attr in ("startswith", "endswith") and node.args:
            if isinstance(node.args[0], ast.Tuple):
                self._say(node, f"{called.attr} takes no tuple on MicroPython")
        if called.attr in NOT_IN_STR:
            self._say(node, f"MicroPython's str has no {called.attr}")

    def visit_Attribute(self, node: ast.Attribute) -> None:
        if isinstance(node.value, ast.Name) and node.value.id == "asyncio":
            if node.attr in NOT_IN_ASYNCIO:
                self._say(node, f"MicroPython's asyncio has no {node.attr}")
            if node.attr in WAITS and self.name not in MAY_WAIT:
                self._say(node, f"asyncio.{node.attr}: timed waits go through the clock object")
        self.generic_visit(node)


def check_source(name: str, text: str) -> list[str]:
    """The findings in one file of the board; `name` is its path from the project's root."""
    checker = Checker(name)
    size = len(text.encode())
    if size > LARGEST:
        checker.findings.append(f"{name}:1: {size:,} bytes of source, over {LARGEST:,}")
    try:
        checker.visit(ast.parse(text, name))
    except SyntaxError as error:
        checker.findings.append(f"{name}:{error.lineno}: {error.msg}")
    return checker.findings


def check_lock(name: str, text: str) -> list[str]:
    """The findings in one lock file: everything pinned, with a hash, and no address."""
    findings: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if "://" in line or line.startswith("-"):
            findings.append(f"{name}:{number}: a lock file names no address and sets no option")
        if re.match(r"[A-Za-z0-9]", line) and not re.match(r"\S+==\S+", line):
            findings.append(f"{name}:{number}: not pinned")
    pins = len(re.findall(r"^[A-Za-z0-9]", text, re.MULTILINE))
    hashed = len(
        re.findall(r"^[A-Za-z0-9][^\n]*\\\n +--hash=sha256:[0-9a-f]{64}", text, re.MULTILINE)
    )
    if pins != hashed:
        findings.append(f"{name}:1: {pins - hashed} packages without a hash")
    return findings


def check_npm_lock(name: str, text: str) -> list[str]:
    """The same for npm's: a hash for each package, and no address."""
    findings = [f"{name}:1: a lock file names no address"] if "://" in text else []
    for package, told in json.loads(text)["packages"].items():
        if package and not str(told.get("integrity", "")).startswith("sha512-"):
            findings.append(f"{name}:1: {package} without a hash")
    return findings


def check_tree(root: Path) -> Iterator[str]:
    """The findings in the whole project under `root`."""
    for path in sorted((root / "firmware").rglob("*.py")):
        yield from check_source(
            path.relative_to(root).as_posix(), path.read_text(encoding="utf-8")
        )
    for path in sorted([*root.glob("*.lock"), *(root / "tools").rglob("*.lock")]):
        yield from check_lock(path.relative_to(root).as_posix(), path.read_text(encoding="utf-8"))
    for path in sorted((root / "tools").rglob("package-lock.json")):
        name = path.relative_to(root).as_posix()
        yield from check_npm_lock(name, path.read_text(encoding="utf-8"))


def main() -> int:
    """Print every finding; the exit code is 1 when there is any."""
    findings = list(check_tree(ROOT))
    for finding in findings:
        print(finding)
    return 1 if findings else 0


if __name__ == "__main__":
    raise SystemExit(main())
