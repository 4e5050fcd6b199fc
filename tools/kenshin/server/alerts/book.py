"""What is open, what has ended, and what is to be told of it."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select, tuple_, update

from kenshin.server.alerts import quiet
from kenshin.server.alerts.judge import Verdict
from kenshin.server.alerts.rules import Rule
from kenshin.server.alerts.watch import Finding, View
from kenshin.server.schema import Alert, AlertMessage, Gateway, Group
from kenshin.server.upserts import insert_new

# An alert that ended does not begin again within so many seconds.
AGAIN = 1800
# Of a message.
WAITING, SENT, GIVEN_UP, DROPPED = range(4)
_AT_ONCE = 500

Pair = tuple[int, int]  # gateway, rule


class Plan(NamedTuple):
    """What is to be changed."""

    begin: list[Finding]
    end: list[tuple[Finding, int]]  # and since when it was open
    forget: list[tuple[Pair, int]]  # their rule does not hold there any more

    def __bool__(self) -> bool:
        return bool(self.begin or self.end or self.forget)


def plan(connection: Connection, view: View, now: int) -> Plan:
    """What a look changes."""
    still = {
        (row[0], row[1]): row[2]
        for row in connection.execute(
            select(Alert.gateway_id, Alert.rule_id, Alert.since).where(Alert.until.is_(None))
        )
    }
    begin: list[Finding] = []
    end: list[tuple[Finding, int]] = []
    for finding in view.findings:
        since = still.get((finding.gateway_id, finding.rule.id))
        if finding.verdict is Verdict.SO and since is None:
            begin.append(finding)
        elif finding.verdict is Verdict.OVER and since is not None:
            end.append((finding, since))
    forget = [(pair, since) for pair, since in still.items() if pair not in view.holding]
    before = _before(connection, [(one.gateway_id, one.rule.id) for one in begin])
    fresh: list[Finding] = []
    for one in begin:
        since, until = before.get((one.gateway_id, one.rule.id), (None, None))
        if until is not None and 0 <= now - until < AGAIN:
            continue
        # The same silence may have been told already, by a rule that was changed since.
        again = since is not None and one.since <= since
        fresh.append(one._replace(since=now) if again else one)
    return Plan(fresh, end, forget)


def _before(connection: Connection, pairs: Sequence[Pair]) -> dict[Pair, tuple[int, int | None]]:
    """When the last one began and ended."""
    found: dict[Pair, tuple[int, int | None]] = {}
    for first in range(0, len(pairs), _AT_ONCE):
        rows = connection.execute(
            select(Alert.gateway_id, Alert.rule_id, func.max(Alert.since), func.max(Alert.until))
            .where(tuple_(Alert.gateway_id, Alert.rule_id).in_(pairs[first : first + _AT_ONCE]))
            .group_by(Alert.gateway_id, Alert.rule_id)
        )
        for row in rows:
            found[row[0], row[1]] = row[2], row[3]
    return found


def carry_out(connection: Connection, todo: Plan, now: int) -> None:
    """Do it. In a transaction that may write, by the one who holds the lease."""
    alerts: list[dict[str, Any]] = []
    messages: list[dict[str, Any]] = []
    for one in todo.begin:
        rule = one.rule
        alerts.append(
            {
                **{"gateway_id": one.gateway_id, "rule_id": rule.id, "since": one.since},
                **{"kind": rule.kind, "value": one.value, "until": None},
                **{"threshold": rule.threshold, "minutes": rule.minutes},
            }
        )
        messages += _messages(rule, one.gateway_id, one.since, "begin", now)
    if alerts:
        insert_new(connection, Alert, alerts)
    for one, since in todo.end:
        _close(connection, (one.gateway_id, one.rule.id), since, now)
        if not _unheard(connection, one, since, now):
            messages += _messages(one.rule, one.gateway_id, since, "end", now)
    for pair, since in todo.forget:
        _close(connection, pair, since, now)
        _drop(connection, pair, since, now)
    if messages:
        insert_new(connection, AlertMessage, messages)


def _messages(
    rule: Rule, gateway_id: int, since: int, what: str, now: int
) -> Iterable[dict[str, Any]]:
    due = quiet.ends(now, rule.quiet_from, rule.quiet_to) or now
    for way in rule.ways:
        yield {
            **{"gateway_id": gateway_id, "rule_id": rule.id, "since": since, "what": what},
            **{"way": way, "state": WAITING, "due": due, "tries": 0, "created": now},
        }


def _close(connection: Connection, pair: Pair, since: int, now: int) -> None:
    connection.execute(
        update(Alert)
        .where(Alert.gateway_id == pair[0], Alert.rule_id == pair[1], Alert.since == since)
        .values(until=now)
    )


def _drop(connection: Connection, pair: Pair, since: int, now: int) -> int:
    """Messages that nobody has heard yet will not be sent; how many they were."""
    return connection.execute(
        update(AlertMessage)
        .where(
            AlertMessage.gateway_id == pair[0],
            AlertMessage.rule_id == pair[1],
            AlertMessage.since == since,
            AlertMessage.what == "begin",
            AlertMessage.state == WAITING,
            AlertMessage.tries == 0,
        )
        .values(state=DROPPED, done=now)
    ).rowcount


def _unheard(connection: Connection, one: Finding, since: int, now: int) -> bool:
    """Whether it came and went in quiet hours whose messages are dropped: then say nothing."""
    if not one.rule.quiet_drop:
        return False
    return _drop(connection, (one.gateway_id, one.rule.id), since, now) > 0


# ---- looking ----


class Entry(NamedTuple):
    """An alert as people see it."""

    code: str
    name: str
    group: str | None
    rule_id: int
    kind: str
    since: int
    until: int | None
    value: int | None
    threshold: int
    minutes: int


_ENTRY = (
    select(
        *(Gateway.code, Gateway.name, Group.name.label("group_name"), Alert.rule_id, Alert.kind),
        *(Alert.since, Alert.until, Alert.value, Alert.threshold, Alert.minutes),
    )
    .join(Gateway, Gateway.id == Alert.gateway_id)
    .outerjoin(Group, Group.id == Gateway.group_id)
)


def entries(
    connection: Connection,
    *,
    still: bool,
    limit: int,
    before: int | None = None,
    gateway_id: int | None = None,
    group_id: int | None = None,
) -> list[Entry]:
    """Open alerts, or those that have ended; the newest first, from before a moment."""
    statement = _ENTRY.where(Alert.until.is_(None) if still else Alert.until.is_not(None))
    if before is not None:
        statement = statement.where(Alert.since < before)
    if gateway_id is not None:
        statement = statement.where(Alert.gateway_id == gateway_id)
    if group_id is not None:
        statement = statement.where(Gateway.group_id == group_id)
    statement = statement.order_by(Alert.since.desc(), Alert.gateway_id, Alert.rule_id)
    return [Entry(*row) for row in connection.execute(statement.limit(limit))]


def open_count(connection: Connection) -> int:
    """How many are open."""
    return (
        connection.scalar(select(func.count()).select_from(Alert).where(Alert.until.is_(None)))
        or 0
    )
