"""A lab for tests: one module, one meter and a host on a UART in memory, in virtual time."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from meterlab import vtime
from meterlab.faults import Line
from meterlab.link import MemoryLink, MemoryUart
from meterlab.modules.j11_products import J11_KINDS
from meterlab.modules.sk_text import address
from meterlab.scheduler import LoopScheduler
from meterlab.world import Plan, World

RBID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"
START = 1_794_000_000  # 2026-11-07 05:20 UTC
INSTALLED = 20_600  # 2026-05-27: years of history before it would only cost time


@dataclass
class Item:
    """One line as the host reads it; `payload` of an ERXUDP, the line then ends before it."""

    t: float
    text: str
    payload: bytes | None = None


class Host:
    """Reads what a module says, the way a program for the real one must."""

    def __init__(self, uart: MemoryUart, world: World, line: Line) -> None:
        self.uart = uart
        self.line = line
        self.world = world
        self.dual = world.sk.product.dual
        self.raw = bytearray()
        self.items: list[Item] = []
        self.seen = 0  # items consumed by `until`
        self._arrived = asyncio.Event()
        self._rest = bytearray()
        self._tid = 0

    # -- reading

    async def read(self) -> None:
        buf = bytearray(256)
        while True:
            n = await self.uart.readinto(buf)
            self.raw += buf[:n]
            self._rest += buf[:n]
            while self._take():
                pass
            self._arrived.set()

    def _take(self) -> bool:
        rest = self._rest
        hexed = self.world.sk.flash.hex_data
        module = self.world.sk
        count = 10 if module.product.dual else 9
        if module.product.dual and module.registers[0xA2]:
            count += 1
        if rest.startswith(b"ERXUDP ") and not hexed:
            head = bytes(rest).split(b" ", count - 1)
            if len(head) < count:
                return False
            length = int(head[count - 2], 16)
            start = len(b" ".join(head[: count - 1])) + 1
            if len(rest) < start + length + 2:
                return False
            assert rest[start + length : start + length + 2] == b"\r\n"
            self._keep(rest[: start - 1].decode(), bytes(rest[start : start + length]))
            del rest[: start + length + 2]
            return True
        ends = [i for i in (rest.find(b"\r"), rest.find(b"\n")) if i >= 0]
        if not ends:
            return False
        line = rest[: min(ends)].decode("latin-1")
        del rest[: min(ends) + 1]
        if line.startswith("ERXUDP "):
            line, _, digits = line.rpartition(" ")
            self._keep(line, bytes.fromhex(digits))
        elif line:
            self._keep(line)
        return True

    def _keep(self, text: str, payload: bytes | None = None) -> None:
        self.items.append(Item(self.now(), text, payload))

    @staticmethod
    def now() -> float:
        return asyncio.get_running_loop().time()

    async def until(self, *starts: str, seconds: float = 60.0) -> Item:
        """The next item, from where the last call ended, that begins with one of `starts`."""

        async def search() -> Item:
            while True:
                while self.seen < len(self.items):
                    item = self.items[self.seen]
                    self.seen += 1
                    if item.text.startswith(starts):
                        return item
                self._arrived.clear()
                await self._arrived.wait()

        return await asyncio.wait_for(search(), seconds)

    async def quiet(self, *starts: str, seconds: float) -> None:
        """Nothing that begins with one of `starts` comes for so long."""
        try:
            item = await self.until(*starts, seconds=seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected {item}")

    def texts(self, since: int = 0) -> list[str]:
        return [item.text for item in self.items[since:]]

    # -- asking

    async def write(self, data: bytes) -> None:
        await self.uart.write(data)

    async def command(self, line: str, *, end: str = "\r\n", seconds: float = 5.0) -> list[str]:
        """Send a command; -> its reply lines, the final OK or FAIL included, the echo not."""
        self.seen = first = len(self.items)
        await self.write((line + end).encode())
        await self.until("OK", "FAIL", seconds=seconds)
        return [text for text in self.texts(first)[: self.seen - first] if text != line]

    async def ok(self, line: str) -> None:
        reply = await self.command(line)
        assert reply[-1] == "OK", (line, reply)

    # -- the road to the meter

    @property
    def meter(self) -> str:
        return address(self.world.node.mac)

    async def prepare(self, *, rbid: str = RBID, password: str = PASSWORD) -> None:
        await self.ok("SKSREG SFE 0")
        await self.ok(f"SKSETPWD C {password}")
        await self.ok(f"SKSETRBID {rbid}")
        node = self.world.node
        await self.ok(f"SKSREG S2 {node.channel:02X}")
        await self.ok(f"SKSREG S3 {node.pan_id:04X}")

    async def join(self, *, seconds: float = 60.0, expect: str = "EVENT 25") -> Item:
        await self.ok(f"SKJOIN {self.meter}")
        item = await self.until("EVENT 25", "EVENT 24", seconds=seconds)
        assert item.text.startswith(expect), item
        return item

    async def joined(self, **credentials: str) -> None:
        """Prepare, join, and let the instance list pass."""
        await self.prepare(**credentials)
        await self.join()
        await self.until("ERXUDP", seconds=10)

    def sendto(self, payload: bytes, *, secure: int = 1, target: str | None = None) -> bytes:
        side = "0 " if self.dual else ""
        head = f"SKSENDTO 1 {target or self.meter} 0E1A {secure} {side}{len(payload):04X} "
        return head.encode() + payload

    async def send(self, payload: bytes, **options: Any) -> str:
        """SKSENDTO; -> the parameter of the EVENT 21 that came before OK."""
        self.seen = first = len(self.items)
        await self.write(self.sendto(payload, **options))
        await self.until("OK", "FAIL")
        events = [t for t in self.texts(first) if t.startswith("EVENT 21")]
        return events[0][-2:] if events else self.items[self.seen - 1].text

    def request(self, *epcs: int) -> bytes:
        self._tid += 1
        head = bytes.fromhex(f"1081{self._tid:04X}05FF0102880162") + bytes([len(epcs)])
        return head + b"".join(bytes([epc, 0]) for epc in epcs)

    async def get(self, *epcs: int, seconds: float = 30.0) -> bytes:
        """Ask for properties; -> the answering frame, notifications passed over."""
        request = self.request(*epcs)
        await self.send(request)
        while True:
            payload = (await self.until("ERXUDP", seconds=seconds)).payload
            if payload and payload[2:4] == request[2:4] and payload[10] in (0x72, 0x52):
                return payload


class J11Host:
    """Reads the frames of a J11 module: `frames` has (time, code, data)."""

    IDENTITY = (RBID + PASSWORD).encode()

    def __init__(self, uart: MemoryUart, world: World, line: Line) -> None:
        self.uart = uart
        self.line = line
        self.world = world
        self.raw = bytearray()
        self.frames: list[tuple[float, int, bytes]] = []
        self.seen = 0
        self._arrived = asyncio.Event()
        self._rest = bytearray()
        self._tid = 0

    now = staticmethod(Host.now)

    async def read(self) -> None:
        buf = bytearray(256)
        while True:
            n = await self.uart.readinto(buf)
            self.raw += buf[:n]
            self._rest += buf[:n]
            while self._take():
                pass
            self._arrived.set()

    def _take(self) -> bool:
        rest = self._rest
        if len(rest) < 12:
            return False
        assert rest.startswith(bytes.fromhex("D0F9EE5D")), rest.hex()
        code, length, head_sum, data_sum = struct.unpack_from(">HHHH", rest, 4)
        assert sum(rest[:8]) == head_sum
        if len(rest) < 8 + length:
            return False
        data = bytes(rest[12 : 8 + length])
        assert sum(data) & 0xFFFF == data_sum
        del rest[: 8 + length]
        self.frames.append((self.now(), code, data))
        return True

    async def until(self, *codes: int, seconds: float = 60.0) -> tuple[int, bytes]:
        """The next frame, from where the last call ended, with one of these codes."""

        async def search() -> tuple[int, bytes]:
            while True:
                while self.seen < len(self.frames):
                    _, code, data = self.frames[self.seen]
                    self.seen += 1
                    if code in codes:
                        return code, data
                self._arrived.clear()
                await self._arrived.wait()

        return await asyncio.wait_for(search(), seconds)

    async def quiet(self, *codes: int, seconds: float) -> None:
        """None of these comes for so long."""
        try:
            got = await self.until(*codes, seconds=seconds)
        except TimeoutError:
            return
        raise AssertionError(f"unexpected {got[0]:04X} {got[1].hex()}")

    def codes(self, since: int = 0) -> list[int]:
        return [code for _, code, _ in self.frames[since:]]

    async def write(self, data: bytes) -> None:
        await self.uart.write(data)

    @staticmethod
    def request(code: int, data: bytes = b"") -> bytes:
        head = struct.pack(">4sHH", bytes.fromhex("D0EA83FC"), code, 4 + len(data))
        return head + struct.pack(">HH", sum(head), sum(data) & 0xFFFF) + data

    async def ask(self, code: int, data: bytes = b"", *, seconds: float = 5.0) -> bytes:
        """The data of the reply, its result byte first."""
        self.seen = len(self.frames)
        await self.write(self.request(code, data))
        return (await self.until(code | 0x2000, 0x2FFF, 0xFFFF, seconds=seconds))[1]

    async def ok(self, code: int, data: bytes = b"", *, seconds: float = 5.0) -> bytes:
        """What follows the result 01."""
        reply = await self.ask(code, data, seconds=seconds)
        assert reply[0] == 1, (hex(code), reply.hex())
        return reply[1:]

    # -- the road to the meter

    @property
    def channel(self) -> int:
        return 4 + (self.world.node.channel - 0x21) // 2

    @property
    def meter(self) -> bytes:
        mac = self.world.node.mac
        return bytes.fromhex("FE80000000000000") + bytes([mac[0] ^ 2]) + mac[1:]

    async def prepare(self, identity: bytes = IDENTITY) -> None:
        """Set up, with the credentials, on the meter's channel."""
        await self.ok(0x005F, bytes([5, 0, self.channel, 0]))
        await self.ok(0x0054, identity)

    async def started(self, identity: bytes = IDENTITY) -> None:
        """On the meter's network, with the port open."""
        await self.prepare(identity)
        await self.ok(0x0053)
        await self.ok(0x0005, b"\x0e\x1a")

    async def joined(self) -> None:
        """Authenticated, and the instance list has come."""
        await self.started()
        await self.ok(0x0056)
        assert (await self.until(0x6028))[1][0] == 1
        await self.until(0x6018, seconds=10)

    def datagram(self, payload: bytes, target: bytes | None = None) -> bytes:
        head = struct.pack(">HHH", 0x0E1A, 0x0E1A, len(payload))
        return (target or self.meter) + head + payload

    async def get(self, *epcs: int, seconds: float = 30.0) -> bytes:
        """Ask for properties; -> the answering frame, notifications passed over."""
        self._tid += 1
        request = bytes.fromhex(f"1081{self._tid:04X}05FF0102880162") + bytes([len(epcs)])
        request += b"".join(bytes([epc, 0]) for epc in epcs)
        assert (await self.ok(0x0008, self.datagram(request)))[0] == 0
        while True:
            payload = (await self.until(0x6018, seconds=seconds))[1][27:]
            if payload[2:4] == request[2:4] and payload[10] in (0x72, 0x52):
                return payload


Story = Callable[[Any], Awaitable[Any]]


class Lab:
    """`run` plays a story; what it returns is what the story returned."""

    rbid = RBID
    password = PASSWORD
    start = START

    @staticmethod
    def plan(**choices: Any) -> Plan:
        choices = {"rbid": RBID, "password": PASSWORD, "installed": INSTALLED, **choices}
        return Plan(**choices)

    def run(
        self,
        story: Story,
        *,
        limit_s: float = 7_200,
        start: int = START,
        paced: bool = False,
        rxbuf: int = 4_096,
        **choices: Any,
    ) -> Any:
        plan = self.plan(**choices)

        async def main() -> Any:
            scheduler = LoopScheduler(asyncio.get_running_loop(), utc_ms=start * 1000)
            world = World(scheduler, plan)
            link = MemoryLink(scheduler, world.module, paced=paced, rxbuf=rxbuf, seed=plan.seed)
            talk = J11Host if plan.kind in J11_KINDS else Host
            host = talk(link.uart, world, link.line)
            world.start()
            reader = asyncio.create_task(host.read())
            told = asyncio.ensure_future(story(host))
            await asyncio.wait((reader, told), return_when=asyncio.FIRST_COMPLETED)
            if reader.done():
                reader.result()
            reader.cancel()
            return await told

        return vtime.run(main(), limit_s=limit_s)


@pytest.fixture
def lab() -> Lab:
    return Lab()
