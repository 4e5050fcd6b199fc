"""Short names: what runs afterwards is the same program."""

from __future__ import annotations

import sys
import types

import pytest

from setup.names import NameTrouble, shorten

BASE = """
from micropython import const
_SIZE = const(3)
class Base:
    def __init__(self, first, second=_SIZE):
        self._first = first
        self._second = second
    def _both(self, factor, shift=0):
        return [(self._first + self._second) * factor + shift for _ in range(_SIZE)]
    def total(self, factor):
        def inner(value):
            return value + factor  # of the function around
        return sum([inner(value) for value in self._both(factor)])
"""
CHILD = """
from pack.base import Base
class Child(Base):
    def __init__(self, first):
        super().__init__(first)
        self._mine = {"_kept": 1}
        self._kept = getattr(self, "_kept", 7)
    def peek(self, other, scale=2):
        other, scale = scale, other
        return self._both(scale)[0] + len(self._mine) * other + self._kept
"""
FRIEND = """
def spy(child, key=None):
    return (child._first, child._mine, key)
def named(child):
    return spy(child, key=5)
"""
OTHER = """
_count = 0
def up(step):
    global _count
    _count += step
    return _count
"""
SOURCES = {"pack": "", "pack.base": BASE, "pack.child": CHILD, "pack.friend": FRIEND}
SOURCES["pack.other"] = OTHER


def _run(sources: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    for name, text in sources.items():
        module = types.ModuleType(name)
        module.__path__ = []
        monkeypatch.setitem(sys.modules, name, module)
        exec(text, module.__dict__)
    child = sys.modules["pack.child"].Child(4)
    friend = sys.modules["pack.friend"]
    up = sys.modules["pack.other"].up
    return [child.total(5), child.peek(3), friend.spy(child), friend.named(child), up(2), up(2)]


def test_the_program_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    short, table = shorten(SOURCES)
    assert _run(SOURCES, monkeypatch) == _run(short, monkeypatch)
    assert table.keys() == {"_first", "_second", "_both", "_mine", "_count"}


def test_what_may_meet_differs_and_the_rest_is_shared() -> None:
    _, table = shorten(SOURCES)
    family = [table[name] for name in ("_first", "_second", "_both", "_mine")]
    assert len(set(family)) == 4
    assert table["_count"] in family


def test_lines_stay_and_arguments_are_letters() -> None:
    short, _ = shorten(SOURCES)
    for module, text in SOURCES.items():
        assert short[module].count("\n") == text.count("\n")
    assert "def inner(B):" in short["pack.base"] or "def inner(A):" in short["pack.base"]
    assert "return A + B  # of the function around" in short["pack.base"]
    assert "def spy(A, key=None)" in short["pack.friend"]  # some call names it
    assert '"_kept": 1' in short["pack.child"] and "self._kept" in short["pack.child"]


def test_what_others_use_is_kept() -> None:
    short, table = shorten(SOURCES, frozenset({"_first", "factor"}))
    assert "_first" not in table and "self._first = B" in short["pack.base"]
    assert "def total(self, factor)" in short["pack.base"]


def test_a_foreign_private_name_is_no_free_one() -> None:
    text = "import io\n_x = 1\ndef f(g):\n    return g._a + _x + io._a\n"
    short, table = shorten({"one": text})
    assert table == {"_x": "_b"}
    assert short["one"] == "import io\n_b = 1\ndef f(A):\n    return A._a + _b + io._a\n"


def test_a_letter_that_is_a_variable_names_no_argument() -> None:
    short, _ = shorten({"one": "A = 1\ndef f(x, y):\n    return A + x + y\n"})
    assert short["one"] == "A = 1\ndef f(B, C):\n    return A + B + C\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(x):\n    return f'{x}'\n", "one: line 2: no f-strings"),
        ("def f(x):\n    return globals()['_' + x]\n", "one: line 2: a name is not made"),
    ],
)
def test_what_would_break_is_refused(text: str, words: str) -> None:
    with pytest.raises(NameTrouble, match=words):
        shorten({"one": text})
