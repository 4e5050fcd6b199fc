"""Virtual boards with the shipped files, for the stories of their owners."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from boardline import SECONDS, Line
from meterlab.board import VirtualBoard
from meterlab.board.process import parse_size
from meterlab.runtimes import Runtime, find_runtimes
from setup.build import build

ROOT = Path(__file__).resolve().parents[2]

Make = Callable[..., Line]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies on a board."""
    folder = tmp_path_factory.mktemp("board")
    build(ROOT / "firmware", folder, frozenset({"App", "console", "serve"}))
    return folder


@pytest.fixture(params=find_runtimes(), ids=str)
def start(request: pytest.FixtureRequest, files: Path, tmp_path: Path) -> Iterator[Make]:
    """Switches a board on, whose files `prepare(folder)` may have changed; its serial line."""
    boards: list[VirtualBoard] = []
    lines: list[Line] = []

    def make(prepare: Callable[[Path], None] | None = None, **options: Any) -> Line:
        runtime: Runtime = request.param
        folder = files
        if prepare:
            folder = tmp_path / "files"
            subprocess.run(["cp", "-r", str(files), str(folder)], check=True, timeout=SECONDS)
            prepare(folder)
        # What a board has; objects of 64 bits are twice as large.
        heap = parse_size(options.pop("heap", "100K")) * runtime.bits // 32
        boards.append(VirtualBoard(folder, runtime=runtime, heap=heap, **options))
        boards[0].start()
        lines.append(Line(boards[0]))
        return lines[0]

    yield make
    for line in lines:
        line.port.close()
    for board in boards:
        board.stop()
