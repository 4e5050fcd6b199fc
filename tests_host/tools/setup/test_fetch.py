"""Fetching a runtime, with real apt, from an archive on this disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from meterlab.runtimes import RuntimeUnfit, cached, probe
from setup import apt, runtimes

ROOT = Path(__file__).resolve().parents[3]
RELEASE = "nextone"


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def fetch(archive: Any, cache: Path) -> Any:
    return runtimes.fetch(cache, archive.uri, RELEASE, archive.architecture, archive.keyring)


def contents(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def test_a_package_and_what_it_needs_become_a_runtime(archive: Any, cache: Path) -> None:
    runtime = fetch(archive, cache)
    name = f"micropython-{archive.architecture}"
    assert runtime.name == name
    assert contents(cache) == [archive.architecture, name]
    assert cached(cache) == [runtime]
    listed = (cache / archive.architecture / "PACKAGES").read_text().split()
    assert listed[0] == RELEASE and len(listed) == 3


def test_the_folder_can_be_moved(archive: Any, cache: Path, tmp_path: Path) -> None:
    name = fetch(archive, cache).name
    moved = tmp_path / "with a space"
    cache.rename(moved)
    link = tmp_path / "linked"
    link.symlink_to(moved / name)
    for program in (moved / name, link):
        done = subprocess.run(
            [program, "-c", "print(6 * 7)"], capture_output=True, text=True, timeout=99, check=True
        )
        assert done.stdout == "42\n"


def test_a_cut_download_leaves_nothing(archive: Any, cache: Path) -> None:
    archive.packages()[0].unlink()
    with pytest.raises(apt.AptError, match="Failed to fetch"):
        fetch(archive, cache)
    assert contents(cache) == []


def test_a_damaged_package_is_refused(archive: Any, cache: Path) -> None:
    package = archive.packages()[0]
    data = bytearray(package.read_bytes())
    data[len(data) // 2] ^= 1
    package.write_bytes(data)
    with pytest.raises(apt.AptError, match="Hash Sum mismatch"):
        fetch(archive, cache)
    assert contents(cache) == []


def test_an_archive_of_another_key_is_refused(archive: Any, cache: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gpg"
    other.write_bytes(b"")
    with pytest.raises(apt.AptError, match="NO_PUBKEY"):
        runtimes.fetch(cache, archive.uri, RELEASE, archive.architecture, other)
    assert contents(cache) == []


def test_a_runtime_that_does_not_run_leaves_the_one_before(archive: Any, cache: Path) -> None:
    before = fetch(archive, cache)
    loader = next((cache / archive.architecture / "usr/lib").glob("*/ld-linux*"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runtimes, "_launcher", lambda *_: "#!/bin/sh\nexit 7\n")
        with pytest.raises(RuntimeUnfit):
            fetch(archive, cache)
    assert cached(cache) == [before]
    assert loader.exists()


def test_what_a_killed_run_left_is_removed_and_a_broken_runtime_fetched_again(
    archive: Any, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = cache / ".tmp-left"
    (left / "root").mkdir(parents=True)
    script = cache / f"micropython-{archive.architecture}"
    script.write_text("#!/bin/sh\nexit 1\n")
    script.chmod(0o755)
    real = runtimes.fetch

    def local(folder: Path, uri: str, release: str, architecture: str) -> Any:
        assert release == RELEASE
        return real(folder, archive.uri, release, architecture, archive.keyring)

    monkeypatch.delenv("MICROPYTHON", raising=False)
    monkeypatch.setattr(runtimes, "on_path", lambda: None)
    monkeypatch.setattr(runtimes, "HALF_ARCHITECTURE", {})
    monkeypatch.setattr(runtimes, "NEXT_RELEASE", RELEASE)
    monkeypatch.setattr(runtimes, "LEAST", "99")
    monkeypatch.setattr(runtimes, "fetch", local)
    monkeypatch.setattr(apt, "os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "thisone"})
    monkeypatch.setattr(apt, "mirror", lambda: apt.Mirror(archive.uri, RELEASE, "main"))
    outcome = runtimes.ensure(cache)
    assert outcome.troubles == [] and outcome.settled
    assert not left.exists()
    assert probe("again", (str(script),)).bits in (32, 64)
    time = script.stat().st_mtime_ns
    assert runtimes.ensure(cache).settled
    assert script.stat().st_mtime_ns == time, "the second run has nothing to do"


def test_a_system_that_is_not_debian_is_told(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    monkeypatch.delenv("MICROPYTHON", raising=False)
    monkeypatch.setattr(runtimes, "on_path", lambda: None)
    monkeypatch.setattr(apt, "available", lambda: True)
    monkeypatch.setattr(apt, "native_architecture", lambda: "amd64")
    monkeypatch.setattr(apt, "candidate", lambda _: "1.22.1-1")
    monkeypatch.setattr(apt, "at_least", lambda *_: False)
    monkeypatch.setattr(apt, "os_release", lambda: {"ID": "ubuntu", "VERSION_CODENAME": "noble"})
    outcome = runtimes.ensure(cache)
    assert not outcome.settled
    assert [line.split(":")[0] for line in outcome.troubles] == ["amd64", "i386"]
    assert "only on Debian" in outcome.troubles[0]


@pytest.mark.parametrize(
    ("error", "settled"),
    [(RuntimeUnfit("cannot execute: 32-bit"), True), (apt.AptError("no network"), False)],
)
def test_another_try_is_made_only_when_it_may_help(
    monkeypatch: pytest.MonkeyPatch, cache: Path, error: Exception, settled: bool
) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.delenv("MICROPYTHON", raising=False)
    monkeypatch.setattr(runtimes, "on_path", lambda: None)
    monkeypatch.setattr(runtimes, "fetch", fails)
    monkeypatch.setattr(apt, "available", lambda: True)
    monkeypatch.setattr(apt, "native_architecture", lambda: "amd64")
    monkeypatch.setattr(apt, "candidate", lambda _: None)
    monkeypatch.setattr(apt, "os_release", lambda: {"ID": "debian", "VERSION_CODENAME": "this"})
    monkeypatch.setattr(apt, "mirror", lambda: apt.Mirror("copy:/nowhere", "this", "main"))
    outcome = runtimes.ensure(cache)
    assert outcome.settled is settled
    assert outcome.troubles == [f"amd64: {error}", f"i386: {error}"]


def test_a_machine_without_any_is_told_what_to_do(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "tools" / "setup", tmp_path / "tools" / "setup")
    (tmp_path / "tools" / "meterlab").mkdir()
    shutil.copy(ROOT / "tools/meterlab/runtimes.py", tmp_path / "tools" / "meterlab")
    stamp = tmp_path / "stamp"
    done = subprocess.run(
        [sys.executable, tmp_path / "tools/setup/runtimes.py", "--stamp", stamp],
        env={"PATH": "/nonexistent"},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 1 and not stamp.exists()
    assert "No MicroPython runtime could be had" in done.stderr
    assert "MICROPYTHON=/path/to/micropython make setup" in done.stderr
    assert "this machine has no apt" in done.stderr


def test_the_system_package_is_taken_when_new_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apt, "candidate", lambda _: "1.26.1-2")
    assert runtimes._release({"ID": "debian", "VERSION_CODENAME": "later"}) == "later"
    monkeypatch.setattr(apt, "candidate", lambda _: "1.19.1+ds-1")
    assert runtimes._release({"ID": "debian", "VERSION_CODENAME": "bookworm"}) == "trixie"
    monkeypatch.setattr(apt, "candidate", lambda _: None)
    assert runtimes._release({"ID": "debian", "VERSION_CODENAME": "bookworm"}) == "trixie"


def test_versions_are_compared_as_dpkg_does() -> None:
    if not apt.available():
        pytest.skip("no dpkg on this machine")
    assert apt.at_least("1.25.0+ds-1", "1.24")
    assert apt.at_least("1.24", "1.24")
    assert not apt.at_least("1.9.4-1", "1.24")
    assert not apt.at_least("1.24~rc1", "1.24")
