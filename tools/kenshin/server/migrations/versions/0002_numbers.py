"""Readings in numbers, partitioned by time on PostgreSQL; health, hours, days; people, keys.

What the first tables hold is carried over.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

_KINDS = ("instant", "half-hour", "minute")
_QUALITIES = ("ntp", "meter", "server")
_ORIGINS = ("get", "inf", "E2", "E4", "EC", "D0", "EE")
_BIG = sa.BigInteger
_SMALL = sa.SmallInteger


def _key(name: str, kind: type[sa.types.TypeEngine[int]] = _BIG) -> sa.Column[int]:
    return sa.Column(name, kind(), primary_key=True, autoincrement=False, nullable=False)


def _big(name: str, *, default: str | None = None) -> sa.Column[int]:
    return sa.Column(name, _BIG(), nullable=False, server_default=default)


def _maybe(name: str, kind: type[sa.types.TypeEngine[int]] = _BIG) -> sa.Column[int]:
    return sa.Column(name, kind(), nullable=True)


def _word(
    name: str, length: int, *, null: bool = False, key: bool = False, unique: bool = False
) -> sa.Column[str]:
    return sa.Column(
        name, sa.String(length), nullable=null, primary_key=key, unique=unique or None
    )


def _coded(column: str, words: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN '{word}' THEN {code}" for code, word in enumerate(words))
    return f"CASE {column} {cases} END"


def _bits(column: str) -> str:
    # The words are told apart by the spaces around them.
    return " + ".join(
        f"CASE WHEN ' ' || {column} || ' ' LIKE '% {word} %' THEN {1 << bit} ELSE 0 END"
        for bit, word in enumerate(_ORIGINS)
    )


def upgrade() -> None:
    """Carry everything over."""
    postgres = op.get_bind().dialect.name == "postgresql"
    op.execute("DELETE FROM meta WHERE key = 'schema'")
    op.execute("INSERT INTO meta (key, value) VALUES ('directory', '0')")
    _directory()
    _state()
    _readings(postgres)
    _kept_for_ever()
    _people()
    if postgres:
        # Many small updates of the same rows: room for them on the same page.
        op.execute("ALTER TABLE gateway_state SET (fillfactor = 50)")
        op.execute("ALTER TABLE received SET (fillfactor = 70)")


def _directory() -> None:
    op.create_table(
        "groups", sa.Column("id", sa.Integer(), primary_key=True), _word("name", 60, unique=True)
    )
    # Said plainly: Alembic would make the table anew on SQLite, where tokens refer to it.
    for column in (
        "group_id INTEGER REFERENCES groups (id)",
        "zone VARCHAR(40) DEFAULT 'Asia/Tokyo' NOT NULL",
        "contract SMALLINT",
    ):
        op.execute(f"ALTER TABLE gateways ADD COLUMN {column}")
    op.create_index("ix_gateways_group_id", "gateways", ["group_id"])
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER TABLE gateways ALTER COLUMN id DROP DEFAULT")
        op.execute("DROP SEQUENCE gateways_id_seq")


def _state() -> None:
    for column in (
        sa.Column("meter", sa.Text()),
        _word("word", 7, null=True),
        _word("code", 40, null=True),
        _word("fw", 40, null=True),
        _maybe("rssi", _SMALL),
        _maybe("queue"),
        _maybe("uptime"),
        _big("health_t", default="0"),
        _big("rolled", default="0"),
        _big("purged", default="0"),
        sa.Column("want", sa.Text(), nullable=False, server_default="[]"),
    ):
        op.add_column("gateway_state", column)


def _readings(postgres: bool) -> None:
    op.rename_table("readings", "old_readings")
    op.rename_table("conflicts", "old_conflicts")
    if postgres:
        op.execute("ALTER INDEX readings_pkey RENAME TO old_readings_pkey")
        op.execute("ALTER INDEX conflicts_pkey RENAME TO old_conflicts_pkey")
    op.create_table(
        "readings",
        _key("gateway_id"),
        _key("kind", _SMALL),
        _key("t"),
        sa.Column("quality", _SMALL(), nullable=False),
        _maybe("power"),
        _maybe("current_r", sa.Integer),
        _maybe("current_t", sa.Integer),
        _maybe("normal"),
        _maybe("reverse"),
        sa.Column("origins", _SMALL(), nullable=False),
        _big("received"),
        sqlite_with_rowid=False,
        postgresql_partition_by="RANGE (t)",
    )
    op.create_table(
        "conflicts",
        _key("gateway_id"),
        _key("kind", _SMALL),
        _key("t"),
        _word("field", 9, key=True),
        _key("value"),
        sa.Column("quality", _SMALL(), nullable=False),
        sa.Column("origins", _SMALL(), nullable=False),
        _big("received"),
        sqlite_with_rowid=False,
    )
    # On PostgreSQL there never was a first server: nothing to carry, and no partition yet.
    if not postgres:
        op.execute(
            "INSERT INTO readings (gateway_id, kind, t, quality, power, current_r, current_t,"
            " normal, reverse, origins, received)"
            f" SELECT gateway_id, {_coded('kind', _KINDS)}, t, {_coded('quality', _QUALITIES)},"
            f" power, current_r, current_t, normal, reverse, {_bits('origins')}, received"
            " FROM old_readings"
        )
        op.execute(
            "INSERT INTO conflicts (gateway_id, kind, t, field, value, quality, origins, received)"
            f" SELECT gateway_id, {_coded('kind', _KINDS)}, t, field, value,"
            f" {_coded('quality', _QUALITIES)}, {_bits('origin')}, received FROM old_conflicts"
        )
    op.drop_table("old_readings")
    op.drop_table("old_conflicts")


def _kept_for_ever() -> None:
    op.create_table(
        "health",
        _key("gateway_id"),
        _key("t"),
        _word("word", 7, null=True),
        _maybe("rssi", _SMALL),
        _maybe("net_rssi", _SMALL),
        _maybe("queue"),
        _maybe("uptime"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "events",
        _key("gateway_id"),
        _key("t"),
        _word("what", 8, key=True),
        _word("detail", 200),
        sqlite_with_rowid=False,
    )
    powers = ("power_min", "power_max", "power_max_t")
    energies = ("normal_first", "normal_last", "reverse_first", "reverse_last")
    op.create_table(
        "hours",
        _key("gateway_id"),
        _key("t"),
        sa.Column("n", sa.Integer(), nullable=False),
        _big("power_sum"),
        *[_maybe(name) for name in powers],
        _maybe("current_r_max", sa.Integer),
        _maybe("current_t_max", sa.Integer),
        *[_maybe(part) for name in energies for part in (name + "_t", name)],
        sqlite_with_rowid=False,
    )
    op.create_table(
        "days",
        _key("gateway_id"),
        _key("t"),
        sa.Column("n", sa.Integer(), nullable=False),
        _big("power_sum"),
        *[_maybe(name) for name in powers],
        _maybe("normal"),
        _maybe("reverse"),
        sa.Column("partial", _SMALL(), nullable=False),
        sa.Column("slots", _SMALL(), nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table("stale", _key("gateway_id"), _key("t"), sqlite_with_rowid=False)
    op.create_table(
        "settings", _word("key", 40, key=True), sa.Column("value", sa.Text(), nullable=False)
    )
    op.create_table("leases", _word("name", 40, key=True), _word("holder", 40), _big("until"))


def _people() -> None:
    op.create_table(
        "users",
        sa.Column("id", sa.Integer(), primary_key=True),
        _word("name", 60, unique=True),
        _word("role", 8),
        _word("password", 200, null=True),
        _big("created"),
        _word("language", 2, null=True),
    )
    op.create_table(
        "sessions",
        _word("sha256", 64, key=True),
        sa.Column(
            "user_id",
            sa.Integer(),
            sa.ForeignKey("users.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        _word("csrf", 64),
        _big("created"),
        _big("seen"),
        _word("agent", 200),
    )
    op.create_table(
        "invitations",
        _word("sha256", 64, key=True),
        sa.Column("user_id", sa.Integer(), sa.ForeignKey("users.id", ondelete="CASCADE")),
        _big("expires"),
    )
    op.create_table(
        "api_keys",
        _word("access_key", 24, key=True),
        _word("sha256", 64),
        _word("name", 60),
        sa.Column("gateway_id", sa.Integer(), sa.ForeignKey("gateways.id")),
        sa.Column("group_id", sa.Integer(), sa.ForeignKey("groups.id")),
        _big("created"),
        _maybe("expires"),
        _maybe("used"),
    )
    op.create_table(
        "rates",
        _word("name", 100, key=True),
        _key("start"),
        sa.Column("count", sa.Integer(), nullable=False),
    )
