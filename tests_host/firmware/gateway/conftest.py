"""The gateway often tidies its memory, and the heap of a test run is a thousand times that of a
board: what was there before a test is not looked at again and again."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def quick_collections() -> Iterator[None]:
    gc.freeze()
    yield
    gc.unfreeze()
