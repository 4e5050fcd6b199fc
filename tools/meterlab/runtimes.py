"""Finds the MicroPython runtimes of this machine, and knows what one must be able to do.

Needs nothing but CPython's own library, because `make setup` uses it before anything is installed.
"""

from __future__ import annotations

import functools
import os
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

MINIMUM = (1, 24)
NEEDED = ("asyncio", "socket", "requests", "tls", "termios", "select", "vfs.VfsLfs2", "ffi")
PROBE_SECONDS = 20

CACHE = Path(__file__).resolve().parents[2] / ".cache" / "micropython"

_PROBE = """
import sys
missing = []
for name in %r:
    first, _, attribute = name.partition(".")
    try:
        module = __import__(first)
        if attribute and not hasattr(module, attribute):
            missing.append(name)
    except ImportError:
        missing.append(name)
version = sys.implementation.version
print(sys.implementation.name, "%%d.%%d.%%d" %% (version[0], version[1], version[2]))
print(64 if sys.maxsize > 0x7FFFFFFF else 32)
print(" ".join(missing))
""" % (NEEDED,)


class RuntimeUnfit(Exception):
    """A program that was named as MicroPython does not run or cannot do what is needed."""


@dataclass(frozen=True)
class Runtime:
    """One MicroPython program that was started and found able to do what the tests need."""

    name: str
    argv: tuple[str, ...]
    version: str
    bits: int

    def __str__(self) -> str:
        return f"{self.name} {self.version} ({self.bits}-bit)"


def probe(name: str, argv: tuple[str, ...]) -> Runtime:
    """Start the program and ask what it is; RuntimeUnfit says why it will not do."""
    shown = " ".join(argv)
    try:
        done = subprocess.run(
            [*argv, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise RuntimeUnfit(f"{shown}: no answer within {PROBE_SECONDS} s") from error
    except OSError as error:
        raise RuntimeUnfit(f"{shown}: {error.strerror}") from error
    lines = done.stdout.splitlines()
    if done.returncode or len(lines) != 3 or len(lines[0].split()) != 2:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise RuntimeUnfit(f"{shown}: {said[-1] if said else 'said nothing'}")
    kind, version = lines[0].split()
    if kind != "micropython":
        raise RuntimeUnfit(f"{shown}: this is {kind}, not MicroPython")
    if tuple(int(part) for part in version.split("."))[:2] < MINIMUM:
        least = ".".join(map(str, MINIMUM))
        raise RuntimeUnfit(f"{shown}: MicroPython {version} is older than {least}")
    if lines[2]:
        raise RuntimeUnfit(f"{shown}: MicroPython {version} lacks {lines[2]}")
    return Runtime(name, argv, version, int(lines[1]))


def chosen() -> Runtime | None:
    """The runtime named by $MICROPYTHON; None when not set, RuntimeUnfit when it will not do."""
    value = os.environ.get("MICROPYTHON", "").strip()
    if not value:
        return None
    try:
        return probe("$MICROPYTHON", tuple(shlex.split(value)))
    except RuntimeUnfit as error:
        raise RuntimeUnfit(f"{error}. Set MICROPYTHON to one that will do, or unset it.") from None


def on_path() -> Runtime | None:
    """`micropython` on the PATH, or None when there is none that will do."""
    found = shutil.which("micropython")
    if found is None:
        return None
    try:
        return probe("micropython", (found,))
    except RuntimeUnfit:
        return None


def cached(cache: Path = CACHE) -> list[Runtime]:
    """The runtimes that `make setup` unpacked into the cache, 64-bit ones first."""
    scripts = sorted(path for path in cache.glob("micropython-*") if path.is_file())
    try:
        runtimes = [probe(path.name, (str(path),)) for path in scripts]
    except RuntimeUnfit as error:
        raise RuntimeUnfit(f"{error}. Delete {cache} and run `make setup` again.") from None
    return sorted(runtimes, key=lambda runtime: -runtime.bits)


@functools.cache
def find_runtimes() -> tuple[Runtime, ...]:
    """Every runtime to test on: $MICROPYTHON, else the PATH's, else the cache's, and a 32-bit one.

    RuntimeUnfit when $MICROPYTHON is set and will not do: whoever set it wants to know.
    """
    own = chosen() or on_path()
    runtimes = [own] if own else []
    have = {runtime.bits for runtime in runtimes}
    runtimes += [runtime for runtime in cached() if runtime.bits not in have]
    return tuple(runtimes)


def find_32_bit() -> Runtime | None:
    """The runtime for memory figures: its objects are as small as the board's."""
    return next((runtime for runtime in find_runtimes() if runtime.bits == 32), None)
