"""The tables grow step by step, on both databases, and carry what they hold along."""

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from kenshin.server import gateways, hot, migrations, queries, store
from kenshin.server.ingest import Upload, ingest, prepare
from kenshin.server.schema import Base
from kenshin.server.slots import KINDS
from kenshin.server.store import Store, StoreError, database_url
from kenshin.server.wire import T_MIN, parse

T0 = 1_795_392_000


@pytest.fixture(params=["sqlite", "postgresql"])
def void(request, tmp_path):
    """A database without tables, of each kind."""
    if request.param == "postgresql":
        return request.getfixturevalue("postgres_void")
    return str(tmp_path / "kenshin.db")


def config(connection=None):
    made = Config(attributes={"connection": connection})
    made.set_main_option("script_location", str(Path(migrations.__file__).parent))
    return made


def test_the_program_knows_its_newest_step():
    assert ScriptDirectory.from_config(config()).get_heads() == [store.HEAD]


def test_the_steps_make_the_tables_that_queries_expect(void):
    opened = Store(database_url(void))
    with opened.reading() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        ours = set(Base.metadata.tables)
        found = [
            difference
            for difference in compare_metadata(context, Base.metadata)
            if not (difference[0] == "remove_table" and difference[1].name not in ours)
        ]
    opened.close()
    assert found == []


def test_opening_again_changes_nothing(void):
    for _ in range(2):
        opened = Store(database_url(void))
        with opened.reading() as connection:
            assert "readings" in inspect(connection).get_table_names()
        opened.close()


def test_servers_that_start_at_once_do_not_disturb_each_other(void):
    failed = []

    def start():
        try:
            Store(database_url(void), busy_ms=20_000).close()
        except StoreError as error:
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []


def begun(path):
    """Another server that has begun to make its tables, before there is a write-ahead log."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    return other


def test_a_server_that_begins_first_on_a_new_file_is_waited_for(tmp_path, monkeypatch):
    path = tmp_path / "kenshin.db"
    waited = []
    with closing(begun(path)) as other:

        def sleep(seconds):
            waited.append(seconds)
            if len(waited) == 3:
                other.execute("ROLLBACK")

        monkeypatch.setattr(store.time, "sleep", sleep)
        Store(database_url(str(path)), busy_ms=600_000).close()
    assert len(waited) == 3


def test_a_program_that_keeps_a_new_file_to_itself_is_not_waited_for_without_end(tmp_path):
    path = tmp_path / "kenshin.db"
    with closing(begun(path)), pytest.raises(StoreError, match="locked by another program"):
        Store(database_url(str(path)), busy_ms=50)


def test_what_the_first_server_kept_is_carried_over(tmp_path):
    path = tmp_path / "first.db"
    url = database_url(str(path))
    engine = store._engine(url, 5000)  # pyright: ignore[reportPrivateUsage]
    with engine.begin() as connection:
        command.upgrade(config(connection), "0001")
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"""
            DROP TABLE alembic_version;
            INSERT INTO meta VALUES ('schema', '1');
            INSERT INTO gateways VALUES (1, 'pswabcdefgh', 'home', {T0});
            INSERT INTO tokens VALUES ('{"0" * 64}', 1, {T0}, NULL);
            INSERT INTO gateway_state VALUES (1, {T0}, '{{"word":null}}', {T0}, 3, 1, 0);
            INSERT INTO readings VALUES
                (1, 'instant', {T0}, 'ntp', -5, -3, NULL, NULL, NULL, 'get', {T0}),
                (1, 'half-hour', {T0}, 'meter', NULL, NULL, NULL, {2**62}, 7, 'E2 E4', {T0}),
                (1, 'minute', {T0}, 'server', NULL, NULL, NULL, 1, NULL, 'D0 EE', {T0});
            INSERT INTO conflicts VALUES
                (1, 'half-hour', {T0}, 'normal', 9, 'ntp', 'EC', {T0});
            INSERT INTO received VALUES (1, 77, 0, 2);
        """)
        connection.commit()
    opened = Store(url)
    with opened.reading() as connection:
        (row,) = queries.gateways(connection, "", 10)
        page = queries.readings(connection, 1, KINDS, 0, T0 + 1, 10)
        spans = queries.streams(connection, 1)
        assert gateways.holder_of(connection, "0" * 64) is not None
    opened.close()
    assert (row.code, row.name, row.status, row.stored) == (
        "pswabcdefgh",
        "home",
        {"word": None},
        3,
    )
    assert [tuple(reading) for reading in page.readings] == [
        ("half-hour", T0, "meter", None, None, None, 2**62, 7, ("E2", "E4")),
        ("instant", T0, "ntp", -5, -3, None, None, None, ("get",)),
        ("minute", T0, "server", None, None, None, 1, None, ("D0", "EE")),
    ]
    assert [tuple(c) for c in page.conflicts] == [("half-hour", T0, "normal", 9, "ntp", ("EC",))]
    assert spans == {77: [(0, 2)]}


# ---- PostgreSQL's partitions ----


@pytest.mark.parametrize(
    ("t", "name", "days"),
    [
        (T0, "readings_2026_11", 30),
        (T_MIN, "readings_2015_01", 31),
        (1_709_164_799, "readings_2024_02", 29),
        (1_735_689_599, "readings_2024_12", 31),
    ],
)
def test_a_partition_is_a_month(t, name, days):
    found, begin, end = hot.month(t)
    assert found == name
    assert begin <= t < end
    assert end - begin == days * 86_400


def test_partitions_are_made_when_a_reading_needs_them(postgres, slot):
    opened = Store(database_url(postgres))
    with opened.writing() as connection:
        added = gateways.add(connection, "home", T0)
        ours = gateways.find(connection, added.code).id
    times = [T_MIN // 1800 * 1800 + 1800, T0 - 400 * 86_400, T0]
    body = {"v": 1, "stream": 1, "readings": [slot(n, t, n) for n, t in enumerate(times)]}
    batch = parse(str(body).replace("'", '"').replace("None", "null").encode())
    for _ in range(2):
        opened.partitions.clear()  # as another process would
        prepare(opened, [Upload(ours, batch, T0)])
        with opened.writing() as connection:
            assert ingest(connection, ours, batch, T0).ack == [(0, 2)]
    with opened.reading() as connection:
        names = set(inspect(connection).get_table_names())
        page = queries.readings(connection, ours, KINDS, 0, T0 + 1, 10)
        plan = "\n".join(
            connection.exec_driver_sql(
                "EXPLAIN SELECT * FROM readings WHERE gateway_id = 1 AND kind = 0"
                f" AND t >= {T0} AND t < {T0 + 86_400}"
            ).scalars()
        )
    opened.close()
    assert {hot.month(t)[0] for t in times} <= names
    assert [reading.t for reading in page.readings] == times
    assert "readings_2026_11" in plan and "readings_2015" not in plan
