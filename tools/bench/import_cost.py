"""What each module of the board costs in memory, measured on real MicroPython.

    python -m bench.import_cost [--lib build/board/lib] [--path DIR] [--smallest]

Every module is imported after all that it needs, so the growth of the heap is its own: code,
constants, classes, buffers and new names. The runtime's table of all names grows by leaps, so it
has a line of its own. What the runtime brings along is loaded before and does not count. A 32-bit
runtime gives the figures of a board; on 64 bits they are nearly twice as high.
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from meterlab.runtimes import Runtime, find_32_bit, find_runtimes
from setup import sizes

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware" / "lib"
BOARD = ROOT / "build" / "board" / "lib"
SECONDS = 60

# Takes the places to look in, what to load first, and what to weigh. The collector looks for
# pointers on the C stack too; `deep` writes over what calls that are gone have left there.
_SCRIPT = """
import gc, micropython, sys
sys.path[:], first, ours = %r, %r, %r
for name in first:
    try:
        __import__(name)
    except ImportError:
        pass
try:
    for lazy in ("Event", "Lock", "ThreadSafeFlag", "gather", "wait_for", "open_connection"):
        getattr(__import__("asyncio"), lazy)
except (AttributeError, ImportError):
    pass

def deep(levels):
    return levels and deep(levels - 1)

def used():
    deep(60)
    gc.collect()
    return gc.mem_alloc()

loaded = len(sys.modules)
error = ""
used()
micropython.qstr_info()
for name in ours:
    before = used()
    try:
        __import__(name)
        error = ""
    except Exception as why:
        error = repr(why)
    grown = used() - before
    print("=", name, grown, len(sys.modules) - loaded, error)
    micropython.qstr_info()
    loaded = len(sys.modules)
"""
_NAMES = re.compile(r"n_str_data_bytes=(\d+), n_total_bytes=(\d+)")


class CostError(Exception):
    """The measuring program itself did not run to its end."""


@dataclass(frozen=True)
class Cost:
    """One module: bytes of bytecode in its file, bytes alive in the heap after its import."""

    module: str
    mpy: int
    live: int | None
    note: str = ""

    @property
    def package(self) -> str:
        return self.module.partition(".")[0]

    @property
    def lazy(self) -> bool:
        return self.module.replace(".", "/") in sizes.LAZY


@dataclass(frozen=True)
class Costs:
    """All modules, and bytes by which the runtime's table of names grew meanwhile."""

    modules: list[Cost]
    names: int


def module_name(path: str) -> str:
    """How a file is imported: a/b.mpy as a.b, and a/__init__.mpy as a."""
    return path.rpartition(".")[0].replace("/", ".").removesuffix(".__init__")


def _top_level(nodes: Iterable[ast.stmt]) -> Iterable[ast.Import | ast.ImportFrom]:
    for node in nodes:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif isinstance(node, ast.If | ast.Try):
            yield from _top_level(node.body)


def _names(node: ast.Import | ast.ImportFrom, module: str, package: bool) -> Iterable[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
        return
    start = node.module or ""
    if node.level:
        parts = module.split(".")
        parts = parts[: len(parts) - node.level + package]
        start = ".".join([*parts, start] if start else parts)
    yield start
    yield from (f"{start}.{alias.name}" for alias in node.names)


def needs(source: Path, module: str) -> list[str]:
    """All that this source imports at once; some of the names are no modules but inside one."""
    tree = ast.parse(source.read_text(encoding="utf-8"))
    package = source.name == "__init__.py"
    return [name for node in _top_level(tree.body) for name in _names(node, module, package)]


def order(sources: dict[str, Path]) -> tuple[list[str], list[str]]:
    """Foreign modules to load first; then ours, each after what it needs as far as that goes."""
    foreign: set[str] = set()
    ordered: list[str] = []
    visiting: set[str] = set()

    def visit(module: str) -> None:
        if module in visiting:
            return
        visiting.add(module)
        parent = module.rpartition(".")[0]
        for name in [parent, *needs(sources[module], module)]:
            if name in sources:
                visit(name)
            elif name and name.partition(".")[0] not in sources:
                foreign.add(name)
        ordered.append(module)

    for module in sorted(sources):
        visit(module)
    return sorted(foreign), ordered


def _run(runtime: Runtime, script: str, heap: str) -> subprocess.CompletedProcess[str]:
    command = [*runtime.argv, "-X", f"heapsize={heap}", "-c", script]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=ROOT
    )


def _places(lib: Path, others: Sequence[Path]) -> list[str]:
    return [*map(str, others), str(lib), ".frozen"]


def measure(
    runtime: Runtime,
    lib: Path = BOARD,
    places: Sequence[Path] = (),
    firmware: Path = FIRMWARE,
    heap: str = "4m",
) -> Costs:
    """Weigh every module under `lib`, which was built from `firmware`.

    `places` hold stand-ins for the hardware's modules. Modules that import each other in a circle
    are weighed with the first of them, whose `note` says so.
    """
    sizes = {
        module_name(path.relative_to(lib).as_posix()): path.stat().st_size
        for path in sorted(lib.rglob("*.mpy"))
    }
    sources = {
        module_name(path.relative_to(firmware).as_posix()): path
        for path in sorted(firmware.rglob("*.py"))
    }
    first, ours = order({name: sources[name] for name in sizes})
    done = _run(runtime, _SCRIPT % (_places(lib, places), first, ours), heap)
    if done.returncode:
        raise CostError((done.stderr or done.stdout).strip())
    tables = [int(match[2]) - int(match[1]) for match in _NAMES.finditer(done.stdout)]
    lines = [line.split(" ", 4)[1:] for line in done.stdout.splitlines() if line.startswith("= ")]
    if len(lines) != len(sizes) or len(tables) != len(sizes) + 1:
        raise CostError(f"cannot read what the runtime said: {done.stdout.strip()}")
    costs: list[Cost] = []
    for at, (name, grown, loaded, error) in enumerate(lines):
        live = None if error else int(grown) - (tables[at + 1] - tables[at])
        note = error or ("" if loaded == "1" else f"{loaded} modules were loaded")
        costs.append(Cost(name, sizes[name], live, note))
    costs.sort(key=lambda cost: cost.module)
    return Costs(costs, tables[-1] - tables[0])


def smallest_heap(
    runtime: Runtime,
    modules: Sequence[str],
    lib: Path = BOARD,
    places: Sequence[Path] = (),
    step: int = 1024,
) -> int:
    """The smallest heap, in bytes, in which all these modules can be imported in turn."""
    script = "import sys; sys.path[:] = %r\nfor name in %r: __import__(name)"
    script %= (_places(lib, places), list(modules))

    def fits(steps: int) -> bool:
        return _run(runtime, script, str(steps * step)).returncode == 0

    low, high = 1, 4 * 1024 * 1024 // step
    if not fits(high):
        raise CostError(f"cannot import {', '.join(modules)} even in {high * step:,} bytes")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if fits(middle) else (middle, high)
    return high * step


def table(costs: Costs) -> list[str]:
    """The figures as lines: each module, each package, and what stays resident."""
    lines = [f"{'':28} {'.mpy':>8} {'live':>8}"]

    def line(name: str, some: Sequence[Cost], note: str = "") -> str:
        mpy = sum(cost.mpy for cost in some)
        live = sum(cost.live or 0 for cost in some)
        told = "-" if all(cost.live is None for cost in some) else f"{live:,}"
        return f"{name:28} {mpy:8,} {told:>8}  {note}".rstrip()

    for package in sorted({cost.package for cost in costs.modules}):
        members = [cost for cost in costs.modules if cost.package == package]
        for cost in members:
            note = cost.note or ("not resident" if cost.lazy else "")
            lines.append(line(f"  {cost.module}", [cost], note))
        lines.append(line(package, [cost for cost in members if not cost.lazy]))
    lines.append(f"{'table of names':28} {'':8} {costs.names:8,}")
    lines.append(
        line("resident, without names", [cost for cost in costs.modules if not cost.lazy])
    )
    return lines


def main(arguments: list[str] | None = None) -> int:
    """The command line; see the top of the file."""
    parser = argparse.ArgumentParser(description="What each module of the board costs in memory.")
    parser.add_argument("--lib", type=Path, default=BOARD, help="the board's compiled modules")
    parser.add_argument("--path", type=Path, action="append", default=[], help="stand-ins")
    parser.add_argument("--smallest", action="store_true", help="also find the smallest heap")
    options = parser.parse_args(arguments)
    runtime = find_32_bit() or next(iter(find_runtimes()), None)
    if runtime is None:
        print("no MicroPython runtime; `make setup` gets one", file=sys.stderr)
        return 1
    costs = measure(runtime, options.lib, options.path)
    print(f"bytes, on {runtime}", *table(costs), sep="\n")
    if options.smallest:
        modules = [
            cost.module for cost in costs.modules if cost.live is not None and not cost.lazy
        ]
        heap = smallest_heap(runtime, modules, options.lib, options.path)
        print(f"smallest heap to import all that stays: {heap:,}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
