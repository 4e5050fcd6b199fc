"""`make bench`: measures speed and memory, prints the figures, and writes BENCHMARKS.md.

    python -m bench [--only NAME]... [--heap 100K] [--no-file]

With --only nothing is written. The exit code is 1 when something that must be reached was not.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from bench import (
    drain,
    firststart,
    flash,
    frames,
    gateway_memory,
    gateway_speed,
    ingest,
    kept,
    losses,
    machine,
    mending,
    report,
    simulated,
    sizes,
)
from bench.import_cost import CostError
from bench.report import Section
from meterlab.board import BoardError, FlashError, WaitTimeout
from meterlab.board.process import parse_size
from setup import build

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware"
TARGET = ROOT / "BENCHMARKS.md"

# Of a part, of which the other parts' figures are not to suffer.
_FAULTS = (
    RuntimeError,
    OSError,
    subprocess.SubprocessError,
    BoardError,
    FlashError,
    WaitTimeout,
    CostError,
)

Part = Callable[[Path, int], Section]

# Each takes the board's bytecode and the heap that the gateway shall do with.
PARTS: dict[str, Part] = {
    "codec": lambda _lib, _heap: frames.section(FIRMWARE / "lib"),
    "size": lambda lib, _: sizes.section(lib),
    "memory": lambda _, heap: gateway_memory.section(heap),
    "speed": lambda _, heap: gateway_speed.section(heap),
    "drain": lambda _lib, _heap: drain.section(),
    "start": lambda _lib, _heap: firststart.section(),
    "flash": lambda _lib, _heap: flash.section(),
    "mending": lambda _lib, _heap: mending.section(),
    "server": lambda _lib, _heap: ingest.section(),
    "simulator": lambda _lib, _heap: simulated.section(),
    "loss": lambda _lib, _heap: losses.section(),
    "kept": lambda _lib, _heap: kept.section(TARGET),
}


def main(arguments: list[str] | None = None) -> int:
    """The command line; see the top of the file."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures speed and memory.")
    parser.add_argument(
        "--only", action="append", choices=PARTS, metavar="NAME", help=", ".join(PARTS)
    )
    parser.add_argument("--heap", default="100K", help="what the gateway finds free")
    parser.add_argument("--no-file", action="store_true", help="do not write BENCHMARKS.md")
    options = parser.parse_args(arguments)
    heap = parse_size(options.heap)
    about = machine.describe()
    print(*about, "", sep="\n", flush=True)
    sections: list[Section] = []
    with tempfile.TemporaryDirectory() as folder:
        build.build(FIRMWARE, Path(folder))
        for name in options.only or PARTS:
            begun = time.monotonic()
            try:
                section = PARTS[name](Path(folder) / "lib", heap)
            except _FAULTS as error:
                traceback.print_exc()
                section = Section(missed=[f"{name}: {error}"])
            sections.append(section)
            print(report.text(section), flush=True)
            print(f"({name}: {time.monotonic() - begun:.0f} s)\n", file=sys.stderr, flush=True)
    if not options.only and not options.no_file:
        TARGET.write_text(report.markdown(sections, about), encoding="utf-8")
    return 1 if any(section.missed for section in sections) else 0


if __name__ == "__main__":
    raise SystemExit(main())
