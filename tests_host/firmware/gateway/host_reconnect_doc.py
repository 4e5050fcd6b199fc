"""docs/reconnect.md says what the ladder's tables say, and all of it."""

from __future__ import annotations

import re
from pathlib import Path

from gateway import ladder

DOC = Path(__file__).resolve().parents[3] / "docs" / "reconnect.md"


def tables() -> dict[str, list[list[str]]]:
    """By the first word of its head, the rows of each table of the page."""
    found: dict[str, list[list[str]]] = {}
    rows: list[list[str]] = []
    for line in DOC.read_text(encoding="utf-8").splitlines():
        if not line.startswith("|"):
            rows = []
            continue
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if not rows:
            rows = found[cells[0]] = [cells]
        elif not set(cells[0]) <= set("-:"):
            rows.append(cells)
    return {name: table[1:] for name, table in found.items()}


def test_the_table_is_the_codes() -> None:
    rows = [
        (state, cause, int(n), step, goal) for state, cause, n, step, goal in tables()["State"]
    ]
    assert rows == list(ladder.TABLE)


def test_every_cause_and_every_step_is_explained() -> None:
    causes = [row[0] for row in tables()["Cause"]]
    assert sorted(causes) == sorted({row[1] for row in ladder.TABLE})
    steps = {name for row in tables()["Step"] for name in row[0].split(", ")}
    assert steps == {*ladder.STEPS, "climb"}
    assert all(len(row[1]) > 5 for row in tables()["Cause"] + tables()["Step"])


def test_the_rungs_of_a_climb() -> None:
    rows = {row[0]: (tuple(row[1].split(", ")), int(row[2][:-2])) for row in tables()["Climb"]}
    assert rows == {name: (rungs, ladder.LAST[name]) for name, rungs in ladder.CLIMB.items()}


def test_the_pauses_and_the_bound() -> None:
    text = " ".join(DOC.read_text(encoding="utf-8").split())
    pauses = ", ".join(map(str, ladder.PAUSES))
    dead = ", ".join(map(str, ladder.PAUSES_DEAD))
    assert f"Pauses before a step: {pauses} s" in text
    assert f"{dead} s while the module is dead" in text
    assert f"{ladder.WAIT} s for the budget" in text
    match = re.search(
        r"at most (\d+) in the first hour of a silence, and (\d+) within .* begin (\d+) s "
        r"apart, .* come sooner: (\d+) at first, .* later on (\d+); .* listened to every (\d+) s; "
        r".* first (\d+) refusals in a row one (\d+) s later",
        text,
    )
    assert match
    assert tuple(map(int, match.groups())) == (
        ladder.MOST,
        ladder.MOST_LATER,
        ladder.APART,
        ladder.QUICK,
        ladder.QUICK_LATER,
        ladder.LOOK,
        ladder.REFUSALS,
        ladder.PAUSES[1],
    )
