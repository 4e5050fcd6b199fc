"""The part about the size of the firmware: bytecode, what it holds alive, and the budget."""

from __future__ import annotations

import tempfile
from pathlib import Path

from bench import import_cost
from bench.import_cost import Cost
from bench.report import Section, Table, number
from meterlab.runtimes import find_32_bit, find_runtimes
from setup.sizes import BUDGETS, RESIDENT_BUDGET

# What the boards' modules look for when they are imported: enough to weigh them.
_HARDWARE = {
    "machine": "PWRON_RESET, HARD_RESET, WDT_RESET, DEEPSLEEP_RESET, SOFT_RESET = range(1, 6)\n"
    "Pin = PWM = Timer = UART = RTC = WDT = None\n",
    "neopixel": "NeoPixel = None\n",
    "network": "STAT_WRONG_PASSWORD, STAT_HANDSHAKE_TIMEOUT, STA_IF = 202, 204, 0\n",
    "esp32": "HEAP_DATA = 4\n",
}


def section(lib: Path) -> Section:
    """`lib`: the board's bytecode."""
    runtime = find_32_bit() or next(iter(find_runtimes()), None)
    if runtime is None:
        return Section(missed=["sizes: no MicroPython runtime; `make setup` gets one"])
    with tempfile.TemporaryDirectory() as folder:
        for name, source in _HARDWARE.items():
            (Path(folder) / f"{name}.py").write_text(source)
        places = [Path(folder)]
        costs = import_cost.measure(runtime, lib, places)
        stays = [cost for cost in costs.modules if not cost.lazy]
        loadable = [cost.module for cost in stays if cost.live is not None]
        heap = import_cost.smallest_heap(runtime, loadable, lib, places)
    table = Table(
        "Size of the firmware",
        f"Imported on {runtime}, each module after what it needs: bytes of its .mpy file, and "
        "bytes alive in the heap afterwards. A module that is not resident is loaded when it is "
        "needed and dropped. The budget is the design's, for the bytecode that stays.",
        ("module", ".mpy", "live", "budget", "note"),
    )
    result = Section([table])
    for package in sorted({cost.package for cost in costs.modules}):
        members = [cost for cost in costs.modules if cost.package == package]
        for cost in members:
            table.add(f"{cost.module}", *_figures([cost]), "", _note(cost))
        _total(result, package, [c for c in members if not c.lazy], BUDGETS.get(package))
    _total(result, "all that stays", stays, RESIDENT_BUDGET)
    table.add("the runtime's table of names", "", number(costs.names), "", "")
    table.add("smallest heap to import all that stays", "", number(heap), "", "")
    return result


def _figures(some: list[Cost]) -> tuple[str, str]:
    live = [cost.live for cost in some if cost.live is not None]
    return number(sum(cost.mpy for cost in some)), number(sum(live)) if live else "-"


def _note(cost: Cost) -> str:
    return cost.note or ("not resident" if cost.lazy else "")


def _total(result: Section, name: str, some: list[Cost], budget: int | None) -> None:
    size = sum(cost.mpy for cost in some)
    over = budget is not None and size > budget
    told = "" if budget is None else number(budget)
    result.tables[0].add(f"**{name}**", *_figures(some), told, "over" if over else "")
    if over:
        result.missed.append(f"size: {name} has {size:,} bytes of bytecode, budget {budget:,}")
