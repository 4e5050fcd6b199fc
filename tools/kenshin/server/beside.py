"""Rows of a large table beside those of a small one, looked up by the large one's key, row by row.

SQLite joins so by itself. PostgreSQL prefers to read the large table through, a month of readings
say, once for all: that takes longer with each row that is stored. A LATERAL query with a limit it
cannot turn around.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, FromClause, and_, select, true
from sqlalchemy.orm import InstrumentedAttribute

# Rows beside one, at most: no list of half-hours is longer.
MOST = 10_000


class Beside(NamedTuple):
    """What to join, on what, and the columns then."""

    table: Any
    on: ColumnElement[bool]
    columns: Sequence[Any]


def rows(
    connection: Connection, columns: Sequence[InstrumentedAttribute[Any]], *on: ColumnElement[bool]
) -> Beside:
    """The rows of the table of `columns` for which `on` holds; `on` names the other table, too."""
    table: FromClause = columns[0].class_.__table__
    if connection.dialect.name != "postgresql":
        return Beside(table, and_(*on), columns)
    found = select(*columns).where(*on).limit(MOST).correlate_except(table).lateral()
    return Beside(found, true(), list(found.c))
