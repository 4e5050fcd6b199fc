"""Alerts: rules, what they found, and the messages about it."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_BIG = sa.BigInteger
_SMALL = sa.SmallInteger


def _key(name: str) -> sa.Column[int]:
    return sa.Column(name, _BIG(), primary_key=True, autoincrement=False, nullable=False)


def _need(name: str, kind: Any) -> sa.Column[Any]:
    return sa.Column(name, kind, nullable=False)


def upgrade() -> None:
    """New tables only."""
    op.create_table(
        "alert_rules",
        sa.Column("id", sa.Integer(), primary_key=True),
        _need("kind", sa.String(10)),
        sa.Column("gateway_id", sa.Integer(), sa.ForeignKey("gateways.id", ondelete="CASCADE")),
        sa.Column("group_id", sa.Integer(), sa.ForeignKey("groups.id", ondelete="CASCADE")),
        _need("threshold", sa.Integer()),
        _need("minutes", sa.Integer()),
        _need("ways", sa.String(9)),
        _need("mail", sa.String(500)),
        sa.Column("quiet_from", _SMALL()),
        sa.Column("quiet_to", _SMALL()),
        _need("quiet_drop", _SMALL()),
        _need("active", _SMALL()),
    )
    op.create_table(
        "alerts",
        _key("gateway_id"),
        _key("rule_id"),
        _key("since"),
        sa.Column("until", _BIG()),
        _need("kind", sa.String(10)),
        sa.Column("value", _BIG()),
        _need("threshold", sa.Integer()),
        _need("minutes", sa.Integer()),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_alerts_since", "alerts", ["since"])
    still = sa.text("until IS NULL")
    op.create_index(
        "ix_alerts_open",
        "alerts",
        ["gateway_id", "rule_id"],
        sqlite_where=still,
        postgresql_where=still,
    )
    op.create_table(
        "alert_messages",
        _key("gateway_id"),
        _key("rule_id"),
        _key("since"),
        sa.Column("what", sa.String(5), primary_key=True, nullable=False),
        sa.Column("way", sa.String(4), primary_key=True, nullable=False),
        _need("state", _SMALL()),
        _need("due", _BIG()),
        _need("tries", _SMALL()),
        sa.Column("claim", sa.String(32)),
        _need("created", _BIG()),
        sa.Column("done", _BIG()),
        sa.Column("why", sa.String(200)),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_alert_messages_due", "alert_messages", ["state", "due"])
