"""A board's flash in memory: what a system call does for a file on the disk takes ten times as
long, and the gateway goes to its flash each minute."""

from __future__ import annotations

import errno
import os
from io import BytesIO
from typing import Any

_BLOCK, _BLOCKS = 4_096, 1_024


class Flash:
    """`files`: what is in them, by their paths. `open`, and of the module os what the gateway
    uses; OSError as there."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self._folders = {""}

    def laid_on(self, module: Any) -> None:
        """From now on the files of a module are here."""
        module.open, module.os = self.open, self

    def open(self, path: str, mode: str) -> BytesIO | _Appender:
        """`mode`: rb, ab or wb."""
        if mode == "rb":
            return BytesIO(self._file(path))
        if path.rpartition("/")[0] not in self._folders:
            raise _no_such(path)
        if mode == "wb" or path not in self.files:
            self.files[path] = b""
        elif mode != "ab":
            raise ValueError(mode)
        return _Appender(self.files, path)

    def remove(self, path: str) -> None:
        self._file(path)
        del self.files[path]

    def stat(self, path: str) -> os.stat_result:
        return os.stat_result((0o100644, 0, 0, 1, 0, 0, len(self._file(path)), 0, 0, 0))

    def statvfs(self, path: str) -> tuple[int, ...]:
        return (_BLOCK, _BLOCK, _BLOCKS, _BLOCKS)

    def mkdir(self, path: str) -> None:
        if path in self._folders:
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        self._folders.add(path)

    def listdir(self, path: str) -> list[str]:
        if path not in self._folders:
            raise _no_such(path)
        return [
            name for folder, _, name in (p.rpartition("/") for p in self.files) if folder == path
        ]

    def _file(self, path: str) -> bytes:
        data = self.files.get(path)
        if data is None:
            raise _no_such(path)
        return data


class _Appender:
    """What is written to a file goes to its end."""

    def __init__(self, files: dict[str, bytes], path: str) -> None:
        self._files = files
        self._path = path

    def seek(self, offset: int, whence: int) -> int:
        """-> the file's length: only its end is ever asked for."""
        if (offset, whence) != (0, os.SEEK_END):
            raise ValueError("a file that grows has only an end")
        return len(self._files[self._path])

    def write(self, data: bytes) -> int:
        self._files[self._path] += data
        return len(data)

    def close(self) -> None:
        pass


def _no_such(path: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
