"""The shared tests on MicroPython: the runner there, and how pytest collects and reports it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from meterlab.runtimes import Runtime, find_runtimes

ROOT = Path(__file__).resolve().parents[3]
RUNNER = ROOT / "tests_host" / "upy" / "run.py"

MIXED = """
import asyncio
from helpers import hex_, raises, run, skip

def test_passes():
    assert hex_("10 81\\n00") == b"\\x10\\x81\\x00"
    assert str(raises(ValueError, int, "x"))

def test_skips():
    skip("not here")

def test_fails():
    wrong = 2
    assert wrong == 1, "wrong is %d" % wrong

def test_is_cancelled():
    async def cancelled():
        raise asyncio.CancelledError
    run(cancelled())

def test_exits():
    raise SystemExit(0)

def test_raises_nothing():
    raises(ValueError, int, "1")
"""

runtimes = pytest.mark.parametrize("runtime", find_runtimes(), ids=str)


def run(
    runtime: Runtime, path: Path, *words: str, heap: str = "256k"
) -> subprocess.CompletedProcess[str]:
    command = [*runtime.argv, "-X", f"heapsize={heap}", str(RUNNER), str(path), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)


@runtimes
def test_each_function_counts_by_what_it_did(tmp_path: Path, runtime: Runtime) -> None:
    path = tmp_path / "test_mixed.py"
    path.write_text(MIXED)
    done = run(runtime, path)
    lines = done.stdout.splitlines()
    assert done.returncode == 1
    assert lines[-1] == "1 passed, 4 failed, 1 skipped"
    assert "ok test_passes" in lines and "skip test_skips not here" in lines
    assert [line for line in lines if line.startswith("FAIL")] == [
        "FAIL test_exits",
        "FAIL test_fails",
        "FAIL test_is_cancelled",
        "FAIL test_raises_nothing",
    ]
    assert "AssertionError: wrong is 2" in lines
    assert any("test_mixed.py" in line and "line 14" in line for line in lines), done.stdout


@runtimes
def test_one_function_can_be_named(tmp_path: Path, runtime: Runtime) -> None:
    path = tmp_path / "test_mixed.py"
    path.write_text(MIXED)
    done = run(runtime, path, "test_passes")
    assert (done.returncode, done.stdout) == (
        0,
        "ok test_passes\n1 passed, 0 failed, 0 skipped\n",
    )
    assert run(runtime, path, "test_absent").returncode != 0


@runtimes
def test_what_cannot_be_told_a_pass_fails(tmp_path: Path, runtime: Runtime) -> None:
    empty = tmp_path / "test_empty.py"
    empty.write_text("def helper():\n    pass\n")
    assert run(runtime, empty).returncode == 1
    broken = tmp_path / "test_broken.py"
    broken.write_text("import no_such_module\ndef test_a():\n    pass\n")
    done = run(runtime, broken)
    assert done.returncode != 0 and "no_such_module" in done.stdout + done.stderr
    large = tmp_path / "test_large.py"
    large.write_text("def test_large():\n    bytearray(100_000)\n")
    assert run(runtime, large, heap="64k").returncode == 1
    assert run(runtime, large, heap="512k").returncode == 0


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of what the collection needs, with one shared test of each outcome."""
    for name in ("tests_host/conftest.py", "tests_host/upy", "tests_host/firmware/helpers.py"):
        goal = tmp_path / name
        goal.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, goal)
        else:
            shutil.copy(ROOT / name, goal)
    (tmp_path / "tools" / "meterlab").mkdir(parents=True)
    shutil.copy(ROOT / "tools/meterlab/runtimes.py", tmp_path / "tools/meterlab")
    (tmp_path / "tools/meterlab/__init__.py").write_text("")
    shutil.copytree(ROOT / "tools/setup", tmp_path / "tools/setup")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    package = tmp_path / "firmware" / "lib" / "echonet"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("VALUE = 3\n")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "typings").symlink_to(ROOT / ".cache" / "typings")
    return tmp_path


def collect(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    runtime = find_runtimes()[0]
    environment = {**os.environ, "MICROPYTHON": " ".join(runtime.argv)}
    environment.pop("PYTEST_XDIST_WORKER", None)
    command = [sys.executable, "-m", "pytest", *words]
    return subprocess.run(
        command,
        cwd=project,
        env=environment,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


needs_one = pytest.mark.skipif(not find_runtimes(), reason="no MicroPython on this machine")


@needs_one
@pytest.mark.parametrize("jobs", [(), ("-n", "1")], ids=["alone", "xdist"])
def test_a_shared_file_is_one_item_for_each_runtime(project: Path, jobs: tuple[str, ...]) -> None:
    folder = project / "tests_host/firmware/echonet"
    folder.mkdir()
    (folder / "test_value.py").write_text(
        "import echonet\nfrom helpers import skip\n"
        "def test_value():\n    assert echonet.VALUE == 3\n"
        "def test_skipped():\n    skip('this one')\n"
    )
    (folder / "host_value.py").write_text(
        "import sys\ndef test_host():\n    assert sys.platform\n"
    )
    done = collect(project, *jobs)
    assert done.returncode == 0, done.stdout
    summary = done.stdout.splitlines()[-1]
    assert "3 passed, 2 skipped" in summary
    assert f"micropython: $MICROPYTHON {find_runtimes()[0].version}" in done.stdout
    assert "no 32-bit MicroPython on this machine" in done.stdout
    assert "skipped on MicroPython: tests_host/firmware/echonet/test_value.py" in done.stdout
    assert "test_skipped this one" in done.stdout


@needs_one
def test_a_failure_on_micropython_only_is_a_failure_and_shown(project: Path) -> None:
    (project / "tests_host/firmware/test_which.py").write_text(
        "import sys\n"
        "def test_which():\n    assert sys.implementation.name == 'cpython', 'what it said'\n"
    )
    done = collect(project)
    assert done.returncode == 1
    assert "1 failed, 1 passed, 1 skipped" in done.stdout.splitlines()[-1]
    assert "FAIL test_which" in done.stdout and "what it said" in done.stdout
    assert 'File "test_which", line 3' in done.stdout


@needs_one
def test_a_source_that_does_not_compile_fails_where_it_is_imported(project: Path) -> None:
    (project / "firmware/lib/echonet/broken.py").write_text("def f(:\n")
    folder = project / "tests_host/firmware"
    (folder / "test_broken.py").write_text("def test_it():\n    import echonet.broken\n")
    (folder / "test_sound.py").write_text("def test_it():\n    import echonet\n")
    done = collect(project)
    assert "2 failed, 2 passed" in done.stdout.splitlines()[-1]
    assert "SyntaxError" in done.stdout


@needs_one
def test_a_runtime_that_will_not_do_stops_the_run(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MICROPYTHON", "/no/such/micropython")
    command = [sys.executable, "-m", "pytest"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=100)
    assert done.returncode == 4 and "Set MICROPYTHON" in done.stderr
