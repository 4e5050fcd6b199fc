"""The tables of the first server: kinds, qualities and origins are words."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_BIG = sa.BigInteger


def _number(name: str, *, key: bool = False, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, _BIG(), primary_key=key, autoincrement=False, nullable=null)


def _word(name: str, length: int, *, key: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(
        name, sa.String(length), primary_key=key, nullable=False, unique=unique or None
    )


def upgrade() -> None:
    """An empty database gets tables."""
    op.create_table(
        "meta", _word("key", 40, key=True), sa.Column("value", sa.Text(), nullable=False)
    )
    op.create_table(
        "gateways",
        sa.Column("id", sa.Integer(), primary_key=True),
        _word("code", 11, unique=True),
        _word("name", 60, unique=True),
        _number("created"),
    )
    op.create_table(
        "tokens",
        _word("sha256", 64, key=True),
        sa.Column("gateway_id", sa.Integer(), sa.ForeignKey("gateways.id"), nullable=False),
        _number("created"),
        _number("expires", null=True),
    )
    op.create_index("ix_tokens_gateway_id", "tokens", ["gateway_id"])
    op.create_table(
        "gateway_state",
        _number("gateway_id", key=True),
        _number("last_seen", null=True),
        sa.Column("status", sa.Text()),
        _number("status_t", null=True),
        _number("stored"),
        _number("conflicts"),
        _number("rejected"),
    )
    op.create_table(
        "readings",
        _number("gateway_id", key=True),
        _word("kind", 9, key=True),
        _number("t", key=True),
        _word("quality", 6),
        _number("power", null=True),
        sa.Column("current_r", sa.Integer()),
        sa.Column("current_t", sa.Integer()),
        _number("normal", null=True),
        _number("reverse", null=True),
        _word("origins", 40),
        _number("received"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "conflicts",
        _number("gateway_id", key=True),
        _word("kind", 9, key=True),
        _number("t", key=True),
        _word("field", 9, key=True),
        _number("value", key=True),
        _word("quality", 6),
        _word("origin", 4),
        _number("received"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "received",
        _number("gateway_id", key=True),
        _number("stream", key=True),
        _number("first", key=True),
        _number("last"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "rejections",
        _number("gateway_id", key=True),
        _number("stream", key=True),
        _number("seq", key=True),
        _word("why", 200),
        _word("row", 400),
        _number("received"),
        sqlite_with_rowid=False,
    )
