"""The audit of pinned packages: a weakness ends it badly, a missing network does not."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from setup import audit

ROOT = Path(__file__).parents[3]
GOOD = {"name": "good", "version": "1", "vulns": []}
SKIPPED = {"name": "far", "skip_reason": "not found"}
BAD = {"name": "bad", "version": "2", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ([GOOD, GOOD], 0, ["audit: 2 packages asked about, 0 weaknesses"]),
        (
            [GOOD, BAD],
            1,
            [
                "bad 2: PYSEC-1; mended in 2.1",
                "audit: 2 packages asked about, 1 weaknesses",
            ],
        ),
        (
            [GOOD, SKIPPED],
            0,
            [
                "audit: 1 packages asked about, 0 weaknesses",
                "audit: skipped, no advisories to be had: far",
            ],
        ),
        ([SKIPPED], 0, ["audit: skipped: no advisories to be had here for 1 packages"]),
    ],
)
def test_what_is_found_is_said(packages, code, words):
    assert audit.judge(json.dumps({"dependencies": packages})) == (words, code)


@pytest.mark.parametrize("text", ["", "Traceback", "[]", "null"])
def test_without_an_answer_it_is_skipped_and_says_so(text):
    lines, code = audit.judge(text)
    assert code == 0 and lines == ["audit: skipped: the advisory service cannot be reached"]


def test_without_pip_audit_it_is_skipped_too(tmp_path):
    done = subprocess.run(
        [sys.executable, "-S", ROOT / "tools/setup/audit.py", tmp_path, "requirements.lock"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=100,
    )
    assert done.returncode == 0 and "audit: skipped" in done.stdout


def test_continuous_integration_asks():
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert "make audit" in [line.strip() for line in lines]
