"""The part about flash: what the outbox writes, how long a flash lasts, what a power cut costs."""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from bench.report import Section, Table, number
from meterlab.board import powercut
from meterlab.runtimes import Runtime, find_32_bit, find_runtimes
from setup import arguments, build

ROOT = Path(__file__).resolve().parents[2]
_SCRIPT = ROOT / "tools/meterlab/board/standins/pc/wear.py"
_BLOCKS = 512  # of 4 KB
_CYCLES = 100_000  # erases that a block of NOR flash is good for
_DAYS = 365
_SECONDS = 600


def measure(runtime: Runtime, *words: str) -> dict[str, Any]:
    """What the script finds; see there."""
    with tempfile.TemporaryDirectory() as folder:
        keep = frozenset(arguments.used(_SCRIPT.read_text("utf-8")))
        build.build(ROOT / "firmware", Path(folder), keep)
        done = subprocess.run(
            [*runtime.argv, "-X", "heapsize=16M", str(_SCRIPT), f"{folder}/lib", *words],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def _years(erases: int) -> str:
    return number(_BLOCKS * _CYCLES // max(erases, 1) // _DAYS)


def section() -> Section:
    """Needs MicroPython."""
    runtime = find_32_bit() or next(iter(find_runtimes()), None)
    if runtime is None:
        return Section(missed=["flash: no MicroPython runtime; `make setup` gets one"])
    found = measure(runtime)
    full, opened, forgotten = found["full"], found["opening"], found["forgotten"]
    wear = Table(
        "Flash",
        f"The board's code on {runtime}, its littlefs on a model of a NOR flash of 2 MB. A day of "
        "polls every 30 s and 48 half-hours. Years: until each of its 512 blocks was erased "
        "100,000 times, when littlefs spreads the erases evenly.",
        ("a day", "erases", "bytes written", "NVS writes", "years"),
    )
    for words, day in (
        ("the server takes everything", found["alive"]),
        ("no server", found["dead"]),
    ):
        wear.add(
            words,
            number(day["erases"]),
            number(day["bytes"]),
            str(day["nvs"]),
            _years(day["erases"]),
        )
    size = Table(
        "A full outbox",
        "30 days of readings, one a minute, and 99 days of half-hours on the same flash. Calls: "
        "of the device's read function, 32 to 128 bytes each. Turns: to another block than that "
        "of the call before. At worst: while the folder's log grew full, with a power cut at each "
        "operation of one write.",
        ("", "readings", "bytes", "calls", "turns", "blocks", "decoded"),
    )
    size.add("what lies there", number(full["readings"]), number(full["bytes"]), "", "", "", "")
    size.add(
        "opening it", number(opened["known"]), "", *_reads(opened, ""), str(opened["decoded"])
    )
    size.add("opening it without NVS", "", "", *_reads(forgotten, ""), str(forgotten["decoded"]))
    worst, damaged = found["worst"], found["damaged"]
    size.add("opening it, at worst", "", "", *_reads(worst, ""), str(worst["decoded"]))
    counts = *_reads(damaged, ""), str(damaged["decoded"])
    size.add("opening it, its index damaged", "", "", *counts)
    size.add("then, with the first job: a new index", "", "", *_reads(damaged, "anew_"), "")
    size.add("its first batch", str(opened["batch"]), "", *_reads(opened, "batch_"), "")
    cuts = Table(
        "Power cuts",
        "At every operation of flash and NVS, each torn in four ways (`make powercut`); twice: "
        "the power went again while the board recovered. Promised: readings on flash or "
        "acknowledged when the power went, over all cuts.",
        ("runtime", "operations", "cuts", "twice", "readings promised", "lost"),
    )
    missed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        powercut.make(Path(folder))
        for one in find_runtimes():
            result = powercut.run(one, Path(folder))
            cuts.add(
                str(one),
                number(result.operations),
                number(result.cuts),
                number(result.again),
                number(result.promised),
                number(result.lost),
            )
            if result.lost:
                missed.append(f"flash: {result.lost} readings lost by power cuts on {one}")
    for one in (opened, forgotten, found["spoiled"], worst, damaged, found["both"]):
        if one["turns"] > 200 or one["decoded"] > 200:
            missed.append(
                f"flash: opening the outbox turned to {one['turns']} blocks, decoded"
                f" {one['decoded']}"
            )
    return Section([wear, size, cuts], missed=missed)


def _reads(opened: dict[str, Any], which: str) -> list[str]:
    return [number(opened[which + name]) for name in ("reads", "turns", "blocks")]
