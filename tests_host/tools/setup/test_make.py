"""What `make` offers, and the words for a machine that lacks something."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import micropython

ROOT = Path(__file__).resolve().parents[3]
FIND_PYTHON = ROOT / "tools" / "setup" / "find-python"


def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def test_every_target_is_in_the_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony
    told = run("make", "--no-print-directory", "help").stdout
    for target in phony[1].split():
        if target != "all":
            assert re.search(rf"^  {target} +[A-Z]", told, re.MULTILINE), target
    for target in ("setup", "demo", "test", "lint", "bench", "clean"):
        assert f"\n  {target} " in told


def test_the_demo_and_the_tests_build_what_they_run() -> None:
    for target in ("demo", "test", "flash"):
        told = run("make", "--no-print-directory", "-n", "-o", "setup", target).stdout
        assert "setup.build" in told, target


def test_a_good_python_is_taken() -> None:
    done = run(FIND_PYTHON, PYTHON=sys.executable)
    assert (done.returncode, done.stdout.strip()) == (0, sys.executable)


def test_an_old_python_is_not_taken_and_said(tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = run(FIND_PYTHON, PYTHON=str(old))
    assert done.returncode == 1 and done.stdout == ""
    assert str(old) in done.stderr and "3.11 or later" in done.stderr


def test_the_ci_script_is_sound() -> None:
    assert run("bash", "-n", ROOT / ".ci" / "run").returncode == 0
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o100


def test_every_package_of_the_tools_is_installed() -> None:
    finder = pytest.importorskip("setuptools")
    found: set[str] = set()
    for where, names in (("tools", ("kenshin", "meterlab")), ("firmware/lib", ("echonet",))):
        packages = set(finder.find_packages(str(ROOT / where)))
        for name in names:
            assert name in packages
            found |= {package for package in packages if package.split(".")[0] == name}
            for path in (ROOT / where / name).rglob("*.py"):
                folder = path.parent.relative_to(ROOT / where)
                if "__pycache__" in folder.parts or STAND_INS in folder.parts:
                    continue
                assert ".".join(folder.parts) in packages, f"{folder} has no __init__.py"
    assert "setup" not in found


# The folder of MicroPython code inside meterlab.board, shipped as data.
STAND_INS = "standins"


def test_the_shim_does_what_shared_code_needs() -> None:
    assert micropython.const(5) == 5

    @micropython.native
    def doubled(value: int) -> int:
        return 2 * value

    @micropython.viper
    def tripled(value: int) -> int:
        return 3 * value

    assert (doubled(4), tripled(4)) == (8, 12)
    level = micropython.opt_level()
    micropython.opt_level(2)
    assert micropython.opt_level() == 2
    micropython.opt_level(level)
    called: list[object] = []
    micropython.schedule(called.append, 7)
    assert called == [7]
