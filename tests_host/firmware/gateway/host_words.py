"""Every task names its troubles by the five words, and by codes that are written down."""

from __future__ import annotations

import ast
from pathlib import Path

from gateway.status import WORDS

GATEWAY = Path(__file__).resolve().parents[3] / "firmware" / "lib" / "gateway"


def calls(method: str) -> list[tuple[str, list[ast.expr]]]:
    """(where, arguments) of each call of <something>status.<method>(...) in the gateway."""
    found: list[tuple[str, list[ast.expr]]] = []
    for path in sorted(GATEWAY.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == method
                and ast.unparse(node.func.value).endswith("status")
            ):
                found.append((f"{path.name}:{node.lineno}", node.args))
    return found


def test_problems_are_named_by_the_five_words() -> None:
    found = calls("problem") + calls("clear") + calls("code") + calls("detail")
    assert len(found) > 20
    for where, args in found:
        word = args[0]
        assert isinstance(word, ast.Constant), f"{where}: the word must be written out"
        assert word.value in WORDS, f"{where}: {word.value}"
    assert {args[0].value for _, args in calls("problem")} == set(WORDS)  # type: ignore[attr-defined]


def test_details_of_problems_hold_no_secret_setting() -> None:
    for where, args in calls("problem"):
        text = " ".join(ast.unparse(arg) for arg in args[1:])
        for key in ("broute.id", "broute.password", "wifi.key", "server.token"):
            assert f"['{key}']" not in text and f'["{key}"]' not in text, where
