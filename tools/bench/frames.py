"""The part that runs `codec.py` on CPython and on every MicroPython."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from bench.report import Section, Table, number
from meterlab.runtimes import find_runtimes
from setup import arguments
from setup.build import build

HERE = Path(__file__).resolve().parent
SECONDS = 60


@dataclass(frozen=True, slots=True)
class Row:
    """One case on one runtime: microseconds and, on MicroPython, bytes of heap per frame."""

    runtime: str
    case: str
    us: float
    bytes: float | None


def parse(lines: Iterable[str]) -> list[Row]:
    """What `codec.py --json` printed."""
    return [Row(**json.loads(line)) for line in lines if line.startswith("{")]


def title(runtime: str) -> str:
    """ "micropython 1.25.0, 32 bits" as "MicroPython 32-bit"."""
    name, _, bits = runtime.partition(", ")
    known = {"cpython": "CPython", "micropython": "MicroPython"}
    name = name.partition(" ")[0]
    return f"{known.get(name, name)} {bits.replace(' bits', '-bit')}"


def _run(argv: list[str], lib: Path) -> list[Row]:
    command = [*argv, str(HERE / "codec.py"), "--lib", str(lib), "--json"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=False, cwd=HERE
    )
    if done.returncode:
        raise RuntimeError(f"codec.py: {done.stderr or done.stdout}")
    return parse(done.stdout.splitlines())


def section(sources: Path) -> Section:
    """`sources`: the packages. MicroPython gets them as a board does, but for the names that the
    measuring program uses."""
    all_rows = [_run([sys.executable], sources)]
    names = frozenset(arguments.used((HERE / "codec.py").read_text("utf-8")))
    with tempfile.TemporaryDirectory() as folder:
        build(sources.parent, Path(folder), names)
        lib = Path(folder) / "lib"
        all_rows += [_run(list(runtime.argv), lib) for runtime in find_runtimes()]
    head = ["frames per second"]
    for rows in all_rows:
        name = title(rows[0].runtime)
        head.append(name)
        if rows[0].bytes is not None:
            head.append("bytes")
    table = Table(
        "Codec",
        "The best of five runs of some 40 ms each; MicroPython ran the bytecode that a board "
        "gets. Bytes: what one frame leaves in the heap, counted with the collector off.",
        head,
    )
    for same in zip(*all_rows, strict=True):
        cells = [same[0].case]
        for row in same:
            cells.append(number(1e6 / row.us))
            if row.bytes is not None:
                cells.append(number(row.bytes))
        table.add(*cells)
    return Section([table])
