"""Asks whether a pinned package has a known weakness.

    python tools/setup/audit.py FOLDER LOCK

FOLDER holds pip-audit. Ends with 1 when there is a weakness to be mended. Where the advisories
cannot be had it says what was skipped, and ends with 0: a build does not depend on the network.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

_PATIENCE = 300.0  # seconds


def judge(text: str) -> tuple[list[str], int]:
    """(lines to be said, exit code) for what pip-audit printed as JSON."""
    try:
        packages: list[dict[str, Any]] = json.loads(text)["dependencies"]
    except (ValueError, KeyError, TypeError):
        return ["audit: skipped: the advisory service cannot be reached"], 0
    skipped = [str(one["name"]) for one in packages if "skip_reason" in one]
    lines: list[str] = []
    for one in packages:
        for weakness in one.get("vulns", []):
            fixed = ", ".join(weakness.get("fix_versions") or []) or "no version yet"
            lines.append(f"{one['name']} {one['version']}: {weakness['id']}; mended in {fixed}")
    asked = len(packages) - len(skipped)
    lines.append(f"audit: {asked} packages asked about, {len(lines)} weaknesses")
    if skipped and not asked:
        lines[-1] = f"audit: skipped: no advisories to be had here for {len(skipped)} packages"
    elif skipped:
        lines.append("audit: skipped, no advisories to be had: " + " ".join(skipped))
    return lines, 1 if any("mended in" in line for line in lines) else 0


def main(folder: str, lock: str) -> int:
    """The command line."""
    options = ["--require-hashes", "--disable-pip", "--progress-spinner", "off", "--timeout", "15"]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pip_audit", *options, "-f", "json", "-r", lock],
            capture_output=True,
            text=True,
            timeout=_PATIENCE,
            env={**os.environ, "PYTHONPATH": str(Path(folder).resolve())},
        )
        text = done.stdout
    except subprocess.TimeoutExpired:
        text = ""
    lines, code = judge(text)
    print(*lines, sep="\n")
    return code


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:3]))
