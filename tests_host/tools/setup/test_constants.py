"""Constants in place: what runs afterwards is the same program."""

from __future__ import annotations

import sys
import types

import pytest

from setup.constants import inline

CODES = """from micropython import const
GET = const(0x62)
FAR = const(-88)
DAY = const(24 * 60)
KEPT = const(5)
NAMED = const(6)
TEXT = const("x")
_OWN = const(7)
def own():
    return GET + FAR + _OWN
"""
USER = """from pack.codes import (
    GET,  # asks
    FAR,
    own,
)
from pack import codes as c
from pack.codes import DAY
from pack.codes import KEPT, NAMED as other
def all_of(x=FAR):
    return [x, GET - FAR, own(), c.DAY, c.GET, DAY, KEPT, other, c.TEXT]
"""
SOURCES = {"pack": "", "pack.codes": CODES, "pack.user": USER}


def _run(sources: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> list[object]:
    micropython = types.ModuleType("micropython")
    monkeypatch.setattr(micropython, "const", lambda x: x, raising=False)
    monkeypatch.setitem(sys.modules, "micropython", micropython)
    for name, text in sources.items():
        module = types.ModuleType(name)
        module.__path__ = []
        monkeypatch.setitem(sys.modules, name, module)
        if "." in name:
            setattr(sys.modules["pack"], name.partition(".")[2], module)
        exec(text, module.__dict__)
    return sys.modules["pack.user"].all_of()


def test_the_program_does_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    inlined = inline(SOURCES, frozenset({"KEPT"}))
    assert _run(SOURCES, monkeypatch) == _run(inlined, monkeypatch)
    assert [text.count("\n") for text in inlined.values()] == [
        text.count("\n") for text in SOURCES.values()
    ]


def test_numbers_stand_where_names_stood() -> None:
    text = inline(SOURCES, frozenset({"KEPT"}))["pack.user"]
    assert text.startswith("from pack.codes import own\n")
    assert "\npass\n" in text
    assert "def all_of(x=(-88)):\n    return [x, 98 - (-88), own(), 1440, 98, 1440, KEPT" in text


def test_its_own_module_keeps_it_private() -> None:
    text = inline(SOURCES)["pack.codes"]
    assert "_GET = const(0x62)" in text and "return _GET + _FAR + _OWN" in text
    assert 'TEXT = const("x")' in text.splitlines()  # no integer
    assert "NAMED = const(6)" in text.splitlines()  # imported by another name


def test_what_is_not_sure_stays() -> None:
    sources = {**SOURCES, "pack.third": "def f(x):\n    return x.FAR\n"}
    assert "FAR = const(-88)" in inline(sources)["pack.codes"].splitlines()
