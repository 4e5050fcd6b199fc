"""A module that refuses a command, each of them and for an hour: the gateway keeps its pace, names
what is wrong, does what it can about it, and goes on when the module is willing again."""

from __future__ import annotations

import asyncio

import pytest

from house import House
from meterlab.modules.base import Quirks
from meterlab.pac import Pac
from meterlab.pana import Conduct

J11 = "bp35c1-j11-t01"
# What is asked for the session, and what is only nice to have.
NEEDED = [
    *(("bp35a1", word + " ER09") for word in ("SKVER", "SKINFO", "SKLL64", "SKJOIN", "SKSENDTO")),
    *(("bp35a1", word + " ER06") for word in ("SKSETPWD", "SKSETRBID", "SKSCAN", "SKSREG S2")),
    *(("bp35c2", word + " ER10") for word in ("SKSCAN", "SKSREG S2", "SKJOIN", "SKSENDTO")),
    *((J11, command) for command in ("006B 03", "0001 03", "005F 12", "0054 14", "0051 04")),
    *((J11, command) for command in ("0053 3E", "0005 12", "0056 36", "0008 06")),
]
SPARE = [
    *(("bp35a1", c + " ER04") for c in ("SKSREG SFE", "SKAPPVER", "ROPT", "WOPT", "SKTERM")),
    ("bp35c2", "SKSREG SA2 ER06"),
    (J11, "0057 34"),
    (J11, "00D9 03"),
]


def steps(h: House) -> int:
    return sum(n for name, n in h.told.items() if name.startswith("step."))


# The module has to be set up again, and the meter to be looked for.
@pytest.mark.parametrize(("kind", "refuse"), NEEDED)
def test_a_module_refuses_for_an_hour(
    kind: str, refuse: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_air: list[bytes] = []  # joins that asked the meter
    join = Pac.join

    def joining(pac: Pac, peer: bytes) -> None:
        on_air.append(peer)
        join(pac, peer)

    monkeypatch.setattr(Pac, "join", joining)

    async def story(h: House) -> None:
        h.board.on_pin = h.world.module.power_cycle
        await h.polling()
        h.do("quirks.refuse " + refuse)
        h.app.session.pan = None
        h.do("module.reset")
        await h.word("radio", None, 5)
        before = steps(h), len(on_air)
        named = 0
        for _ in range(360):
            await asyncio.sleep(10)
            named += h.status.worst()[0] == "radio"
        assert named > 340  # and not that all is well
        assert steps(h) - before[0] < 400
        # What the module refused before it asked the meter is no join.
        assert len(on_air) - before[1] <= 15
        assert "restart.meter" not in h.count and "restart.radio" not in h.count
        told = h.told
        assert told.get("step.pin", 0) > 0 and h.board.pin_resets == told["step.pin"]
        assert told.get("step.pin", 0) < 60
        h.do("quirks.refuse none")
        await h.polling(7)
        assert h.status.worst() == (None, None, None)

    House(kind=kind).run(story)


# Each time the meter lets it in, it leaves again as it should, and is not refused the next time:
# so the way back takes no more than what joins keep apart, whenever the module is willing again.
@pytest.mark.parametrize(
    ("kind", "refuse"),
    [("bp35a1", "SKSENDTO ER09"), ("bp35c2", "SKSENDTO ER10"), (J11, "0008 06")],
)
@pytest.mark.parametrize("minutes", [30, 34, 61])
def test_a_module_that_refuses_to_send_goes_on_when_it_is_willing(
    kind: str, refuse: str, minutes: int
) -> None:
    async def story(h: House) -> None:
        h.board.on_pin = h.world.module.power_cycle
        await h.polling()
        h.do("quirks.refuse " + refuse)
        await asyncio.sleep(minutes * 60)
        h.do("quirks.refuse none")
        joins = h.count["join"]
        await h.polling(7)
        assert h.count["join"] == joins + 1
        assert not h.world.node.paa.counters["refused stale"]

    House(kind=kind, conduct=Conduct(stale_refusals=(2, 2))).run(story)


@pytest.mark.parametrize(
    ("kind", "refuse"),
    [("bp35a1", "SKSENDTO ER09"), ("bp35c2", "SKSENDTO ER10"), (J11, "0008 06")],
)
def test_a_datagram_that_is_refused_once_costs_no_session(kind: str, refuse: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        refused = h.app.driver.counters["refused"]
        h.do("quirks.refuse " + refuse)
        while h.app.driver.counters["refused"] == refused:
            await asyncio.sleep(0.002)
        h.do("quirks.refuse none")
        await h.polling(2)
        assert h.count["join"] == 1 and "link.lost" not in h.count

    House(kind=kind).run(story)


@pytest.mark.parametrize(("kind", "refuse"), SPARE)
def test_what_is_only_nice_to_have_may_be_refused(kind: str, refuse: str) -> None:
    async def story(h: House) -> None:
        await h.polling()
        h.do("module.reset")
        await h.polling(7)
        h.do("session.drop")
        await h.polling(12)
        assert h.status.worst() == (None, None, None)
        assert not h.board.pin_resets

    House(kind=kind, quirks=Quirks(refuse=refuse)).run(story)
