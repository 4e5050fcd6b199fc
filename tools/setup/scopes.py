"""Which names are local where, for what renames the others or these."""

from __future__ import annotations

import ast
from collections.abc import Container
from typing import Generic, TypeVar

_DEF = ast.FunctionDef | ast.AsyncFunctionDef
Scope = _DEF | ast.Lambda | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp


def bound(scope: Scope, *, imports: bool) -> set[str]:
    """Names that are local to this function or comprehension; with or without what it imports."""
    names: set[str] = set()
    outer: set[str] = set()
    todo: list[ast.AST] = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, _DEF | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.alias) and imports:
            names.add((node.asname or node.name).partition(".")[0])
        elif isinstance(node, ast.ExceptHandler) and node.name:
            names.add(node.name)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            outer.update(node.names)
        if not isinstance(node, Scope):
            todo.extend(ast.iter_child_nodes(node))
    return names - outer


S = TypeVar("S", bound=Container[str])


class Scopes(ast.NodeVisitor, Generic[S]):
    """Goes through a module; `scopes` are those around the node at hand, a class is none."""

    def __init__(self) -> None:
        self.scopes: list[S] = []

    def local(self, node: Scope) -> S:
        """What `scopes` shall hold while `node` is gone through."""
        raise NotImplementedError

    def named(self, node: _DEF) -> None:
        """A def is met, in the scope where its name is."""

    def _enter(self, node: Scope) -> None:
        outside: list[ast.AST] = []  # what a def reads before it is one
        if isinstance(node, _DEF):
            self.named(node)
        if isinstance(node, _DEF | ast.Lambda):
            outside += [*node.args.defaults, *filter(None, node.args.kw_defaults)]
            outside += getattr(node, "decorator_list", [])
        for part in outside:
            self.visit(part)
        self.scopes.append(self.local(node))
        todo: list[ast.AST] = list(ast.iter_child_nodes(node))
        while todo:
            part = todo.pop(0)
            if isinstance(part, ast.arguments):
                todo += ast.iter_child_nodes(part)
            elif part not in outside:
                self.visit(part)
        self.scopes.pop()

    def visit(self, node: ast.AST) -> None:
        """Go on with this node, in a scope of its own when it has one."""
        if isinstance(node, Scope):
            self._enter(node)
        else:
            super().visit(node)
