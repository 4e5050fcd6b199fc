"""A server in memory on a real database of each kind, and a real server process on loopback."""

import itertools
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from starlette.testclient import TestClient

import kenshin
from bench.postgres import Cluster, NoPostgres
from kenshin.server import gateways, people
from kenshin.server.app import create_app
from kenshin.server.schema import Base
from kenshin.server.service import Limits, Service
from kenshin.server.store import Store, database_url

T0 = 1_795_392_000  # 2026-11-23 00:00 UTC, on a half-hour: "now" for the servers in memory
LIMIT = 60.0  # seconds; the longest wait for anything in these tests


def _row(
    seq: Any,
    kind: Any = "instant",
    t: Any = T0,
    quality: Any = "ntp",
    power: Any = None,
    current_r: Any = None,
    current_t: Any = None,
    normal: Any = None,
    reverse: Any = None,
    origin: Any = "get",
) -> list[Any]:
    return [seq, kind, t, quality, power, current_r, current_t, normal, reverse, origin]


def _instant(seq: Any, t: int = T0, power: int | None = 500, **other: Any) -> list[Any]:
    return _row(seq, "instant", t, power=power, **other)


def _slot(
    seq: Any, t: int = T0, normal: int | None = None, reverse: int | None = None, **other: Any
) -> list[Any]:
    return _row(seq, "half-hour", t, normal=normal, reverse=reverse, **{"origin": "inf", **other})


@pytest.fixture(scope="session")
def row() -> Callable[..., list[Any]]:
    """Makes a row of the wire format: row(seq, kind, t, quality, power, ..., origin)."""
    return _row


@pytest.fixture(scope="session")
def instant() -> Callable[..., list[Any]]:
    """Makes an instant: instant(seq, t, power, **other fields)."""
    return _instant


@pytest.fixture(scope="session")
def slot() -> Callable[..., list[Any]]:
    """Makes a half-hour: slot(seq, t, normal, reverse, **other fields)."""
    return _slot


class Board:
    """A gateway as the server sees it: a code, a token, and uploads."""

    def __init__(self, client: httpx2.Client, code: str, token: str):
        self.client = client
        self.code = code
        self.token = token

    def post(self, body: Any, **headers: str) -> httpx2.Response:
        """Post JSON, or bytes as they are."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post(
            "/api/v1/readings",
            content=content,
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )

    def _itself(self) -> dict[str, str]:
        # A gateway may read what is known of it.
        return {"Authorization": f"Bearer {self.token}"}

    def upload(self, *rows: list[Any], stream: int = 1, **more: Any) -> dict[str, Any]:
        """Upload rows; the answer, which must be 200."""
        answer = self.post({"v": 1, "stream": stream, "readings": list(rows), **more})
        assert answer.status_code == 200, answer.text
        return answer.json()

    def detail(self) -> dict[str, Any]:
        """What the server knows of this gateway."""
        answer = self.client.get(f"/api/v1/gateways/{self.code}", headers=self._itself())
        assert answer.status_code == 200, answer.text
        return answer.json()

    def readings(self, **parameters: Any) -> list[dict[str, Any]]:
        """All stored readings, page by page."""
        path = f"/api/v1/gateways/{self.code}/readings"
        parameters = {"from": "0", "limit": "500", **parameters}
        answer = self.client.get(path, params=parameters, headers=self._itself())
        found: list[dict[str, Any]] = []
        for _ in range(1000):
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["readings"]
            if page["next"] is None:
                return found
            answer = self.client.get(page["next"], headers=self._itself())
        raise AssertionError("the pages have no end")


_people = itertools.count()


class Lab:
    """A server in memory with a clock that stands still, and the boards that talk to it."""

    def __init__(self, database: str | Path, limits: Limits):
        self.now = T0
        self.path = Path(database)  # of SQLite
        self.store = Store(database_url(str(database)), busy_ms=50)
        self.service = Service(self.store, now=lambda: self.now, limits=limits)
        self.app = create_app(self.service)
        self.client = TestClient(self.app, raise_server_exceptions=False)
        self.client.cookies.set("kenshin", self.login("owner"))

    def login(self, role: str = "owner") -> str:
        """A new person with this role, and a session: the value of its cookie."""
        name = f"{role} {next(_people)}"
        with self.store.writing() as connection:
            return people.begin(connection, people.add(connection, name, role, self.now), T0, "")

    def visitor(self, role: str | None = None) -> TestClient:
        """A browser of somebody with this role; None = who is not logged in."""
        client = TestClient(self.app, raise_server_exceptions=False, follow_redirects=False)
        if role is not None:
            client.cookies.set("kenshin", self.login(role))
        return client

    def board(self, name: str = "home") -> Board:
        """A new gateway."""
        with self.store.writing() as connection:
            added = gateways.add(connection, name, self.now)
        return Board(self.client, added.code, added.token)


_databases = itertools.count()


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL of this test process, with a database "ready" that has the tables."""
    try:
        cluster = Cluster(durable=False)
    except NoPostgres as error:
        pytest.skip(str(error))
    try:
        Store(database_url(cluster.create("ready"))).close()
        yield cluster
    finally:
        cluster.close()


def empty(url: str) -> None:
    """Take all rows out of a PostgreSQL database."""
    names = ", ".join(table for table in Base.metadata.tables if table != "meta")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"TRUNCATE {names} CASCADE")  # pyright: ignore
        connection.execute("UPDATE meta SET value = '0' WHERE key = 'directory'")


@pytest.fixture
def postgres(cluster: Cluster) -> str:
    """The URL of a PostgreSQL database with empty tables."""
    url = cluster.address("ready")
    empty(url)
    return url


@pytest.fixture
def postgres_void(cluster: Cluster) -> Iterator[str]:
    """The URL of a PostgreSQL database without any table."""
    name = f"void_{next(_databases)}"
    yield cluster.create(name)
    cluster.drop(name)


@pytest.fixture(scope="session")
def ready_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with empty tables, to be copied."""
    path = tmp_path_factory.mktemp("ready") / "kenshin.db"
    Store(database_url(str(path))).close()
    return path


@pytest.fixture
def file(ready_file: Path, tmp_path: Path) -> Path:
    """A SQLite file with empty tables."""
    return Path(shutil.copy(ready_file, tmp_path / "kenshin.db"))


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """A database of each kind, with empty tables: the path of a file, or a URL."""
    return str(request.getfixturevalue("file" if request.param == "sqlite" else "postgres"))


@pytest.fixture
def lab(database: str) -> Iterator[Lab]:
    lab = Lab(database, Limits())
    with lab.client:
        yield lab


@pytest.fixture
def sqlite_lab(file: Path) -> Iterator[Lab]:
    lab = Lab(file, Limits())
    with lab.client:
        yield lab


@pytest.fixture
def postgres_lab(postgres: str) -> Iterator[Lab]:
    lab = Lab(postgres, Limits())
    with lab.client:
        yield lab


@pytest.fixture
def board(lab: Lab) -> Board:
    return lab.board()


class Running:
    """A server process."""

    def __init__(self, process: subprocess.Popen[str], first: str, errors: Path):
        self.process = process
        self.first = first
        self.errors = errors
        self.url = first.split()[2].rstrip("/")
        self.client = httpx2.Client(base_url=self.url, timeout=LIMIT, trust_env=False)

    def kill(self) -> None:
        """kill -9."""
        self.end(signal.SIGKILL)

    def end(self, number: int = signal.SIGINT) -> int:
        """Send a signal and wait for the end; the exit code."""
        self.client.close()
        if self.process.poll() is None:
            self.process.send_signal(number)
        code = self.process.wait(LIMIT)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def environment(db: Path) -> dict[str, str]:
    """The environment for a `kenshin` command on the database `db`."""
    tools = str(Path(kenshin.__file__).parent.parent)
    return {**os.environ, "PYTHONPATH": tools, "KENSHIN_DB": str(db), "NO_COLOR": "1"}


def command(*arguments: str) -> list[str]:
    """A `kenshin` command line."""
    return [sys.executable, "-m", "kenshin.cli", *arguments]


Cli = Callable[..., subprocess.CompletedProcess[str]]
Start = Callable[..., Running]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "kenshin.db"


@pytest.fixture
def cli(db: Path) -> Cli:
    """Run a `kenshin` command on the database of this test.

    `env` = changes to the environment; None takes a variable away.
    """

    def run(
        *arguments: str, env: dict[str, str | None] | None = None
    ) -> subprocess.CompletedProcess[str]:
        changed = {**environment(db), **(env or {})}
        return subprocess.run(
            command(*arguments),
            capture_output=True,
            text=True,
            timeout=LIMIT,
            env={name: value for name, value in changed.items() if value is not None},
        )

    return run


@pytest.fixture
def start(db: Path, tmp_path: Path) -> Iterator[Start]:
    """Start `kenshin server run` on a free port; ended with the test."""
    started: list[Running] = []

    def run(*arguments: str) -> Running:
        errors = tmp_path / f"stderr-{len(started)}"
        with errors.open("w") as file:
            process = subprocess.Popen(
                command("server", "run", "--port", "0", *arguments),
                env=environment(db),
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )
        assert process.stdout is not None
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            ready = selector.select(LIMIT)
        first = process.stdout.readline() if ready else ""
        if not first:
            process.kill()
            process.wait(LIMIT)
            process.stdout.close()
            pytest.fail(f"the server did not start: {errors.read_text()}")
        running = Running(process, first, errors)
        started.append(running)
        return running

    yield run
    for running in started:
        running.kill()


@pytest.fixture
def new_board(db: Path) -> Callable[..., Board]:
    """Create a gateway in the database of a running server."""

    def create(server: Running, name: str = "home") -> Board:
        store = Store(database_url(str(db)))
        with store.writing() as connection:
            added = gateways.add(connection, name, T0)
        store.close()
        return Board(server.client, added.code, added.token)

    return create
