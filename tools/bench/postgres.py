"""A PostgreSQL of our own on the loopback, for tests and measurements; gone when it is closed."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

_PATIENCE = 60.0
# PostgreSQL refuses to run as root.
_ACCOUNTS = ("postgres", "nobody")


class NoPostgres(Exception):
    """It cannot be had here; the text says why."""


def binaries() -> Path:
    """The folder of `initdb` and `postgres`. Raises NoPostgres."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    for name in ("initdb", "postgres"):
        if (path := shutil.which(name)) is not None:
            found.append(Path(path).parent)
    for folder in reversed(found):
        if (folder / "initdb").exists() and (folder / "postgres").exists():
            return folder
    raise NoPostgres("no PostgreSQL on this machine (Debian: apt-get install postgresql)")


def _account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    for name in _ACCOUNTS:
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise NoPostgres("running as root, and there is no account to run PostgreSQL as")


class Cluster:
    """A running PostgreSQL. `durable`: commits wait for the disk, as they do by default.

    `folder` = where its own folder is made; `settings` = more of PostgreSQL's, by their names.
    """

    def __init__(self, *, durable: bool, folder: Path | None = None, **settings: str) -> None:
        self._bin = binaries()
        self._account = _account()
        self._settings = settings
        self._folder = Path(tempfile.mkdtemp(prefix="kenshin-pg-", dir=folder))
        self._password = secrets.token_urlsafe(16)
        self.port = 0
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._init()
            self.start(durable)
        except BaseException:
            self.close()
            raise

    def _run(self, *command: str) -> subprocess.Popen[bytes]:
        log = (self._folder / "log").open("ab")
        with log:
            other = self._account
            return subprocess.Popen(
                [str(self._bin / command[0]), *command[1:]],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"},
                user=other.pw_uid if other else None,
                group=other.pw_gid if other else None,
                extra_groups=[] if other else None,
            )

    def _init(self) -> None:
        secret = self._folder / "password"
        secret.write_text(self._password)
        if self._account is not None:
            for path in (self._folder, secret):
                os.chown(path, self._account.pw_uid, self._account.pw_gid)
        made = self._run(
            *("initdb", "--pgdata=data", "--username=kenshin", "--pwfile=password"),
            *("--auth=scram-sha-256", "--encoding=UTF8", "--no-sync", "--locale=C.UTF-8"),
        )
        if made.wait(_PATIENCE):
            raise NoPostgres("initdb: " + (self._folder / "log").read_text()[-500:])

    def start(self, durable: bool) -> None:
        """Start it (again), on a free port."""
        if not self.port:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                self.port = probe.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": str(self.port),
            "unix_socket_directories": "",
            "max_connections": "60",
            "shared_buffers": "256MB",
            "max_wal_size": "2GB",
            "fsync": "on" if durable else "off",
            **self._settings,
        }
        self._process = self._run(
            "postgres", "-D", "data", *[f"--{name}={value}" for name, value in settings.items()]
        )
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                psycopg.connect(self.address("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError as error:
                if self._process.poll() is not None or time.monotonic() > until:
                    words = (self._folder / "log").read_text()[-500:]
                    raise NoPostgres(f"postgres: {words}") from error
                time.sleep(0.05)

    def address(self, database: str) -> str:
        """The URL of a database."""
        return f"postgresql://kenshin:{self._password}@127.0.0.1:{self.port}/{database}"

    def create(self, database: str, template: str = "template1") -> str:
        """Make a database; its URL."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(
                f"CREATE DATABASE {database} TEMPLATE {template}"  # pyright: ignore
            )
        return self.address(database)

    def drop(self, database: str) -> None:
        """Remove a database, whoever uses it."""
        with psycopg.connect(self.address("postgres"), autocommit=True) as connection:
            connection.execute(
                f"DROP DATABASE IF EXISTS {database} WITH (FORCE)"  # pyright: ignore
            )

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    def alive(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """End it at once, its clients too; what was committed stays."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None

    def close(self) -> None:
        """End it and remove all it has."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
