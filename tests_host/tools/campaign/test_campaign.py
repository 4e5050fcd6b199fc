"""A short campaign, that a seed is the same each time, and the command."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from campaign.__main__ import main, report
from campaign.draw import CALM_S, HOUSE, KINDS, draw
from campaign.play import play, stamp
from meterlab.trouble import CATALOGUE

ROOT = Path(__file__).resolve().parents[3]
DAYS = 2.0
SEEDS = range(10)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_short_campaign(seed: int) -> None:
    outcome = play(seed, DAYS)
    assert outcome.trouble == [], "\n".join(report(outcome))
    assert outcome.figures["polls"] > DAYS * 1_440 * 0.6


def test_a_seed_is_the_same_each_time() -> None:
    """In another process with another hash seed too, and whatever was played before."""
    first = play(3, 0.5)
    play(4, 0.1)
    state = random.getstate()
    again = play(3, 0.5)
    assert random.getstate() == state
    assert (first.digest, first.figures) == (again.digest, again.figures)
    command = [sys.executable, "-m", "campaign", "--seed", "3", "--days", "0.5"]
    path = os.pathsep.join(str(ROOT / p) for p in ("firmware/lib", "tools", "tools/shim"))
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.stdout.splitlines()[-1] == "digest " + first.digest
    assert play(4, 0.5).digest != first.digest


def test_all_modules_have_their_turn() -> None:
    assert {draw(seed, 10).kind for seed in range(len(KINDS))} == set(KINDS)


def test_all_faults_are_drawn_and_none_is_out_of_place() -> None:
    names: set[str] = set()
    for seed in range(100):
        scenario = draw(seed, 10)
        assert scenario == draw(seed, 10)
        names.update(fault.name for fault in scenario.faults)
        assert all(fault.end_s <= 10 * 86_400 - CALM_S for fault in scenario.faults)
        mine = [fault for fault in scenario.faults if fault.name.startswith(HOUSE)]
        assert all(a.end_s <= b.at_s for a, b in pairwise(mine))
    assert names == {kind.name for kind in CATALOGUE} | {
        HOUSE + part for part in ("net", "time", "server", "board")
    }


def test_the_command_tells_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "2", "--first", "4", "--days", "0.1", "--jobs", "2"]) == 0
    text = capsys.readouterr().out
    assert "seed   4" in text and "seed   5" in text
    assert "2 seeds" in text and "no-wrong-value" in text


def test_the_command_refuses_nonsense(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--days", "0"])
    assert "more than nothing" in capsys.readouterr().err


def test_a_moment_is_told_as_day_and_time() -> None:
    assert stamp(2 * 86_400 + 3_723.5) == "2d 01:02:03.500"
