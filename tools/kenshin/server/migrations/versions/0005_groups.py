"""What groups are summed from: the newest values of each gateway, and strips of energies."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

_NEWEST = ("power_t", "power", "normal_t", "normal", "reverse_t", "reverse")
# As the tables were at this step: readings of these kinds have these values.
_FIELDS = ((0, ("power", "normal", "reverse")), (1, ("normal", "reverse")))
_WITHIN = 2 * 86_400


def _key(name: str, kind: Any = sa.BigInteger) -> sa.Column[int]:
    return sa.Column(name, kind(), primary_key=True, autoincrement=False, nullable=False)


def upgrade() -> None:
    """Days that are there are made again, bit by bit, when the server runs, with their strips."""
    op.create_table(
        "strips",
        *(_key("gateway_id"), _key("period", sa.SmallInteger), _key("t")),
        *[sa.Column(name, sa.Text(), nullable=False) for name in ("normal", "reverse", "partial")],
        sqlite_with_rowid=False,
    )
    for name in _NEWEST:
        op.add_column("gateway_state", sa.Column(name, sa.BigInteger(), nullable=True))
    op.drop_column("gateway_state", "want")
    connection = op.get_bind()
    for gateway in connection.execute(sa.text("SELECT gateway_id FROM gateway_state")).scalars():
        _fill(connection, gateway)
    connection.execute(
        sa.text(
            "INSERT INTO stale (gateway_id, t)"
            " SELECT d.gateway_id, d.t + 43200 FROM days d"
            " JOIN gateway_state s ON s.gateway_id = d.gateway_id"
            " WHERE d.t + 43200 < s.rolled AND NOT EXISTS (SELECT 1 FROM stale o"
            " WHERE o.gateway_id = d.gateway_id AND o.t = d.t + 43200)"
        )
    )


def _fill(connection: sa.Connection, gateway: int) -> None:
    found: dict[str, tuple[int, int]] = {}
    for kind, fields in _FIELDS:
        here = f"FROM readings WHERE gateway_id = {gateway:d} AND kind = {kind}"
        last = connection.scalar(sa.text(f"SELECT max(t) {here}"))
        if last is None:
            continue
        for field in fields:
            row = connection.execute(
                sa.text(
                    f"SELECT t, {field} {here} AND t >= {last - _WITHIN:d}"
                    f" AND {field} IS NOT NULL ORDER BY t DESC LIMIT 1"
                )
            ).one_or_none()
            if row is not None:
                found[field] = max(found.get(field, (-1, 0)), (row[0], row[1]))
    if found:
        sets = ", ".join(f"{name}_t = {t:d}, {name} = {v:d}" for name, (t, v) in found.items())
        connection.execute(
            sa.text(f"UPDATE gateway_state SET {sets} WHERE gateway_id = {gateway:d}")
        )
