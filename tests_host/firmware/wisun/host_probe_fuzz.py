"""The probe, told anything: it names a module or says that there is none, and nothing else."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable
from typing import Any

import pytest

from wisun import RadioError
from wisun.probe import find

SEEDS = (
    b"SKVER\r\nEVER 1.2.10\r\nOK\r\n",
    b"EVER 1.5.2\r\nOK\r\n",
    b"FAIL ER04\r\n",
    bytes.fromhex("D0F9EE5D206B000D03AC00A80104000103 0000158A".replace(" ", "")),
    bytes.fromhex("D0F9EE5D6019000403910000"),
    b"EVENT 21 FE80:0000:0000:0000:021C:6400:036E:8CF5 0 00\r\n",
    b"\r\nSKVER\r\n",
)


class Line:
    """Clock and UART in one: what comes is drawn, and each piece takes its time."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.t = 0

    def ms(self) -> int:
        return self.t

    async def wait_for(self, awaitable: Awaitable[Any], ms: int) -> Any:
        self.t += self.rng.randrange(1, 300)
        if self.rng.random() < 0.2:
            awaitable.close()  # type: ignore[attr-defined]
            raise asyncio.TimeoutError
        return await awaitable

    async def write(self, data: bytes) -> None:
        pass

    async def readinto(self, view: memoryview) -> int:
        rng = self.rng
        data = bytearray(b"".join(rng.choices(SEEDS, k=rng.randint(1, 3))))
        for _ in range(rng.randint(0, 3)):
            at = rng.randrange(len(data))
            data[at : at + rng.randint(0, 3)] = rng.randbytes(rng.randint(0, 3))
        start = rng.randrange(len(data) // 2 + 1)
        piece = bytes(data[start : start + len(view)])[: rng.randint(1, len(view))]
        view[: len(piece)] = piece
        return len(piece)


async def told(rng: random.Random, speeds: list[int]) -> str:
    line = Line(rng)
    try:
        protocol, baud = await find(line, line, speeds.append)
    except RadioError as error:
        return str(error)
    assert protocol in ("skstack", "j11") and baud == speeds[-1]
    return protocol


@pytest.mark.timeout(1800)
def test_fuzz_the_probe(fuzz_count: int) -> None:
    """A tenth as many inputs as a parser has: each is a whole conversation."""

    async def main() -> set[str]:
        rng = random.Random(2026)
        return {(await told(rng, [])).split(" ")[0] for _ in range(fuzz_count // 10)}

    assert {"skstack", "j11"} <= asyncio.run(main())
