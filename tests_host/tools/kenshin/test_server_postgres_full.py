"""The disk under a real PostgreSQL is full: not now; nothing acknowledged is lost; it goes on."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from bench.postgres import Cluster, NoPostgres, binaries
from kenshin.server import gateways, queries
from kenshin.server.store import Store, database_url

LIMIT = 60.0
SIZE = (
    220 * 2**20
)  # bytes of the volume: an empty cluster has some 60 MB, and its log 16 MB a piece
BATCH = 2000


@pytest.fixture
def volume():
    """A small file system in memory; mounting one is for root."""
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("a small volume cannot be mounted here: only root may")
    folder = Path(tempfile.mkdtemp(prefix="kenshin-full-"))  # PostgreSQL's account must reach it
    folder.chmod(0o755)
    command = ["mount", "-t", "tmpfs", "-o", f"size={SIZE},mode=755", "kenshin", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    if done.returncode:
        folder.rmdir()
        pytest.skip(f"a small volume cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True, timeout=LIMIT)
    folder.rmdir()


@pytest.fixture
def small(volume):
    try:
        binaries()
    except NoPostgres as error:
        pytest.skip(str(error))
    cluster = Cluster(durable=True, folder=volume, max_wal_size="64MB")
    yield cluster
    cluster.close()


def test_a_full_disk_under_postgresql_loses_nothing_and_ends(small, volume, start, instant):
    url = small.create("kenshin")
    store = Store(database_url(url))
    with store.writing() as connection:
        added = gateways.add(connection, "home", 1)
        ours = gateways.find(connection, added.code).id
    server = start("--db", url)
    begin = int(time.time()) - 20 * 86_400
    acked = 0  # batches

    def post():
        rows = [instant(n, begin + n, n % 900) for n in range(acked * BATCH, (acked + 1) * BATCH)]
        return server.client.post(
            "/api/v1/readings",
            json={"v": 1, "stream": 1, "readings": rows},
            headers={"Authorization": f"Bearer {added.token}"},
            timeout=LIMIT,
        )

    assert post().status_code == 200
    acked = 1
    # Somebody else fills the disk, but for a little.
    ballast = volume / "ballast"
    free = shutil.disk_usage(volume).free - 3 * 2**20
    ballast.write_bytes(bytes(free))
    until = time.monotonic() + LIMIT
    while (answer := post()).status_code == 200 and time.monotonic() < until:
        acked += 1
    assert answer.status_code == 503, answer.text
    assert int(answer.headers["retry-after"]) > 0
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "/problems/unavailable"
    # It stays so, and the server stays.
    for _ in range(3):
        assert post().status_code == 503
    assert server.process.poll() is None
    ballast.unlink()
    # PostgreSQL ends itself when even its log cannot be written: systemd would start it again.
    if not small.alive():
        small.start(durable=True)
    while (answer := post()).status_code == 503 and time.monotonic() < until:
        time.sleep(0.2)
    assert answer.status_code == 200, answer.text
    acked += 1
    with store.reading() as connection:
        times = {
            row.t
            for first in range(0, acked)
            for row in queries.readings(
                connection,
                ours,
                ["instant"],
                begin + first * BATCH,
                begin + (first + 1) * BATCH,
                BATCH,
            ).readings
        }
        known = queries.gateway(connection, added.code)
        assert known is not None
    store.close()
    assert times == set(range(begin, begin + acked * BATCH))
    assert known.stored == acked * BATCH
    said = server.errors.read_text()
    assert "the disk is full" in said or "the database does not answer" in said
    assert added.token not in said and "Traceback" not in said
