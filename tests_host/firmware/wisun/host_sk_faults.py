"""The driver: any commands, cancelled at any time, with any fault. Then it works again."""

from __future__ import annotations

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from fakemodule import Module
from fakeradio import MAC, PASSWORD, RBID, Clock, Rig
from wisun import Pan, RadioError
from wisun.skstack import SkStack

PAN = Pan(0x39, 0x8CF5, MAC, None, "CCDDEEFF")
GET = bytes.fromhex("1081000105FF010288016201E700")
LIMIT_MS = 400_000

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
WORDS = ("SKVER", "SKINFO", "SKSREG", "ROPT", "SKSCAN", "SKLL64", "SKJOIN", "SKSENDTO", "SKTERM")
EVENTS = ("21", "24", "25", "26", "27", "28", "29", "32", "33", "C0")

STEPS = st.lists(
    st.tuples(
        st.sampled_from(sorted(ACTIONS)),
        # cancelled after so many ms
        st.one_of(st.none(), st.sampled_from([0, 1, 25, 250, 3000, 9000, 12000])),
        # this command gets: nothing, a late OK, noise, a FAIL
        st.one_of(
            st.none(),
            st.tuples(
                st.sampled_from(WORDS),
                st.sampled_from(
                    [
                        None,
                        (7000, b"OK\r\n"),
                        b"\x00\xff\r",
                        b"FAIL ER10\r\n",
                        b"FAIL ER05\r\n",
                        b"OK",
                    ]
                ),
            ),
        ),
        # said all of a sudden
        st.one_of(st.none(), st.sampled_from(EVENTS), st.binary(max_size=40)),
        st.booleans(),  # the UART takes half of what is written
    ),
    max_size=8,
)


@given(STEPS, st.booleans(), st.sampled_from([None, b"00", b"01"]), st.sampled_from([1, 7, 4096]))
@settings(max_examples=120, deadline=None)
def test_it_works_again(steps, dual: bool, option: bytes | None, chunk: int) -> None:
    async def scene(rig: Rig) -> None:
        driver, module = rig.driver, rig.wire
        for name, cancelled, fault, said, stalled in steps:
            module.replies = {fault[0].encode(): fault[1]} if fault else {}
            module.stalled = stalled
            task = asyncio.create_task(ACTIONS[name](driver))
            if isinstance(said, bytes):
                module.feed(said)
            elif said:
                module.feed(module.event(said.encode(), b"01" if said == "21" else b""))
            start = rig.clock.ms()
            if cancelled is not None:
                await rig.clock.sleep_ms(cancelled)
                task.cancel()
            try:
                await task
            except (asyncio.CancelledError, RadioError):
                pass
            assert rig.clock.ms() - start <= LIMIT_MS
            assert driver.gate in (None, "refreshing", "limited")
        module.replies = {}
        module.stalled = False
        module.registers[b"SFB"] = b"0"
        await driver.probe()
        await driver.configure(RBID, PASSWORD)
        assert PAN.mac in [pan.mac for pan in await driver.scan()]
        await driver.join(PAN)
        rig.clear()
        module.answers.append(GET)
        assert await driver.send(GET) == 0
        await rig.clock.sleep_ms(0)
        assert [entry[0] for entry in rig.datagrams] == [GET]
        assert module.payloads == [GET]

    rig = Rig(SkStack, Module(Clock(), dual=dual, option=option, chunk=chunk))
    asyncio.run(rig.play(scene))
