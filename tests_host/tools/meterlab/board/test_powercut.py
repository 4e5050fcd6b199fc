"""A sample of the power cuts; `make powercut` tries every one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kenshin.server import gateways, wire
from kenshin.server.ingest import ingest
from kenshin.server.store import Store, database_url
from meterlab.board import powercut
from meterlab.runtimes import Runtime, find_runtimes

RUNTIMES = find_runtimes()
EVERY = 29
START = 7  # the numbers for the very first reading are being reserved
NOW = 1_800_500_000  # UTC; all of the story lies before


@pytest.fixture(scope="module")
def firmware(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("firmware")
    powercut.make(folder)
    return folder


@pytest.mark.parametrize("runtime", RUNTIMES, ids=lambda r: r.name)
@pytest.mark.timeout(300)
def test_no_cut_loses_what_was_kept(runtime: Runtime, firmware: Path) -> None:
    result = powercut.run(runtime, firmware, EVERY, START, timeout=280)
    assert result.cuts == -(-(result.operations - START) // EVERY) >= 15
    assert result.promised > 100 * result.cuts
    assert result.again > result.cuts // 2
    assert result.lost == 0


@pytest.mark.skipif(not RUNTIMES, reason="no MicroPython on this machine")
@pytest.mark.timeout(300)
def test_a_single_reading_would_be_missed(firmware: Path) -> None:
    result = powercut.run(RUNTIMES[0], firmware, 4 * EVERY, 100, hide=True, timeout=280)
    assert result.lost == result.cuts >= 3


@pytest.mark.skipif(not RUNTIMES, reason="no MicroPython on this machine")
@pytest.mark.timeout(300)
def test_without_the_flush_there_is_a_loss(firmware: Path) -> None:
    result = powercut.run(RUNTIMES[0], firmware, 3 * EVERY, 40, control=True, timeout=280)
    assert result.lost > 10


@pytest.mark.skipif(not RUNTIMES, reason="no MicroPython on this machine")
@pytest.mark.timeout(300)
def test_the_real_server_stores_nothing_twice(firmware: Path, tmp_path: Path) -> None:
    """What was uploaded before and after a cut, taken by the server's own ingest."""
    result = powercut.run(RUNTIMES[0], firmware, 5 * EVERY, 17, show=True, timeout=280)
    assert len(result.bodies) == result.cuts >= 3
    again = 0
    for cut, bodies in result.bodies:
        store = Store(database_url(str(tmp_path / f"{cut}.db")))
        moments: set[tuple[str, int]] = set()
        stored = sent = 0
        with store.writing() as connection:
            gateways.add(connection, "home", NOW)
            gateway = gateways.find(connection, "home")
            for stream, text in bodies:
                body = f'{{"v":1,"stream":{stream},"readings":[{text}],"status":{{}}}}'
                outcome = ingest(connection, gateway.id, wire.parse(body.encode()), NOW)
                rows = json.loads(f"[{text}]")
                assert outcome.conflicts == 0 and outcome.rejected == []
                assert sum(last - first + 1 for first, last in outcome.ack) == len(rows)
                stored += outcome.stored
                sent += len(rows)
                moments.update((row[1], row[2]) for row in rows)
        store.close()
        assert stored == len(moments), "none is stored twice"
        again += sent - stored
    assert again, "some were sent twice"
