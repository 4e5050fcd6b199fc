"""Gives positional arguments one letter each, by their place: A, B, C ...

MicroPython keeps the name of each argument in its table of names, where it matters to nobody but
its own function. Lines stay lines.
"""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable, Mapping
from string import ascii_uppercase

from setup.constants import Edit, apply
from setup.scopes import Scope, Scopes, bound


class _Arguments(Scopes[dict[str, str]]):
    """Collects where positional arguments stand: {(line, column): (old, new)}."""

    def __init__(self, keywords: set[str], letters: list[str]) -> None:
        super().__init__()
        self.keywords = keywords
        self.letters = letters
        self.found: dict[tuple[int, int], tuple[str, str]] = {}

    def local(self, node: Scope) -> dict[str, str]:
        scope = {name: name for name in bound(node, imports=True)}
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for place, argument in enumerate(node.args.posonlyargs + node.args.args):
                if argument.arg != "self" and argument.arg not in self.keywords:
                    scope[argument.arg] = self.letters[place]
        return scope

    def _use(self, node: ast.Name | ast.arg, name: str) -> None:
        for scope in reversed(self.scopes):
            if name in scope:
                if scope[name] != name:
                    self.found[node.lineno, node.col_offset] = name, scope[name]
                return

    def visit_Name(self, node: ast.Name) -> None:
        self._use(node, node.id)

    def visit_arg(self, node: ast.arg) -> None:
        self._use(node, node.arg)
        if node.annotation:
            self.visit(node.annotation)


def _letters(trees: Iterable[ast.Module]) -> list[str]:
    """What arguments can be called: no variable of the program is called so."""
    taken = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    return [letter for letter in ascii_uppercase if letter not in taken]


def _keywords(trees: Iterable[ast.Module]) -> set[str]:
    """Names of arguments that stay: some call uses them as a keyword, or they are global."""
    names: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            if isinstance(node, ast.keyword) and node.arg:
                names.add(node.arg)
            elif isinstance(node, ast.Global | ast.Nonlocal):
                names.update(node.names)
    return names


def used(text: str) -> set[str]:
    """Every name in a source that knows the program from outside, a test's say."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def shorten(sources: Mapping[str, str], keep: frozenset[str] = frozenset()) -> dict[str, str]:
    """{module name: source} -> the same with short arguments; those named in `keep` stay."""
    trees = {name: ast.parse(text) for name, text in sources.items()}
    keywords = _keywords(trees.values()) | keep
    letters = _letters(trees.values())
    short: dict[str, str] = {}
    for name, tree in trees.items():
        arguments = _Arguments(keywords, letters)
        arguments.visit(tree)
        edits = [Edit(*at, *names) for at, names in arguments.found.items()]
        short[name] = apply(sources[name], edits)
    return short
