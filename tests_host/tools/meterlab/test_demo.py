"""How `meterlab demo` ends: its exit code says whether a reading was lost."""

from __future__ import annotations

import json
import os
import pty
import time
import tty
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from meterlab.demo import cli
from meterlab.demo.owner import Console


@pytest.mark.parametrize(
    ("tally", "code"),
    [
        (cli.Tally(made=3, received=3, stored=2), 0),
        (cli.Tally(made=3, received=2, stored=2), 1),
        (cli.Tally(made=0, received=0, stored=0), 1),
    ],
)
def test_a_lost_reading_is_told_by_the_exit_code(
    tally: cli.Tally, code: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "main.py").touch()
    monkeypatch.setattr(cli, "BUILT", tmp_path)

    def run(_demo: cli.Demo) -> cli.Tally:
        return tally

    monkeypatch.setattr(cli.Demo, "run", run)
    app = typer.Typer()
    cli.register(app)
    done = CliRunner().invoke(app, ["--seconds", "1"])
    assert done.exit_code == code, done.output
    assert f"lost {tally.made - tally.received}" in done.output


def test_a_board_that_starts_anew_is_noticed() -> None:
    board, line = pty.openpty()
    tty.setraw(board)
    console = Console(Path(os.ttyname(line)))
    try:
        for uptime in (5, 6, 1, 2):
            os.write(board, json.dumps({"uptime": uptime}).encode() + b"\r\n")
        end = time.monotonic() + 60
        while console.state.get("uptime") != 2 and time.monotonic() < end:
            time.sleep(0.01)
        assert (console.state["uptime"], console.restarts) == (2, 1)
    finally:
        console.close()
        os.close(board)
        os.close(line)
