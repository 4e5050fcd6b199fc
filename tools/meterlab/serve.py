"""A simulated module served on a pseudo terminal, in real or hurried time, until told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from meterlab.control import Control, ControlError
from meterlab.household import day_of
from meterlab.pty import PtyLink
from meterlab.scheduler import LoopScheduler
from meterlab.trouble import Fault
from meterlab.world import Plan, World


@dataclass(slots=True)
class Service:
    """`path`: the link to the terminal. `factor`: process time runs so much faster. `orders`: for
    `Control`, carried out before the start. `control`: take more of them from standard input.
    `faults`: what goes wrong, at its times from the start."""

    path: Path
    factor: float = 1.0
    paced: bool = True
    rxbuf: int = 4_096
    orders: Sequence[str] = ()
    control: bool = False
    faults: Sequence[Fault] = ()


async def serve(plan: Plan, service: Service, say: Callable[[str], None]) -> None:
    """Run until SIGINT or SIGTERM. `say` gets one line when ready, then one per control order and
    for each fault that begins or ends."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    scheduler = LoopScheduler(loop, utc_ms=time.time_ns() // 1_000_000, factor=service.factor)
    world = World(scheduler, plan)
    world.household.day(
        day_of(scheduler.utc_ms() // 1000)
    )  # years of history, before anyone waits
    link = PtyLink(
        scheduler,
        world.module,
        service.path,
        paced=service.paced,
        rxbuf=service.rxbuf,
        seed=plan.seed,
    )
    try:
        control = Control(world, link.line)
        for order in service.orders:
            control.apply(order)
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        if service.control:
            loop.add_reader(sys.stdin.fileno(), _listen, control, say, bytearray())
        world.start()
        say(
            f"{plan.kind} ready on {service.path} ({link.name}), "
            f"meter {world.node.mac.hex().upper()} on channel {world.node.channel:02X}"
        )
        control.told = say
        control.play(service.faults)
        await stop.wait()
    finally:
        world.stop()
        link.close()


def _listen(control: Control, say: Callable[[str], None], pending: bytearray) -> None:
    data = os.read(sys.stdin.fileno(), 4_096)
    if not data:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        return
    pending += data
    while (end := pending.find(b"\n")) >= 0:
        order = pending[:end].decode("utf-8", "replace").strip()
        del pending[: end + 1]
        if not order:
            continue
        try:
            control.apply(order)
        except ControlError as error:
            say(f"error: {error}")
        else:
            say(f"ok: {order}")
