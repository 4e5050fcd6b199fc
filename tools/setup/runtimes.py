"""Gets real MicroPython for this machine, and lists what there is.

    python tools/setup/runtimes.py           get what is missing; quick when all is there
    python tools/setup/runtimes.py --list    only say which runtimes there are

The order: $MICROPYTHON; `micropython` on the PATH; the package that apt offers; the package of the next
Debian release. Packages are unpacked into .cache/micropython, not installed, and start through their own
loader and libraries. A 32-bit runtime is fetched beside it, because its objects are as small as a board's.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

if not __package__:
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from meterlab.runtimes import (
    CACHE,
    MINIMUM,
    Runtime,
    RuntimeUnfit,
    cached,
    chosen,
    find_runtimes,
    on_path,
    probe,
)
from setup import apt

PACKAGE = "micropython"
NEXT_RELEASE = "trixie"
HALF_ARCHITECTURE = {"amd64": "i386", "arm64": "armhf"}
# Parts of the packages that no program of ours reads.
UNUSED = ("etc", "usr/share", "usr/lib/*/gconv", "usr/lib/*/audit")

WHAT_TO_DO = f"""\
No MicroPython runtime could be had. The tests on real MicroPython, the virtual board and the demo need one.
What helps, any one of these:
  * build or install MicroPython's unix port, {".".join(map(str, MINIMUM))} or later, and put `micropython` on the PATH
  * or name it:  MICROPYTHON=/path/to/micropython make setup
  * on Debian or a system made from it, see that `apt-get update` works here, then type `make setup` again
Why it did not work:"""

__all__ = ["Runtime", "RuntimeUnfit", "find_runtimes", "main"]


@contextmanager
def _locked(cache: Path) -> Iterator[None]:
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
    for path in sorted(root.glob("usr/lib/*/ld-linux*.so.*")) + sorted(root.glob("lib/*/ld-*.so.*")):
        if path.is_file():
            return path.relative_to(root)
    raise apt.AptError("the packages bring no loader (ld-linux*.so)")


# All happens in a folder of its own and is moved into place last, so a cut leaves nothing half done.
def fetch(cache: Path, uri: str, release: str, architecture: str) -> Runtime:
    """Fetch, unpack and try one runtime; AptError or RuntimeUnfit says why it is not there."""
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=cache) as temporary:
        work = Path(temporary)
        root = work / "root"
        packages = apt.PrivateApt(work, uri, release, architecture).unpack(PACKAGE, root)
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
    if version is not None:
        done = subprocess.run(
            ["dpkg", "--compare-versions", version, "ge", ".".join(map(str, MINIMUM))], check=False
        )
        if done.returncode == 0:
            return system["VERSION_CODENAME"]
    if system.get("ID") != "debian":
        raise apt.AptError(
            f"apt offers no {PACKAGE} that is new enough, and only on Debian is it clear where the next"
            " release's packages are"
        )
    return NEXT_RELEASE


def _already(cache: Path) -> dict[str, Runtime]:
    runtimes = {}
    for script in cache.glob(f"{PACKAGE}-*"):
        try:
            runtimes[script.name] = probe(script.name, (str(script),))
        except RuntimeUnfit as error:
            print(f"{error}: fetching it again")
            script.unlink()
    return runtimes


def ensure(cache: Path = CACHE) -> list[str]:
    """Fetch what is missing. Returns why, for each runtime that could not be had."""
    own = chosen() or on_path()
    with _locked(cache):
        return _ensure(cache, own)


def _ensure(cache: Path, own: Runtime | None) -> list[str]:
    for left in cache.glob(".tmp-*"):
        shutil.rmtree(left, ignore_errors=True)
    have = {own.bits} if own else set()
    have |= {runtime.bits for runtime in _already(cache).values()}
    if have == {32, 64}:
        return []
    if not apt.available():
        return ["this machine has no apt, so no runtime can be fetched"]
    native = apt.native_architecture()
    half = HALF_ARCHITECTURE.get(native)
    wanted = [native] if not own and not (cache / f"{PACKAGE}-{native}").exists() else []
    if half and 32 not in have:
        wanted.append(half)
    troubles = []
    for architecture in wanted:
        try:
            release = _release(apt.os_release())
            print(f"fetching {PACKAGE} for {architecture} from the release {release} ...", flush=True)
            print(f"  {fetch(cache, apt.mirror().uri, release, architecture)}")
        except (apt.AptError, RuntimeUnfit) as error:
            troubles.append(f"{architecture}: {error}")
    return troubles


def _show() -> None:
    runtimes = find_runtimes()
    for runtime in runtimes:
        print(f"{runtime.name:20} {runtime.version:8} {runtime.bits}-bit  {' '.join(runtime.argv)}")
    if not runtimes:
        print("no MicroPython runtime; `make setup` gets one")
    elif not any(runtime.bits == 32 for runtime in runtimes):
        print("no 32-bit runtime: figures of memory are taken on 64 bits, where objects are larger")


def main(arguments: list[str] | None = None) -> int:
    """The command line; the exit code is 1 when there is no runtime at all."""
    parser = argparse.ArgumentParser(description="Gets real MicroPython for this machine.")
    parser.add_argument("--list", action="store_true", help="only list the runtimes and versions")
    options = parser.parse_args(arguments)
    try:
        troubles = [] if options.list else ensure()
        runtimes = find_runtimes()
    except RuntimeUnfit as error:
        print(f"{error}\nSet MICROPYTHON to a MicroPython that will do, or unset it.", file=sys.stderr)
        return 1
    if not runtimes and not options.list:
        print(WHAT_TO_DO, *(f"  - {trouble}" for trouble in troubles), sep="\n", file=sys.stderr)
        return 1
    for trouble in troubles:
        print(f"not to be had here: {trouble}")
    _show()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
