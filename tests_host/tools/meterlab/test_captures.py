"""Sessions captured from real modules, played again by a client that knows nothing of ours.

The client sends what was sent, when it was sent, and compares what comes with what came: the
text exactly, the time within what two runs of the hardware differ by. Addresses, which the
captures carry blanked, are the simulated ones; measured values are put into the meter.
"""

from __future__ import annotations

import asyncio

from meterlab.air import Link
from meterlab.metering import Equipment
from meterlab.modem import Traits

ALL_NODES = "FF02:0000:0000:0000:0000:0000:0000:0001"

# BP35A1, echo off after the first command, hex data; ms since boot.
# `{m}`, `{o}`: IPv6 of the meter and our own; `{mac}`, `{pan}`, `{pair}` of the meter.
P1 = """
  1668 > SKSREG SFE 0
  1670 > SKTERM
  2678 > SKSETPWD C 000000000000
  2682 < OK
  2685 > SKSETRBID 00000000000000000000000000000000
  2693 < OK
  2699 > SKSCAN 2 FFFFFFFF 4
  2703 < OK
  7375 > SKSCAN 2 FFFFFFFF 5
  7378 < OK
  8021 < EVENT 22 {o}
  8022 > SKSCAN 2 FFFFFFFF 6
  8030 < OK
 24700 < EVENT 20 {o}
 24700 < EPANDESC
 24700 <   Channel:3B
 24700 <   Channel Page:09
 24700 <   Pan ID:{pan}
 24700 <   Addr:{mac}
 24700 <   LQI:B2
 24700 <   PairID:{pair}
 26040 < EVENT 22 {o}
 26049 > SKLL64 {mac}
 26152 < {m}
 26166 > SKSREG S2 3B
 26169 < OK
 26177 > SKSREG S3 {pan}
 26181 < OK
 26190 > SKJOIN {m}
 26202 < OK
 29529 < EVENT 25 {m}
 29564 > SKSENDTO 1 {m} 0E1A 1 000E 1081000105FF010288016201D300
 29721 < EVENT 21 {m} 00
 29721 < OK
 29933 < ERXUDP {m} {o} 0E1A 0E1A {mac} 1 000E 1081000102880105FF015201D300
 32617 < ERXUDP {m} {all} 0E1A 0E1A {mac} 1 0012 108103610EF0010EF0017301D50401028801
 50205 > SKSENDTO 1 {m} 0E1A 1 000E 1081000105FF010288016201E100
 50334 < EVENT 21 {m} 00
 50334 < OK
 50801 < ERXUDP {m} {o} 0E1A 0E1A {mac} 1 000F 1081000102880105FF017201E10102
 70771 > SKSENDTO 1 {m} 0E1A 1 000E 1081000105FF010288016201D700
 70951 < EVENT 21 {m} 00
 70951 < OK
 71417 < ERXUDP {m} {o} 0E1A 0E1A {mac} 1 000F 1081000102880105FF017201D70107
 91388 > SKSENDTO 1 {m} 0E1A 1 000E 1081000105FF010288016201EA00
 91530 < EVENT 21 {m} 00
 91530 < OK
 91946 < ERXUDP {m} {o} 0E1A 0E1A {mac} 1 0019 1081000102880105FF017201EA0B07E6080114000000012CC7
111992 > SKSENDTO 1 {m} 0E1A 1 000E 1081000105FF010288016201E700
112107 < EVENT 21 {m} 00
112107 < OK
112472 < ERXUDP {m} {o} 0E1A 0E1A {mac} 1 0012 1081000102880105FF017201E704000004A8
132552 > SKSENDTO 1 {m} 0E1A 1 000E 1081000105FF010288016201E800
132712 < EVENT 21 {m} 00
132712 < OK
133077 < ERXUDP {m} {o} 0E1A 0E1A {mac} 1 0012 1081000102880105FF017201E80400620022
"""

VALUES = {0xEA: "07E6080114000000012CC7", 0xE7: "000004A8", 0xE8: "00620022"}

# How far a reply may be from its captured time, ms: by what it answers to.
SLACK = {"OK": 300, "EVENT 20": 700, "EVENT 22": 900, "EVENT 25": 3_500, "EVENT 21": 260}


def _steps(text: str):
    for line in text.strip("\n").splitlines():
        at, way, what = line[:6], line[7], line[9:]
        yield int(at), way, what


def test_p1_bp35a1(lab):
    async def story(host):
        world = host.world
        node = world.node
        node.channel = 0x3B
        for epc, edt in VALUES.items():
            world.meter.metering.getters[epc] = lambda edt=edt: bytes.fromhex(edt)
        world.meter._tid = 0x0361
        names = {
            "m": host.meter,
            "o": world.module.own,
            "mac": node.mac.hex().upper(),
            "pan": f"{node.pan_id:04X}",
            "pair": "00000000",
            "all": ALL_NODES,
        }
        expected = []
        for at, way, template in _steps(P1):
            line = template.format(**names)
            if way == "<":
                expected.append((at, line))
                continue
            await asyncio.sleep(max(at / 1000 - host.now(), 0))
            if line.startswith("SKSENDTO"):
                head, _, digits = line.rpartition(" ")
                await host.write(head.encode() + b" " + bytes.fromhex(digits))
            else:
                await host.write(line.encode() + b"\r\n")
        await asyncio.sleep(5)
        return expected, host.items

    plan = {
        "kind": "bp35a1",
        "hex_data": True,
        "equipment": Equipment(coefficient=None),
        "traits": Traits(forgetful=False),
        "link": Link(rssi=-55, tail=0.0),
    }
    expected, items = lab.run(story, rbid="0" * 32, password="0" * 12, **plan)
    got = [
        (item.t * 1000, item.text + (f" {item.payload.hex().upper()}" if item.payload else ""))
        for item in items
        if " 02CC " not in item.text
    ]
    # What the log's program did not print: the echo of the first command and its OK, the refusal
    # of SKTERM, and the transmit reports of the module's own PANA messages.
    assert [text for _, text in got[:3]] == ["SKSREG SFE 0", "OK", "FAIL ER10"]
    joined = next(i for i, (_, text) in enumerate(got) if text.startswith("EVENT 25"))
    begun = max(i for i, (_, text) in enumerate(got[:joined]) if text == "OK")
    assert all(t.startswith(("EVENT 21", "EVENT 02")) for _, t in got[begun + 1 : joined])
    got = got[3 : begun + 1] + got[joined:]
    for (due, line), (at, text) in zip(expected, got, strict=True):
        if "LQI:" in line:
            assert abs(int(text[6:], 16) - int(line[6:], 16)) <= 10
            continue
        assert text == line
        slack = next((ms for start, ms in SLACK.items() if line.startswith(start)), 700)
        if ALL_NODES in line:
            slack = 2_600  # "within about 3 s" after the join
        assert abs(at - due) <= slack, (line, at, due)


def test_p2_bp35c2_with_echo(lab):
    """The bytes on the wire, echo included, of a scan with a trailing space and of a send."""
    inf = bytes.fromhex("108101000EF0010EF0017301D5040105FF01")

    async def story(host):
        await host.joined()
        node, module = host.world.node, host.world.module
        await host.ok("SKSREG SFE 1")
        scans = []
        for _ in range(6):
            host.raw.clear()
            begun = host.now()
            await host.write(b"SKSCAN 2 FFFFFFFF 5 0 \r\n")
            await host.until("EVENT 22")
            heard = [i for i in host.items if i.t > begun and i.text.startswith("EVENT 20")]
            scans.append((bytes(host.raw), heard[0].t - begun if heard else None))
        host.raw.clear()
        await host.write(host.sendto(inf))
        await host.until("OK")
        return scans, bytes(host.raw), module.own, host.meter, node

    traits = Traits(cache=16, forgetful=False)
    scans, sent, own, meter, node = lab.run(story, kind="bp35c2", traits=traits)
    found = [(raw, heard) for raw, heard in scans if heard is not None]
    assert len(found) >= 2  # at this dwell, about two in three
    raw, heard = found[0]
    lines = raw.decode().split("\r\n")
    assert lines[:2] == ["SKSCAN 2 FFFFFFFF 5 0 ", "OK"]
    assert lines[2:7] == [
        f"EVENT 20 {own} 0", "EPANDESC", f"  Channel:{node.channel:02X}", "  Channel Page:09",
        f"  Pan ID:{node.pan_id:04X}",
    ]  # fmt: skip
    # The capture: channel 39, heard 8 s after the start.
    assert abs(heard - 8.0 * (node.channel - 0x21) / (0x39 - 0x21)) < 0.7
    head = f"SKSENDTO 1 {meter} 0E1A 1 0 0012 "
    assert sent.decode() == f"{head}\r\nEVENT 21 {meter} 0 00\r\nOK\r\n"
