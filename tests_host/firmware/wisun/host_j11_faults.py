"""The driver: any commands, cancelled at any time, with any fault. Then it works again."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from fakej11 import PAN_ID, J11Module
from fakeradio import Clock, Rig
from j11frames import MAC, PASSWORD, RBID
from wisun import Pan, RadioError
from wisun.j11 import J11

PAN = Pan(0x31, PAN_ID, MAC, None, "CCDDEEFF")
GET = bytes.fromhex("1081000105FF010288016201E700")
# The longest that one call may take. A join of a minute has some seconds to clean up after itself,
# and may have to wait for a scan that was given up.
LIMIT_MS = 60_000
JOIN_MS = 90_000

ACTIONS = {
    "probe": lambda driver: driver.probe(),
    "configure": lambda driver: driver.configure(RBID, PASSWORD),
    "scan": lambda driver: driver.scan(),
    "join": lambda driver: driver.join(PAN),
    "send": lambda driver: driver.send(GET),
    "leave": lambda driver: driver.leave(),
    "reset": lambda driver: driver.reset(),
    "open_gate": lambda driver: driver.open_gate(70_000),
}
CODES = (0x01, 0x05, 0x08, 0x11, 0x51, 0x53, 0x54, 0x56, 0x57, 0x58, 0x5F, 0x6B, 0xD9)
RESULTS = (0x01, 0x03, 0x04, 0x0B, 0x0E, 0x10, 0x13, 0x34, 0x35, 0x37, 0x3D, 0x52, 0xF0, 0xF1)
SAID = (
    (0x6019, b""),
    (0x6028, b"\x01" + MAC),
    (0x6028, b"\x02" + MAC),
    (0x6028, b"\x03" + MAC),
    (0x601A, b"\x01" + MAC + b"\xc0"),
    (0x601A, b"\x02" + MAC + b"\xc0"),
    (0x601A, b"\x03" + MAC + b"\x00"),
    (0x601A, b"\x04" + MAC + b"\xc0"),
    (0x2008, b"\x01\x02"),
    (0x2FFF, b"\xf0"),
    (0xFFFF, b"\x03"),
    (0x4051, b"\x00\x0c\x01" + MAC + b"\xbc\xde\xc0"),
)

STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(ACTIONS)),
        # cancelled after so many ms
        st.one_of(st.none(), st.sampled_from([0, 1, 25, 250, 3000, 9000, 12000])),
        # this command gets: nothing, a result at once or late, noise
        st.one_of(
            st.none(),
            st.tuples(
                st.sampled_from(CODES),
                st.one_of(
                    st.none(),
                    st.tuples(st.sampled_from([0, 300, 2500, 7000]), st.sampled_from(RESULTS)),
                    st.binary(max_size=40),
                ),
            ),
        ),
        # said all of a sudden
        st.one_of(st.none(), st.sampled_from(SAID), st.binary(max_size=40)),
        st.booleans(),  # the UART takes half of what is written
        st.sampled_from([(3000, 1), (9000, 2), (50_000, 3), None]),  # how PANA goes
        st.sampled_from([0x00, 0x02, 0x05, 0x1F]),  # what becomes of a datagram
    ),
    max_size=8,
)


@given(STEPS, st.sampled_from([1, 7, 4096]))
@settings(max_examples=150)
def test_it_works_again(steps, chunk: int) -> None:
    async def scene(rig: Rig) -> None:
        driver, module = rig.driver, rig.wire
        for name, cancelled, fault, said, stalled, pana, result in steps:
            module.replies = {}
            if fault:
                code, reply = fault
                if isinstance(reply, tuple):
                    reply = (reply[0], module.frame(0x2000 | code, bytes((reply[1],))))
                module.replies[code] = reply
            module.stalled = stalled
            module.pana = pana
            module.send_result = result
            task = asyncio.create_task(ACTIONS[name](driver))
            if isinstance(said, bytes):
                module.feed(said)
            elif said:
                module.tell(*said)
            start = rig.clock.ms()
            if cancelled is not None:
                await rig.clock.sleep_ms(cancelled)
                task.cancel()
            try:
                await task
            except (asyncio.CancelledError, RadioError):
                pass
            assert rig.clock.ms() - start <= (JOIN_MS if name == "join" else LIMIT_MS)
            assert driver.gate in (None, "limited")
        module.replies = {}
        module.stalled = False
        module.pana = (3000, 1)
        module.send_result = 0
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        assert PAN.mac in [pan.mac for pan in await driver.scan()]
        # What a sudden word of the module made the driver believe, the meter's silence cures.
        await driver.leave()
        for _ in range(2):
            if driver.gate:
                await rig.clock.sleep_ms(61_000)
        await driver.join(PAN)
        rig.clear()
        module.answers.append(GET)
        assert await driver.send(GET) == 0
        await rig.clock.sleep_ms(0)
        assert [entry[0] for entry in rig.datagrams] == [GET]
        assert module.payloads == [GET]
        for line in rig.log.lines:
            assert RBID not in line and PASSWORD not in line

    rig = Rig(J11, J11Module(Clock(), chunk=chunk))
    asyncio.run(rig.play(scene))
