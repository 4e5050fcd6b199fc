"""Which days' half-hours are missing here, so that the gateway may read them from its meter again.

Asked of gateways only that tell in their status what is missing as they see it, and only while
they rest: as long as a gateway mends by itself it needs no advice. (It rests when nothing is
missing, or when it has asked for the rest in vain.) So a server that is new, or was set back, gets
the last 99 days again. What the meter itself does not know is asked for again and again; a gateway
reads a day at most once a week for that.
"""

from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection, Integer, func, literal_column, select

from kenshin.server.schema import Reading
from kenshin.server.slots import HALF_HOUR
from kenshin.server.wire import WANT_MAX

EVERY = 3600  # seconds between two looks at one gateway
DAYS = 99  # as far back as a meter tells

_JST = 9 * 3600
_DAY = 86_400
_SLOTS = 48
_EPOCH = date(1970, 1, 1)


def rests(status: dict[str, Any] | None) -> int | None:
    """How many days back the gateway's meter tells, when by its own `status` it rests."""
    repair: dict[str, Any] | None = status.get("repair") if status else None
    if not repair or repair.get("missing") is None:
        return None
    if repair["missing"] and repair.get("reading") is not None:
        return None
    days: int | None = repair.get("days")
    return min(days, DAYS) if days else None


def missing(connection: Connection, gateway_id: int, days: int, now: int) -> list[str]:
    """At most `WANT_MAX` of the last `days` before today (in Japan) that are not whole here.

    Another part of them at each look, so that days that will never be whole hide no others.
    """
    today = (now + _JST) // _DAY
    first = today - days
    begin = first * _DAY - _JST
    # In the text, for PostgreSQL takes equal parameters for different ones.
    day = literal_column(f"(t + {_JST}) / {_DAY}", Integer)
    rows = connection.execute(
        select(day, func.count())
        .where(
            Reading.gateway_id == gateway_id,
            Reading.kind == HALF_HOUR,
            Reading.t >= begin,
            Reading.t < today * _DAY - _JST,
            Reading.normal.is_not(None) | Reading.reverse.is_not(None),
        )
        .group_by(day)
    )
    have: dict[int, int] = {row[0]: row[1] for row in rows}
    found = [d for d in range(today - 1, first - 1, -1) if have.get(d, 0) < _SLOTS]
    if len(found) > WANT_MAX:
        at = now // EVERY * WANT_MAX % len(found)
        found = (found[at:] + found[:at])[:WANT_MAX]
    return [str(_EPOCH + timedelta(d)) for d in found]
