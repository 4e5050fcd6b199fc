"""The tables, as queries see them; `migrations` makes them.

Every table that grows with readings is keyed by the gateway first, no foreign key leads out of
it, and no sequence is shared between gateways (a gateway's number is random): the tables can be
partitioned or sharded by gateway. Only the small directory (gateways, people, keys) has foreign
keys. Times are UTC seconds, energies 0.1 Wh in 64 bits, currents 0.1 A, power W; NULL = not
measured. Kinds, qualities and origins are numbers: see `slots`.
"""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, Index, SmallInteger, String, Text, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# SQLite: rows live in the primary key's own tree, which halves the file and the writes.
CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}


class Base(DeclarativeBase):
    """All tables."""


def _key(kind: Any = BigInteger) -> Any:
    return mapped_column(kind, primary_key=True, autoincrement=False)


class Meta(Base):
    """Facts about the database itself.

    `directory` grows with every change of who may upload, and of the settings.
    """

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Group(Base):
    """Gateways that are looked at together: a house with two meters, a customer's sites."""

    __tablename__ = "groups"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)


class Gateway(Base):
    """One gateway: a board at a meter. The directory; small."""

    __tablename__ = "gateways"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)  # random
    code: Mapped[str] = mapped_column(String(11), unique=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    created: Mapped[int] = mapped_column(BigInteger)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"), index=True)
    zone: Mapped[str] = mapped_column(String(40), default="Asia/Tokyo")  # of display and of days
    contract: Mapped[int | None] = mapped_column(SmallInteger)  # A


class Token(Base):
    """SHA-256 of an upload token; the token itself is nowhere."""

    __tablename__ = "tokens"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway_id: Mapped[int] = mapped_column(ForeignKey("gateways.id"), index=True)
    created: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int | None] = mapped_column(BigInteger)


class State(Base):
    """What is known of a gateway now: its last upload, its last status, its counts."""

    __tablename__ = "gateway_state"
    gateway_id: Mapped[int] = _key()
    last_seen: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str | None] = mapped_column(Text)  # JSON object, the last one
    status_t: Mapped[int | None] = mapped_column(BigInteger)
    meter: Mapped[str | None] = mapped_column(Text)  # JSON: what the meter last said of itself
    word: Mapped[str | None] = mapped_column(String(7))  # class of error
    code: Mapped[str | None] = mapped_column(String(40))
    fw: Mapped[str | None] = mapped_column(String(40))
    rssi: Mapped[int | None] = mapped_column(SmallInteger)  # dBm
    queue: Mapped[int | None] = mapped_column(BigInteger)  # readings that wait on the board
    uptime: Mapped[int | None] = mapped_column(BigInteger)  # s
    health_t: Mapped[int] = mapped_column(BigInteger, default=0)  # newest row of `health`
    stored: Mapped[int] = mapped_column(BigInteger, default=0)
    conflicts: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0)
    rolled: Mapped[int] = mapped_column(BigInteger, default=0)  # hours before this are in `hours`
    purged: Mapped[int] = mapped_column(BigInteger, default=0)  # no instants before this are kept
    # The newest that was measured, whatever the clocks say: sums of groups begin here.
    power_t: Mapped[int | None] = mapped_column(BigInteger)
    power: Mapped[int | None] = mapped_column(BigInteger)
    normal_t: Mapped[int | None] = mapped_column(BigInteger)
    normal: Mapped[int | None] = mapped_column(BigInteger)
    reverse_t: Mapped[int | None] = mapped_column(BigInteger)
    reverse: Mapped[int | None] = mapped_column(BigInteger)
    # At the beginning of the day that is being folded: the counters, the energy of its month.
    day_t: Mapped[int | None] = mapped_column(BigInteger)
    day_normal: Mapped[int | None] = mapped_column(BigInteger)
    day_reverse: Mapped[int | None] = mapped_column(BigInteger)
    month_normal: Mapped[int | None] = mapped_column(BigInteger)
    month_reverse: Mapped[int | None] = mapped_column(BigInteger)
    month_partial: Mapped[int | None] = mapped_column(SmallInteger)


class Reading(Base):
    """One moment of one gateway. On PostgreSQL partitioned by time."""

    __tablename__ = "readings"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    kind: Mapped[int] = _key(SmallInteger)
    t: Mapped[int] = _key()
    quality: Mapped[int] = mapped_column(SmallInteger)
    power: Mapped[int | None] = mapped_column(BigInteger)
    current_r: Mapped[int | None]
    current_t: Mapped[int | None]
    normal: Mapped[int | None] = mapped_column(BigInteger)
    reverse: Mapped[int | None] = mapped_column(BigInteger)
    origins: Mapped[int] = mapped_column(SmallInteger)  # a bit for each origin
    received: Mapped[int] = mapped_column(BigInteger)


class Conflict(Base):
    """A value that came later for a moment and disagrees with the one that stands."""

    __tablename__ = "conflicts"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    kind: Mapped[int] = _key(SmallInteger)
    t: Mapped[int] = _key()
    field: Mapped[str] = mapped_column(String(9), primary_key=True)
    value: Mapped[int] = _key()
    quality: Mapped[int] = mapped_column(SmallInteger)
    origins: Mapped[int] = mapped_column(SmallInteger)
    received: Mapped[int] = mapped_column(BigInteger)


class Received(Base):
    """Sequence numbers stored, as ranges: one row while nothing is missing."""

    __tablename__ = "received"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    stream: Mapped[int] = _key()
    first: Mapped[int] = _key()
    last: Mapped[int] = mapped_column(BigInteger)


class Rejection(Base):
    """A reading that was refused, and why; the newest of each gateway."""

    __tablename__ = "rejections"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    stream: Mapped[int] = _key()
    seq: Mapped[int] = _key()
    why: Mapped[str] = mapped_column(String(200))
    row: Mapped[str] = mapped_column(String(400))
    received: Mapped[int] = mapped_column(BigInteger)


class Health(Base):
    """How a gateway was, at most once in five minutes: the history behind its page."""

    __tablename__ = "health"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    t: Mapped[int] = _key()
    word: Mapped[str | None] = mapped_column(String(7))
    rssi: Mapped[int | None] = mapped_column(SmallInteger)
    net_rssi: Mapped[int | None] = mapped_column(SmallInteger)
    queue: Mapped[int | None] = mapped_column(BigInteger)
    uptime: Mapped[int | None] = mapped_column(BigInteger)


class Event(Base):
    """Something that changed at a gateway: `what` = word, fw or reset; `detail` = to what."""

    __tablename__ = "events"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    t: Mapped[int] = _key()
    what: Mapped[str] = mapped_column(String(8), primary_key=True)
    detail: Mapped[str] = mapped_column(String(200))


class MeterTold(Base):
    """What the meter said of itself (JSON), from `t` on. See `meters`."""

    __tablename__ = "meters"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    t: Mapped[int] = _key()
    before: Mapped[int | None] = mapped_column(BigInteger)
    meter: Mapped[str] = mapped_column(Text)


class Hour(Base):
    """The instants of one hour, kept for ever. Energies: the first and last that were read."""

    __tablename__ = "hours"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    t: Mapped[int] = _key()
    n: Mapped[int]  # measured powers
    power_sum: Mapped[int] = mapped_column(BigInteger)
    power_min: Mapped[int | None] = mapped_column(BigInteger)
    power_max: Mapped[int | None] = mapped_column(BigInteger)
    power_max_t: Mapped[int | None] = mapped_column(BigInteger)
    current_r_max: Mapped[int | None]  # by size: 0.1 A
    current_t_max: Mapped[int | None]
    normal_first_t: Mapped[int | None] = mapped_column(BigInteger)
    normal_first: Mapped[int | None] = mapped_column(BigInteger)
    normal_last_t: Mapped[int | None] = mapped_column(BigInteger)
    normal_last: Mapped[int | None] = mapped_column(BigInteger)
    reverse_first_t: Mapped[int | None] = mapped_column(BigInteger)
    reverse_first: Mapped[int | None] = mapped_column(BigInteger)
    reverse_last_t: Mapped[int | None] = mapped_column(BigInteger)
    reverse_last: Mapped[int | None] = mapped_column(BigInteger)


class Day(Base):
    """One day in the gateway's time zone, kept for ever; t = its beginning."""

    __tablename__ = "days"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    t: Mapped[int] = _key()
    n: Mapped[int]
    power_sum: Mapped[int] = mapped_column(BigInteger)
    power_min: Mapped[int | None] = mapped_column(BigInteger)
    power_max: Mapped[int | None] = mapped_column(BigInteger)
    power_max_t: Mapped[int | None] = mapped_column(BigInteger)
    normal: Mapped[int | None] = mapped_column(BigInteger)  # energy of the day
    reverse: Mapped[int | None] = mapped_column(BigInteger)
    partial: Mapped[int] = mapped_column(SmallInteger)  # 1: not measured from end to end
    slots: Mapped[int] = mapped_column(SmallInteger)  # half-hourly values that are there


class Strip(Base):
    """A day by half-hours, a month by days, a year by months: what groups are summed from.

    Each column is a JSON list; null = not measured. `partial` = 1: not measured from end to end.
    """

    __tablename__ = "strips"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    period: Mapped[int] = _key(SmallInteger)  # see `strips`
    t: Mapped[int] = _key()  # its beginning in the gateway's time zone
    normal: Mapped[str] = mapped_column(Text)
    reverse: Mapped[str] = mapped_column(Text)
    partial: Mapped[str] = mapped_column(Text)


class Stale(Base):
    """An hour that is in `hours` but got readings afterwards: to be counted again."""

    __tablename__ = "stale"
    __table_args__ = CLUSTERED
    gateway_id: Mapped[int] = _key()
    t: Mapped[int] = _key()


class Setting(Base):
    """A setting of the server; value = JSON."""

    __tablename__ = "settings"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Lease(Base):
    """Work that one process at a time does; `until` = when another may take over."""

    __tablename__ = "leases"
    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    holder: Mapped[str] = mapped_column(String(40))
    until: Mapped[int] = mapped_column(BigInteger)


class User(Base):
    """A person. `password` = argon2 hash; NULL = not set yet."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    role: Mapped[str] = mapped_column(String(8))  # owner, operator, viewer
    password: Mapped[str | None] = mapped_column(String(200))
    created: Mapped[int] = mapped_column(BigInteger)
    language: Mapped[str | None] = mapped_column(String(2))
    theme: Mapped[str | None] = mapped_column(String(5))  # light, dark


class Session(Base):
    """A person logged in; sha256 = of the cookie's value."""

    __tablename__ = "sessions"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    created: Mapped[int] = mapped_column(BigInteger)
    seen: Mapped[int] = mapped_column(BigInteger)
    agent: Mapped[str] = mapped_column(String(200))


class Invitation(Base):
    """A one-time link with which a person sets a password; sha256 = of its secret."""

    __tablename__ = "invitations"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    expires: Mapped[int] = mapped_column(BigInteger)


class ApiKey(Base):
    """An access key of the API: for one gateway, one group, or (neither) all."""

    __tablename__ = "api_keys"
    access_key: Mapped[str] = mapped_column(String(24), primary_key=True)
    sha256: Mapped[str] = mapped_column(String(64))  # of the secret, which is 256 random bits
    name: Mapped[str] = mapped_column(String(60))
    gateway_id: Mapped[int | None] = mapped_column(ForeignKey("gateways.id"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id"))
    created: Mapped[int] = mapped_column(BigInteger)
    expires: Mapped[int | None] = mapped_column(BigInteger)
    used: Mapped[int | None] = mapped_column(BigInteger)


class Rate(Base):
    """How often something was asked for in the window that began at `start`."""

    __tablename__ = "rates"
    name: Mapped[str] = mapped_column(String(100), primary_key=True)
    start: Mapped[int] = _key()
    count: Mapped[int]


class AlertRule(Base):
    """What is told to people: for one gateway, one group, or (neither) all. See `alerts.rules`."""

    __tablename__ = "alert_rules"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(10))
    gateway_id: Mapped[int | None] = mapped_column(ForeignKey("gateways.id", ondelete="CASCADE"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("groups.id", ondelete="CASCADE"))
    threshold: Mapped[int]
    minutes: Mapped[int]
    ways: Mapped[str] = mapped_column(String(9))  # mail, hook, or both
    mail: Mapped[str] = mapped_column(String(500))  # addresses; "" = those of the settings
    quiet_from: Mapped[int | None] = mapped_column(SmallInteger)  # minutes of the day, Japan
    quiet_to: Mapped[int | None] = mapped_column(SmallInteger)
    quiet_drop: Mapped[int] = mapped_column(SmallInteger)  # 1: what is over by then is not told
    active: Mapped[int] = mapped_column(SmallInteger)


class Alert(Base):
    """Something that a rule found; `until` NULL = it is still so."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_since", "since"),
        Index(
            "ix_alerts_open",
            "gateway_id",
            "rule_id",
            sqlite_where=text("until IS NULL"),
            postgresql_where=text("until IS NULL"),
        ),
        CLUSTERED,
    )
    gateway_id: Mapped[int] = _key()
    rule_id: Mapped[int] = _key()
    since: Mapped[int] = _key()
    until: Mapped[int | None] = mapped_column(BigInteger)
    kind: Mapped[str] = mapped_column(String(10))
    value: Mapped[int | None] = mapped_column(BigInteger)
    threshold: Mapped[int]
    minutes: Mapped[int]


class AlertMessage(Base):
    """What is to be told of an alert, by mail or web-hook: kept until it was, or in vain."""

    __tablename__ = "alert_messages"
    __table_args__ = (Index("ix_alert_messages_due", "state", "due"), CLUSTERED)
    gateway_id: Mapped[int] = _key()
    rule_id: Mapped[int] = _key()
    since: Mapped[int] = _key()
    what: Mapped[str] = mapped_column(String(5), primary_key=True)  # begin, end
    way: Mapped[str] = mapped_column(String(4), primary_key=True)  # mail, hook
    state: Mapped[int] = mapped_column(SmallInteger)  # see `alerts.outbox`
    due: Mapped[int] = mapped_column(BigInteger)
    tries: Mapped[int] = mapped_column(SmallInteger)
    claim: Mapped[str | None] = mapped_column(String(32))  # who sends it just now
    created: Mapped[int] = mapped_column(BigInteger)
    done: Mapped[int | None] = mapped_column(BigInteger)
    why: Mapped[str | None] = mapped_column(String(200))  # the last try failed
    whom: Mapped[str | None] = mapped_column(Text)  # addresses still to reach; NULL = all
