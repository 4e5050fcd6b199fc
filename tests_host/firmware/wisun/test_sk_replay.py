"""Sessions recorded from real modules, played to the driver: what it writes, what it understands.

P1 BP35A1, ak1211/m5stickc-wisunhat; P2 BP35C2, hsakoh/broute-mqtt issue 5; P3 RL7023 Stick-D/DSS,
u-one/smartmeter-checker; P4 RL7023 Stick-D/IPS, hakase329/Wi-Sun_RL7023_Test. The times are the
recordings' own. Where one begins later than our driver does, or breaks off, the rest is marked
`not recorded`.
"""

import binascii

from fakeradio import PASSWORD, RBID, Clock, Rig, Script
from helpers import hex_, run
from wisun import Pan
from wisun.skstack import SkStack

CHUNKS = (1, 2, 3, 5, 13, 64, 4096)


def probe_steps(echo, version, own, option, app=b"EAPPVER rev26e\r\nOK\r\n"):
    def step(line, reply):
        return (line + b"\r\n", (line + b"\r\n" if echo else b"") + reply)

    return [
        (
            b"\r\nSKVER\r\n",
            (b"\r\nSKVER\r\n" if echo else b"") + b"EVER " + version + b"\r\nOK\r\n",
        ),
        step(b"SKSREG SFE 0", b"OK\r\n"),
        step(b"SKINFO", b"EINFO " + own + b"\r\nOK\r\n"),
        step(b"SKAPPVER", app),
        step(b"ROPT", option),
    ]


def play(steps, scene):
    for chunk in CHUNKS:
        rig = Rig(SkStack, Script(Clock(), steps, chunk))
        run(rig.play(scene))
        assert rig.wire.steps == []
        assert rig.driver.counters["garbage"] == 0
        for line in rig.log.lines:
            assert RBID not in line and PASSWORD not in line


# -- P1: BP35A1, single hop, hexadecimal, echo off

P1_IP = b"0000:0000:0000:0000:0000:0000:0000:0000"
P1_ALL = b"FF02:0000:0000:0000:0000:0000:0000:0001"
P1_MAC = b"0000000000000000"


def p1_erxudp(data, destination=P1_IP):
    head = b"ERXUDP %s %s 0E1A 0E1A %s 1 %04X " % (P1_IP, destination, P1_MAC, len(data) // 2)
    return head + data.encode() + b"\r\n"


def p1_event(code, tail=b""):
    return b"EVENT " + code + b" " + P1_IP + tail + b"\r\n"


# (request, ms until EVENT 21, ms until the answer, answer)
P1_POLLS = (
    ("1081000105FF010288016201D300", 157, 212, "1081000102880105FF015201D300"),
    ("1081000105FF010288016201E100", 129, 467, "1081000102880105FF017201E10102"),
    ("1081000105FF010288016201D700", 180, 466, "1081000102880105FF017201D70107"),
    (
        "1081000105FF010288016201EA00",
        142,
        416,
        "1081000102880105FF017201EA0B07E6080114000000012CC7",
    ),
    ("1081000105FF010288016201E700", 115, 365, "1081000102880105FF017201E704000004A8"),
    ("1081000105FF010288016201E800", 160, 365, "1081000102880105FF017201E80400620022"),
    ("1081000105FF010288016201E700", 276, 467, "1081000102880105FF017201E70400000430"),
)
P1_INF = "108103610EF0010EF0017301D50401028801"


def sendto(ip, data, side=b""):
    payload = hex_(data)
    return b"SKSENDTO 1 %s 0E1A 1 %s%04X " % (ip, side, len(payload)) + payload


def p1_steps():
    steps = probe_steps(
        False, b"1.2.10", P1_IP + b" " + P1_MAC + b" 21 0000 FFFE", b"OK 01\r"
    )  # not recorded
    steps += [
        (b"SKSETPWD C 000000000000\r\n", 4, b"OK\r\n"),
        (b"SKSETRBID " + b"0" * 32 + b"\r\n", 8, b"OK\r\n"),
        (b"SKSCAN 2 FFFFFFFF 4\r\n", 4, b"OK\r\n", 5318, p1_event(b"22")),
        (
            b"SKSCAN 2 FFFFFFFF 6\r\n",
            8,
            b"OK\r\n",
            16670,
            p1_event(b"20"),
            650,
            b"EPANDESC\r\n",
            3,
            b"  Channel:3B\r\n",
            1,
            b"  Channel Page:09\r\n",
            2,
            b"  Pan ID:0000\r\n",
            7,
            b"  Addr:0000000000000000\r\n",
            7,
            b"  LQI:B2\r\n",
            7,
            b"  PairID:00000000\r\n",
            663,
            p1_event(b"22"),
        ),
        (b"SKSREG S2 3B\r\n", 3, b"OK\r\n"),
        (b"SKSREG S3 0000\r\n", 4, b"OK\r\n"),
        (b"SKLL64 " + P1_MAC + b"\r\n", 103, P1_IP + b"\r\n"),
        (b"SKJOIN " + P1_IP + b"\r\n", 12, b"OK\r\n", 3327, p1_event(b"25")),
    ]
    for request, sent, answered, answer in P1_POLLS:
        reply = p1_event(b"21", b" 00") + b"OK\r\n"
        steps.append((sendto(P1_IP, request), sent, reply, answered, p1_erxudp(answer)))
    # The log shows no EVENT 21 here.
    steps.append(
        (
            sendto(P1_IP, P1_POLLS[5][0]),
            150,
            b"OK\r\n",
            313,
            p1_erxudp("1081000102880105FF017201E80400460025"),
        )
    )
    return steps


async def p1_scene(rig):
    driver = rig.driver
    info = await driver.probe()
    assert info == ("skstack", "single", "1.2.10", "rev26e", True)
    await driver.configure("0" * 32, "0" * 12)
    pan = await driver.find((4, 6))
    assert pan == Pan(0x3B, 0, bytes(8), -55, "00000000")
    assert (driver.rssi, driver.rssi_ms) == (-55, rig.clock.ms())
    start = rig.clock.ms()
    await driver.join(pan)
    assert rig.clock.ms() - start == 3 + 4 + 103 + 12 + 3327
    assert driver.joined and driver.gate is None
    for request, sent, answered, answer in P1_POLLS:
        start = rig.clock.ms()
        assert await driver.send(hex_(request)) == 0
        assert rig.clock.ms() - start == sent
        await rig.clock.sleep_ms(answered + 20)
        assert rig.datagrams.pop() == (hex_(answer), bytes(8), True, None)
    rig.wire.feed(p1_erxudp(P1_INF, P1_ALL))
    start = rig.clock.ms()
    assert await driver.send(hex_(P1_POLLS[5][0])) == 2
    assert rig.clock.ms() - start == 150 + 313
    data = [entry[0] for entry in rig.datagrams]
    assert data == [hex_(P1_INF), hex_("1081000102880105FF017201E80400460025")]
    names = [name for name, value in rig.events]
    assert names == ["beacon", "joined"] + ["sent"] * len(P1_POLLS)


def test_p1_bp35a1():
    play(p1_steps(), p1_scene)


# -- P2: BP35C2, dual stack, echo that stays on

P2_OWN = b"FE80:0000:0000:0000:021D:1291:0002:0608"
P2_METER = b"FE80:0000:0000:0000:021C:6400:036E:8CF5"
P2_FRAME = "108101000EF0010EF0017301D5040105FF01"


def p2_steps():
    own = P2_OWN + b" 001D129100020608 21 FFFF 0"
    steps = probe_steps(True, b"1.5.2", own, b"OK 01\r")  # not recorded

    def step(line, *reply):
        return (line + b"\r\n", line + b" \r\n") + reply

    return (
        steps
        + [
            step(b"SKSREG SFE 0", b"OK\r\n"),  # not recorded: up to SKSETRBID
            step(b"SKSREG SA2", b"ESREG 1\r\nOK\r\n"),
            step(b"SKSETPWD C 0123456789AB", b"OK\r\n"),
            step(b"SKSETRBID " + RBID.encode(), b"OK\r\n"),
            step(
                b"SKSCAN 2 FFFFFFFF 5 0",
                b"OK\r\n",
                8000,
                b"EVENT 20 " + P2_OWN + b" 0\r\n",
                b"EPANDESC\r\n",
                b"  Channel:39\r\n",
                b"  Channel Page:09\r\n",
                b"  Pan ID:8CF5\r\n",
                # not recorded: the rest of the scan
                b"  Addr:001C6400036E8CF5\r\n  LQI:E1\r\n  Side:0\r\n  PairID:CCDDEEFF\r\n",
                2000,
                b"EVENT 22 " + P2_OWN + b" 0\r\n",
            ),
            step(b"SKSREG S2 39", b"OK\r\n"),  # not recorded: up to SKJOIN
            step(b"SKSREG S3 8CF5", b"OK\r\n"),
            step(b"SKLL64 001C6400036E8CF5", P2_METER + b"\r\n"),
            step(b"SKJOIN " + P2_METER, b"OK\r\n", 2000, b"EVENT 25 " + P2_METER + b" 0\r\n"),
            (
                sendto(P2_METER, P2_FRAME, b"0 "),
                sendto(P2_METER, P2_FRAME, b"0 ")[:-18] + b"\r\n",
                b"EVENT 21 " + P2_METER + b" 0 00\r\n",
                b"OK\r\n",
            ),
        ]
    )


async def p2_scene(rig):
    driver = rig.driver
    assert (await driver.probe()).edition == "dual"
    await driver.configure(RBID, PASSWORD)
    pan = await driver.find()
    assert pan == Pan(0x39, 0x8CF5, hex_("001C6400036E8CF5"), -42, "CCDDEEFF")
    await driver.join(pan)
    assert await driver.send(hex_(P2_FRAME)) == 0
    assert rig.named("reboot") == []


def test_p2_bp35c2_with_echo():
    play(p2_steps(), p2_scene)


# -- P3: RL7023 Stick-D/DSS, dual stack, authentication in raw data

P3_OWN = b"FE80:0000:0000:0000:021D:1290:0000:0574"
P3_METER = b"FE80:0000:0000:0000:021C:6400:030C:12A4"
P3_MAC = b"001C6400030C12A4"
P3_PANA = (
    "00000068800000021C2FF4B1D1A295A900050000001000004B744356B55EDD26172429E83BC6372A0002000000380000"
    "015A00382F008A7F842BD41B4C0902258E791A8FF605534D3030303030303030303030303030303030303030303030303030"
    "303030303030",
    "00000054800000021C2FF4B1D1A295AA00020000003B0000015B003B2F808A7F842BD41B4C0902258E791A8FF605914D"
    "A6E50C90EDE8ACC05E035979BA4A00000000C639CE0D16CC74349C8F6DF9FF9D6EA1D200",
    "00000058A00000021C2FF4B1D1A295AB0007000000040000000000000002000000040000035B00040004000000040000"
    "000009010008000000040000000151800001000000100000B9B1F3AB2BE9C5790EBFB61474B34AAF",
)
P3_INF = "108100000EF0010EF0017301D50401028801"


def p3_erxudp(data, port=b"02CC", secured=b"0"):
    data = hex_(data)
    head = b"ERXUDP %s %s %s %s %s %s 0 %04X " % (
        P3_METER,
        P3_OWN,
        port,
        port,
        P3_MAC,
        secured,
        len(data),
    )
    return head + data + b"\r\n"


def p3_steps():
    own = P3_OWN + b" 001D129000000574 21 FFFF 0"
    sent = b"EVENT 21 " + P3_METER + b" 0 00\r\n"
    pana = [p3_erxudp(data) + sent for data in P3_PANA]
    joined = b"EVENT 25 " + P3_METER + b" 0\r\n" + p3_erxudp(P3_INF, b"0E1A", b"1")
    return probe_steps(False, b"1.5.2", own, b"FAIL ER04\r\n", b"FAIL ER04\r\n") + [
        (
            b"SKSCAN 2 FFFFFFFF 6 0\r\n",
            b"OK\r\n",
            b"EVENT 20 "
            + P3_OWN
            + b" 0\r\nEPANDESC\r\n  Channel:33\r\n  Channel Page:09\r\n  Pan ID:12A4\r\n"
            b"  Addr:001C6400030C12A4\r\n  LQI:98\r\n  Side:0\r\n  PairID:00ABCDEF\r\n",
            b"EVENT 22 " + P3_OWN + b" 0\r\n",
        ),
        (b"SKSREG S2 33\r\n", b"OK\r\n"),
        (b"SKSREG S3 12A4\r\n", b"OK\r\n"),
        (b"SKLL64 " + P3_MAC + b"\r\n", P3_METER + b"\r\n"),
        (
            b"SKJOIN " + P3_METER + b"\r\n",
            b"OK\r\n",
            100,
            pana[0],
            200,
            pana[1],
            200,
            pana[2] + joined,
        ),
    ]


async def p3_scene(rig):
    driver = rig.driver
    assert await driver.probe() == ("skstack", "dual", "1.5.2", None, True)
    pans = await driver.scan()
    assert pans == [Pan(0x33, 0x12A4, hex_("001C6400030C12A4"), -62, "00ABCDEF")]
    await driver.join(pans[0])
    await rig.clock.sleep_ms(1)
    assert driver.counters["pana"] == 3
    assert rig.datagrams == [(hex_(P3_INF), hex_("001C6400030C12A4"), True, None)]
    kept = bytes(driver._parser._buf)
    for data in P3_PANA:
        assert kept.find(hex_(data)[8:24]) < 0


def test_p3_rl7023_dss():
    assert [len(hex_(data)) for data in P3_PANA] == [0x68, 0x54, 0x58]
    play(p3_steps(), p3_scene)


# -- P4: RL7023 Stick-D/IPS, single hop, hexadecimal only

P4_LINE = (
    b"ERXUDP FE80:0000:0000:0000:021C:6400:0364:831F FE80:0000:0000:0000:1207:23FF:FEA0:7898 "
    b"0E1A 0E1A "
    b"001C64000364831F 1 001E 1081000102880105FF017203E7040000055EE80400000082E00400052155\r\n"
)


async def p4_scene(rig):
    assert await rig.driver.probe() == ("skstack", "single", "1.2.8", None, True)
    rig.wire.feed(P4_LINE)
    await rig.clock.sleep_ms(1)
    frame = hex_("1081000102880105FF017203E7040000055EE80400000082E00400052155")
    assert rig.datagrams == [(frame, hex_("001C64000364831F"), True, None)]
    assert binascii.unhexlify(P4_LINE[-62:-2]) == frame


def test_p4_rl7023_ips():
    own = b"FE80:0000:0000:0000:1207:23FF:FEA0:7898 100723FFFEA07898 21 FFFF FFFE "
    play(probe_steps(True, b"1.2.8", own, b"FAIL ER04\r\n", b"FAIL ER04\r\n"), p4_scene)
