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

_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Scope = _Function | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda) + (
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


def _bound(scope: _Scope) -> set[str]:
    """Names that are local to this function or comprehension."""
    names: set[str] = set()
    outer: set[str] = set()
    todo: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            outer.update(node.names)
        if not isinstance(node, _SCOPES):
            todo.extend(ast.iter_child_nodes(node))
    return names - outer


class _Arguments(ast.NodeVisitor):
    """Collects where positional arguments stand: {(line, column): (old, new)}."""

    def __init__(self, keywords: set[str], letters: list[str]) -> None:
        self.keywords = keywords
        self.letters = letters
        self.found: dict[tuple[int, int], tuple[str, str]] = {}
        self.scopes: list[dict[str, str]] = []

    def _enter(self, node: _Scope) -> None:
        scope = {name: name for name in _bound(node)}
        outside: list[ast.AST] = []  # what a def reads before it is one
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for place, argument in enumerate(node.args.posonlyargs + node.args.args):
                if argument.arg != "self" and argument.arg not in self.keywords:
                    scope[argument.arg] = self.letters[place]
            outside += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            outside += getattr(node, "decorator_list", [])
        for part in outside:
            self.visit(part)
        self.scopes.append(scope)
        todo: list[ast.AST] = list(ast.iter_child_nodes(node))
        while todo:
            part = todo.pop(0)
            if isinstance(part, ast.arguments):
                todo += ast.iter_child_nodes(part)
            elif part not in outside:
                self.visit(part)
        self.scopes.pop()

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._enter(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._enter(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._enter(node)

    def visit_ListComp(self, node: ast.ListComp) -> None:
        self._enter(node)

    def visit_SetComp(self, node: ast.SetComp) -> None:
        self._enter(node)

    def visit_DictComp(self, node: ast.DictComp) -> None:
        self._enter(node)

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> None:
        self._enter(node)

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
