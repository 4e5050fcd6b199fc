"""Each of the project's own rules finds what it is there for, and nothing in this tree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from setup import rules

ROOT = Path(__file__).resolve().parents[3]

GATEWAY = "firmware/lib/gateway/app.py"
CODEC = "firmware/lib/echonet/frame.py"
PROTOCOL = "firmware/lib/wisun/sk_parser.py"
HARDWARE = "firmware/lib/boards/hw.py"
CLOCK = "firmware/lib/gateway/clock.py"


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        (GATEWAY, "import machine", "boards/ only"),
        (GATEWAY, "from network import WLAN", "boards/ only"),
        (GATEWAY, "import re", "not for the board"),
        (GATEWAY, "from typing import Any", "not for the board"),
        (GATEWAY, "def f():\n    import meterlab.meter", "not for the board"),
        (GATEWAY, "import boards", "gateway does not import boards"),
        ("firmware/lib/wisun/x.py", "import machine", "boards/ only"),
        (CODEC, "from gateway import log", "echonet does not import gateway"),
        (PROTOCOL, "import echonet", "wisun does not import echonet"),
        (HARDWARE, "import gateway.clock", "boards does not import gateway"),
        (CODEC, "import asyncio", "bytes in, values out"),
        (PROTOCOL, "import time", "bytes in, values out"),
        (GATEWAY, "a = 1\nb = a / 2", ":2: / gives a float"),
        (GATEWAY, "a = 1\na /= 2", "/= gives a float"),
        (GATEWAY, "a = 0.5", "0.5 is a float"),
        (GATEWAY, "a = float('1')", "float() gives 24 bits"),
        (GATEWAY, "int.from_bytes(b, 'big', signed=True)", "no signed="),
        (GATEWAY, "s.startswith(('a', 'b'))", "takes no tuple"),
        (GATEWAY, "s.removeprefix('a')", "has no removeprefix"),
        (GATEWAY, "import asyncio\nasyncio.Queue()", "has no Queue"),
        (GATEWAY, "async def f():\n    await asyncio.sleep_ms(1)", "through the clock"),
        (GATEWAY, "x = 1\n" * 2000, "12,000 bytes of source"),
        (GATEWAY, "def f(:", "invalid syntax"),
    ],
)
def test_a_breach_is_found(name: str, text: str, words: str) -> None:
    findings = rules.check_source(name, text)
    assert len(findings) == 1, findings
    assert findings[0].startswith(name + ":") and words in findings[0]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (HARDWARE, "import machine, network, esp32"),
        (CLOCK, "import asyncio\nasyncio.wait_for(None, 1)"),
        ("firmware/lib/wisun/skstack.py", "import asyncio"),
        (GATEWAY, "from echonet import meter\nfrom wisun import Pan\nfrom . import log"),
        (GATEWAY, "a = 7 // 2\nb = int.from_bytes(b'', 'big')\nc = s.startswith('a')"),
        ("firmware/main.py", "import boards\nfrom gateway import app"),
        ("firmware/boot.py", "import machine"),
        ("firmware/lib/gateway/__init__.py", "def board():\n    import boards"),
    ],
)
def test_what_is_allowed_is_let_be(name: str, text: str) -> None:
    assert rules.check_source(name, text) == []


PIN = "one==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"


def test_a_good_lock_file() -> None:
    assert rules.check_lock("a.lock", "# words\n" + PIN + "    # via two\n" + PIN) == []


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--index-url https://packages.example.invalid/simple\n" + PIN, "no address"),
        ("one @ https://packages.example.invalid/one.whl\n", "no address"),
        ("one==1.0\n", "1 packages without a hash"),
        (PIN + "two>=1.0 \\\n    --hash=sha256:" + "0" * 64, "not pinned"),
    ],
)
def test_a_bad_lock_file(text: str, words: str) -> None:
    assert any(words in finding for finding in rules.check_lock("a.lock", text))


def test_the_lock_files_are_found() -> None:
    findings = [line for line in rules.check_tree(ROOT) if ".lock:" in line]
    assert findings == []
    for name in ("requirements.lock", "tools/setup/typings.lock"):
        assert "--hash=sha256:" in (ROOT / name).read_text()


@pytest.mark.parametrize(
    ("package", "words"),
    [
        ({"integrity": "sha512-AA=="}, None),
        ({"version": "1.0.0"}, "without a hash"),
        ({"integrity": "sha512-AA==", "resolved": "https://example.invalid/a"}, "no address"),
    ],
)
def test_npm_lock_files(package: dict[str, str], words: str | None) -> None:
    text = json.dumps({"packages": {"": {"dependencies": {}}, "node_modules/a": package}})
    findings = rules.check_npm_lock("package-lock.json", text)
    assert len(findings) == bool(words) and (words or "") in "".join(findings)
