"""The database: opening it, transactions, and telling "not now" from a fault.

SQLite runs with a write-ahead log and `synchronous=FULL`: each commit waits until the log is
synced to the disk, so a commit that has returned survives kill -9 and a power cut. (With NORMAL,
the log is synced only at checkpoints: after a power cut readings already acknowledged could be
missing, and the gateway has thrown them away.) Readers never wait for writers. PostgreSQL does the
same with `synchronous_commit=on`, its own default, which is asked for in each connection.
"""

import os
import sqlite3
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import QueuePool

# The newest step of `migrations`.
HEAD = "0008"

# Primary result codes of SQLite that pass by themselves or by the owner's hand.
_PASSING = {
    sqlite3.SQLITE_BUSY: "the database is locked by another program",
    sqlite3.SQLITE_LOCKED: "the database is locked by another program",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_IOERR: "the disk does not take what is written",
    sqlite3.SQLITE_READONLY: "the database may not be written to",
    sqlite3.SQLITE_CANTOPEN: "the database cannot be opened",
}
# PostgreSQL's codes, where the words say more than "does not answer".
_PASSING_STATES = {
    "25006": "the database may not be written to",
    "40001": "another write was in the way",
    "40P01": "another write was in the way",
    "53100": "the disk is full",
    "55P03": "the database is locked by another program",
    "57014": "the database is too slow",
}
_WRITE = "kenshin_write"
# Seconds PostgreSQL may take for one statement, for a lock, for a connection.
_STATEMENT, _LOCK, _CONNECT = 60, 10, 5


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
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
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
            self.postgres = self.engine.dialect.name == "postgresql"
            self.partitions: set[str] = set()  # of the readings, known to be there
            try:
                self._prepare()
            except BaseException:
                self.close()
                raise
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

    def _prepare(self) -> None:
        with self.reading() as connection:
            ready = _version(connection) == HEAD
        if not ready:
            with self.writing() as connection:
                _migrate(connection)

    @contextmanager
    def reading(self) -> Generator[Connection]:
        """A transaction that sees one consistent state. Raises Unavailable."""
        with _not_now(), self.engine.connect() as plain:
            options: dict[str, Any] = {}
            if self.postgres:
                options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
            connection = plain.execution_options(**options)
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self) -> Generator[Connection]:
        """A transaction that may write: durable once left, undone on any error.

        Raises Unavailable, on entering or on leaving, when it cannot be had now.
        """
        with _not_now(), self.engine.connect() as plain:
            connection = plain.execution_options(**({} if self.postgres else {_WRITE: True}))
            with connection.begin():
                yield connection

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


@contextmanager
def _not_now() -> Generator[None]:
    try:
        yield
    except PoolTimeout as error:
        raise Unavailable("too many requests at once") from error
    except DBAPIError as error:
        why = _passing(error.orig)
        if why is None:
            raise
        raise Unavailable(why) from error
    except (sqlite3.Error, psycopg.Error) as error:  # from a driver's own cursor
        why = _passing(error)
        if why is None:
            raise
        raise Unavailable(why) from error


def _passing(error: BaseException | None) -> str | None:
    """In words, when this passes by itself or by the owner's hand; None when it is a fault."""
    if isinstance(error, sqlite3.Error):
        return _PASSING.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)
    if isinstance(error, psycopg.Error):
        known = _PASSING_STATES.get(error.sqlstate or "")
        if known is not None:
            return known
        if isinstance(error, psycopg.OperationalError):
            return "the database does not answer"
    return None


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
    if url.get_backend_name() == "postgresql":
        settings = (
            f"-c statement_timeout={_STATEMENT}s -c lock_timeout={_LOCK}s -c timezone=UTC"
            " -c jit=off -c synchronous_commit=on"
        )
        return create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_size=8,
            max_overflow=8,
            pool_timeout=10,
            connect_args={
                "connect_timeout": _CONNECT,
                "options": settings,
                "application_name": "kenshin",
            },
        )
    if url.get_backend_name() != "sqlite":
        raise NoSuchModuleError
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
        _write_ahead(connection, busy_ms / 1000)
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")
        # A checkpoint syncs the database's own file too: not every 4 MB, but every 32.
        connection.execute("PRAGMA wal_autocheckpoint=8000")
        connection.execute("PRAGMA cache_size=-65536")  # KiB

    def on_begin(connection: Connection) -> None:
        # IMMEDIATE takes the write lock at once: a transaction never has to give up half-way.
        write = connection.get_execution_options().get(_WRITE, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    event.listen(engine, "connect", on_connect)
    event.listen(engine, "begin", on_begin)
    return engine


def _write_ahead(connection: sqlite3.Connection, limit: float) -> None:
    """Switch to the write-ahead log, once the others let us: `limit` = seconds to wait for them.

    SQLite does not wait by itself here, whatever its time-out: when several servers start at once
    on a new file, all of them but one are told at once that it is locked.
    """
    end = time.monotonic() + limit
    while True:
        try:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            break
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= end:
                raise
        time.sleep(0.02)
    if mode != "wal":
        raise sqlite3.DatabaseError(f"needs a write-ahead log, but has journal mode {mode}")


def _version(connection: Connection) -> str | None:
    """The step of the migrations that the database is at; None = no tables of ours.

    Raises StoreError when the tables are somebody else's, or from a newer program.
    """
    tables = set(inspect(connection).get_table_names())
    if "alembic_version" in tables and "gateway_state" in tables:
        version = connection.scalar(text("SELECT version_num FROM alembic_version"))
        if not isinstance(version, str) or version > HEAD:
            raise StoreError(
                f"the database has version {version} of the tables; this program knows {HEAD}: "
                "update the program"
            )
        return version
    if not tables:
        return None
    if "meta" in tables and "gateway_state" in tables:
        found = connection.scalar(text("SELECT value FROM meta WHERE key = 'schema'"))
        if found == "1":
            return "first"  # of the server before there were migrations
    raise StoreError("this database belongs to another program: it has tables, but not ours")


def _migrate(connection: Connection) -> None:
    # Only here: it is seldom needed and takes its time to load.
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        # Two servers that start at once: the second finds everything done.
        connection.execute(text("SELECT pg_advisory_xact_lock(5064532)"))
    version = _version(connection)
    if version == HEAD:
        return
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    if version == "first":
        command.stamp(config, "0001")
    command.upgrade(config, "head")
