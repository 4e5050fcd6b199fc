"""Gives attributes and globals short names, the same few again and again.

MicroPython keeps every name that it has ever met in a table that only grows: some ten bytes and
the text each, and the table doubles when it is full, at 620 names on a board. But `x.limit` is
only ever read of an object that has a `limit`. So two names that no module defines both of can be
one; and what neither MicroPython, nor a string, nor a program outside knows can have any name.

Names of exceptions stay, because people read them; so do those of modules, of local variables, and
of arguments that calls name. Lines stay lines.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path
from string import ascii_lowercase

from setup.constants import Edit, apply, is_const, origin
from setup.scopes import Scope, Scopes, bound

_OURS = re.compile(r"(?!__)[A-Za-z_]\w*")


class NameTrouble(Exception):
    """A name is used in a way that would not survive; the text names module and line."""


@cache
def known_to(stubs: Path, used: frozenset[str]) -> frozenset[str]:
    """Every name that the stubs in a folder define for the modules `used`, and for what is built
    in: MicroPython has it, or may have."""
    names: set[str] = set()
    # A module's classes may be defined in its twin: asyncio's Task, with its done(), in _asyncio.
    used = used | {f"_{name}" for name in used}
    for path in stubs.rglob("*.pyi"):
        parts = {part.removesuffix(".pyi") for part in path.relative_to(stubs).parts}
        if not parts & (used | {"builtins", "__builtins__", "_mpy_shed"}):
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                names.add(node.id)
            elif isinstance(node, ast.alias):
                names.add(node.asname or node.name)
    return frozenset(names)


def imported(sources: Iterable[str]) -> frozenset[str]:
    """The modules that these sources import, by the first part of their names."""
    names: set[str] = set()
    for text in sources:
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add((node.module or "").partition(".")[0])
    return frozenset(names)


@dataclass
class _Module:
    name: str
    text: str
    tree: ast.Module
    package: bool
    defines: set[str] = field(default_factory=set[str])
    owns: set[str] = field(default_factory=set[str])  # what its objects set in themselves
    puts: dict[str, set[str]] = field(default_factory=dict[str, set[str]])  # in others: by whom
    parents: set[str] = field(default_factory=set[str])
    places: list[tuple[int, int, str]] = field(default_factory=list[tuple[int, int, str]])


class _Places(Scopes[set[str]]):
    """Where a module's attributes and globals stand, and which of them it defines."""

    def __init__(self, module: _Module, modules: Mapping[str, _Module]) -> None:
        super().__init__()
        self.module = module
        self.modules = modules
        self.lines = module.text.splitlines()
        self.imported: dict[str, str] = {}

    def _place(self, line: int, column: int, name: str, defined: bool = False) -> None:
        self.module.places.append((line, column, name))
        if defined:
            self.module.defines.add(name)

    def _hidden(self, name: str) -> bool:
        return any(name in scope for scope in self.scopes)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        base = origin(self.module.name, self.module.package, node)
        for alias in node.names:
            if base in self.modules and f"{base}.{alias.name}" not in self.modules:
                self._place(alias.lineno, alias.col_offset, alias.name, defined=True)
                self.imported[alias.asname or alias.name] = base

    def visit_Name(self, node: ast.Name) -> None:
        if not self._hidden(node.id):
            stored = isinstance(node.ctx, ast.Store)
            self._place(node.lineno, node.col_offset, node.id, defined=stored)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        self.visit(node.value)
        line, end = node.end_lineno or node.lineno, node.end_col_offset or 0
        stored = isinstance(node.ctx, ast.Store)
        own = isinstance(node.value, ast.Name) and node.value.id == "self"
        self._place(line, end - len(node.attr), node.attr, defined=stored and own)
        if stored and own:
            self.module.owns.add(node.attr)
        elif stored:
            self.module.puts.setdefault(ast.unparse(node.value), set()).add(node.attr)

    def local(self, node: Scope) -> set[str]:
        return bound(node, imports=False)

    def named(self, node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> None:
        if not self._hidden(node.name):
            text = self.lines[node.lineno - 1]
            column = re.compile(r"(async\s+)?(def|class)\s+").match(text, node.col_offset)
            assert column is not None
            self._place(node.lineno, column.end(), node.name, defined=True)

    def visit_ClassDef(self, node: ast.ClassDef) -> None:
        self.named(node)
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in self.imported:
                self.module.parents.add(self.imported[base.id])
        self.generic_visit(node)


def _spoken(module: _Module) -> Iterator[str]:
    """Names that a string may stand for, those of arguments and global statements, and private
    constants, which the compiler does away with."""
    for node in module.tree.body:
        if isinstance(node, ast.Assign) and is_const(node.value):
            yield from (target.id for target in node.targets if isinstance(target, ast.Name))
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield from node.names
        elif isinstance(node, ast.JoinedStr):
            raise NameTrouble(
                f"{module.name}: line {node.lineno}: no f-strings, names hide in them"
            )
        elif isinstance(node, ast.BinOp) and isinstance(node.left, ast.Constant):
            if str(node.left.value).startswith("_"):
                where = f"{module.name}: line {node.lineno}"
                raise NameTrouble(f"{where}: a name is not made from a string")
        elif isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name) and node.func.id == "namedtuple":
                for part in node.args:
                    if isinstance(part, ast.Constant) and isinstance(part.value, str):
                        yield from part.value.replace(",", " ").split()


def _exceptions(modules: Mapping[str, _Module]) -> set[str]:
    """Classes whose names people read, in the log say."""
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for module in modules.values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
    }
    found = {name for name in dir(builtins) if name.endswith(("Error", "Exception"))}
    while more := {name for name, over in bases.items() if over & found} - found:
        found |= more
    return found


def _used(modules: Mapping[str, _Module]) -> set[str]:
    """Every identifier of the program: a new one must be none of them."""
    names: set[str] = set()
    for module in modules.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Name):
                names.add(node.id)
            elif isinstance(node, ast.Attribute):
                names.add(node.attr)
            elif isinstance(node, ast.arg | ast.keyword) and node.arg:
                names.add(node.arg)
            elif isinstance(node, ast.alias):
                names.update((node.asname or node.name).split("."))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                names.add(node.name)
            elif isinstance(node, ast.ExceptHandler) and node.name:
                names.add(node.name)
    return names


def _shorts(taken: set[str]) -> Iterator[str]:
    for number in count():
        letters = ""
        number += len(ascii_lowercase)  # two letters at least
        while number:
            number, letter = divmod(number, len(ascii_lowercase))
            letters = ascii_lowercase[letter] + letters
        if letters not in taken:
            yield letters


def _family(module: _Module, modules: Mapping[str, _Module]) -> list[_Module]:
    """The module, and those whose classes its own derive from."""
    members, todo = {module.name}, [module.name]
    while todo:
        more = modules[todo.pop()].parents & modules.keys() - members
        members |= more
        todo += more
    return [modules[name] for name in members]


def _everywhere(modules: Mapping[str, _Module]) -> set[str]:
    """What is set from outside on objects that perhaps do not set it themselves.

    All that a module sets on what it calls `x` is taken for an object of one kind: of a class
    that sets all of it in itself, if there is one.
    """
    owned = [
        set[str]().union(*(one.owns for one in _family(module, modules)))
        for module in modules.values()
    ]
    puts = [put for module in modules.values() for put in module.puts.values()]
    return {name for put in puts if not any(put <= owns for owns in owned) for name in put}


def _choose(modules: Mapping[str, _Module], fixed: frozenset[str]) -> dict[str, str]:
    """Name -> short one. Names of one module, or of classes that inherit, differ."""
    everywhere = _everywhere(modules)
    families = [
        set[str]().union(*(one.defines for one in _family(module, modules)))
        for module in modules.values()
    ]
    stay = set(fixed) | set(dir(builtins)) | _exceptions(modules)
    for module in modules.values():
        stay.update(module.name.split("."))
        stay.update(_spoken(module))
    defined = set[str]().union(*families)
    mine = {name for name in defined - stay if _OURS.fullmatch(name)}
    taken = _used(modules) | stay
    pool = _shorts(taken)
    shorts: list[str] = []
    chosen: dict[str, str] = {}
    uses = {name: sum(name in family for family in families) for name in mine}
    for name in sorted(mine, key=lambda name: (name not in everywhere, -uses[name], name)):
        near = set[str]().union(*(family for family in families if name in family)) | everywhere
        if name in everywhere:
            near = mine
        blocked = {chosen[other] for other in near if other in chosen}
        free = [short for short in shorts if short not in blocked]
        if not free:
            shorts.append(next(pool))
            free = shorts[-1:]
        chosen[name] = free[0]
    return chosen


def share(
    sources: Mapping[str, str], fixed: frozenset[str]
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """{dotted module name: source} -> (the same with short names, {module: {short: old name}}).

    The modules are all that the program consists of. Names in `fixed` stay.
    """
    names = sources.keys()
    modules = {
        name: _Module(
            name, text, ast.parse(text), any(other.startswith(name + ".") for other in names)
        )
        for name, text in sources.items()
    }
    for module in modules.values():
        _Places(module, modules).visit(module.tree)
    chosen = _choose(modules, fixed)
    texts: dict[str, str] = {}
    tables: dict[str, dict[str, str]] = {}
    for name, module in modules.items():
        edits = {
            Edit(line, column, old, chosen[old])
            for line, column, old in module.places
            if old in chosen
        }
        texts[name] = apply(module.text, list(edits))
        tables[name] = {chosen[old]: old for old in sorted(module.defines) if old in chosen}
    return texts, tables


def defined(text: str) -> frozenset[str]:
    """The names that a module gives to others: its globals, its classes' methods, attributes."""
    module = _Module("", text, ast.parse(text), False)
    _Places(module, {}).visit(module.tree)
    return frozenset(module.defines)
