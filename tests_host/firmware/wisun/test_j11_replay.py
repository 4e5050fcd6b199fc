"""The driver on a UART that plays known sessions, to the byte."""

from fakeradio import Clock, Rig, Script, caught
from helpers import hex_, run
from j11frames import (
    AUTHENTICATED,
    BOOTED,
    CREDENTIALS,
    CREDENTIALS_OK,
    END,
    ENDED,
    GET,
    INF,
    INF_HEARD,
    INIT,
    INIT_12,
    INIT_OK,
    LIMITED,
    MAC,
    MULTICAST,
    NO_ACK,
    NO_ANSWER,
    NO_BEACON,
    OPEN,
    OPEN_ALREADY,
    OPEN_OK,
    PANA,
    PANA_OK,
    PASSWORD,
    RBID,
    REFUSED,
    RES,
    RES_HEARD,
    RESET,
    SCAN,
    SCAN_LONG,
    SCAN_OK,
    SCANNED,
    SEND,
    SENT,
    START,
    STARTED,
    STATUS,
    STATUS_IS,
    STOP,
    STOPPED,
    VERSION,
    VERSION_IS,
)
from wisun import Info, JoinRefused, JoinTimeout, Pan
from wisun.j11 import J11
from wisun.j11_frame import RESPONSE, frame

# What the module says of its state: after power-up, set up, with a network, with a session.
NEW = frame(0x2001, b"\x01\x02\x01\x01", RESPONSE)
READY = frame(0x2001, b"\x01\x03\x01\x01", RESPONSE)
NETWORK = frame(0x2001, b"\x01\x03\x02\x01", RESPONSE)
SESSION = STATUS_IS[0]
LINKED = frame(0x2011, hex_("01 01 01 0050C2FFFEDC2822 BCDE 01 07 02"), RESPONSE)

PAN = Pan(0x31, 0xBCDE, MAC, -34, "CCDDEEFF")


# One command of the script: a known frame, or its bytes; and what is said then.
def step(command, *said):
    items = [command if isinstance(command, bytes) else command[0]]
    for item in said:
        items.append(item[0] if isinstance(item, tuple) else item)
    return tuple(items)


ASK_LINKED = frame(0x0011)
CHANNELS = [item for case in SCANNED for item in (700, case)]
REST = [
    item
    for channel in range(13, 18)
    for item in (700, frame(0x4051, bytes((1, channel)), RESPONSE))
]

PROBE = (step(VERSION, 26, VERSION_IS),)
CONFIGURE = (
    step(STATUS, 20, NEW),
    step(INIT, 20, INIT_OK),
    step(CREDENTIALS, 20, CREDENTIALS_OK),
)
FIND = (
    step(STATUS, 20, READY),
    step(SCAN, *(CHANNELS + REST + [20, SCAN_OK])),
)
JOIN = (
    step(STATUS, 20, READY),
    step(INIT_12, 20, INIT_OK),
    step(START, 700, STARTED),
    step(OPEN, 20, OPEN_OK),
    step(PANA, 20, PANA_OK, 4000, AUTHENTICATED, 2000, INF_HEARD),
)


def play(steps, scene, chunk=4096):
    rig = Rig(J11, Script(Clock(), steps, chunk))
    run(rig.play(scene))
    assert rig.wire.steps == []
    return rig


def test_the_session_of_the_application_note():
    steps = (step(RESET, 900, BOOTED),) + PROBE + CONFIGURE + FIND + JOIN
    steps += (step(SEND, 200, SENT, 300, RES_HEARD),)

    async def scene(rig):
        driver = rig.driver
        await driver.reset()
        info = await driver.probe()
        assert info == Info("j11", "dual", "1.3", "0000158A", False) == driver.info
        await driver.configure(RBID, PASSWORD)
        pan = await driver.find((6,))
        assert pan == PAN
        assert (driver.rssi, driver.rssi_ms) == (-34, rig.clock.ms())
        await driver.join(pan)
        assert (driver.joined, driver.gate) == (True, None)
        await rig.clock.sleep_ms(2000)
        assert await driver.send(memoryview(GET)) == 0
        await rig.clock.sleep_ms(300)
        assert rig.datagrams == [(INF, MAC, True, -34), (RES, MAC, True, -53)]
        assert driver.rssi == -53
        assert rig.events == [("beacon", None), ("joined", None), ("sent", 0)]
        assert not [n for n in driver.counters.values() if n]

    for chunk in (1, 7, 4096):
        play(steps, scene, chunk)


# In the middle of everything comes what was not asked for: all of it is understood.
def test_notifications_between_a_command_and_its_reply():
    said = (MULTICAST[0], 5, VERSION_IS[0], 5, MULTICAST[0])
    steps = list(PROBE)
    for one in CONFIGURE + FIND + JOIN + (step(SEND, 200, SENT, 300, RES_HEARD),):
        steps.append(one[:1] + said + one[1:])

    async def scene(rig):
        driver = rig.driver
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        await driver.join(await driver.find((6,)))
        assert await driver.send(GET) == 0
        await rig.clock.sleep_ms(300)
        assert rig.datagrams.count((RES, MAC, True, -53)) == 1
        assert driver.counters["stray"] == len(steps) - 1

    play(steps, scene)


# The host was restarted; the module has kept its session and nobody lost a minute.
def test_a_session_that_is_still_up():
    steps = PROBE + (
        step(STATUS, SESSION),
        step(STATUS, SESSION),
        step(ASK_LINKED, LINKED),
        step(OPEN, OPEN_ALREADY),
        step(SEND, SENT, RES_HEARD),
    )

    async def scene(rig):
        driver = rig.driver
        start = rig.clock.ms()
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        await driver.join(Pan(0x31, 0xBCDE, MAC, None, None))
        assert driver.joined
        assert rig.events == [("joined", None)]
        assert await driver.send(GET) == 0
        assert rig.clock.ms() - start < 50

    play(steps, scene)


# It was somebody else's meter: another house, or the settings of another test.
def test_a_session_with_another_meter():
    other = frame(0x2011, hex_("01 01 01 0050C2FFFEDC9999 1234 01 07 02"), RESPONSE)
    steps = (
        PROBE
        + (
            step(STATUS, SESSION),
            step(STATUS, SESSION),
            step(ASK_LINKED, other),
            step(END, ENDED),
            step(STOP, STOPPED),
            step(INIT_12, INIT_OK),
            step(CREDENTIALS, CREDENTIALS_OK),
        )
        + JOIN[2:]
    )

    async def scene(rig):
        driver = rig.driver
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        await driver.join(PAN)
        assert rig.events == [("ended", None), ("joined", None)]

    play(steps, scene)


# On its network but without a session: an earlier run of the host came that far.
def test_a_network_that_is_joined_already():
    steps = PROBE + (
        step(STATUS, NETWORK),
        step(CREDENTIALS, CREDENTIALS_OK),
        step(STATUS, NETWORK),
        step(ASK_LINKED, LINKED),
        step(OPEN, OPEN_ALREADY),
        step(PANA, PANA_OK, AUTHENTICATED),
    )

    async def scene(rig):
        driver = rig.driver
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        await driver.join(PAN)
        assert driver.joined

    play(steps, scene)


# After its end the credentials must be given again.
def test_leaving_and_joining_again():
    again = (
        step(END, 20, ENDED),
        step(STATUS, NETWORK),
        step(STOP, STOPPED),
        step(CREDENTIALS, CREDENTIALS_OK),
        step(START, STARTED),
        step(OPEN, OPEN_OK),
        step(PANA, PANA_OK, AUTHENTICATED),
    )

    async def scene(rig):
        driver = rig.driver
        await driver.configure(RBID, PASSWORD)
        await driver.join(PAN)
        await driver.leave()
        assert not driver.joined
        await driver.join(PAN)
        assert [name for name, _ in rig.events] == ["joined", "ended", "joined"]

    play(CONFIGURE + JOIN + again, scene)


def test_how_an_authentication_ends():
    for case, error in ((REFUSED, JoinRefused), (NO_ANSWER, JoinTimeout)):
        steps = CONFIGURE + JOIN[:4] + (step(PANA, 20, PANA_OK, 9000, case),)
        # Nothing is to be done anew for the next try.
        steps += (step(STATUS, NETWORK), step(PANA, PANA_OK, AUTHENTICATED))

        async def scene(rig, case=case, error=error):
            driver = rig.driver
            await driver.configure(RBID, PASSWORD)
            await caught(error, driver.join(PAN))
            assert (driver.joined, driver.gate) == (False, None)
            assert rig.events == [("join-failed", case[2][0])]
            await driver.join(PAN)
            assert driver.joined

        play(steps, scene)


# 12 minutes is what the module would take; after one it is reset, and set up anew by the next try.
def test_an_authentication_that_nobody_answers():
    steps = CONFIGURE + JOIN[:4]
    steps += (step(PANA, 20, PANA_OK), step(STATUS, NETWORK), step(RESET, 900, BOOTED))
    steps += (step(STATUS, NEW), step(INIT_12, INIT_OK), step(CREDENTIALS, CREDENTIALS_OK))
    steps += JOIN[2:]

    async def scene(rig):
        driver = rig.driver
        await driver.configure(RBID, PASSWORD)
        start = rig.clock.ms()
        await caught(JoinTimeout, driver.join(PAN))
        assert 60000 < rig.clock.ms() - start < 63000
        assert rig.events == []
        await driver.join(PAN)
        assert rig.events == [("joined", None)]

    play(steps, scene)


# Its end was lost on the line: the module knows that there is a session.
def test_an_authentication_whose_end_is_not_heard():
    steps = CONFIGURE + JOIN[:4] + (step(PANA, 20, PANA_OK), step(STATUS, SESSION))

    async def scene(rig):
        driver = rig.driver
        await driver.configure(RBID, PASSWORD)
        await driver.join(PAN)
        assert driver.joined
        assert rig.events == [("joined", None)]

    play(steps, scene)


def test_no_beacon():
    steps = CONFIGURE + JOIN[:2]
    steps += (step(START, 2500, NO_BEACON),) * 2 + JOIN[2:]
    steps += (step(END, ENDED), step(STATUS, READY), step(CREDENTIALS, CREDENTIALS_OK))
    steps += (step(START, 2500, NO_BEACON),) * 3

    async def scene(rig):
        driver = rig.driver
        await driver.configure(RBID, PASSWORD)
        await driver.join(PAN)
        assert driver.joined
        await driver.leave()
        error = await caught(JoinTimeout, driver.join(PAN))
        assert "beacon" in str(error)

    play(steps, scene)


# Longer and longer, as long as nothing is heard.
def test_finding():
    nothing = [frame(0x4051, bytes((1, channel)), RESPONSE) for channel in range(4, 18)]
    steps = CONFIGURE + (
        step(STATUS, READY),
        step(SCAN, *(nothing + [SCAN_OK])),
        step(STATUS, READY),
        step(SCAN_LONG, *(nothing + [SCAN_OK])),
        step(STATUS, READY),
        step(SCAN_LONG, SCANNED[8], SCAN_OK),
    )

    async def scene(rig):
        driver = rig.driver
        await driver.configure(RBID, PASSWORD)
        assert await driver.find((6, 8)) is None
        assert driver.rssi is None
        assert await driver.find((8, 6)) == PAN

    play(steps, scene)


def test_what_becomes_of_a_datagram():
    for case, sent, names in (
        (SENT, 0, ["sent"]),
        (NO_ACK, 1, ["sent"]),
        (LIMITED, 1, ["limited", "sent"]),
    ):
        steps = CONFIGURE + JOIN + (step(SEND, 200, case),)

        async def scene(rig, case=case, sent=sent, names=names):
            driver = rig.driver
            await driver.configure(RBID, PASSWORD)
            await driver.join(PAN)
            rig.events.clear()
            assert await driver.send(GET) == sent
            assert [name for name, _ in rig.events] == names
            assert driver.gate == ("limited" if case == LIMITED else None)

        play(steps, scene)
