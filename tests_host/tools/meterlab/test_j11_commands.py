"""Every J11 command: where it may run, what it takes, what it answers."""

from __future__ import annotations

import asyncio
import struct

import pytest

from meterlab.modules.base import Quirks
from meterlab.modules.j11_commands import COMMANDS
from meterlab.modules.j11_products import J11Product

KIND = {"kind": "bp35c0-j11"}
PORT = b"\x0e\x1a"

# The table of the reference: executable with the global state not started, the B route not
# started, operating, authenticated.
TABLE = {
    "0001 0009 000E 0011 0100 0102 0107 010B 006B": "yyyy",
    "005F 0101 010A": "yynn",
    "0007 0005 0006 0008 00D1": "nnyy",
    "0051 00DB": "nyyy",
    "0054": "nyyn",
    "0053": "nynn",
    "0056": "nnyn",
    "005E": "nnyy",
    "0057 00D2 0059": "nnny",
    "0058": "nnyn",
    "00F0": "ynnn",
}
CASES = {int(code, 16): row for codes, row in TABLE.items() for code in codes.split()}
DATA = {
    0x0005: PORT, 0x0006: PORT, 0x0008: bytes(16) + PORT + PORT + b"\x00\x01x",
    0x0051: bytes.fromhex("010003FFF000"), 0x0054: b"0" * 44, 0x005F: bytes.fromhex("05000400"),
    0x00D1: bytes(16), 0x00DB: bytes.fromhex("010003FFF0"), 0x0101: b"\x00", 0x010A: b"\x00",
}  # fmt: skip


async def reach(host, state: int) -> None:
    """0 as after power-up, 1 set up, 2 on the network, 3 authenticated."""
    if state == 1:
        await host.prepare()
    elif state == 2:
        await host.started()
    elif state == 3:
        await host.joined()


def test_the_table_has_every_command():
    assert set(CASES) == set(COMMANDS) - {0x00D9}


@pytest.mark.parametrize("state", range(4))
def test_where_a_command_may_run(lab, state):
    async def one(host, code):
        await reach(host, state)
        return (await host.ask(code, DATA.get(code, b""), seconds=30))[0]

    refusal = (0x37, 0x10, 0x34, 0x35)[state]
    for code, row in CASES.items():
        result = lab.run(lambda host, code=code: one(host, code), seed=1, **KIND)
        refused = result == refusal
        assert refused == (row[state] == "n"), f"{code:04X} in state {state}: {result:02X}"


@pytest.mark.parametrize("code", [code for code in CASES if code != 0x00F0])
def test_data_of_a_wrong_length(lab, code):
    async def story(host):
        await reach(host, CASES[code].index("y"))
        data = DATA.get(code, b"")
        longer = data + b"\x00" if code not in (0x08, 0xD1) else data[:15]
        return await host.ask(code, longer)

    assert lab.run(story, seed=1, **KIND) == b"\x11"


def test_status_and_settings(lab):
    async def story(host):
        said = [await host.ok(0x0001), await host.ok(0x0107)]
        await host.prepare()
        said += [await host.ok(0x0001), (await host.ok(0x0107))[:2]]
        await host.ok(0x0053)
        said += [await host.ok(0x0001)]
        return said

    assert [s.hex() for s in lab.run(story, **KIND)] == [
        "020101", "00000400", "030101", "0500", "030201",
    ]  # fmt: skip


def test_who_it_is(lab):
    async def story(host):
        mac = host.world.module.modem.mac
        return mac, await host.ok(0x000E), await host.ok(0x0009)

    mac, told, ip = lab.run(story, **KIND)
    assert told == mac and mac.startswith(J11Product("").mac)
    assert ip == bytes.fromhex("FE80000000000000") + bytes([mac[0] ^ 2]) + mac[1:]


@pytest.mark.parametrize("data", ["04000400", "05020400", "05000300", "05001200", "05000403"])
def test_set_up_with_values_that_are_not_allowed(lab, data):
    async def story(host):
        return await host.ask(0x005F, bytes.fromhex(data))

    assert lab.run(story, **KIND) == b"\x04"


def test_a_mode_without_the_b_route(lab):
    async def story(host):
        await host.ok(0x005F, bytes.fromhex("03000400"))
        return await host.ask(0x0053)

    assert lab.run(story, **KIND) == b"\x14"


def test_a_module_whose_calibration_is_lost(lab):
    async def story(host):
        return await host.ask(0x005F, bytes.fromhex("05000400"))

    assert lab.run(story, quirks=Quirks(uncalibrated=True), **KIND) == b"\x0c"


def test_ports(lab):
    async def story(host):
        await host.started()
        said = [await host.ask(0x0005, PORT), await host.ask(0x0006, b"\x00\x01")]
        said += [await host.ask(0x0005, struct.pack(">H", n)) for n in (716, 19_788, 31_941, 0)]
        for i in range(9):
            await host.ok(0x0005, bytes([0x10, i]))
        said += [await host.ask(0x0005, b"\x20\x00")]
        await host.ok(0x0006, b"\x10\x08")
        said += [(await host.ok(0x0007))[:5]]
        await host.ok(0x0058)
        await host.ok(0x0053)
        return [*said, await host.ok(0x0007)]

    assert [s.hex() for s in lab.run(story, **KIND)] == [
        "0a", "0b", "04", "04", "04", "04", "12", "090e1a1000", "00",
    ]  # fmt: skip


def test_options_are_read_back_and_forgotten_at_a_reset(lab):
    async def story(host):
        for code in (0x0101, 0x010A):
            await host.ok(code, b"\x01")
            assert await host.ask(code, b"\x02") == b"\x04"
        read = await host.ok(0x0102) + await host.ok(0x010B)
        await host.write(host.request(0x00D9))
        await host.until(0x6019, seconds=2)
        return read, await host.ok(0x0102) + await host.ok(0x010B)

    assert lab.run(story, **KIND) == (b"\x01\x01", b"\x00\x00")


def test_connections(lab):
    async def story(host):
        await host.prepare()
        before = await host.ok(0x0011)
        await host.ok(0x0053)
        joined = await host.ok(0x0011)
        terminal = await host.ok(0x0100)
        pan = await host.ok(0x005E)
        node = host.world.node
        assert joined == b"\x01\x01" + node.mac + pan + b"\x01\x07\x01"
        assert terminal == b"\x05\x01" + host.meter + b"\x07\x01"
        assert pan == struct.pack(">H", node.pan_id)
        await host.ok(0x0056)
        await host.until(0x6028)
        assert (await host.ok(0x0011))[-1] == 2
        assert len(await host.ok(0x0059)) == 16
        return before

    assert lab.run(story, **KIND) == b"\x00"


def test_ping(lab):
    async def story(host):
        await host.started()
        assert await host.ok(0x00D1, host.meter) == b""
        assert await host.ask(0x00D1, host.meter) == b"\x3c"
        answered = (await host.until(0x60D1, seconds=5))[1]
        host.world.node.dead = True
        await host.ok(0x00D1, host.meter)
        begun = host.now()
        silent = (await host.until(0x60D1, seconds=15))[1]
        assert 10 < host.now() - begun < 11
        assert await host.ask(0x00D1, bytes(16)) == b"\x06"
        return answered[0], silent[0], silent[1:] == host.meter

    assert lab.run(story, **KIND) == (1, 2, True)


def test_energy_scan(lab):
    async def story(host):
        await host.prepare()
        begun = host.now()
        data = await host.ok(0x00DB, bytes.fromhex("040003FFF0"), seconds=10)
        return data, host.now() - begun

    data, took = lab.run(story, **KIND)
    assert data[0] == 14 and list(data[1::2]) == list(range(4, 18))
    assert 2 < took < 4.5


@pytest.mark.parametrize("data", ["000003FFF000", "0F0003FFF000", "060000000000", "06000400F000"])
def test_scans_that_cannot_be(lab, data):
    async def story(host):
        await host.prepare()
        return await host.ask(0x0051, bytes.fromhex(data))

    assert lab.run(story, **KIND) == b"\x04"


def test_commands_that_it_does_not_have(lab):
    async def story(host):
        since = len(host.frames)
        for code in (0x0002, 0x0052, 0x2001, 0xFFFF):
            assert await host.ask(code) == b"\x03"
        return host.codes(since)

    assert lab.run(story, **KIND) == [0xFFFF] * 4


def test_busy_with_one_command_it_takes_no_other_but_a_reset(lab):
    async def story(host):
        await host.prepare()
        await host.write(host.request(0x0053))
        await asyncio.sleep(0.5)
        assert await host.ask(0x0001) == b"\x3d"
        assert await host.ask(0x0053) == b"\x3d"
        await host.write(host.request(0x00D9))
        await host.until(0x6019, seconds=2)
        await host.quiet(0x2053, seconds=5)
        return await host.ok(0x0001)

    assert lab.run(story, **KIND) == b"\x02\x01\x01"


def test_a_reset_says_nothing_until_it_has_booted(lab):
    async def story(host):
        await host.joined()
        since, begun = len(host.frames), host.now()
        await host.write(host.request(0x00D9))
        await asyncio.sleep(0.3)
        await host.write(host.request(0x0001))  # while it boots: unheard
        await host.until(0x6019, seconds=2)
        took = host.now() - begun
        await asyncio.sleep(5)
        return host.codes(since), 0.5 < took < 1, await host.ok(0x0001)

    assert lab.run(story, **KIND) == ([0x6019], True, b"\x02\x01\x01")


def test_it_takes_a_moment_to_answer_unless_prompt(lab):
    async def story(host):
        begun = host.now()
        await host.ok(0x006B)
        return host.now() - begun

    assert 0.003 <= lab.run(story, **KIND) <= 0.03
    assert lab.run(story, quirks=Quirks(prompt=True), **KIND) == 0.0
