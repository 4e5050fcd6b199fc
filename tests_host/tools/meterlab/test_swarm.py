"""Ten thousand gateways that come back together, by the board's own rule."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from meterlab.demo.parts import Server
from meterlab.swarm import Plan, play, simulate


def test_a_server_back_after_two_hours_is_not_run_over():
    plan = Plan(seconds=900)
    curve = simulate(plan)
    # Steadily it is 167 a second. A server that can do half as much again has no trouble.
    assert curve.peak() < 2 * plan.gateways / plan.interval
    assert curve.late == 0 and curve.slowest < 1000
    assert curve.current is not None and curve.current < 900


def test_without_the_rule_it_would_be():
    curve = simulate(Plan(seconds=900, naive=True))
    assert curve.late > 10_000 and curve.peak() > 500


def test_a_region_whose_power_comes_back_is_spread_over_a_minute():
    plan = Plan(power=True, seconds=180)
    curve = simulate(plan)
    first = [curve.arrived[s] for s in range(60)]
    assert sum(first) >= plan.gateways and max(first) < 2 * plan.gateways / 60
    assert curve.late == 0
    together = simulate(Plan(power=True, seconds=180, naive=True))
    assert together.arrived[0] == plan.gateways and together.late > 1000


def test_a_server_that_sheds_load_is_obeyed():
    plan = Plan(away=30, seconds=600, rate=250, queue=500)
    curve = simulate(plan)
    assert curve.shed > 0 and curve.late == 0
    # Told to wait, most come when they were told, and not all at once then.
    assert curve.current is not None and curve.current < 300
    after = [curve.arrived[s] for s in range(60, 600)]
    assert max(after) < 500


def test_the_curve_as_text_and_as_a_table():
    curve = simulate(Plan(gateways=100, away=60, seconds=120))
    lines = list(curve.lines(120, rows=4))
    assert len(lines) == 4 and lines[0].startswith("     0 s") and max(map(len, lines)) < 90
    table = list(curve.csv(120))
    assert table[0] == "second,arrived,answered" and len(table) == 121
    assert sum(int(row.split(",")[1]) for row in table[1:]) == sum(curve.arrived.values())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    part = Server(tmp_path_factory.mktemp("server"))
    part.ready()
    yield part
    part.stop()


def test_a_real_server_takes_a_small_swarm(server: Server):
    # An hour's backlog each: two batches at least.
    plan = Plan(gateways=20, away=3600, seconds=12)
    curve = asyncio.run(play(plan, server.url, server.token))
    answered = sum(curve.answered.values())
    assert curve.shed == 0 and curve.late == 0 and answered == sum(curve.arrived.values()) > 0
    assert server.received() > 64


def test_the_command(tmp_path: Path):
    table = tmp_path / "curve.csv"
    words = ["swarm", "--gateways", "200", "--away", "120", "--seconds", "300", "--csv", table]
    done = subprocess.run(
        [sys.executable, "-m", "meterlab", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "requests, at most" in done.stdout and "#" in done.stdout
    assert len(table.read_text().splitlines()) == 301


def test_a_real_server_needs_a_token():
    words = ["swarm", "--url", "http://127.0.0.1:1"]
    done = subprocess.run(
        [sys.executable, "-m", "meterlab", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and "--token" in done.stderr
