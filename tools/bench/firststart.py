"""The part about the first reading: from power-on, with every module, in virtual time."""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Any

from bench.report import Section, Table, number
from campaign.house import House
from meterlab.world import KINDS

SEEDS = range(5)
_LIMIT_H = 1.0


class PowerOn(House):
    """Board and module get power at once; `took`: seconds until the first reading is there."""

    took = 0.0

    def build(self) -> None:
        super().build()
        self.world.module.power_cycle()

    async def first(self, _: Any = None) -> None:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while self.app.status.last is None:
            await asyncio.sleep(0.01)
        self.took = loop.time() - begun


def seconds(kind: str, seed: int) -> tuple[float, float]:
    """From power-on to the first reading: without, and with a remembered PAN."""
    new = PowerOn(kind=kind, seed=seed, paced=True)
    new.run(new.first, _LIMIT_H)
    again = PowerOn(kind=kind, seed=seed, paced=True)
    again.board.nvs.blobs = new.board.nvs.blobs
    again.run(again.first, _LIMIT_H)
    return new.took, again.took


def section() -> Section:
    table = Table(
        "First reading",
        "Virtual seconds from power-on of board and module (which is deaf for 2.5 s) to the first "
        "reading of power, on a line of 115,200 baud, from a meter heard well; the module's times "
        "are those of the captures. Median and worst of five seeds. A board needs about a second "
        "more to start.",
        ("module", "first start", "worst", "known PAN", "worst"),
    )
    for kind in KINDS:
        both = [seconds(kind, seed) for seed in SEEDS]
        cells: list[str] = []
        for times in zip(*both, strict=True):
            cells += [number(median(times), 1), number(max(times), 1)]
        table.add(kind, *cells)
    return Section([table])
