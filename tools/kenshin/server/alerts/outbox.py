"""Messages: taken by one sender, sent, tried again with growing waits, or given up.

A sender claims what is due before it sends, so two never send the same. When it dies between
sending and noting that, the message is sent again once the claim has run out: at least once.
"""

import secrets
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, func, select, tuple_, update

from kenshin.server.alerts.book import GIVEN_UP, SENT, WAITING
from kenshin.server.schema import Alert, AlertMessage, Gateway, Group

CLAIM = 300  # seconds; longer than any try takes
WAITS = (60, 120, 300, 600, 1800, 3600)  # seconds before the next try; then the last again
GIVE_UP = 2 * 86_400  # seconds after which it is too late
KEEP = 400 * 86_400  # the history
_ROWS = 500


class Told(NamedTuple):
    """One line of a message."""

    code: str
    name: str
    group: str | None
    rule_id: int
    what: str  # begin, end
    kind: str
    since: int
    until: int | None
    value: int | None
    threshold: int
    minutes: int


class Batch(NamedTuple):
    """What one rule has to tell by one way, claimed for us."""

    claim: str
    rule_id: int
    way: str
    tries: int
    created: int  # of the oldest
    left: list[str] | None  # of a mail: the addresses that do not have it yet; None = all
    lines: list[Told]


def due(connection: Connection, now: int) -> list[tuple[int, str]]:
    """(rule, way) that have something to send."""
    rows = connection.execute(
        select(AlertMessage.rule_id, AlertMessage.way)
        .where(AlertMessage.state == WAITING, AlertMessage.due <= now)
        .distinct()
        .order_by(AlertMessage.rule_id, AlertMessage.way)
    )
    return [(row[0], row[1]) for row in rows]


def claim(connection: Connection, rule_id: int, way: str, now: int) -> Batch | None:
    """Take what is due, for ourselves: all of it goes to the same people.

    In a transaction that may write.
    """
    mine = secrets.token_hex(16)
    due = (
        *(AlertMessage.state == WAITING, AlertMessage.due <= now),
        *(AlertMessage.rule_id == rule_id, AlertMessage.way == way),
    )
    whom = connection.execute(
        select(AlertMessage.whom).where(*due).order_by(AlertMessage.created).limit(1)
    ).one_or_none()
    if whom is None:
        return None
    waiting = (*due, AlertMessage.whom.is_not_distinct_from(whom[0]))
    key = (
        *(AlertMessage.gateway_id, AlertMessage.rule_id, AlertMessage.since),
        *(AlertMessage.what, AlertMessage.way),
    )
    some = select(*key).where(*waiting).order_by(AlertMessage.created).limit(_ROWS)
    connection.execute(
        update(AlertMessage)
        # The conditions once more: PostgreSQL looks at them again after waiting for another claim.
        .where(*waiting, tuple_(*key).in_(some))
        .values(claim=mine, due=now + CLAIM, tries=AlertMessage.tries + 1)
    )
    here = (AlertMessage.claim == mine, AlertMessage.state == WAITING)
    about = connection.execute(
        select(func.max(AlertMessage.tries), func.min(AlertMessage.created))
        .where(*here)
        .group_by(AlertMessage.way)
    ).one_or_none()
    if about is None:
        return None
    rows = connection.execute(
        select(
            *(Gateway.code, Gateway.name, Group.name, AlertMessage.rule_id, AlertMessage.what),
            *(Alert.kind, Alert.since, Alert.until, Alert.value, Alert.threshold, Alert.minutes),
        )
        .join(
            Alert,
            (Alert.gateway_id == AlertMessage.gateway_id)
            & (Alert.rule_id == AlertMessage.rule_id)
            & (Alert.since == AlertMessage.since),
        )
        .join(Gateway, Gateway.id == AlertMessage.gateway_id)
        .outerjoin(Group, Group.id == Gateway.group_id)
        .where(*here)
        .order_by(AlertMessage.created, Gateway.name, AlertMessage.what)
    )
    left = None if whom[0] is None else str(whom[0]).split()
    return Batch(mine, rule_id, way, about[0], about[1], left, [Told(*row) for row in rows])


def sent(connection: Connection, batch: Batch, now: int, why: str | None) -> None:
    """It arrived; `why` = not everywhere."""
    connection.execute(
        update(AlertMessage)
        .where(AlertMessage.claim == batch.claim, AlertMessage.state == WAITING)
        .values(state=SENT, done=now, claim=None, why=None if why is None else why[:200])
    )


def failed(
    connection: Connection, batch: Batch, now: int, why: str, left: list[str] | None = None
) -> bool:
    """It did not; whether it is tried again. `left` = it did, but not to these addresses."""
    here = (AlertMessage.claim == batch.claim, AlertMessage.state == WAITING)
    wait = WAITS[min(batch.tries, len(WAITS)) - 1]
    again = now - batch.created < GIVE_UP
    values: dict[str, Any] = {"state": WAITING, "due": now + wait}
    if not again:
        values = {"state": GIVEN_UP, "done": now}
    if left is not None:
        values["whom"] = " ".join(left)
    connection.execute(
        update(AlertMessage).where(*here).values(**values, claim=None, why=why[:200])
    )
    return again


class Trouble(NamedTuple):
    """Messages that do not arrive."""

    way: str
    number: int
    given_up: bool
    why: str | None


def troubles(connection: Connection, since: int) -> list[Trouble]:
    """What is being tried again now, and what was given up since then."""
    rows = connection.execute(
        select(
            AlertMessage.way,
            func.count(),
            AlertMessage.state,
            func.max(AlertMessage.why),
        )
        .where(
            AlertMessage.why.is_not(None),
            (AlertMessage.state == WAITING)
            | (AlertMessage.state.in_((GIVEN_UP, SENT)) & (AlertMessage.done >= since)),
        )
        .group_by(AlertMessage.way, AlertMessage.state)
        .order_by(AlertMessage.way, AlertMessage.state)
    )
    return [Trouble(row[0], row[1], row[2] != WAITING, row[3]) for row in rows]


def forget(connection: Connection, now: int) -> None:
    """Drop the history that is too old."""
    connection.execute(
        delete(AlertMessage).where(AlertMessage.state != WAITING, AlertMessage.done < now - KEEP)
    )
    connection.execute(delete(Alert).where(Alert.until < now - KEEP))
