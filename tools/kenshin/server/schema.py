"""The tables. Every table that grows with readings is keyed by the gateway first.

No foreign key leads out of those tables and no counter is shared between gateways, so they can be
partitioned or sharded by gateway. Times are UTC seconds, energies 0.1 Wh in 64 bits, currents
0.1 A, power W; NULL = not measured.
"""

from typing import Any

from sqlalchemy import BigInteger, ForeignKey, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

VERSION = 1

# SQLite: rows live in the primary key's own tree, which halves the file and the writes.
_CLUSTERED: dict[str, Any] = {"sqlite_with_rowid": False}


class Base(DeclarativeBase):
    """All tables."""


class Meta(Base):
    """Facts about the database itself; `schema` = version of these tables."""

    __tablename__ = "meta"
    key: Mapped[str] = mapped_column(String(40), primary_key=True)
    value: Mapped[str] = mapped_column(Text)


class Gateway(Base):
    """One gateway: a board at a meter. The directory; small."""

    __tablename__ = "gateways"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str] = mapped_column(String(11), unique=True)
    name: Mapped[str] = mapped_column(String(60), unique=True)
    created: Mapped[int] = mapped_column(BigInteger)


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
    gateway_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last_seen: Mapped[int | None] = mapped_column(BigInteger)
    status: Mapped[str | None] = mapped_column(Text)  # JSON object
    status_t: Mapped[int | None] = mapped_column(BigInteger)
    stored: Mapped[int] = mapped_column(BigInteger, default=0)
    conflicts: Mapped[int] = mapped_column(BigInteger, default=0)
    rejected: Mapped[int] = mapped_column(BigInteger, default=0)


class Reading(Base):
    """One moment of one gateway."""

    __tablename__ = "readings"
    __table_args__ = _CLUSTERED
    gateway_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(9), primary_key=True)
    t: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    quality: Mapped[str] = mapped_column(String(6))
    power: Mapped[int | None] = mapped_column(BigInteger)
    current_r: Mapped[int | None]
    current_t: Mapped[int | None]
    normal: Mapped[int | None] = mapped_column(BigInteger)
    reverse: Mapped[int | None] = mapped_column(BigInteger)
    origins: Mapped[str] = mapped_column(String(40))  # "E2" or "E2 E4", in the wire's words
    received: Mapped[int] = mapped_column(BigInteger)


class Conflict(Base):
    """A value that came later for a moment and disagrees with the one that stands."""

    __tablename__ = "conflicts"
    __table_args__ = _CLUSTERED
    gateway_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(9), primary_key=True)
    t: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    field: Mapped[str] = mapped_column(String(9), primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    quality: Mapped[str] = mapped_column(String(6))
    origin: Mapped[str] = mapped_column(String(4))
    received: Mapped[int] = mapped_column(BigInteger)


class Received(Base):
    """Sequence numbers stored, as ranges: one row while nothing is missing."""

    __tablename__ = "received"
    __table_args__ = _CLUSTERED
    gateway_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stream: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    first: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(BigInteger)


class Rejection(Base):
    """A reading that was refused, and why; the newest of each gateway."""

    __tablename__ = "rejections"
    __table_args__ = _CLUSTERED
    gateway_id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    stream: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    why: Mapped[str] = mapped_column(String(200))
    row: Mapped[str] = mapped_column(String(400))
    received: Mapped[int] = mapped_column(BigInteger)
