"""Puts integers in the place of constants that one module imports from another.

    ESV_GET = const(0x62)                    _ESV_GET = const(0x62)
    from echonet.frame import ESV_GET   ->   pass
    if esv == ESV_GET:                       if esv == 98:

mpy-cross does this for private constants of one file; a public one costs a name, a place in each
module that knows it, and a look-up at each use. Line numbers stay.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeGuard


@dataclass(frozen=True)
class Edit:
    """In this line, counted from 1, `old` at this column becomes `new`."""

    line: int
    column: int
    old: str
    new: str


def apply(text: str, edits: list[Edit]) -> str:
    """`text` with the edits made. ValueError when one is not where it should be."""
    lines = text.splitlines(keepends=True)
    for edit in sorted(edits, key=lambda edit: (edit.line, edit.column), reverse=True):
        line = lines[edit.line - 1]
        if not line.startswith(edit.old, edit.column):
            raise ValueError(f"line {edit.line}: {edit.old} is not where it should be")
        lines[edit.line - 1] = line[: edit.column] + edit.new + line[edit.column + len(edit.old) :]
    return "".join(lines)


def is_const(node: ast.expr) -> TypeGuard[ast.Call]:
    """Whether it is const(...)."""
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return False
    return node.func.id == "const" and len(node.args) == 1


def value(node: ast.expr) -> int | None:
    """The integer that const(...) holds, when it is made of numbers alone."""
    if not is_const(node):
        return None
    names = [one for one in ast.walk(node.args[0]) if isinstance(one, ast.Name | ast.Call)]
    if names:
        return None
    number: object = eval(compile(ast.Expression(node.args[0]), "const", "eval"), {})
    return number if isinstance(number, int) else None


def origin(module: str, package: bool, node: ast.ImportFrom) -> str:
    """The module that a `from` names, seen from `module`."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + package]
    return ".".join([*parts, *filter(None, [node.module])])


@dataclass
class _Module:
    text: str
    tree: ast.Module
    consts: dict[str, tuple[int, int]]  # name: (value, line of its definition)


def _public(tree: ast.Module) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, number = node.targets[0], value(node.value)
            if isinstance(target, ast.Name) and target.id[0] != "_" and number is not None:
                found[target.id] = number, node.lineno
    return found


def _aliases(module: str, one: _Module, modules: Mapping[str, _Module]) -> dict[str, str]:
    """Local name -> module, for the imports of whole modules."""
    package = any(name.startswith(module + ".") for name in modules)
    known: dict[str, str] = {}
    for node in ast.walk(one.tree):
        if isinstance(node, ast.ImportFrom):
            base = origin(module, package, node)
            for alias in node.names:
                if f"{base}.{alias.name}" in modules:
                    known[alias.asname or alias.name] = f"{base}.{alias.name}"
    return known


def _by_attribute(
    one: _Module, aliases: Mapping[str, str], modules: Mapping[str, _Module]
) -> Iterator[tuple[ast.Attribute, str | None]]:
    """The attributes of a constant's name, each with the module that it is of, if that is sure."""
    names = {name for other in modules.values() for name in other.consts}
    for node in ast.walk(one.tree):
        if isinstance(node, ast.Attribute) and node.attr in names:
            of = aliases.get(node.value.id) if isinstance(node.value, ast.Name) else None
            sure = of if of and node.attr in modules[of].consts else None
            yield node, sure


def inline(sources: Mapping[str, str], keep: frozenset[str] = frozenset()) -> dict[str, str]:
    """{dotted module name: source} -> the same with constants in place.

    A constant stays when its name is in `keep`, or when something is read by that name of which it
    is not sure what it is.
    """
    modules = {
        name: _Module(text, tree, _public(tree))
        for name, text in sources.items()
        for tree in [ast.parse(text)]
    }
    every = {
        node.id
        for one in modules.values()
        for node in ast.walk(one.tree)
        if isinstance(node, ast.Name)
    }
    unsure = set(keep) | {name[1:] for name in every if name.startswith("_")}
    for name, one in modules.items():
        aliases = _aliases(name, one, modules)
        unsure |= {node.attr for node, of in _by_attribute(one, aliases, modules) if of is None}
        for node in ast.walk(one.tree):
            if isinstance(node, ast.ImportFrom):
                unsure |= {alias.name for alias in node.names if alias.asname}
    for one in modules.values():
        one.consts = {name: told for name, told in one.consts.items() if name not in unsure}
    return {name: _rewritten(name, one, modules) for name, one in modules.items()}


def _rewritten(module: str, one: _Module, modules: Mapping[str, _Module]) -> str:
    package = any(name.startswith(module + ".") for name in modules)
    edits: list[Edit] = []
    imports: list[tuple[ast.ImportFrom, list[str]]] = []
    numbers: dict[str, str] = {}
    for node in ast.walk(one.tree):
        if isinstance(node, ast.ImportFrom):
            base = origin(module, package, node)
            consts = modules[base].consts if base in modules else {}
            taken = [alias.name for alias in node.names if alias.name in consts]
            if taken:
                numbers.update({name: str(consts[name][0]) for name in taken})
                imports.append((node, taken))
    for node, of in _by_attribute(one, _aliases(module, one, modules), modules):
        if of is not None and isinstance(node.value, ast.Name):
            number = str(modules[of].consts[node.attr][0])
            old = f"{node.value.id}.{node.attr}"
            edits.append(Edit(node.lineno, node.col_offset, old, _literal(number)))
    for node in ast.walk(one.tree):
        if isinstance(node, ast.Name):
            if node.id in numbers:
                new = _literal(numbers[node.id])
            elif node.id in one.consts:
                new = "_" + node.id
            else:
                continue
            edits.append(Edit(node.lineno, node.col_offset, node.id, new))
    text = apply(one.text, edits)
    lines = text.splitlines(keepends=True)
    for node, taken in imports:
        rest = [
            alias.name + (f" as {alias.asname}" if alias.asname else "")
            for alias in node.names
            if alias.name not in taken
        ]
        base = "." * node.level + (node.module or "")
        line = f"from {base} import {', '.join(rest)}" if rest else "pass"
        last = node.end_lineno or node.lineno
        lines[node.lineno - 1] = lines[node.lineno - 1][: node.col_offset] + line + "\n"
        lines[node.lineno : last] = ["\n"] * (last - node.lineno)
    return "".join(lines)


def _literal(number: str) -> str:
    return f"({number})" if number.startswith("-") else number
