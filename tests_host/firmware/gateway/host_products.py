"""Every product that the simulator plays: found, joined, read; nothing is written in vain."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from house import House
from meterlab.world import KINDS


def words(house: House) -> list[bytes]:
    """The lines that the host said to the module, from now on."""
    said: list[bytes] = []
    write = house.board.uart.write

    async def heard(data: Any) -> None:
        said.extend(bytes(data).replace(b"\n", b"\r").split(b"\r"))
        await write(data)

    house.board.uart.write = heard
    return said


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_read(kind: str) -> None:
    class Home(House):
        said: list[bytes]

        def build(self) -> None:
            super().build()
            self.said = words(self)

    async def story(h: Any) -> None:
        await h.polling(5)
        info = h.app.driver.info
        assert info.protocol == ("j11" if "j11" in kind else "skstack")
        # One without ROPT is taken for hexadecimal; whether it is, each datagram tells by itself.
        assert info.hex_data == (info.protocol == "skstack")
        assert h.app.driver.counters.get("flip", 0) == 0
        assert h.count["join"] == 1
        # On other editions than the dual stack's, SA2 is the transmit power.
        if info.edition == "single":
            assert not [line for line in h.said if b"SA2" in line]
        assert not [line for line in h.said if line.startswith((b"SKSAVE", b"WUART"))]
        assert len([line for line in h.said if line.startswith(b"WOPT")]) <= 1
        await h.until(lambda: h.status.rssi is not None, 2)
        if info.edition == "dual":
            await asyncio.sleep(120)
            age = h.app.clock.ms() - h.status.rssi_ms
            assert age < 60_000  # told with every datagram

    Home(kind=kind).run(story)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "j11" in kind])
def test_a_session_outlives_the_host(kind: str) -> None:
    async def story(h: Any) -> None:
        await h.polling(5)
        session = h.world.node.paa.current()
        await h.switch_off()
        await h.app.leave()
        h.switch_on()
        await h.polling(1)
        assert h.world.node.paa.current() is session

    House(kind=kind).run(story)
