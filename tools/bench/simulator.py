"""What the simulator itself costs: processor time per poll in virtual time, the reader included.

    PYTHONPATH=tools:tools/shim:firmware/lib python tools/bench/simulator.py [--json]

A day of one poll (E7 and E8) a minute for each line: SKSENDTO in, EVENT 21, OK and ERXUDP out (or
0008 in, 2008 and 6018 out), the meter's node, the household's arithmetic, sessions renewed and
half-hours announced on the way. A campaign of 200 seeds of ten days is 2,880,000 polls.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass

from meterlab import frames, vtime
from meterlab.household import day_of
from meterlab.link import MemoryLink
from meterlab.modem import Traits
from meterlab.modules.j11_address import address as ip
from meterlab.modules.j11_commands import from_register
from meterlab.modules.j11_frame import REQUEST, frame
from meterlab.modules.j11_products import J11_KINDS
from meterlab.modules.sk_text import address
from meterlab.scheduler import LoopScheduler
from meterlab.world import Plan, World

RBID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"
POLLS = 1_440
START_MS = 1_794_000_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """`us`: microseconds of processor time per poll. `timers`: set in the loop per poll."""

    kind: str
    paced: bool
    solar: int
    us: float
    timers: float
    answered: int


Steps = list[tuple[bytes, float]]


def _spoken(world: World, request: bytes) -> tuple[Steps, bytes]:
    """What joins an SKSTACK module, with seconds to wait after each; and what sends a request."""
    meter = address(world.node.mac)
    lines = (
        "SKSREG SFE 0",
        f"SKSETPWD C {PASSWORD}",
        f"SKSETRBID {RBID}",
        f"SKSREG S2 {world.node.channel:02X}",
        f"SKSREG S3 {world.node.pan_id:04X}",
        f"SKJOIN {meter}",
    )
    side = "0 " if world.sk.product.dual else ""
    head = f"SKSENDTO 1 {meter} 0E1A 1 {side}{len(request):04X} ".encode()
    return [
        (line.encode() + b"\r\n", 60 if "JOIN" in line else 1) for line in lines
    ], head + request


def _framed(world: World, request: bytes) -> tuple[Steps, bytes]:
    """The same for a J11 module."""
    setup = bytes([5, 0, from_register(world.node.channel), 0])
    commands = (
        (0x5F, setup),
        (0x54, (RBID + PASSWORD).encode()),
        (0x53, b""),
        (0x05, b"\x0e\x1a"),
        (0x56, b""),
    )
    ports = b"\x0e\x1a\x0e\x1a" + len(request).to_bytes(2, "big")
    data = ip(world.node.mac) + ports + request
    return [(frame(REQUEST, *command), 60) for command in commands], frame(REQUEST, 0x08, data)


async def _poll(kind: str, paced: bool, solar: int) -> Cost:
    loop = asyncio.get_running_loop()
    if not isinstance(loop, vtime.VirtualLoop):
        raise TypeError("to be run in virtual time")
    scheduler = LoopScheduler(loop, utc_ms=START_MS)
    traits = None if kind in J11_KINDS else Traits(forgetful=False)
    plan = Plan(RBID, PASSWORD, kind=kind, solar=solar, installed=20_600, traits=traits)
    world = World(scheduler, plan)
    uart = MemoryLink(scheduler, world.module, paced=paced).uart
    world.start()

    async def read() -> None:
        buf = bytearray(512)
        while True:
            await uart.readinto(buf)

    reader = asyncio.create_task(read())
    asked = [(0xE7, b""), (0xE8, b"")]
    request = frames.build(1, frames.CONTROLLER, frames.METER, frames.GET, asked)
    steps, send = (_framed if kind in J11_KINDS else _spoken)(world, request)
    for step, seconds in steps:
        await uart.write(step)
        await asyncio.sleep(seconds)
    world.household.day(day_of(scheduler.utc_ms() // 1000))  # its past is a cost of the start
    timers, begun = loop.timers, time.process_time()
    for _ in range(POLLS):
        await uart.write(send)
        await asyncio.sleep(60)
    us = (time.process_time() - begun) / POLLS * 1e6
    reader.cancel()
    answered = world.meter.counters["answers"]
    return Cost(kind, paced, solar, us, (loop.timers - timers) / POLLS, answered)


def measure(rounds: int = 3) -> list[Cost]:
    """The best of some rounds for each case."""
    kinds = ("bp35a1", "bp35c2", "bp35c0-j11")
    cases = [(k, p, s) for k in kinds for p in (False, True) for s in (0, 4_000)]
    return [
        min((vtime.run(_poll(*case)) for _ in range(rounds)), key=lambda cost: cost.us)
        for case in cases
    ]


def main(words: list[str]) -> None:
    for cost in measure():
        if "--json" in words:
            print(json.dumps(asdict(cost)))
        else:
            pace = "paced  " if cost.paced else "unpaced"
            print(
                f"{cost.kind} {pace} solar {cost.solar:4}: {cost.us:6.1f} us and "
                f"{cost.timers:.1f} timers per poll, {cost.answered} of {POLLS} answered"
            )


if __name__ == "__main__":
    main(sys.argv[1:])
