"""Work that one process at a time does: whoever holds its lease, a row in the database.

A lease that is not renewed (its process died) passes on by itself.
"""

from typing import NamedTuple

from sqlalchemy import Connection, or_, select, update

from kenshin.server.schema import Lease
from kenshin.server.upserts import insert_new

# A lease until later than this after now was taken by a clock that was wrong.
_ABSURD = 3600


class Taken(NamedTuple):
    """What became of the wish to hold a lease."""

    ours: bool
    idle: int  # seconds in which nobody held it, before now


def take(connection: Connection, name: str, me: str, now: int, seconds: int) -> Taken:
    """Take the lease, or keep it. In a transaction that may write."""
    insert_new(connection, Lease, [{"name": name, "holder": me, "until": 0}])
    before = connection.scalar(select(Lease.until).where(Lease.name == name)) or 0
    done = connection.execute(
        update(Lease)
        .where(Lease.name == name)
        .where(or_(Lease.holder == me, Lease.until < now, Lease.until > now + _ABSURD))
        .values(holder=me, until=now + seconds)
    )
    return Taken(done.rowcount == 1, max(0, now - before))


def held(connection: Connection, name: str, me: str, now: int, seconds: int) -> bool:
    """Whether it is still ours; then it stays so until this transaction ends, and longer."""
    done = connection.execute(
        update(Lease).where(Lease.name == name, Lease.holder == me).values(until=now + seconds)
    )
    return done.rowcount == 1


def give_up(connection: Connection, name: str, me: str, now: int) -> None:
    """Another may have it from now on."""
    connection.execute(
        update(Lease).where(Lease.name == name, Lease.holder == me).values(until=now - 1)
    )
