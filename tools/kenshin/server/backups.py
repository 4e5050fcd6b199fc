"""A copy of a SQLite database that is in use."""

import contextlib
import os
import sqlite3
from pathlib import Path

from kenshin.server.store import Store


class BackupError(Exception):
    """The copy cannot be made; the text says why."""


def copy(store: Store, target: Path) -> int:
    """Copy, check and sync it; the size in bytes. Raises BackupError."""
    if store.postgres:
        raise BackupError("this is PostgreSQL: use its own pg_dump")
    if target.exists():
        raise BackupError(f"{target} is there already")
    partly = target.with_name(target.name + ".part")
    try:
        partly.unlink(missing_ok=True)
        os.close(os.open(partly, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
        with (
            contextlib.closing(sqlite3.connect(str(store.url.database))) as source,
            contextlib.closing(sqlite3.connect(partly)) as made,
        ):
            # In one piece: it reads one state from the log, and holds nobody up. In several it
            # would begin anew whenever somebody commits between two.
            source.backup(made, pages=-1)
            made.execute("PRAGMA journal_mode=DELETE")  # one file, without a log beside it
            (verdict,) = made.execute("PRAGMA quick_check").fetchone()
        if verdict != "ok":
            raise BackupError(f"the copy is damaged: {verdict}")
        with partly.open("rb+") as file:
            os.fsync(file.fileno())
        partly.rename(target)
    except OSError as error:
        raise BackupError(f"{target}: {error.strerror}") from error
    except sqlite3.Error as error:
        raise BackupError(f"{target}: {error}") from error
    finally:
        with contextlib.suppress(OSError):
            partly.unlink(missing_ok=True)
    return target.stat().st_size
