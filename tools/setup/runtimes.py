"""Gets real MicroPython for this machine, and lists what there is.

    python tools/setup/runtimes.py           get what is missing; quick when all is there
    python tools/setup/runtimes.py --list    only say which runtimes there are

The order: $MICROPYTHON; `micropython` on the PATH; the package that apt offers; the package of
the next Debian release. Packages are unpacked into .cache/micropython, not installed, and start
through their own loader and libraries. A 32-bit runtime is fetched beside it, because its objects
are as small as a board's.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from meterlab.runtimes import (
    CACHE,
    MINIMUM,
    Runtime,
    RuntimeUnfit,
    chosen,
    find_runtimes,
    on_path,
    probe,
)
from setup import apt

PACKAGE = "micropython"
NEXT_RELEASE = "trixie"
LEAST = ".".join(map(str, MINIMUM))
HALF_ARCHITECTURE = {"amd64": "i386", "arm64": "armhf"}
# Parts of the packages that no program of ours reads.
UNUSED = ("etc", "usr/share", "usr/lib/*/gconv", "usr/lib/*/audit")

WHAT_TO_DO = f"""\
No MicroPython runtime could be had. The tests on real MicroPython, the virtual board and the demo
need one. What helps, any one of these:
  * build or install MicroPython's unix port, {LEAST} or later, and put `micropython` on the PATH
  * or name it:  MICROPYTHON=/path/to/micropython make setup
  * on Debian, see that `apt-get update` works here, then type `make setup` again
Why it did not work:"""

__all__ = ["Runtime", "RuntimeUnfit", "find_runtimes", "main"]


@contextmanager
def _locked(cache: Path) -> Generator[None]:
    cache.mkdir(parents=True, exist_ok=True)
    with open(cache / ".lock", "w", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


# The loader is named in the script itself, so the folder can be moved and copied.
def _launcher(folder: str, loader: Path) -> str:
    return f"""\
#!/bin/sh
here=$(dirname "$(readlink -f "$0")")/{folder}
exec "$here/{loader}" --library-path "$here/{loader.parent}" "$here/usr/bin/{PACKAGE}" "$@"
"""


def _prune(root: Path) -> None:
    for pattern in UNUSED:
        for path in root.glob(pattern):
            shutil.rmtree(path)


def _loader(root: Path) -> Path:
    for path in sorted(root.glob("usr/lib/*/ld-linux*.so.*")) + sorted(
        root.glob("lib/*/ld-*.so.*")
    ):
        if path.is_file():
            return path.relative_to(root)
    raise apt.AptError("the packages bring no loader (ld-linux*.so)")


# All happens in a folder of its own and is moved into place last: a cut leaves nothing half done.
def fetch(
    cache: Path, uri: str, release: str, architecture: str, keyring: Path = apt.KEYRING
) -> Runtime:
    """Fetch, unpack and try one runtime; AptError or RuntimeUnfit says why it is not there."""
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=cache) as temporary:
        work = Path(temporary)
        root = work / "root"
        private = apt.PrivateApt(work, uri, release, architecture, keyring)
        packages = private.unpack(PACKAGE, root)
        loader = _loader(root)
        _prune(root)
        (root / "PACKAGES").write_text("\n".join([release, *packages]) + "\n", encoding="utf-8")
        trial = work / "trial"
        trial.write_text(_launcher("root", loader), encoding="utf-8")
        trial.chmod(0o755)
        name = f"{PACKAGE}-{architecture}"
        probe(name, (str(trial),))
        folder = cache / architecture
        shutil.rmtree(folder, ignore_errors=True)
        os.rename(root, folder)
        script = work / name
        script.write_text(_launcher(architecture, loader), encoding="utf-8")
        script.chmod(0o755)
        os.rename(script, cache / name)
    return probe(name, (str(cache / name),))


def _release(system: dict[str, str]) -> str:
    version = apt.candidate(PACKAGE)
    if version is not None and apt.at_least(version, LEAST):
        return system["VERSION_CODENAME"]
    if system.get("ID") != "debian":
        raise apt.AptError(
            f"apt offers no {PACKAGE} that is new enough, and only on Debian is it clear where"
            " the next release's packages are"
        )
    return NEXT_RELEASE


def _already(cache: Path) -> set[str]:
    fit: set[str] = set()
    for script in cache.glob(f"{PACKAGE}-*"):
        try:
            probe(script.name, (str(script),))
            fit.add(script.name.removeprefix(f"{PACKAGE}-"))
        except RuntimeUnfit as error:
            print(f"{error}: fetching it again")
            script.unlink()
    return fit


@dataclass
class Outcome:
    """What could not be had, and whether another try might help."""

    troubles: list[str] = field(default_factory=list[str])
    settled: bool = True


def ensure(cache: Path = CACHE) -> Outcome:
    """Fetch what is missing, unless somebody else is at it: then wait for them."""
    own = chosen() or on_path()
    with _locked(cache):
        return _ensure(cache, own)


def _ensure(cache: Path, own: Runtime | None) -> Outcome:
    for left in cache.glob(".tmp-*"):
        shutil.rmtree(left, ignore_errors=True)
    have = _already(cache)
    if not apt.available():
        missing = not have and not own
        return Outcome(
            ["this machine has no apt to fetch one with"] if missing else [], not missing
        )
    native = apt.native_architecture()
    half = HALF_ARCHITECTURE.get(native)
    wanted = [] if own else [native]
    if half and not (own and own.bits == 32):
        wanted.append(half)
    outcome = Outcome()
    for architecture in wanted:
        if architecture in have:
            continue
        try:
            release = _release(apt.os_release())
            print(f"fetching {PACKAGE} for {architecture} from {release} ...", flush=True)
            print(f"  {fetch(cache, apt.mirror().uri, release, architecture)}")
        except apt.AptError as error:
            outcome.troubles.append(f"{architecture}: {error}")
            outcome.settled = False
        except RuntimeUnfit as error:
            # What was fetched does not run here, such as 32-bit programs: nor will it tomorrow.
            outcome.troubles.append(f"{architecture}: {error}")
    return outcome


def _show() -> None:
    runtimes = find_runtimes()
    for runtime in runtimes:
        words = f"{runtime.name:20} {runtime.version:8} {runtime.bits}-bit"
        print(words, " ", " ".join(runtime.argv))
    if not runtimes:
        print("no MicroPython runtime; `make setup` gets one")
    elif not any(runtime.bits == 32 for runtime in runtimes):
        print("no 32-bit runtime: memory is measured on 64 bits, where objects are larger")


def _get(stamp: Path | None) -> int:
    outcome = ensure()
    if not find_runtimes():
        print(WHAT_TO_DO, *(f"  - {line}" for line in outcome.troubles), sep="\n", file=sys.stderr)
        return 1
    for trouble in outcome.troubles:
        print(f"not to be had here: {trouble}")
    _show()
    # With $MICROPYTHON set there may be nothing in the cache, so the next run has to look again.
    if stamp and outcome.settled and not chosen():
        stamp.touch()
    return 0


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit code is 1 when there is no runtime at all."""
    parser = argparse.ArgumentParser(description="Gets real MicroPython for this machine.")
    parser.add_argument("--list", action="store_true", help="only list the runtimes and versions")
    parser.add_argument("--stamp", type=Path, metavar="FILE", help="touch FILE when all is there")
    options = parser.parse_args(arguments)
    try:
        if options.list:
            _show()
            return 0
        return _get(options.stamp)
    except (RuntimeUnfit, apt.AptError) as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
