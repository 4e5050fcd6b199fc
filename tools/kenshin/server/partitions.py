"""PostgreSQL keeps the readings of each month in a table of its own."""

from datetime import UTC, datetime

from sqlalchemy import Connection


def month(t: int) -> tuple[str, int, int]:
    """(name of the partition, beginning, end) of the month, in UTC, that holds `t`."""
    moment = datetime.fromtimestamp(t, UTC)
    begin = datetime(moment.year, moment.month, 1, tzinfo=UTC)
    later = datetime(moment.year + moment.month // 12, moment.month % 12 + 1, 1, tzinfo=UTC)
    name = f"readings_{moment.year:04d}_{moment.month:02d}"
    return name, int(begin.timestamp()), int(later.timestamp())


def make_partition(connection: Connection, t: int) -> None:
    """Make the partition for the month of `t`, unless it is there.

    Attached after it is made: that does not lock out whoever reads or writes other months.
    """
    name, begin, end = month(t)
    run = connection.exec_driver_sql
    run("SELECT pg_advisory_xact_lock(5064533)")
    if run(f"SELECT to_regclass('{name}')").scalar() is None:
        run(f"CREATE TABLE {name} (LIKE readings INCLUDING DEFAULTS INCLUDING INDEXES)")
        run(f"ALTER TABLE readings ATTACH PARTITION {name} FOR VALUES FROM ({begin}) TO ({end})")
