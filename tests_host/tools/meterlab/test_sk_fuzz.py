"""Nothing that a host may send stops a module or a meter."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from meterlab import vtime
from meterlab.frames import build
from meterlab.household import Household
from meterlab.meter import Meter
from meterlab.modules.sk_more import COMMANDS as MORE
from meterlab.modules.skstack import Quirks
from meterlab.scheduler import LoopScheduler
from meterlab.world import World

_WORDS = [
    *MORE, "SKVER", "SKINFO", "SKSREG", "SKSETPWD", "SKSETRBID", "SKSCAN", "SKLL64", "SKJOIN",
    "SKTERM", "SKRESET", "SKSENDTO", "SKREJOIN",
]  # fmt: skip
_ARGS = [
    "0", "1", "2", "6", "C", "00", "01", "FF", "S2", "SFE", "SFD", "S0A", "0E1A", "FFFFFFFF",
    "0012", "0123456789ABCDEF", "FE80:0000:0000:0000:021C:6400:030C:12A4", "\xff", "G", "",
]  # fmt: skip


def _junk(rng: Random) -> bytes:
    kind = rng.random()
    if kind < 0.2:
        return rng.randbytes(rng.randrange(1, 40))
    words = [rng.choice(_WORDS), *rng.choices(_ARGS, k=rng.randrange(6))]
    line = bytearray(" ".join(words).encode("latin-1"))
    if kind < 0.4 and line:
        line[rng.randrange(len(line))] = rng.randrange(256)
    return bytes(line) + rng.choice((b"\r\n", b"\r", b"\n", b" ", b""))


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c2"])
def test_a_module_survives_any_input_and_still_answers(lab, kind, fuzz_count):
    async def main():
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=lab.start * 1000)
        module = World(scheduler, lab.plan(kind=kind, quirks=Quirks(prompt=True))).module
        said = bytearray()
        finals = 0
        module.output = said.extend
        rng = Random(5)
        for i in range(fuzz_count):
            module.feed(_junk(rng))
            if i % 20 == 0:
                await asyncio.sleep(rng.random() * 30)
                finals += said.count(b"OK\r") + said.count(b"FAIL ER")
                said.clear()
            if i % 1000 == 0:
                module.power_cycle()  # whatever it has been talked into
                await asyncio.sleep(3)
        module.power_cycle()
        await asyncio.sleep(3)
        said.clear()
        module.feed(b"SKVER\r\n")
        return finals, bytes(said)

    finals, said = vtime.run(main())
    assert finals > fuzz_count // 10
    assert said.endswith(b"OK\r\n")


def test_a_meter_survives_any_datagram(fuzz_count):
    async def main():
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=1_794_000_000_000)
        meter = Meter(scheduler, Household(0, solar=3_000, installed=20_600))
        rng = Random(6)
        answered = 0
        for _ in range(fuzz_count):
            epcs = rng.choices(range(0x80, 0x100), k=rng.randrange(1, 12))
            service = rng.choice((0x60, 0x61, 0x62, 0x63, 0x74, 0x7A))
            properties = [(epc, rng.randbytes(rng.choice((0, 0, 1, 7)))) for epc in epcs]
            frame = bytearray(build(rng.randrange(65536), 0x05FF01, 0x028801, service, properties))
            for _ in range(rng.randrange(3)):
                frame[rng.randrange(len(frame))] = rng.randrange(256)
            answered += meter.answer(bytes(frame[: rng.choice((None, None, 20))])) is not None
        return answered

    assert vtime.run(main()) > fuzz_count // 10
