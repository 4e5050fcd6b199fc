"""Frames of real J11 modules and of the maker's note, replayed against the simulated module."""

from __future__ import annotations

import asyncio
from random import Random

import pytest

from meterlab import vtime
from meterlab.air import Air, Datagram, Link, Node
from meterlab.household import Household
from meterlab.meter import Meter
from meterlab.modules.base import Quirks
from meterlab.modules.j11 import J11
from meterlab.modules.j11_products import J11Product
from meterlab.pac import What
from meterlab.pana import Paa
from meterlab.scheduler import LoopScheduler

MAC = bytes.fromhex("0050C2FFFEDC2822")
RBID, PASSWORD = "00112233445566778899AABBCCDDEEFF", "0123456789AB"
H = bytes.fromhex

# The session of the application note: what the host says, what must be said back.
SESSION = (
    ("D0EA83FC00D9000404160000", "D0F9EE5D6019000403910000"),
    ("D0EA83FC005F000803A0000905000400", "D0F9EE5D205F00050398000101"),
    (
        "D0EA83FC0054003003BD09D4" + (RBID + PASSWORD).encode().hex(),
        "D0F9EE5D20540005038D000101",
    ),
    (
        "D0EA83FC00510012039C041D060003FFF0014343444445454646",
        "D0F9EE5D4051000603AB00050104"
        "D0F9EE5D4051000603AB00060105"
        "D0F9EE5D4051000603AB00070106"
        "D0F9EE5D4051000603AB00080107"
        "D0F9EE5D4051000603AB00090108"
        "D0F9EE5D4051000603AB000A0109"
        "D0F9EE5D4051000603AB000B010A"
        "D0F9EE5D4051000603AB000C010B"
        "D0F9EE5D4051001203B706BA000C010050C2FFFEDC2822BCDEDE"
        "D0F9EE5D4051000603AB000E010D"
        "D0F9EE5D4051000603AB000F010E"
        "D0F9EE5D4051000603AB0010010F"
        "D0F9EE5D4051000603AB00110110"
        "D0F9EE5D4051000603AB00120111"
        "D0F9EE5D20510005038A000101",
    ),
    ("D0EA83FC005F000803A0001105000C00", "D0F9EE5D205F00050398000101"),
    ("D0EA83FC0053000403900000", "D0F9EE5D20530011039806BA010CBCDE0050C2FFFEDC2822DE"),
    ("D0EA83FC00050006034400280E1A", "D0F9EE5D20050005033E000101"),
    (
        "D0EA83FC0056000403930000",
        "D0F9EE5D20560005038F000101D0F9EE5D6028000D03A90436010050C2FFFEDC2822",
    ),
    (
        "D0EA83FC0008002A036B0A75FE800000000000000250C2FFFEDC28220E1A0E1A0010"
        "1081000605FF010288016202EA00EB00",
        "D0F9EE5D2008000B0347009D01001081000605",
    ),
)
HEARD = (
    "D0F9EE5D6018003803C40E1CFE800000000000000250C2FFFEDC28220E1A0E1ABCDE0002DE0019"
    "1081000102880105FF017301EA0B07DF081F151E0000000DAC",
    "D0F9EE5D6018004503D1108DFE800000000000000250C2FFFEDC28220E1A0E1A22A90002CB0026"
    "1081000602880105FF017202EA0B07E20A020E1E00000373AFEB0B07E20A020E1E0000016A72",
)

# One request each, in a state; and what the specification's rules make of the answer.
SINGLE = {
    "status": ("a", "D0EA83FC00010004033E0000", "D0F9EE5D20010008033D000801030301"),
    "version": (
        "-",
        "D0EA83FC006B000403A80000",
        "D0F9EE5D206B000D03AC00A801040001030000158A",
    ),
    "ended": ("a", "D0EA83FC0057000403940000", "D0F9EE5D205700050390000101"),
    "stopped": ("o", "D0EA83FC0058000403950000", "D0F9EE5D205800050391000101"),
    "renewed": ("a", "D0EA83FC00D20004040F0000", "D0F9EE5D20D20005040B000101"),
    "no beacon": ("n", "D0EA83FC0053000403900000", "D0F9EE5D20530005038C000E0E"),
    "open already": ("o", "D0EA83FC00050006034400280E1A", "D0F9EE5D20050005033E000A0A"),
    "closed": ("o", "D0EA83FC00060006034500280E1A", "D0F9EE5D20060005033F000101"),
    "unknown": ("-", "D0EA83FC77770004042B0000", "D0F9EE5DFFFF00050517000303"),
    "head sum": ("-", "D0EA83FC0001000403FF0000", "D0F9EE5D2FFF0005044700F0F0"),
    "credentials too late": (
        "a",
        "D0EA83FC0054003003BD09D4" + (RBID + PASSWORD).encode().hex(),
        "D0F9EE5D20540005038D003535",
    ),
    "sent too early": (
        "n",
        "D0EA83FC000800280369097FFE800000000000000250C2FFFEDC28220E1A0E1A000E"
        "1081000105FF010288016201E700",
        "D0F9EE5D200800050341001010",
    ),
}


class Home:
    """A J11 module and the meter of the note, whose radio is exact."""

    def __init__(self, plain: bool = True) -> None:
        scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=1_794_000_000_000)
        self.air = Air(scheduler)
        meter = Meter(scheduler, Household(0, installed=20_600))
        paa = Paa(scheduler, RBID, PASSWORD)
        self.node = Node(scheduler, meter, paa, mac=MAC, channel=0x31, pan_id=0xBCDE)
        self.air.add_node(self.node)
        self.module = J11(
            scheduler,
            self.air,
            J11Product("bp35c0-j11"),
            mac=H("001D129100000001"),
            quirks=Quirks(prompt=plain),
        )
        link = Exact(rssi=-34)
        self.air.place(self.module.modem, self.node, link)
        self.said = bytearray()
        self.module.output = self.said.extend

    async def ask(self, request: str, seconds: float) -> bytes:
        self.said.clear()
        self.module.feed(H(request))
        await asyncio.sleep(seconds)
        return bytes(self.said)

    async def reach(self, state: str) -> None:
        """n set up, o on the network, a authenticated."""
        steps = {"-": (), "n": (1, 2), "o": (4, 2, 5, 6), "a": (4, 2, 5, 6, 7)}[state]
        for step in steps:
            await self.ask(SESSION[step][0], 15)


class Exact(Link):
    def signal(self, rng: Random) -> int:
        return self.rssi

    def hears_beacon(self, duration: int, rng: Random) -> bool:
        return True


def test_the_session_of_the_application_note():
    async def main() -> list[tuple[str, str]]:
        home = Home()
        said = []
        for request, _ in SESSION:
            said.append((request, (await home.ask(request, 15)).hex().upper()))
        return said

    for (request, expected), (_, said) in zip(SESSION, vtime.run(main()), strict=True):
        extra = said.removeprefix(expected)  # behind the last two come what the meter says
        assert said.startswith(expected), request
        assert not extra or extra.startswith("D0F9EE5D6018"), request


def test_the_datagrams_of_the_application_note():
    async def main() -> list[str]:
        home = Home()
        await home.reach("a")
        heard = []
        for frame, pan_id, rssi in ((HEARD[0], 0xBCDE, -34), (HEARD[1], 0x22A9, -53)):
            home.said.clear()
            home.module.modem.pan_id = pan_id
            datagram = Datagram(MAC, False, 3610, True, rssi, H(frame)[39:])
            home.module.on_datagram(datagram)
            heard.append(home.said.hex().upper())
        return heard

    assert vtime.run(main()) == list(HEARD)


def test_a_multicast_of_a_real_meter():
    frame = H(
        "D0F9EE5D6018003103BD0E2EFE800000000000008EDF9DFFFEC10F010E1A0E1AD8840102C40012"
        "1081905B0EF0010EF0017301D50401028801"
    )

    async def main() -> bytes:
        home = Home()
        await home.reach("o")
        home.said.clear()
        home.module.modem.pan_id = 0xD884
        source = H("8CDF9DFFFEC10F01")
        home.module.on_datagram(Datagram(source, True, 3610, True, -60, frame[39:]))
        return bytes(home.said)

    assert vtime.run(main()) == frame


@pytest.mark.parametrize("name", SINGLE)
def test_a_single_answer(name):
    state, request, expected = SINGLE[name]

    async def main() -> bytes:
        home = Home()
        await home.reach(state)
        if name == "no beacon":
            home.node.dead = True
        return await home.ask(request, 3)

    assert vtime.run(main()).startswith(H(expected))


def test_what_is_told_unasked():
    async def main() -> bytes:
        home = Home()
        await home.reach("a")
        home.said.clear()
        module = home.module
        module.modem.pac.why = "credentials"
        module.on_session(MAC, What.FAILED)
        module.modem.pac.why = "nobody"
        module.on_session(MAC, What.FAILED)
        home.air.link(module.modem, home.node).rssi = -53
        module.on_session(MAC, What.PEER_CLOSED)
        module.unreadable(1, MAC, 0x12, H("1081000102"))
        return bytes(home.said)

    assert vtime.run(main()) == H(
        "D0F9EE5D6028000D03A90437020050C2FFFEDC2822"
        "D0F9EE5D6028000D03A90438030050C2FFFEDC2822"
        "D0F9EE5D601A000E039C0504040050C2FFFEDC2822CB"
        "D0F9EE5D6038001E03CA065C01FE800000000000000250C2FFFEDC2822120000001081000102"
    )


def test_sending_that_fails():
    request = (
        "D0EA83FC0008002A036B0A75FE800000000000000250C2FFFEDC28220E1A0E1A0010"
        "1081000605FF010288016202EA00EB00"
    )

    async def main() -> tuple[bytes, bytes]:
        home = Home()
        await home.reach("a")
        home.module.modem.limited = True
        limited = await home.ask(request, 1)
        home.module.modem.limited = False
        home.node.dead = True
        home.module.modem.rng.random = lambda: 0.0  # type: ignore[method-assign]
        return limited, await home.ask(request, 1)

    limited, silent = vtime.run(main())
    assert limited == H("D0F9EE5D2008000B0347009F01021081000605")
    assert silent == H("D0F9EE5D2008000B034700A201051081000605")


@pytest.mark.parametrize(
    ("state", "request_", "code", "result"),
    [
        ("-", "D0EA83FC 0001 0004 033E 0000", 0x2001, 0x01),
        ("a", "D0EA83FC 0007 0004 0344 0000", 0x2007, 0x01),
        ("-", "D0EA83FC 0009 0004 0346 0000", 0x2009, 0x01),
        ("-", "D0EA83FC 000E 0004 034B 0000", 0x200E, 0x01),
        ("-", "D0EA83FC 0011 0004 034E 0000", 0x2011, 0x01),
        ("-", "D0EA83FC 0100 0004 033E 0000", 0x2100, 0x01),
        ("-", "D0EA83FC 0107 0004 0345 0000", 0x2107, 0x01),
        ("a", "D0EA83FC 005E 0004 039B 0000", 0x205E, 0x01),
        ("n", "D0EA83FC 005E 0004 039B 0000", 0x205E, 0x10),
        ("n", "D0EA83FC 0056 0004 0393 0000", 0x2056, 0x10),
        ("o", "D0EA83FC 0057 0004 0394 0000", 0x2057, 0x34),
        ("a", "D0EA83FC 0056 0004 0393 0000", 0x2056, 0x35),
        ("-", "D0EA83FC 0053 0004 0390 0000", 0x2053, 0x37),
    ],
)
def test_requests_made_after_the_specification(state, request_, code, result):
    async def main() -> bytes:
        home = Home()
        await home.reach(state)
        return await home.ask(request_, 3)

    said = vtime.run(main())
    assert (int.from_bytes(said[4:6], "big"), said[12]) == (code, result)


def test_the_long_scan_and_the_reading_made_after_the_specification():
    async def main() -> tuple[bytes, bytes]:
        home = Home()
        await home.reach("a")
        scan = "D0EA83FC 0051 0012 039C 041F 08 0003FFF0 01 4343444445454646"
        get = (
            "D0EA83FC 0008 0028 0369 097F FE800000000000000250C2FFFEDC2822 0E1A 0E1A 000E"
            "1081000105FF010288016201E700"
        )
        return await home.ask(scan, 40), await home.ask(get, 5)

    scanned, read = vtime.run(main())
    assert scanned.count(H("D0F9EE5D4051")) == 14 and scanned.endswith(
        H("D0F9EE5D20510005038A000101")
    )
    assert read.startswith(H("D0F9EE5D2008000B0347009801001081000105"))
    assert read[19:].startswith(H("D0F9EE5D6018")) and H("028801 05FF01 72 01 E704") in read
