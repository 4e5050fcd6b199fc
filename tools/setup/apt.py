"""A private apt: packages of a chosen Debian release and architecture, unpacked, without root.

The machine's own apt configuration says which mirror is used and how it is reached (proxies,
certificates, keyrings). State, cache and the list of sources are our own, so nothing on the
machine changes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
UPDATE_SECONDS = 300
DOWNLOAD_SECONDS = 600


class AptError(Exception):
    """apt could not do what was asked; the text says what, and what to do."""


@dataclass(frozen=True)
class Mirror:
    """Where the machine takes its Debian packages from."""

    uri: str
    release: str
    component: str


def available() -> bool:
    """Whether this machine has apt and dpkg-deb at all."""
    return all(shutil.which(tool) for tool in ("apt-get", "apt-cache", "dpkg", "dpkg-deb"))


def _output(command: list[str], seconds: int, cwd: Path | None = None) -> str:
    environment = {**os.environ, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise AptError(f"{command[0]} gave no result within {seconds} s") from error
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
        told = [line for line in lines if line.startswith(("E:", "W:"))] or lines[-4:]
        raise AptError(f"{command[0]} failed: " + "; ".join(told))
    return done.stdout


def native_architecture() -> str:
    """Debian's name of the machine's architecture, such as "amd64"."""
    return _output(["dpkg", "--print-architecture"], 20).strip()


def candidate(package: str) -> str | None:
    """The version that the machine's own apt would install, or None."""
    for line in _output(["apt-cache", "policy", package], 60).splitlines():
        name, _, value = line.strip().partition(": ")
        if name == "Candidate":
            return None if value in ("(none)", "") else value
    return None


def at_least(version: str, least: str) -> bool:
    """Whether one version is the other or later, as dpkg compares them."""
    compared = subprocess.run(
        ["dpkg", "--compare-versions", version, "ge", least], timeout=20, check=False
    )
    return compared.returncode == 0


def os_release() -> dict[str, str]:
    """/etc/os-release as a dictionary; empty when there is none."""
    try:
        text = Path("/etc/os-release").read_text(encoding="utf-8")
    except OSError:
        return {}
    pairs = (line.partition("=") for line in text.splitlines() if "=" in line)
    return {key: value.strip("\"'") for key, _, value in pairs}


def mirror() -> Mirror:
    """The mirror of the machine's own release, as apt itself reads its configuration."""
    release = os_release().get("VERSION_CODENAME", "")
    listing = _output(
        [
            "apt-get",
            "indextargets",
            "--format",
            "$(SITE) $(RELEASE) $(COMPONENT)",
            "Created-By: Packages",
        ],
        60,
    )
    targets = [Mirror(*line.split()) for line in listing.splitlines() if len(line.split()) == 3]
    for target in targets:
        if target.release == release and target.component == "main":
            return target
    raise AptError(
        f"apt's sources name no mirror for the release {release or '(unknown)'!r}, component main"
    )


class PrivateApt:
    """apt for one release and architecture, with state of its own under `work`."""

    def __init__(
        self, work: Path, uri: str, release: str, architecture: str, keyring: Path = KEYRING
    ) -> None:
        self.architecture = architecture
        self.release = release
        self.work = work
        for name in ("state/lists/partial", "cache/archives/partial", "none"):
            (work / name).mkdir(parents=True, exist_ok=True)
        (work / "status").write_text("", encoding="utf-8")
        # Packages of a mirror on this disk are left where they are, unless apt is asked to copy.
        uri = "copy:" + uri.removeprefix("file:") if uri.startswith("file:") else uri
        source = f"Types: deb\nURIs: {uri}\nSuites: {release}\nComponents: main\n"
        if keyring.exists():
            source += f"Signed-By: {keyring}\n"
        (work / "own.sources").write_text(source, encoding="utf-8")
        (work / "apt.conf").write_text(self._configuration(), encoding="utf-8")

    # Read by `-c`, so after the machine's own files: what is cleared here is cleared for good.
    def _configuration(self) -> str:
        work = self.work
        return f"""\
#clear APT::Update;
#clear APT::Architectures;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
APT::Architecture "{self.architecture}";
APT::Architectures {{ "{self.architecture}"; }};
APT::Sandbox::User "root";
APT::Install-Recommends "false";
APT::Keep-Downloaded-Packages "true";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::State "{work}/state";
Dir::State::status "{work}/status";
Dir::Cache "{work}/cache";
Dir::Etc::sourcelist "{work}/own.sources";
Dir::Etc::sourceparts "{work}/none";
Dir::Etc::preferences "{work}/none/none";
Dir::Etc::preferencesparts "{work}/none";
"""

    def _get(self, *words: str, seconds: int) -> str:
        return _output(["apt-get", "-c", str(self.work / "apt.conf"), *words], seconds)

    def unpack(self, package: str, root: Path) -> list[str]:
        """Download `package` with all it depends on and unpack it under `root`.

        Returns the names of the package files. Nothing is installed: no package's script runs.
        """
        self._get("update", "--error-on=any", seconds=UPDATE_SECONDS)
        self._get("install", "-y", "--download-only", package, seconds=DOWNLOAD_SECONDS)
        files = sorted((self.work / "cache" / "archives").glob("*.deb"))
        if not files:
            raise AptError(f"apt downloaded nothing for {package}:{self.architecture}")
        root.mkdir(parents=True, exist_ok=True)
        for file in files:
            _output(["dpkg-deb", "--extract", str(file), str(root)], 120)
        return [file.name for file in files]
