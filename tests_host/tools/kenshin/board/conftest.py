"""Virtual boards, and `kenshin board` as its user starts it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from meterlab.board import VirtualBoard
from meterlab.runtimes import Runtime, find_runtimes
from setup.build import build

ROOT = Path(__file__).resolve().parents[4]
SECONDS = 120

Make = Callable[..., VirtualBoard]
Kenshin = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make build` makes."""
    folder = tmp_path_factory.mktemp("built")
    build(ROOT / "firmware", folder)
    return folder


@pytest.fixture(scope="session")
def runtime() -> Runtime:
    """The one that is most like a board."""
    found = sorted(find_runtimes(), key=lambda one: one.bits)
    if not found:
        pytest.skip("no MicroPython on this machine")
    return found[0]


@pytest.fixture
def make_board(runtime: Runtime, tmp_path: Path) -> Iterator[Make]:
    """Starts a board whose flash holds a folder's files, or nothing."""
    boards: list[VirtualBoard] = []

    def make(flash: Path | None = None, **options: Any) -> VirtualBoard:
        options = {"runtime": runtime, "heap": "100K"} | options
        boards.append(VirtualBoard(flash or tmp_path / f"blank{len(boards)}", **options))
        return boards[-1].start()

    yield make
    for board in boards:
        board.stop()


@pytest.fixture
def kenshin() -> Kenshin:
    """`kenshin board ...` on a virtual board; `code` is the exit code it must have."""

    def run(
        board: VirtualBoard, command: str, *words: str | Path, code: int = 0, **options: Any
    ) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "kenshin", "board", command, "--port", str(board.serial)]
            + [str(word) for word in words],
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
            env=os.environ | options.pop("env", {}),
            stdin=None if "input" in options else subprocess.DEVNULL,
            **options,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done

    return run
