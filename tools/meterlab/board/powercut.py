"""Cuts the power at every operation of flash and NVS, under the board's own code on MicroPython.

    python -m meterlab.board.powercut [--every N] [--jobs N]

The story that is cut, and what must hold afterwards, is in standins/pc/powercut.py.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from meterlab.runtimes import Runtime, find_runtimes
from setup import arguments
from setup.build import build

ROOT = Path(__file__).resolve().parents[3]
_SCRIPT = Path(__file__).resolve().parent / "standins" / "pc" / "powercut.py"
_HEAP = {32: "8M", 64: "16M"}
_HOUR = 3600


class PowerCutError(Exception):
    """Something that must hold after a cut does not; the text is what the run printed."""


@dataclass(frozen=True)
class Result:
    """What a run found. `again`: cuts that a second one followed, while the board recovered;
    `promised`: readings, over all cuts, that had to survive.
    """

    operations: int
    cuts: int
    again: int
    promised: int
    lost: int
    bodies: list[tuple[int, list[tuple[int, str]]]]  # by cut: (stream, JSON rows) as uploaded


def make(folder: Path) -> None:
    """Build the firmware as a board gets it, but for the names that the script uses."""
    build(ROOT / "firmware", folder, frozenset(arguments.used(_SCRIPT.read_text("utf-8"))))


def run(
    runtime: Runtime,
    firmware: Path,
    every: int = 1,
    start: int = 0,
    *,
    control: bool = False,
    hide: bool = False,
    show: bool = False,
    timeout: float = _HOUR,
) -> Result:
    """Try every `every`th cut from number `start` on; see the script. `firmware`: a built tree.

    PowerCutError when anything but a loss is found, or when the run does not end.
    """
    command = [*runtime.argv, "-X", "heapsize=" + _HEAP[runtime.bits], str(_SCRIPT)]
    command += [str(firmware / "lib"), str(every), str(start)]
    command += ["control"] * control + ["hide"] * hide + ["show"] * show
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise PowerCutError(f"{runtime}: no end within {timeout:.0f} s") from None
    if done.returncode:
        # Files that are closed after the power went say 84, each by a line of its own.
        said = [line for line in done.stdout.splitlines() if line != "OSError: 84"]
        raise PowerCutError("\n".join([f"{runtime}:", *said])[-4000:])
    bodies: list[tuple[int, list[tuple[int, str]]]] = []
    found: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            found = json.loads(line)
            if "bodies" in found:
                bodies.append((found["cut"], [(s, text) for s, text in found["bodies"]]))
    said = found["operations"], found["cuts"], found["again"], found["promised"], found["lost"]
    return Result(*said, bodies)


def main(words: list[str] | None = None) -> int:
    """The command line; see the top of the file."""
    parser = argparse.ArgumentParser(description="Cuts the power at every flash operation.")
    parser.add_argument("--every", type=int, default=1, help="try only each Nth operation")
    options = parser.parse_args(words)
    runtimes = find_runtimes()
    if not runtimes:
        print("no MicroPython on this machine; `make setup` gets one", file=sys.stderr)
        return 1
    lost = 0
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(os.cpu_count()) as pool:
        firmware = Path(folder)
        make(firmware)
        runs = [pool.submit(run, runtime, firmware, options.every) for runtime in runtimes]
        for runtime, one in zip(runtimes, runs, strict=True):
            try:
                result = one.result()
            except PowerCutError as error:
                print(error, file=sys.stderr)
                return 1
            lost += result.lost
            print(
                f"{runtime}: {result.operations:,} operations, {result.cuts:,} cuts,"
                f" {result.again:,} of them twice, {result.promised:,} readings promised,"
                f" {result.lost} lost"
            )
    return 1 if lost else 0


if __name__ == "__main__":
    raise SystemExit(main())
