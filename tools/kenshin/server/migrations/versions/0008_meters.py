"""The meters of a gateway, one after the other."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.BigInteger(), primary_key=True, autoincrement=False, nullable=False)


def upgrade() -> None:
    """Of the meters told so far it is known that they are read since the last status."""
    op.create_table(
        "meters",
        *(_key("gateway_id"), _key("t")),
        sa.Column("before", sa.BigInteger(), nullable=True),
        sa.Column("meter", sa.Text(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.execute(
        "INSERT INTO meters (gateway_id, t, before, meter)"
        " SELECT gateway_id, status_t, status_t, meter FROM gateway_state"
        " WHERE meter IS NOT NULL AND status_t IS NOT NULL"
    )
