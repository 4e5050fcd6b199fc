"""A board loads one driver; the J11 driver alone keeps to the budget of all."""

from __future__ import annotations

from pathlib import Path

from setup.build import compile_tree
from setup.sizes import BUDGETS, LAZY

WISUN = Path(__file__).resolve().parents[3] / "firmware" / "lib" / "wisun"
# Loaded for a while, beside the rest.
SETUP = "j11_setup"
LARGEST_SETUP = 3 * 1024


def test_the_driver_alone(tmp_path: Path) -> None:
    built = {one.module: one.size for one in compile_tree(WISUN, tmp_path)}
    modules = {name for name in built if name.startswith("j11")}
    assert all("wisun/" + name in LAZY for name in modules)
    size = sum(built[name] for name in (modules - {SETUP}) | {"__init__", "link"})
    assert 4096 < size <= BUDGETS["wisun"]
    assert built[SETUP] <= LARGEST_SETUP
