"""Texts of modules that come and go are no names; a board has room for all names there are."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from meterlab.runtimes import find_32_bit
from setup import build
from setup.attributes import known_to
from setup.strings import short, unname

ROOT = Path(__file__).resolve().parents[3]
STAYS = 'def name(x):\n    return {"kept": 1, "both": x}\n'
GOES = '''"""Short."""
WORDS = ("one", ("two", "three"))
def say(x, *, both=None, text="a"):
    return ["%s W" % x, "kept", "both", "sp" "lit", "élan: %s" % x, x["it's"], "name",
        "longer than ten"]
'''
MOST = 620  # names, until MicroPython's table of them doubles and takes 4.5 KB more
# What a board's own firmware has, and this runtime has not.
HARDWARE = ("machine", "network", "esp32", "neopixel")


def test_only_what_nobody_else_uses_is_put_into_a_tuple() -> None:
    sources = {"stays": STAYS, "goes": GOES}
    out = unname(sources, {"goes"}, {"a"})
    assert out["stays"] == STAYS
    changed = re.findall(r"\((.*?),\)\[0\]", out["goes"])
    assert changed == ['"%s W"', '"élan: %s"', '"it\'s"']
    assert out["goes"].count("\n") == GOES.count("\n")


def test_the_program_does_the_same() -> None:
    said: list[object] = []
    for text in (GOES, unname({"goes": GOES}, {"goes"}, ())["goes"]):
        space: dict[str, Any] = {}
        exec(text, space)
        said.append(space["say"]({"it's": 1}))
    assert said[0] == said[1]


def test_docstrings_and_constant_tuples_are_no_names_as_they_are() -> None:
    assert [
        value for _, value in short(ast.parse('"""x"""\nA = ("p", ("q",), 1)\nB = ["r"]'))
    ] == ["r"]


def _qstrs(data: bytes) -> list[str]:
    """The names in a .mpy file (version 6): a count, then each one's length and text."""
    at = 4

    def number() -> int:
        nonlocal at
        value = 0
        while True:
            byte = data[at]
            at += 1
            value = value << 7 | byte & 127
            if byte < 128:
                return value

    count, _ = number(), number()
    names: list[str] = []
    for _ in range(count):
        length = number()
        if not length & 1:  # else it is one that every MicroPython has
            names.append(data[at : at + (length >> 1)].decode())
            at += (length >> 1) + 1
    return names


@pytest.mark.parametrize("other", ["j11", "sk_"])
def test_the_names_of_a_running_board_fit_its_table(tmp_path: Path, other: str) -> None:
    runtime = find_32_bit()
    if runtime is None:
        pytest.skip("no 32-bit MicroPython on this machine")
    built = build.build(ROOT / "firmware", tmp_path / "board")
    # What only the prompt needs; and of the two HTTP clients the larger one.
    prompt = {"asked", "repl", "secret", "walker", "wizard", "http"}
    hardware = {"hw", "rare", "names", "generic", "led_ws2812"}
    names: set[str] = set()
    for one in built:
        package, _, module = one.module.partition("/")
        if (
            not one.path.endswith(".mpy")
            or (package == "wisun" and module.startswith(other))
            or (package == "gateway" and module in prompt)
            or (package == "echonet" and module in {"encode", "node", "values"})
            or (package == "boards" and module not in hardware | {"__init__"})
        ):
            continue
        names.update(_qstrs((tmp_path / "board" / "lib" / one.path).read_bytes()))
        names |= {f"/lib/{one.path}", one.module.replace("/", "."), module}
    names -= known_to(build.TYPINGS, frozenset(HARDWARE))
    told = tmp_path / "names"
    told.write_text("\n".join(sorted(names)), "utf-8")
    code = (
        "import micropython\nmicropython.qstr_info()\n"
        f"for name in open({str(told)!r}):\n    getattr(micropython, name[:-1], None)\n"
        "micropython.qstr_info()\n"
    )
    done = subprocess.run(
        [*runtime.argv, "-X", "heapsize=2m", "-c", code],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    before, after = (int(n) for n in re.findall(r"n_qstr=(\d+)", done.stdout))
    assert 400 < after - before <= MOST
