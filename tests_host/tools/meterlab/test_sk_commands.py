"""The text interface: line ends, echo, argument counts, options, registers, flash, sleep."""

from __future__ import annotations

import asyncio

import pytest

from meterlab.modules.base import BOOT_MS
from meterlab.modules.sk_products import PRODUCTS
from meterlab.modules.sk_text import address, mac_of
from meterlab.modules.skstack import Quirks

MAC = "001C6400030C12A4"
IP = "FE80:0000:0000:0000:021C:6400:030C:12A4"


@pytest.mark.parametrize("kind", PRODUCTS)
def test_identity(lab, kind):
    product = PRODUCTS[kind]

    async def story(host):
        version = await host.command("SKVER")
        info = (await host.command("SKINFO"))[0]
        return version, await host.command("SKAPPVER"), info, await host.command("ROPT")

    version, app, info, option = lab.run(story, kind=kind)
    assert version == [f"EVER {product.ever}", "OK"]
    assert app == ([f"EAPPVER {product.appver}", "OK"] if product.appver else ["FAIL ER04"])
    assert info.split()[-1] == ("0" if product.dual else "FFFE")
    assert option[0] == ("OK 00" if product.options else "FAIL ER04")
    ip, mac, channel, pan = info.split()[1:5]
    assert address(bytes.fromhex(mac)) == ip
    assert (channel, pan) == ("21", "FFFF")


@pytest.mark.parametrize("end", ["\r", "\n", "\r\n"])
def test_any_line_end_ends_a_command(lab, end):
    async def story(host):
        return await host.command("SKVER", end=end), await host.command("SKVER", end=end)

    assert lab.run(story) == (["EVER 1.2.10", "OK"], ["EVER 1.2.10", "OK"])


def test_empty_lines_and_trailing_space_are_nothing(lab):
    async def story(host):
        await host.ok("SKSREG SFE 0")
        await host.write(b"\r\n\r\n\n\n   \r")
        return await host.command("SKVER ")

    assert lab.run(story) == ["EVER 1.2.10", "OK"]


@pytest.mark.parametrize(
    ("line", "single", "dual"),
    [
        ("SKVER 1", "ER05", "ER05"),
        ("SKNOSUCH", "ER04", "ER04"),
        ("skver", "ER04", "ER04"),
        ("SKSCAN 2 FFFFFFFF 6", "OK", "ER05"),
        ("SKSCAN 2 FFFFFFFF 6 0", "ER05", "OK"),
        ("SKSCAN 2 FFFFFFFF G" + " 0", "ER05", "ER06"),
        ("SKSCAN 2 0 6", "ER06", "ER05"),
        ("SKSREG S2 20", "ER06", "ER06"),
        ("SKSREG S2 3D", "ER06", "ER06"),
        ("SKSREG S2 ZZ", "ER06", "ER06"),
        ("SKSREG S7 0", "ER06", "ER06"),
        ("SKSREG SA2 1", "ER06", "OK"),
        ("SKSREG  S2 21", "ER05", "ER05"),
        ("SKSETPWD 0 X", "ER06", "ER06"),
        ("SKSETPWD C", "ER05", "ER05"),
        ("SKSETRBID 0123", "ER06", "ER06"),
        ("SKJOIN FE80::1", "ER06", "ER06"),
        ("SKREJOIN", "ER10", "ER10"),
        ("SKTERM", "ER10", "ER10"),
        ("SKLOAD", "ER10", "ER10"),
        (f"SKPING {IP}", "OK", "ER05"),
        ("SKREGDEV " + IP, "OK", "ER04"),
        ("SKOPEN", "ER04", "ER10"),
        ("SKSETPSK 0F 00112233445566778899AABBCCDDEEFF", "ER06", "ER06"),
        ("SKSENDTO 1 " + IP, "ER05", "ER05"),
    ],
)
def test_what_is_refused_and_how(lab, line, single, dual):
    async def story(host):
        return (await host.command(line))[-1]

    for kind, expected in (("bp35a1", single), ("bp35c2", dual)):
        reply = lab.run(story, kind=kind)
        assert reply == (expected if expected == "OK" else f"FAIL {expected}"), kind


@pytest.mark.parametrize("end", ["", "\r\n"])
def test_a_line_too_long_is_an_input_error(lab, end):
    async def story(host):
        return (await host.command("X" * 600, end=end))[-1], await host.command("SKVER")

    assert lab.run(story) == ("FAIL ER09", ["EVER 1.2.10", "OK"])


def test_echo_repeats_commands_until_it_is_switched_off(lab):
    async def story(host):
        await host.write(b"SKVER\r\nSKSREG SFE 0\r\nSKVER\r\n")
        await asyncio.sleep(1)
        return bytes(host.raw)

    assert lab.run(story) == (
        b"SKVER\r\nEVER 1.2.10\r\nOK\r\nSKSREG SFE 0\r\nOK\r\nEVER 1.2.10\r\nOK\r\n"
    )


def test_echo_comes_as_it_is_typed(lab):
    async def story(host):
        seen = []
        for part in (b"SKV", b"ER", b"\r"):
            await host.write(part)
            await asyncio.sleep(0.1)
            seen.append(bytes(host.raw))
        return seen

    first, second, third = lab.run(story)
    assert (first, second) == (b"SKV", b"SKVER")
    assert third == b"SKVER\r\nEVER 1.2.10\r\nOK\r\n"


def test_commands_sent_ahead_wait_their_turn(lab):
    async def story(host):
        await host.ok("SKSREG SFE 0")
        first = len(host.items)
        await host.write(b"SKVER\rSKSREG SFE\rSKAPPVER\r")
        await asyncio.sleep(1)
        return host.texts(first)

    assert lab.run(story) == ["EVER 1.2.10", "OK", "ESREG 0", "OK", "EAPPVER rev26e", "OK"]


def test_product_options_answer_with_cr_alone(lab):
    async def story(host):
        await host.ok("SKSREG SFE 0")
        host.raw.clear()
        for line in (b"ROPT\r", b"WOPT 01\r", b"ROPT\r", b"RUART\r", b"WOPT 7\r", b"SKVER\r\n"):
            await host.write(line)
            await asyncio.sleep(0.1)
        return bytes(host.raw)

    assert lab.run(story) == b"OK 00\rOK\rOK 01\rOK 00\rFAIL ER06\rEVER 1.2.10\r\nOK\r\n"


def test_wopt_survives_reset_and_counts_as_a_flash_write(lab):
    async def story(host):
        await host.ok("WOPT 01")
        await host.ok("SKRESET")
        return await host.command("ROPT"), host.world.sk.flash.writes

    assert lab.run(story) == (["OK 01"], 1)


def test_skll64_is_one_line_without_ok(lab):
    async def story(host):
        await host.ok("SKSREG SFE 0")
        first = len(host.items)
        await host.write(b"SKLL64 " + MAC.encode() + b"\r\n")
        await asyncio.sleep(5)
        return host.texts(first)

    assert lab.run(story) == [IP]
    assert mac_of(IP) == bytes.fromhex(MAC)
    assert mac_of("FF02:0000:0000:0000:0000:0000:0000:0001") is None


def test_registers_read_back_what_was_set(lab):
    async def story(host):
        for line in ("SKSREG S2 39", "SKSREG S03 8cf5", "SKSREG SFF 1", "SKSREG S16 3c"):
            await host.ok(line)
        names = ("S02", "S3", "S0A", "S16", "S17", "SFE", "SFB", "S7")
        return [(await host.command(f"SKSREG {name}"))[0] for name in names]

    assert lab.run(story) == [
        "ESREG 39", "ESREG 8CF5", "ESREG CCDDEEFF", "ESREG 0000003C", "ESREG 1", "ESREG 1",
        "ESREG 0", "ESREG 00000000",
    ]  # fmt: skip


def test_lifetime_default_differs_by_edition(lab):
    async def story(host):
        return (await host.command("SKSREG S16"))[0]

    assert lab.run(story, kind="bp35a1") == "ESREG 00000384"
    assert lab.run(story, kind="bp35c2") == "ESREG 00015180"


def test_setting_the_id_sets_the_pairing_id(lab):
    async def story(host):
        await host.ok("SKSETRBID " + lab.rbid)
        return (await host.command("SKSREG S0A"))[0]

    assert lab.run(story) == "ESREG " + lab.rbid[-8:]


def test_reset_forgets_registers_and_keys_and_the_session(lab):
    async def story(host):
        await host.joined()
        await host.ok("SKRESET")
        modem = host.world.module.modem
        assert modem.pac.session is None
        assert modem.rbid is None and modem.password is None
        assert host.world.node.paa.session is not None  # the meter was not told
        lines = [(await host.command(f"SKSREG {r}"))[0] for r in ("S2", "S3", "S0A", "SFE")]
        return lines, await host.command("SKTERM")

    lines, end = lab.run(story)
    assert lines == ["ESREG 21", "ESREG FFFF", "ESREG CCDDEEFF", "ESREG 1"]
    assert end == ["FAIL ER10"]


def test_saved_registers_load_at_power_on_and_not_after_reset(lab):
    async def story(host):
        for line in ("SKSREG S2 3B", "SKSREG S3 1234", "SKSREG SFF 1", "SKSAVE", "SKRESET"):
            await host.ok(line)
        after_reset = (await host.command("SKSREG S2"))[0]
        host.world.module.power_cycle()
        await asyncio.sleep(3)
        after_power = (await host.command("SKSREG S2"))[0]
        await host.ok("SKERASE")
        return after_reset, after_power, await host.command("SKLOAD")

    assert lab.run(story) == ("ESREG 21", "ESREG 3B", ["FAIL ER10"])


def test_a_booting_module_hears_nothing(lab):
    async def story(host):
        host.world.module.power_cycle()
        await host.write(b"SKVER\r\n")
        await asyncio.sleep(BOOT_MS / 1000 + 0.1)
        assert host.raw == b""
        return await host.command("SKVER")

    assert lab.run(story) == ["EVER 1.2.10", "OK"]


def test_wuart_changes_the_baud_rate_at_the_next_power_on(lab):
    async def story(host):
        module = host.world.module
        await host.ok("WUART 03")
        before = module.baud
        module.power_cycle()
        await asyncio.sleep(3)
        assert module.baud == 9_600
        await host.write(b"SKVER\r\n")
        await asyncio.sleep(1)
        assert b"EVER" not in host.raw  # at the wrong rate nothing makes sense
        host.line.baud = 9_600
        await host.write(b"\r\n")  # ends what the junk began
        await asyncio.sleep(0.1)
        return before, await host.command("SKVER")

    before, version = lab.run(story)
    assert before == 115_200
    assert version[-1] == "OK"


def test_tables(lab):
    async def story(host):
        await host.ok(f"SKADDNBR {IP} {MAC}")
        return [await host.command(f"SKTABLE {kind}") for kind in ("1", "2", "E")]

    own, neighbours, ports = lab.run(story, kind="bp35a1")
    assert own[0] == "EADDR" and own[1].startswith("FE80:") and own[2] == "OK"
    assert neighbours == ["ENEIGHBOR", f"{IP} {MAC} FFFF", "OK"]
    assert ports == ["EPORT", *"3610 716 0 0 0 0 3610 0 0 0".split(), "OK"]
    own, neighbours, ports = lab.run(story, kind="bp35c2")
    assert neighbours == ["ENEIGHBOR", f"{IP} {MAC}", "OK"]
    assert ports == ["EPORT", *"3610 716 19788 0 0 0".split(), "OK"]


def test_the_neighbour_cache_forgets_the_oldest(lab):
    async def story(host):
        for i in range(20):
            mac = f"001C6400000000{i:02X}"
            await host.ok(f"SKADDNBR {address(bytes.fromhex(mac))} {mac}")
        return len(host.world.module.modem.neighbours), await host.command("SKTABLE 2")

    for kind, size in (("bp35a1", 8), ("bp35c2", 16)):
        count, table = lab.run(story, kind=kind)
        assert count == size
        assert "001C640000000013" in table[-2]


def test_ports(lab):
    async def story(host):
        clash = await host.command("SKUDPPORT 4 0E1A")
        await host.ok("SKUDPPORT 4 0E1B")
        return clash, await host.command("SKTABLE E")

    clash, table = lab.run(story, kind="bp35c2")
    assert clash == ["FAIL ER10"]
    assert table[4] == "3611"
    clash, table = lab.run(story, kind="bp35a1")
    assert clash == ["OK"] and table[4] == "0"  # only after SKSAVE and power-on


def test_sleep_and_waking(lab):
    async def dual(host):
        await host.ok("SKDSLEEP")
        await asyncio.sleep(0.1)
        await host.write(b"\r\n")
        await host.until("EVENT C0", seconds=1)
        return await host.command("SKVER")

    async def single(host):
        await host.ok("SKDSLEEP")
        await asyncio.sleep(0.1)
        await host.write(b"SKVER\r\n")
        await host.quiet("EVER", seconds=5)
        host.world.module.wake()
        await host.until("EVENT C0", seconds=1)
        return await host.command("SKVER")

    assert lab.run(dual, kind="bp35c2")[-1] == "OK"
    assert lab.run(single, kind="bp35a1")[-1] == "OK"


def test_replies_take_a_moment_unless_prompt(lab):
    async def story(host):
        t = host.now()
        await host.command("SKVER")
        return host.now() - t

    assert 0.001 < lab.run(story) < 0.02
    assert lab.run(story, quirks=Quirks(prompt=True)) == 0.0


def test_a_hung_module_says_nothing_until_its_power_is_cycled(lab):
    async def story(host):
        module = host.world.module
        module.hang(None)
        await host.write(b"SKVER\r\n")
        await host.quiet("", seconds=100)
        module.power_cycle()
        await asyncio.sleep(3)
        first = await host.command("SKVER")
        module.hang(2_000)
        await asyncio.sleep(2.1)
        return first, await host.command("SKVER")

    assert lab.run(story) == (["EVER 1.2.10", "OK"],) * 2
