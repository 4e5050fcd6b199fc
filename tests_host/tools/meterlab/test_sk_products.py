"""What sets the SKSTACK products apart, product by product."""

from __future__ import annotations

import pytest

from meterlab.modules.base import Quirks

# kind: SIDE, options, data in hexadecimal as delivered, SKAPPVER's answer, last field of EINFO
TABLE = {
    "bp35a1": (False, True, False, "EAPPVER rev26e", "FFFE"),
    "wsr35a1": (False, True, False, "EAPPVER rev26e", "FFFE"),
    "bp35c0": (True, True, False, "EAPPVER rev17", "0"),
    "bp35c2": (True, True, False, "EAPPVER rev17", "0"),
    "rs-wsuha-p": (True, True, False, "EAPPVER rev17", "0"),
    "cube-j1": (True, True, False, "EAPPVER rev17", "0"),
    "rl7023-ips": (False, False, True, "EAPPVER rev26e", "FFFE "),
    "rl7023-dss": (True, False, True, "FAIL ER04", "0"),
    "rl7023-dss-binary": (True, False, False, "FAIL ER04", "0"),
}


@pytest.mark.parametrize("kind", TABLE)
def test_a_product_as_delivered(lab, kind):
    dual, options, hexed, appver, last = TABLE[kind]

    async def story(host):
        echoed = (await host.command("SKVER"), host.items[0].text)
        assert echoed[1] == "SKVER"
        assert (await host.command("SKAPPVER"))[0] == appver
        assert (await host.command("SKINFO"))[0].endswith(" " + last)
        rest = "SKSCAN 2 FFFFFFFF 6"
        assert (await host.command(rest + ("" if dual else " 0")))[-1] == "FAIL ER05"
        option = await host.command("ROPT")
        assert option[-1] == ("OK 00" if options else "FAIL ER04")
        await host.joined()
        host.raw.clear()
        answer = await host.get(0xE7)
        assert (answer.hex().upper().encode() in host.raw) == hexed
        assert (answer in host.raw) != hexed
        return (await host.command("SKSREG SA2 1"))[-1]

    rssi = lab.run(story, kind=kind, seed=2)
    assert rssi == ("OK" if dual or kind == "rl7023-ips" else "FAIL ER06")


def test_the_transmit_power_of_the_general_edition_is_where_others_have_the_rssi(lab):
    async def story(host):
        await host.ok("SKSREG SA2 1")
        await host.joined()
        # No RSSI comes of it.
        item = next(i for i in reversed(host.items) if i.text.startswith("ERXUDP"))
        return len(item.text.split()), host.world.module.modem.counters["transmit power set"]

    assert lab.run(story, kind="rl7023-ips", seed=2) == (8, 1)


def test_a_scan_without_ok(lab):
    async def story(host):
        await host.write(b"SKSCAN 2 FFFFFFFF 6\r\n")
        await host.until("EVENT 22", seconds=30)
        return [text for text in host.texts() if text == "OK"]

    assert lab.run(story, quirks=Quirks(scan_unanswered=True)) == []
