"""The non-volatile storage beside the flash image.

As in the IDF: names up to 15 characters, 32-byte entries in pages of 126, one page kept free.
What was set is visible at once; it is on the flash after commit, and lost when the power goes
before.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

NOT_FOUND = 0x1102
TYPE_MISMATCH = 0x1103
NOT_ENOUGH_SPACE = 0x1105
VALUE_TOO_LONG = 0x110E

PAGE = 4096
ENTRIES_PER_PAGE = 126
ENTRY = 32

Key = tuple[str, str]
Value = int | bytes


class NvsError(Exception):
    """A call that the IDF refuses; `code` is its esp_err_t."""

    def __init__(self, code: int) -> None:
        super().__init__(f"NVS error 0x{code:04x}")
        self.code = code


def _entries(value: Value) -> int:
    if isinstance(value, int):
        return 1
    return 2 + -(-len(value) // ENTRY)


class Nvs:
    """All namespaces. `size` is the partition's, in bytes."""

    def __init__(self, path: Path, size: int = 6 * PAGE) -> None:
        self.path = path
        self.capacity = (size // PAGE - 1) * ENTRIES_PER_PAGE
        self.blob_max = min(508_000, size * 976 // 1000 - 4000)
        self._kept: dict[Key, Value] = {}
        self._now: dict[Key, Value] = {}
        self._load()

    def _load(self) -> None:
        if self.path.exists():
            stored = json.loads(self.path.read_text(encoding="utf-8"))
            for space, keys in stored.items():
                for key, value in keys.items():
                    self._kept[space, key] = (
                        value if isinstance(value, int) else bytes.fromhex(value)
                    )
        self._now = dict(self._kept)

    def used(self) -> int:
        """Entries in use."""
        return len({space for space, _ in self._now}) + sum(map(_entries, self._now.values()))

    def get(self, space: str, key: str, kind: type[int] | type[bytes]) -> Value:
        if (space, key) not in self._now:
            raise NvsError(NOT_FOUND)
        value = self._now[space, key]
        if not isinstance(value, kind):
            raise NvsError(TYPE_MISMATCH)
        return value

    def set(self, space: str, key: str, value: Value) -> None:
        if isinstance(value, bytes) and len(value) > self.blob_max:
            raise NvsError(VALUE_TOO_LONG)
        old = self._now.get((space, key))
        if old == value and type(old) is type(value):
            return
        # The new value is written before the old one goes.
        new_space = not any(space == other for other, _ in self._now)
        if self.used() + _entries(value) + new_space > self.capacity:
            raise NvsError(NOT_ENOUGH_SPACE)
        self._now[space, key] = value

    def erase(self, space: str, key: str) -> None:
        if self._now.pop((space, key), None) is None:
            raise NvsError(NOT_FOUND)

    def dirty(self) -> bool:
        """Whether a commit would write."""
        return self._now != self._kept

    def commit(self) -> None:
        """All that was set is in the file when this returns, whatever happens to this process."""
        spaces: dict[str, dict[str, int | str]] = {}
        for (space, key), value in sorted(self._now.items()):
            spaces.setdefault(space, {})[key] = value if isinstance(value, int) else value.hex()
        temporary = self.path.with_name(self.path.name + ".tmp")
        with open(temporary, "w", encoding="utf-8") as file:
            json.dump(spaces, file, indent=1)
        os.rename(temporary, self.path)
        self._kept = dict(self._now)

    def power_cut(self) -> None:
        """Forget what was not committed."""
        self._now = dict(self._kept)

    def value(self, space: str, key: str) -> Value | None:
        """What is on the flash, for tests."""
        return self._kept.get((space, key))
