"""Flash images: a littlefs2 file system in a file, made and read by MicroPython itself."""

from __future__ import annotations

import subprocess
from pathlib import Path

from meterlab.runtimes import Runtime

BLOCK = 4096
DEFAULT_SIZE = 2 << 20
SECONDS = 60

_TOOL = Path(__file__).resolve().parent / "standins" / "pc" / "flash_tool.py"


class FlashError(Exception):
    """An image could not be made or read; the text is what MicroPython said."""


def _run(runtime: Runtime, image: Path, folder: Path, mode: str) -> None:
    done = subprocess.run(
        [*runtime.argv, "-X", "heapsize=2M", str(_TOOL), str(image), str(folder), mode],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode:
        raise FlashError((done.stdout + done.stderr).strip() or f"exit code {done.returncode}")


def build(runtime: Runtime, folder: Path, image: Path, size: int = DEFAULT_SIZE) -> None:
    """Make `image` with the files of `folder`; FlashError when they do not fit."""
    if size % BLOCK or size < 4 * BLOCK:
        raise FlashError(f"a flash has a multiple of {BLOCK} bytes, at least {4 * BLOCK}")
    if not folder.is_dir():
        raise FlashError(f"{folder} is not a directory")
    temporary = image.with_name(image.name + ".tmp")
    try:
        with open(temporary, "wb") as file:
            for _ in range(size // BLOCK):
                file.write(b"\xff" * BLOCK)
        _run(runtime, temporary.absolute(), folder.absolute(), "build")
        temporary.rename(image)
    finally:
        temporary.unlink(missing_ok=True)


def blank(image: Path, size: int = DEFAULT_SIZE) -> None:
    """An erased flash; the board formats it when it starts."""
    with open(image, "wb") as file:
        for _ in range(size // BLOCK):
            file.write(b"\xff" * BLOCK)


def read(runtime: Runtime, image: Path, folder: Path) -> list[str]:
    """Copy all files of `image` into the empty `folder`; returns their paths, as "lib/x.mpy"."""
    folder.mkdir(parents=True, exist_ok=True)
    _run(runtime, image.absolute(), folder.absolute(), "read")
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
