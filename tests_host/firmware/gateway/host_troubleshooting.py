"""docs/troubleshooting.md names every code that the gateway can tell."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from gateway.connect import _WORDS as NETWORK  # pyright: ignore[reportPrivateUsage]
from gateway.reply import _CODES  # pyright: ignore[reportPrivateUsage]
from gateway.status import WORDS

ROOT = Path(__file__).resolve().parents[3]
DOC = ROOT / "docs" / "troubleshooting.md"
GATEWAY = ROOT / "firmware" / "lib" / "gateway"

# Where a `kind` is one of HttpError's.
UPLOADS = {"http.py", "https.py", "reply.py", "upload.py"}
# Names that are not looked up go another way: Uplink hands them to the network.
NETWORKS = {"dns", "no-name"}


def texts(node: ast.expr) -> list[str]:
    """The texts that an expression may be."""
    return [
        part.value
        for part in ast.walk(node)
        if isinstance(part, ast.Constant) and isinstance(part.value, str)
    ]


def told() -> set[tuple[str, str]]:
    """(word, code) of each `problem(word, code, ...)`, and of each HttpError(kind, ...)."""
    found = {("network", code) for code in NETWORK}
    for path in sorted(GATEWAY.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Assign) and path.name in UPLOADS:
                if ast.unparse(node.targets[0]) == "kind":
                    found |= servers(set(texts(node.value)))
            if not isinstance(node, ast.Call) or len(node.args) < 2:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            if name == "problem":
                found |= {(w, c) for w in texts(node.args[0]) for c in texts(node.args[1])}
            elif name == "HttpError":
                found |= servers(set(texts(node.args[0])))
    return found


def servers(kinds: set[str]) -> set[tuple[str, str]]:
    return {("server", _CODES.get(kind, kind)) for kind in kinds - NETWORKS}


def explained() -> set[tuple[str, str]]:
    rows = re.findall(r"^\| `(\w+)` \| (`[^|]*) \|", DOC.read_text(encoding="utf-8"), re.MULTILINE)
    return {(word, code) for word, codes in rows for code in re.findall(r"`([\w-]+)`", codes)}


def test_every_code_is_explained() -> None:
    codes = told()
    assert {word for word, _ in codes} == set(WORDS)
    assert sorted(codes - explained()) == []
