"""Keeps short strings of modules that come and go out of MicroPython's table of names.

    say("%d W" % power)      ->      say(("%d W",)[0] % power)

mpy-cross makes a name of each string of up to ten characters, and a name stays for ever, although
the module is dropped. What stands in a tuple of constants is an object of the module, and goes
with it: so here it costs some 40 bytes, but only as long as the module is there. Strings that are
names anyway stay as they are. Lines stay lines.
"""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator, Mapping

from setup.constants import Edit, apply

LONGEST = 10  # characters that mpy-cross makes a name of


def _hidden(tree: ast.Module) -> Iterator[ast.Constant]:
    """The constants that make no name as they are: docstrings, and those in constant tuples."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value
        elif isinstance(node, ast.Tuple) and _constant(node):
            yield from (one for one in ast.walk(node) if isinstance(one, ast.Constant))


def _constant(node: ast.expr) -> bool:
    if isinstance(node, ast.Tuple):
        return bool(node.elts) and all(_constant(one) for one in node.elts)
    return isinstance(node, ast.Constant)


def short(tree: ast.Module) -> Iterator[tuple[ast.Constant, str]]:
    """The strings that mpy-cross would make names of: where they stand, and their value."""
    hidden = {id(one) for one in _hidden(tree)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if len(node.value) <= LONGEST and id(node) not in hidden:
                yield node, node.value


def names(tree: ast.Module) -> Iterator[str]:
    """What is a name in any case: of variables, attributes, arguments, modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.keyword) and node.arg:
            yield node.arg
        elif isinstance(node, ast.alias):
            yield from node.name.split(".")
        elif isinstance(node, ast.ExceptHandler) and node.name:
            yield node.name


def unname(
    sources: Mapping[str, str], passing: Container[str], known: Container[str]
) -> dict[str, str]:
    """The sources {module: text} with those strings of the modules `passing` put into tuples that
    neither the others use nor are names in `known` or anywhere in the sources."""
    trees = {module: ast.parse(text) for module, text in sources.items()}
    taken = {part for module in sources for part in module.split(".")}
    for module, tree in trees.items():
        taken.update(names(tree))
        if module not in passing:
            taken.update(value for _, value in short(tree))
    out = dict(sources)
    for module, tree in trees.items():
        if module not in passing:
            continue
        text = sources[module]
        edits: list[Edit] = []
        for one, value in short(tree):
            told = ast.get_source_segment(text, one) or ""
            # Two strings side by side are one constant, on one line or on several.
            single = one.lineno == one.end_lineno and _is_one(told)
            if single and value not in taken and value not in known:
                column = len(text.splitlines()[one.lineno - 1].encode()[: one.col_offset].decode())
                edits.append(Edit(one.lineno, column, told, f"({told},)[0]"))
        out[module] = apply(text, edits)
    return out


def _is_one(told: str) -> bool:
    """Whether this is the text of one string, and not of several side by side."""
    quote = told[:1]
    if quote not in ("'", '"'):
        return False
    end, escaped = 1, False
    while end < len(told) and (escaped or told[end] != quote):
        escaped = told[end] == "\\" and not escaped
        end += 1
    return end == len(told) - 1
