"""A small Debian archive on this disk, signed and complete, for the fetching of runtimes."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from meterlab.runtimes import CACHE
from setup import apt

RELEASE = "nextone"
KEY_OWNER = "archive@example.invalid"


@dataclass
class Archive:
    """Where the archive is, and the key that its users trust."""

    folder: Path
    keyring: Path
    architecture: str

    @property
    def uri(self) -> str:
        return f"file:{self.folder}"

    def packages(self) -> list[Path]:
        return sorted(self.folder.glob("pool/*.deb"))


def _run(*command: str | Path, cwd: Path | None = None) -> bytes:
    done = subprocess.run(command, cwd=cwd, capture_output=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def _package(folder: Path, tree: Path, name: str, architecture: str, depends: str = "") -> None:
    control = f"Package: {name}\nVersion: 1.25.0-1\nArchitecture: {architecture}\n"
    control += "Maintainer: nobody <nobody@example.invalid>\nDescription: for a test\n"
    if depends:
        control += f"Depends: {depends}\n"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN" / "control").write_text(control)
    pool = folder / "pool"
    pool.mkdir(parents=True, exist_ok=True)
    _run("dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, pool / f"{name}.deb")


def _index(folder: Path, home: Path, architecture: str) -> None:
    stanzas = []
    for deb in sorted(folder.glob("pool/*.deb")):
        data = deb.read_bytes()
        stanza = _run("dpkg-deb", "--field", deb).decode()
        stanza += f"Filename: pool/{deb.name}\nSize: {len(data)}\n"
        stanzas.append(stanza + f"SHA256: {hashlib.sha256(data).hexdigest()}\n")
    dist = folder / "dists" / RELEASE
    plain = "\n".join(stanzas).encode()
    index = f"main/binary-{architecture}/Packages"
    (dist / index).parent.mkdir(parents=True, exist_ok=True)
    release = f"Suite: {RELEASE}\nCodename: {RELEASE}\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
    release += f"Architectures: {architecture}\nComponents: main\nSHA256:\n"
    # apt wants the plain index named here, though it fetches the packed one.
    for suffix, data in ("", plain), (".gz", gzip.compress(plain, mtime=0)):
        (dist / (index + suffix)).write_bytes(data)
        release += f" {hashlib.sha256(data).hexdigest()} {len(data)} {index}{suffix}\n"
    (dist / "Release").write_text(release)
    gpg = ("gpg", "--homedir", home, "--batch", "--yes", "--pinentry-mode", "loopback")
    _run(*gpg, "--clearsign", "--output", dist / "InRelease", dist / "Release")


@pytest.fixture
def gpg_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    if not apt.available() or not shutil.which("gpg-agent"):
        pytest.skip("no apt or no gpg-agent on this machine")
    home = tmp_path_factory.mktemp("g")
    home.chmod(0o700)
    gpg = ("gpg", "--homedir", home, "--batch", "--passphrase", "", "--pinentry-mode", "loopback")
    _run(*gpg, "--quick-generate-key", KEY_OWNER, "ed25519", "sign", "never")
    yield home
    subprocess.run(["gpgconf", "--homedir", home, "--kill", "gpg-agent"], timeout=100, check=False)


@pytest.fixture
def archive(gpg_home: Path, tmp_path: Path) -> Archive:
    """An archive with the machine's cached runtime in two packages: program and libraries."""
    architecture = apt.native_architecture()
    cached = CACHE / architecture
    if not cached.exists():
        pytest.skip("no runtime was fetched on this machine")
    folder = tmp_path / "archive"
    program = tmp_path / "program"
    libraries = tmp_path / "libraries"
    (program / "usr" / "bin").mkdir(parents=True)
    shutil.copy(cached / "usr" / "bin" / "micropython", program / "usr" / "bin")
    shutil.copytree(cached / "usr" / "lib", libraries / "usr" / "lib", symlinks=True)
    _package(folder, program, "micropython", architecture, "libthings (>= 1.0)")
    _package(folder, libraries, "libthings", architecture)
    _index(folder, gpg_home, architecture)
    keyring = tmp_path / "keyring.gpg"
    keyring.write_bytes(_run("gpg", "--homedir", gpg_home, "--export", KEY_OWNER))
    return Archive(folder, keyring, architecture)
