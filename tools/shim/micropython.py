"""MicroPython's module of the same name, as far as code that runs on both Pythons uses it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

_T = TypeVar("_T")
_F = TypeVar("_F", bound=Callable[..., Any])

_level = 0


def const(value: _T) -> _T:
    """The value itself; the board's compiler folds it."""
    return value


def native(function: _F) -> _F:
    """The function itself; on a board it becomes machine code."""
    return function


def viper(function: _F) -> _F:
    """The function itself. Its integers do not wrap here as they do on a board."""
    return function


def opt_level(level: int | None = None) -> int | None:
    """Remember the level; None asks for it, as on a board."""
    global _level
    if level is None:
        return _level
    _level = level
    return None


def mem_info(verbose: object = None) -> None:
    """Nothing: CPython has no heap of fixed size to tell about."""


def alloc_emergency_exception_buf(size: int) -> None:
    """Nothing: CPython can always allocate an exception."""


def kbd_intr(char: int) -> None:
    """Nothing: here the terminal decides what interrupts."""


def schedule(function: Callable[[Any], object], argument: Any) -> None:
    """Call the function soon: from the running event loop, or at once when there is none."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        function(argument)
    else:
        loop.call_soon(function, argument)
