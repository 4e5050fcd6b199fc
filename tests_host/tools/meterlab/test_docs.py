"""docs/simulator.md names everything there is, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from meterlab import settings
from meterlab.control import DEEDS
from meterlab.metering import METERS
from meterlab.scenario import loads, shipped
from meterlab.trouble import GROUPS
from meterlab.world import KINDS

TEXT = (Path(__file__).parents[3] / "docs/simulator.md").read_text("utf-8")
WORDS = {word.split()[0] for word in re.findall(r"`([^`\n]+)`", TEXT)}


@pytest.mark.parametrize("names", [KINDS, METERS, shipped(), settings.NAMES, DEEDS, GROUPS])
def test_everything_is_named(names):
    assert set(names) <= WORDS


def test_nothing_is_named_that_does_not_exist():
    parts = {name.partition(".")[0] for name in [*settings.NAMES, *DEEDS]}
    named = {word for word in WORDS if re.fullmatch(r"[a-z]+\.[a-z_]+", word)}
    named = {word for word in named if word.partition(".")[0] in parts}
    assert named == {*settings.NAMES, *DEEDS}


def test_the_example_is_one():
    example = re.search(r"```toml\n(.*?)```", TEXT, re.S)
    assert example is not None
    scenario = loads(example[1])
    assert len(scenario.told) == 5 and scenario.drawn is not None
