"""Short names of attributes, globals and arguments: what runs afterwards is the same program."""

from __future__ import annotations

import sys
import types

import pytest

from setup.arguments import shorten
from setup.attributes import NameTrouble, defined, imported, known_to, share
from setup.build import TYPINGS

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


FIXED = frozenset({"len", "range", "sum"})


def _short(sources: dict[str, str], keep: frozenset[str] = FIXED) -> dict[str, str]:
    texts, _ = share(sources, keep)
    return shorten(texts, keep)


def _run_short(monkeypatch: pytest.MonkeyPatch) -> tuple[list[object], dict[str, dict[str, str]]]:
    keep = FIXED | {"Child", "total", "peek", "spy", "named", "up"}
    texts, tables = share(SOURCES, keep)
    return _run(shorten(texts, keep), monkeypatch), tables


def test_the_program_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    short, tables = _run_short(monkeypatch)
    assert short == _run(SOURCES, monkeypatch)
    assert set(tables["pack.base"].values()) == {"_first", "_second", "_both", "Base"}
    assert set(tables["pack.child"].values()) == {"_mine", "Base"}  # a string says "_kept"


def test_what_may_meet_differs_and_the_rest_is_shared() -> None:
    _, tables = share(SOURCES, FIXED)
    old = {old: short for table in tables.values() for short, old in table.items()}
    family = {old[name] for name in ("_first", "_second", "_both", "_mine", "total", "peek")}
    assert len(family) == 6
    assert {old["up"], old["spy"]} <= tables["pack.base"].keys() | tables["pack.child"].keys()


def test_lines_stay_and_arguments_are_letters() -> None:
    short = _short(SOURCES, FIXED | {"inner", "spy"})
    for module, text in SOURCES.items():
        assert short[module].count("\n") == text.count("\n")
    assert "def inner(A):\n            return A + B  # of the" in short["pack.base"]
    assert "def spy(A, key=None)" in short["pack.friend"]  # some call names it
    assert '"_kept": 1' in short["pack.child"] and "self._kept" in short["pack.child"]


def test_local_variables_stay() -> None:
    text = (
        "limit = 5\ndef f(x):\n    limit = x\n    return limit + g()\ndef g():\n    return limit\n"
    )
    short, tables = share({"one": text}, frozenset({"f"}))
    names = {old: new for new, old in tables["one"].items()}
    assert short["one"].splitlines()[2] == "    limit = x"
    assert short["one"].splitlines()[-1] == f"    return {names['limit']}"


def test_a_name_imported_inside_a_function_goes_with_it() -> None:
    sources = {
        "p": "",
        "p.a": "def work(n):\n    return n + 1\n",
        "p.b": "def f():\n    from p.a import work\n    x = work(1)\n    del work\n    return x\n",
    }
    short, tables = share(sources, frozenset({"f"}))
    new = {old: new for new, old in tables["p.a"].items()}["work"]
    assert f"from p.a import {new}\n    x = {new}(1)\n    del {new}\n" in short["p.b"]


PUT = {
    "one": "class One:\n    def go(self):\n        self.left = 1\n",
    "two": "def put(x):\n    x.mark = 1\n    x.note = 2\n",
    "three": "class Three:\n    def __init__(self):\n        self.mark = self.third = 0\n",
}


def test_what_is_set_on_any_object_is_shared_with_nothing() -> None:
    _, tables = share(PUT, frozenset())
    names = {old: new for table in tables.values() for new, old in table.items()}
    others = {new for old, new in names.items() if old != "mark"}
    assert names["mark"] not in others


def test_what_one_class_sets_in_itself_can_be_set_from_outside() -> None:
    sources = {**PUT, "two": "def put(x):\n    x.mark = 1\n    x.third = 2\n"}
    _, tables = share(sources, frozenset())
    names = {old: new for table in tables.values() for new, old in table.items()}
    assert names["left"] in (names["mark"], names["third"])


def test_exceptions_keep_their_names() -> None:
    text = "class Gone(OSError):\n    pass\nclass Lost(Gone):\n    pass\nclass Box:\n    pass\n"
    _, tables = share({"one": text}, frozenset())
    assert list(tables["one"].values()) == ["Box"]


def test_strings_and_named_tuples_speak_of_names() -> None:
    text = (
        "P = namedtuple('P', 'one two')\nR = ('three',)\n"
        "class C:\n    def __init__(self):\n        self.one = self.three = self.four = 1\n"
    )
    _, tables = share({"one": text}, frozenset({"namedtuple"}))
    assert set(tables["one"].values()) == {"R", "C", "four"}


def test_what_a_module_gives_to_others() -> None:
    text = "_a = 1\nclass C:\n    k = 2\n    def m(self, p):\n        self.n = q = p\n"
    assert defined(text) == {"_a", "C", "k", "m", "n"}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(x):\n    return f'{x}'\n", "one: line 2: no f-strings"),
        ("def f(x):\n    return globals()['_' + x]\n", "one: line 2: a name is not made"),
    ],
)
def test_what_would_break_is_refused(text: str, words: str) -> None:
    with pytest.raises(NameTrouble, match=words):
        share({"one": text}, frozenset())


def test_a_letter_that_is_a_variable_names_no_argument() -> None:
    text = shorten({"one": "A = 1\ndef f(x, y):\n    return A + x + y\n"})["one"]
    assert text == "A = 1\ndef f(B, C):\n    return A + B + C\n"


def test_what_micropython_has_is_known() -> None:
    known = known_to(TYPINGS, imported(["import asyncio, socket\n"]))
    # Of asyncio's Task, which its stubs define elsewhere; of sockets and of built-in types.
    assert {"done", "cancel", "settimeout", "append", "print_exception"} <= (
        known | known_to(TYPINGS, frozenset({"sys"}))
    )
    assert "IF_STA" not in known  # network is not imported
