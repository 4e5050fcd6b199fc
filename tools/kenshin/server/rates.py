"""How often something may be asked for: counted in the database, so for all processes together."""

from typing import Any, NamedTuple

from sqlalchemy import Connection, select
from sqlalchemy.dialects import postgresql, sqlite

from kenshin.server.schema import Rate


class Allowance(NamedTuple):
    """What is left in this window."""

    limit: int
    used: int
    reset: int  # seconds until the window ends

    @property
    def exceeded(self) -> bool:
        """Whether this was one too many."""
        return self.used > self.limit

    def headers(self) -> dict[str, str]:
        """For the answer."""
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "RateLimit-Reset": str(self.reset),
        }


def take(
    connection: Connection, name: str, limit: int, now: int, window: int = 60, count: int = 1
) -> Allowance:
    """Count one more of `name`, in windows of so many seconds; what is left."""
    start = now - now % window
    kind: Any = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = kind.insert(Rate).values(name=name[:100], start=start, count=count)
    used = connection.scalar(
        statement.on_conflict_do_update(
            index_elements=["name", "start"], set_={"count": Rate.count + count}
        ).returning(Rate.count)
    )
    return Allowance(limit, used or 0, start + window - now)


def look(connection: Connection, name: str, limit: int, now: int, window: int = 60) -> Allowance:
    """What is left of `name`, without counting."""
    start = now - now % window
    used = connection.scalar(
        select(Rate.count).where(Rate.name == name[:100], Rate.start == start)
    )
    return Allowance(limit, (used or 0) + 1, start + window - now)
