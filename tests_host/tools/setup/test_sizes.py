"""What stays in a board's memory is weighed."""

from __future__ import annotations

from pathlib import Path

import pytest

from setup import sizes
from setup.sizes import Built

ROOT = Path(__file__).resolve().parents[3]


def test_what_is_lazy_or_no_code_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sizes, "LAZY", {"gateway/check": "on demand"})
    built = [
        Built("gateway/app.mpy", 1000),
        Built("gateway/check.mpy", 5000),
        Built("gateway/help.txt", 7000),
    ]
    assert sizes.resident(built) == 1000
    lines = "\n".join(sizes.report(built))
    assert "not resident: on demand" in lines and "not resident: not code" in lines
    assert "OVER" not in lines


def test_over_budget_is_said_for_package_and_total() -> None:
    built = [Built("boards/hw.mpy", 3073), Built("gateway/app.mpy", 40 * 1024)]
    lines = {line.split()[0]: line for line in sizes.report(built)}
    assert lines["boards"].endswith("OVER")
    assert lines["resident"].endswith("OVER")
    assert not lines["echonet"].endswith("OVER")


def test_every_lazy_module_exists_and_has_a_reason() -> None:
    for module, why in sizes.LAZY.items():
        assert (ROOT / "firmware" / "lib" / f"{module}.py").exists(), module
        assert len(why) > 10, module


def test_a_module_has_a_budget_too() -> None:
    most = sizes.MODULE_BUDGET
    built = [Built("gateway/a.mpy", most), Built("gateway/b.mpy", most + 1)]
    built.append(Built("gateway/help.txt", most * 2))
    assert sizes.too_large(built) == [built[1]]
