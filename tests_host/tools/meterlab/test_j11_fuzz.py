"""Nothing that a host may send stops a J11 module."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from meterlab import vtime
from meterlab.modules.base import Quirks
from meterlab.modules.j11_commands import COMMANDS
from meterlab.modules.j11_frame import REQUEST, frame
from meterlab.pana import Conduct
from meterlab.scheduler import LoopScheduler
from meterlab.world import World

_PEER = bytes.fromhex("FE80000000000000021C6400030C12A4")
_CODES = [code for code in COMMANDS if code != 0x00D9]


def _likely(rng: Random, code: int) -> bytes:
    """Data that a command might take."""
    if code == 0x5F:
        return bytes([rng.choice((3, 5, 5, 5)), rng.randrange(2), rng.randrange(3, 19), 0])
    if code == 0x51:
        return bytes([rng.randrange(5)]) + bytes.fromhex("0003FFF0") + b"\x00"
    if code == 0xDB:
        return bytes([rng.randrange(5)]) + bytes.fromhex("0003FFF0")
    if code == 0x54:
        return b"0" * 44
    if code in (5, 6):
        return rng.choice((b"\x0e\x1a", rng.randbytes(2)))
    if code in (0x08, 0xD1):
        payload = rng.randbytes(rng.choice((1, 14, 60)))
        head = b"\x0e\x1a\x0e\x1a" + len(payload).to_bytes(2, "big")
        return rng.choice((_PEER, rng.randbytes(16))) + head + payload
    if code in (0x101, 0x10A):
        return bytes([rng.randrange(3)])
    return b""


def _junk(rng: Random) -> bytes:
    dice = rng.random()
    if dice < 0.1:
        return rng.randbytes(rng.randrange(1, 40))
    code = rng.choice(_CODES)
    data = _likely(rng, code) if dice < 0.7 else rng.randbytes(rng.randrange(60))
    whole = bytearray(frame(REQUEST, code, data))
    if dice > 0.85:
        whole[rng.randrange(len(whole))] = rng.randrange(256)
    if dice > 0.95:
        del whole[rng.randrange(len(whole)) :]
    return bytes(whole)


@pytest.mark.parametrize("start", ["fresh", "authenticated"])
def test_a_j11_module_survives_any_input_and_still_answers(lab, start, fuzz_count):
    async def main():
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=lab.start * 1000)
        conduct = Conduct(stale_refusals=(0, 0))
        plan = lab.plan(kind="bp35c0-j11", quirks=Quirks(prompt=True), conduct=conduct)
        module = World(scheduler, plan).j11
        said = bytearray()
        answers = 0
        module.output = said.extend
        rng = Random(7)

        async def join() -> None:
            channel = 4 + (module.modem.air.nodes[0].channel - 0x21) // 2
            identity = (lab.rbid + lab.password).encode()
            for code, data in (
                (0x5F, bytes([5, 0, channel, 0])),
                (0x54, identity),
                (0x53, b""),
                (0x05, b"\x0e\x1a"),
                (0x56, b""),
            ):
                module.feed(frame(REQUEST, code, data))
                await asyncio.sleep(5)
            joined.append(module.authenticated)

        joined: list[bool] = []
        if start == "authenticated":
            await join()
        for i in range(fuzz_count):
            module.feed(_junk(rng))
            if i % 20 == 0:
                await asyncio.sleep(rng.random() * 30)
                answers += said.count(bytes.fromhex("D0F9EE5D"))
                said.clear()
            if i % 1000 == 999:
                module.power_cycle()  # whatever it has been talked into
                await asyncio.sleep(3)
                if start == "authenticated":
                    await join()
        module.power_cycle()
        await asyncio.sleep(3)
        said.clear()
        module.feed(frame(REQUEST, 0x6B, b""))
        assert sum(joined) >= 0.9 * len(joined)  # a beacon may be missed
        return answers, bytes(said)

    answers, said = vtime.run(main())
    assert answers > fuzz_count // 10
    assert said.startswith(bytes.fromhex("D0F9EE5D206B"))
