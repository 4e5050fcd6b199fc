"""INSERT ... ON CONFLICT, which both databases have and SQLAlchemy names for each by itself."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite

from kenshin.server.schema import Base

Rows = Sequence[Mapping[str, Any]]


def _insert(connection: Connection, table: type[Base]) -> Any:
    if connection.dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def insert_new(connection: Connection, table: type[Base], rows: Rows) -> None:
    """Insert rows; those whose key is there stay as they are."""
    connection.execute(_insert(connection, table).on_conflict_do_nothing(), rows)


def upsert(
    connection: Connection, table: type[Base], rows: Rows, keep: Iterable[str] = ()
) -> None:
    """Insert rows, or overwrite those that are there but for the columns in `keep`."""
    keys = [column.name for column in table.__table__.primary_key]
    statement = _insert(connection, table)
    changed = {
        name: statement.excluded[name] for name in rows[0] if name not in keys and name not in keep
    }
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)
