"""The database: opening it, transactions, and telling "not now" from a fault.

SQLite runs with a write-ahead log and `synchronous=FULL`: each commit waits until the log is
synced to the disk, so a commit that has returned survives kill -9 and a power cut. (With NORMAL,
the log is synced only at checkpoints: after a power cut readings already acknowledged could be
missing, and the gateway has thrown them away.) Readers never wait for writers.
"""

import asyncio
import os
import sqlite3
import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, create_engine, event, insert, inspect, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

from kenshin.server.schema import VERSION, Base, Meta

T = TypeVar("T")

# Primary result codes of SQLite that pass by themselves or by the owner's hand.
_PASSING = {
    sqlite3.SQLITE_BUSY: "the database is locked by another program",
    sqlite3.SQLITE_LOCKED: "the database is locked by another program",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk does not take what is written",
    sqlite3.SQLITE_READONLY: "the database may not be written to",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
}
_WRITE = "kenshin_write"


class StoreError(Exception):
    """The database cannot be used as asked; the text says what to do."""


class Unavailable(Exception):
    """The database cannot take or give this now; nothing was stored. Try again later."""

    def __init__(self, why: str):
        super().__init__(why)
        self.why = why


def default_path() -> Path:
    """Where readings lie unless the owner says otherwise: the user's data directory.

    One fixed place, so that `gateway add` and `run` meet whatever the current directory is.
    """
    base = os.environ.get("XDG_DATA_HOME", "")
    # The XDG specification: relative paths in the variable are to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".local" / "share"
    return root / "kenshin" / "kenshin.db"


def database_url(text: str | None) -> URL:
    """The database meant by `--db`: a URL, the path of a SQLite file, or the default file."""
    if text is None:
        return URL.create("sqlite", database=str(default_path()))
    if "://" not in text:
        return URL.create("sqlite", database=text)
    try:
        url = make_url(text)
    except ArgumentError:
        raise StoreError("--db is neither a database URL nor a file name") from None
    if url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:"):
        raise StoreError("--db: readings need a file, such as sqlite:///kenshin.db")
    return url


class Store:
    """Transactions on one database; safe to use from several threads and processes."""

    def __init__(self, url: URL, *, busy_ms: int = 5000):
        """Open the database, with its tables; `busy_ms` = longest wait for another's lock.

        Raises StoreError when there is no driver for `url`, or the database is not ours to use.
        """
        self.url = url
        if url.get_backend_name() == "sqlite":
            _make_private(Path(url.database or ""))
        try:
            self.engine = _engine(url, busy_ms)
            with self.writing() as connection:
                _prepare(connection)
        except (NoSuchModuleError, ModuleNotFoundError) as error:
            raise StoreError(f"--db: no driver for {url.drivername} is installed") from error
        except Unavailable as error:
            raise StoreError(f"{self}: {error.why}") from error
        except sqlite3.DatabaseError as error:  # from the connect hook, not wrapped
            raise StoreError(f"{self}: {error}") from error
        except DBAPIError as error:
            raise StoreError(f"{self}: {error.orig}") from error

    def __str__(self) -> str:
        """The file, or the URL without its password."""
        if self.url.get_backend_name() == "sqlite":
            return str(self.url.database)
        return self.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that sees one consistent state. Raises Unavailable."""
        with _not_now(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """A transaction that may write: durable once left, undone on any error.

        Raises Unavailable, on entering or on leaving, when it cannot be had now.
        """
        with _not_now(), self.engine.connect() as plain:
            connection = plain.execution_options(**{_WRITE: True})
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


class Writer:
    """Runs writes one after the other on a thread of its own, each in a durable transaction.

    SQLite has one writer anyway; a queue in front of it is fairer and cheaper than threads that
    poll for its lock. It is bounded in length and in time, so that a stuck disk shows as "not
    now" and not as memory. To commit several uploads with one sync is a change of this class only.
    """

    def __init__(self, store: Store, *, length: int = 256, patience: float = 20.0):
        """`length` = most writes waiting; `patience` = longest wait of one, in seconds."""
        self._store = store
        self._length = length
        self._patience = patience
        self._waiting = 0
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="writer")

    async def run(self, work: Callable[[Connection], T]) -> T:
        """What `work(connection)` returns, once it is durable. Raises Unavailable."""
        if self._waiting >= self._length:
            raise Unavailable("too many uploads are waiting")
        self._waiting += 1
        try:
            until = time.monotonic() + self._patience
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._thread, self._commit, work, until)
        finally:
            self._waiting -= 1

    def _commit(self, work: Callable[[Connection], T], until: float) -> T:
        if time.monotonic() > until:
            raise Unavailable("the database is too slow for the uploads that are waiting")
        with self._store.writing() as connection:
            return work(connection)

    def close(self) -> None:
        """Wait for the write under way; drop those that wait."""
        self._thread.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _not_now() -> Generator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("too many requests at once") from error
    except DBAPIError as error:
        code = getattr(error.orig, "sqlite_errorcode", None)
        if code is not None:
            why = _PASSING.get(code & 0xFF)
        elif error.connection_invalidated or isinstance(error, OperationalError):
            why = "the database does not answer"
        else:
            why = None
        if why is None:
            raise
        raise Unavailable(why) from error


def _make_private(path: Path) -> None:
    # Readings tell when a home is empty: for the owner's eyes only. The log files beside the
    # database get its mode from SQLite.
    try:
        if path == default_path():
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}") from error


def _engine(url: URL, busy_ms: int) -> Engine:
    # hide_parameters: an error's text never shows a token's hash or a reading.
    if url.get_backend_name() != "sqlite":
        return create_engine(url, hide_parameters=True, pool_pre_ping=True)
    engine = create_engine(
        url,
        hide_parameters=True,
        poolclass=QueuePool,
        pool_size=8,
        pool_timeout=10,
        connect_args={"timeout": busy_ms / 1000},
    )

    def on_connect(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we say BEGIN ourselves, see on_begin
        (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
        if mode != "wal":
            raise sqlite3.DatabaseError(f"needs a write-ahead log, but has journal mode {mode}")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    def on_begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock at once: a transaction never has to give up half-way.
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _prepare(connection: Connection) -> None:
    tables = inspect(connection).get_table_names()
    if tables and Meta.__tablename__ not in tables:
        raise StoreError("this database belongs to another program: it has tables, but not ours")
    Base.metadata.create_all(connection)
    found = connection.scalar(select(Meta.value).where(Meta.key == "schema"))
    if found is None:
        connection.execute(insert(Meta).values(key="schema", value=str(VERSION)))
    elif found != str(VERSION):
        raise StoreError(
            f"the database has version {found} of the tables; this program knows {VERSION}"
        )
