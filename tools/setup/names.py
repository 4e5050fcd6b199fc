"""Gives the private names of a tree of Python modules short ones, the same few again and again.

MicroPython keeps every name that it has ever met, of attributes, functions and arguments, in a
table that only grows: some ten bytes and the text each. What begins with an underscore belongs to
one file, or to the classes that inherit from each other and the files that are their friends; so
`_wake` in one file and `_answered` in another can both be called `_b`. The names of positional
arguments matter to nobody but their own function.

Nothing moves: a line stays the same line. Names that some string repeats stay as they are, and so
do those that are not ours.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from string import ascii_lowercase, ascii_uppercase

_PRIVATE = re.compile(r"_[A-Za-z]\w*")
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
_Scope = _Function | ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda) + (
    ast.ListComp,
    ast.SetComp,
    ast.DictComp,
    ast.GeneratorExp,
)


class NameTrouble(Exception):
    """A private name is used in a way that would not survive; the text names file and name."""


@dataclass
class _File:
    """What one module says about names."""

    module: str
    text: str
    tree: ast.Module
    defines: set[str] = field(default_factory=set[str])
    borrows: set[str] = field(default_factory=set[str])  # of another object, not defined here
    parents: set[str] = field(default_factory=set[str])  # modules whose classes it derives from


def _bases(file: _File) -> Iterator[str]:
    """The modules that the base classes of this file come from, as far as they were imported."""
    origin: dict[str, str] = {}
    package = file.module.rpartition(".")[0]
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                module = ".".join(part for part in (package, module) if part)
            for alias in node.names:
                origin[alias.asname or alias.name] = module
    for node in ast.walk(file.tree):
        if isinstance(node, ast.ClassDef):
            for base in node.bases:
                if isinstance(base, ast.Name) and base.id in origin:
                    yield origin[base.id]


def _constants(tree: ast.Module) -> set[str]:
    """Private names of const(): the compiler puts the value in their place."""
    return {
        node.targets[0].id
        for node in tree.body
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and isinstance(node.value, ast.Call)
        and isinstance(node.value.func, ast.Name)
        and node.value.func.id == "const"
    }


def _scan(module: str, text: str) -> _File:
    file = _File(module, text, ast.parse(text))
    for node in ast.walk(file.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            file.defines.add(node.name)
        elif isinstance(node, ast.arg):
            file.defines.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            file.defines.add(node.id)
        elif isinstance(node, ast.Attribute):
            own = isinstance(node.value, ast.Name) and node.value.id == "self"
            (file.defines if own else file.borrows).add(node.attr)
        elif isinstance(node, ast.JoinedStr):
            raise NameTrouble(f"{module}: line {node.lineno}: no f-strings, names hide in them")
        elif (
            isinstance(node, ast.BinOp)
            and isinstance(node.left, ast.Constant)
            and str(node.left.value).startswith("_")
        ):
            raise NameTrouble(f"{module}: line {node.lineno}: a name is not made from a string")
    consts = _constants(file.tree)
    file.defines = {name for name in file.defines - consts if _PRIVATE.fullmatch(name)}
    file.borrows = {name for name in file.borrows - file.defines if _PRIVATE.fullmatch(name)}
    file.parents = set(_bases(file))
    return file


def _ancestors(file: _File, files: Mapping[str, _File]) -> set[str]:
    found = {file.module}
    todo = [file.module]
    while todo:
        for parent in files[todo.pop()].parents & files.keys() - found:
            found.add(parent)
            todo.append(parent)
    return found


def _circles(files: Mapping[str, _File]) -> list[set[str]]:
    """Sets of private names that may meet on one object, or in one file."""
    circles: list[set[str]] = []
    for file in files.values():
        members = _ancestors(file, files)
        held = set[str]().union(*(files[module].defines for module in members))
        friends = {one.module for one in files.values() if one.borrows & held}
        circles.append(
            held.union(*(files[one].defines | files[one].borrows for one in members | friends))
        )
    return circles


def _fixed(files: Mapping[str, _File]) -> set[str]:
    """Names that must stay: repeated by a string, imported by name, or defined by nobody here."""
    fixed: set[str] = set()
    defined = set[str]().union(*(file.defines for file in files.values()))
    for file in files.values():
        fixed |= file.borrows - defined
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                fixed.update(re.findall(r"\b_\w+", node.value))
            elif isinstance(node, ast.ImportFrom):
                fixed.update(alias.name for alias in node.names)
            elif isinstance(node, ast.keyword) and node.arg:
                fixed.add(node.arg)
        fixed |= _constants(file.tree)
    return fixed


def _shorts() -> Iterator[str]:
    for length in count(1):
        for number in range(len(ascii_lowercase) ** length):
            letters = ""
            for _ in range(length):
                number, letter = divmod(number, len(ascii_lowercase))
                letters = ascii_lowercase[letter] + letters
            yield "_" + letters


def _private(files: Mapping[str, _File], keep: frozenset[str]) -> dict[str, str]:
    """Old private name -> short one, the same in all files; those that may meet differ."""
    circles = _circles(files)
    fixed = _fixed(files) | keep
    uses: dict[str, int] = {}
    for file in files.values():
        for name in file.defines:
            uses[name] = uses.get(name, 0) + 1
    chosen: dict[str, str] = {}
    # Names in many files first: they have the most neighbours.
    for name in sorted(uses.keys() - fixed, key=lambda name: (-uses[name], name)):
        near = set[str]().union(*(circle for circle in circles if name in circle))
        taken = fixed | {chosen[other] for other in near if other in chosen}
        chosen[name] = next(short for short in _shorts() if short not in taken)
    return chosen


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


def _letters(files: Mapping[str, _File]) -> list[str]:
    """What positional arguments can be called: no variable of the program is called so."""
    taken = {
        node.id
        for file in files.values()
        for node in ast.walk(file.tree)
        if isinstance(node, ast.Name)
    }
    return [letter for letter in ascii_uppercase if letter not in taken]


def _keywords(files: Mapping[str, _File]) -> set[str]:
    """Names of arguments that stay: some call uses them as a keyword, or they are global."""
    names: set[str] = set()
    for file in files.values():
        for node in ast.walk(file.tree):
            if isinstance(node, ast.keyword) and node.arg:
                names.add(node.arg)
            elif isinstance(node, ast.Global | ast.Nonlocal):
                names.update(node.names)
    return names


def _rewrite(file: _File, private: Mapping[str, str], arguments: _Arguments) -> str:
    arguments.found = {}
    arguments.visit(file.tree)
    lines = file.text.splitlines(keepends=True)
    edits: list[tuple[int, int, str, str]] = []
    mine = private.keys() - _constants(file.tree)
    for token in tokenize.generate_tokens(io.StringIO(file.text).readline):
        if token.type != tokenize.NAME:
            continue
        line, column = token.start
        at = line, len(lines[line - 1][:column].encode())  # ast counts bytes
        if at in arguments.found:
            edits.append((line - 1, column, *arguments.found[at]))
        elif token.string in mine:
            edits.append((line - 1, column, token.string, private[token.string]))
    for line, column, old, new in reversed(edits):
        text = lines[line]
        if not text.startswith(old, column):
            raise NameTrouble(f"{file.module}: line {line + 1}: {old} is not where it should be")
        lines[line] = text[:column] + new + text[column + len(old) :]
    return "".join(lines)


def used(text: str) -> set[str]:
    """Every name in a source that knows the modules from outside, a test's say: see shorten."""
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return {token.string for token in tokens if token.type == tokenize.NAME}


def shorten(
    modules: Mapping[str, str], keep: frozenset[str] = frozenset()
) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """{dotted module name: source} -> (the same with short names, {module: {short: old name}}).

    The modules are all that the program consists of; a package is named without `__init__`.
    Names in `keep` stay, as a private name and as an argument that is named in calls.
    NameTrouble when a name cannot be told for sure.
    """
    files = {module: _scan(module, text) for module, text in modules.items()}
    private = _private(files, keep)
    arguments = _Arguments(_keywords(files) | keep, _letters(files))
    tables = {
        module: {private[old]: old for old in sorted(file.defines) if old in private}
        for module, file in files.items()
    }
    texts = {module: _rewrite(file, private, arguments) for module, file in files.items()}
    return texts, tables
