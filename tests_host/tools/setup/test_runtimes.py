"""Which runtimes are found, in which order, and what is said of those that will not do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meterlab import runtimes
from meterlab.runtimes import RuntimeUnfit

ROOT = Path(__file__).resolve().parents[3]


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def unfit(path: Path) -> str:
    with pytest.raises(RuntimeUnfit) as caught:
        runtimes.probe("one", (str(path),))
    return str(caught.value)


@pytest.fixture
def real() -> str:
    found = runtimes.cached()
    if not found:
        pytest.skip("no MicroPython on this machine")
    return found[0].argv[0]


@pytest.fixture(autouse=True)
def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MICROPYTHON", raising=False)
    runtimes.find_runtimes.cache_clear()


def test_another_python_is_refused() -> None:
    assert "this is cpython, not MicroPython" in unfit(Path(sys.executable))


def test_an_old_version_is_refused(tmp_path: Path) -> None:
    path = program(tmp_path, "old", "printf 'micropython 1.23.0\\n64\\n\\n'")
    assert "MicroPython 1.23.0 is older than 1.24" in unfit(path)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    path = program(tmp_path, "small", "printf 'micropython 1.26.0\\n32\\ntls vfs.VfsLfs2\\n'")
    assert "MicroPython 1.26.0 lacks tls vfs.VfsLfs2" in unfit(path)


def test_a_program_that_fails_is_quoted(tmp_path: Path) -> None:
    assert "no such library" in unfit(program(tmp_path, "bad", "echo no such library >&2; exit 1"))
    assert "said nothing" in unfit(program(tmp_path, "mute", "exit 0"))
    assert "No such file" in unfit(tmp_path / "absent")


def test_a_program_that_hangs_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes, "PROBE_SECONDS", 0.2)
    assert "no answer" in unfit(program(tmp_path, "slow", "exec sleep 20"))


def test_a_name_comes_before_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, real: str
) -> None:
    program(tmp_path, "micropython", f'exec {real} "$@"')
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert runtimes.find_runtimes()[0].argv == (str(tmp_path / "micropython"),)
    runtimes.find_runtimes.cache_clear()
    monkeypatch.setenv("MICROPYTHON", f"{real} -X heapsize=1m")
    found = runtimes.find_runtimes()
    assert found[0].name == "$MICROPYTHON"
    assert found[0].argv == (real, "-X", "heapsize=1m")
    assert all(one.bits != found[0].bits for one in found[1:])


def test_an_old_one_on_the_path_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "micropython", "printf 'micropython 1.19.1\\n64\\n\\n'")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert runtimes.on_path() is None


def test_a_name_that_will_not_do_is_an_error_that_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MICROPYTHON", "/no/such/micropython")
    with pytest.raises(RuntimeUnfit, match="Set MICROPYTHON to one that will do, or unset it"):
        runtimes.find_runtimes()


def test_a_broken_cache_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    program(tmp_path, "micropython-amd64", "exit 1")
    with pytest.raises(RuntimeUnfit, match="run `make setup` again"):
        runtimes.cached(tmp_path)


def test_the_cached_ones_are_what_they_say() -> None:
    for runtime in runtimes.cached():
        code = "import sys; print(sys.implementation.version[:3], sys.maxsize > 2**31)"
        done = subprocess.run(
            [*runtime.argv, "-c", code], capture_output=True, text=True, timeout=100, check=True
        )
        version = tuple(int(part) for part in runtime.version.split("."))
        assert done.stdout.strip() == f"{version} {runtime.bits == 64}"


def test_the_list_needs_no_installed_package() -> None:
    script = ROOT / "tools" / "setup" / "runtimes.py"
    done = subprocess.run(
        [sys.executable, "-I", "-S", script, "--list"],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    for runtime in runtimes.cached():
        assert f"{runtime.version:8} {runtime.bits}-bit" in done.stdout
