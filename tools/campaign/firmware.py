"""The board's own code on CPython, imported as often as the board does, which is each minute.

The gateway imports what it needs for a moment and drops it. A board reads a file of bytecode then;
CPython would look through the path, compile, and search a heap a thousand times as large for
garbage. Here the code is compiled once for each process, and CPython collects when it wants to.
"""

from __future__ import annotations

import ast
import builtins
import gc
import importlib
import os
import random
import sys
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

LIB = str(Path(__file__).resolve().parents[2] / "firmware" / "lib")
if LIB not in sys.path:
    sys.path.insert(0, LIB)

PACKAGES = ("boards", "echonet", "gateway", "wisun")

# Objects, and younger collections, until CPython's next. What the gateway drops each minute is a
# ring of functions and their module: found soon, it is still in the processor's cache.
SELDOM = (5_000, 20, 100)

Overlay = Callable[[Any], None]  # changes a module just after each of its imports


class _Constants(ast.NodeTransformer):
    """What the board's compiler does: const(n) is n, and so is its private name in the file."""

    def __init__(self, tree: ast.Module) -> None:
        self._known: dict[str, ast.Constant] = {}
        for item in tree.body:
            match item:
                case ast.Assign(
                    targets=[ast.Name(id=name)],
                    value=ast.Call(func=ast.Name(id="const"), args=[ast.Constant() as value]),
                ) if name.startswith("_"):
                    self._known[name] = value
                case _:
                    pass

    def visit_Call(self, node: ast.Call) -> ast.AST:
        self.generic_visit(node)
        match node:
            case ast.Call(func=ast.Name(id="const"), args=[value]):
                return value
            case _:
                return node

    def visit_Name(self, node: ast.Name) -> ast.AST:
        known = self._known.get(node.id) if isinstance(node.ctx, ast.Load) else None
        return node if known is None else ast.copy_location(ast.Constant(known.value), node)

    def visit_ImportFrom(self, node: ast.ImportFrom) -> ast.AST | None:
        only = node.module == "micropython" and [name.name for name in node.names] == ["const"]
        return None if only else node


def compiled(source: str, file: str) -> CodeType:
    """The code of a module of the firmware."""
    tree = ast.parse(source, file)
    tree = _Constants(tree).visit(tree)
    return compile(tree, file, "exec", dont_inherit=True)


class _Code:
    """A loader that keeps what was compiled."""

    def __init__(self, code: CodeType, file: str, overlay: Overlay | None) -> None:
        self._code = code
        self._file = file
        self._overlay = overlay

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        module.__file__ = self._file
        exec(self._code, module.__dict__)
        if self._overlay is not None:
            self._overlay(module)


class _Finder:
    # By the module's name: its code, its file, and where its own modules lie.
    kept: dict[str, tuple[CodeType, str, list[str] | None]] = {}

    def __init__(self, overlays: dict[str, Overlay]) -> None:
        self.overlays = overlays

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        known = self.kept.get(name)
        if known is None:
            if name.partition(".")[0] not in PACKAGES:
                return None
            spec = PathFinder.find_spec(name, path, target)
            if spec is None or spec.origin is None or not hasattr(spec.loader, "get_source"):
                return None
            source: Any = spec.loader
            code = compiled(source.get_source(name), spec.origin)
            known = code, spec.origin, spec.submodule_search_locations
            self.kept[name] = known
        code, file, folders = known
        loader: Any = _Code(code, file, self.overlays.get(name))
        found = ModuleSpec(name, loader, is_package=folders is not None)
        if folders is not None:
            found.submodule_search_locations = list(folders)
        return found


def module(name: str) -> Any:
    """A module of the firmware, which carries no annotations."""
    return importlib.import_module(name)


@contextmanager
def quick(overlays: dict[str, Overlay] | None = None) -> Generator[None]:
    """Within: what the board drops and loads again costs little, and `overlays` are laid on it."""
    finder: Any = _Finder(overlays or {})
    board_gc: Any = gc
    collect, ordinary, often = gc.collect, builtins.__import__, gc.get_threshold()
    kept, loaded = finder.kept, sys.modules

    # What was loaded before needs no search: a fifth of the campaign's time.
    def load(
        name: str,
        within: Mapping[str, Any] | None = None,
        locals: Mapping[str, Any] | None = None,
        wanted: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        if not level:
            found = loaded.get(name) or missing(name)
            if found is not None:
                if not wanted:
                    return found if "." not in name else loaded[name.partition(".")[0]]
                else:
                    has = found.__dict__
                    for one in wanted:
                        if one not in has and missing(name + "." + one) is None:
                            break
                    else:
                        return found
        return ordinary(name, within, locals, wanted or (), level)

    def missing(name: str) -> ModuleType | None:
        if name not in kept or name in loaded:
            return None
        code, file, folders = kept[name]
        return None if folders else _load(name, code, file, finder.overlays.get(name))

    _unload(finder.overlays)
    sys.meta_path.insert(0, finder)
    gc.collect, builtins.__import__ = _leave_it, load
    board_gc.mem_free = None  # asked for many times a minute, what is not there is dear
    gc.set_threshold(*SELDOM)
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
        gc.set_threshold(*often)
        board_gc.mem_free = None
        del board_gc.mem_free
        gc.collect, builtins.__import__ = collect, ordinary
        sys.meta_path.remove(finder)
        _unload(finder.overlays)


def _load(name: str, code: CodeType, file: str, overlay: Overlay | None) -> ModuleType | None:
    package, _, child = name.rpartition(".")
    if package not in sys.modules:
        return None
    module = ModuleType(name)
    module.__file__, module.__package__ = file, package
    sys.modules[name] = module
    try:
        exec(code, module.__dict__)
        if overlay is not None:
            overlay(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    setattr(sys.modules[package], child, module)
    return module


# What was loaded without its overlay, or with one that is over.
def _unload(names: Iterable[str]) -> None:
    for name in names:
        if sys.modules.pop(name, None) is not None:
            package, _, child = name.rpartition(".")
            vars(sys.modules[package]).pop(child, None)


def _leave_it(generation: int = 2) -> int:
    return 0


def _ours() -> dict[str, ModuleType]:
    return {n: m for n, m in list(sys.modules.items()) if n.partition(".")[0] in PACKAGES}


def forget() -> None:
    """No module of the firmware is loaded any more, as after a start of the board."""
    for name in _ours():
        del sys.modules[name]


@contextmanager
def chance(seed: str) -> Generator[None]:
    """Within: chance that follows from `seed`."""
    state = random.getstate()
    urandom = os.urandom
    random.seed(seed)
    os.urandom = random.Random(seed).randbytes
    try:
        yield
    finally:
        os.urandom = urandom
        random.setstate(state)


@contextmanager
def fresh(seed: str) -> Generator[None]:
    """Within: a board that has just been switched on, with chance that follows from `seed`.

    What was loaded before is there again afterwards.
    """
    before = _ours()
    forget()
    try:
        with chance(seed):
            yield
    finally:
        forget()
        sys.modules.update(before)
