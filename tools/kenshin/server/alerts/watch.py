"""Measuring what the rules ask for: a few statements for hundreds of gateways at once."""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from kenshin.server import energy, meters, rollup
from kenshin.server.alerts import judge
from kenshin.server.alerts.judge import Spread, Verdict
from kenshin.server.alerts.rules import KINDS, Rule, assign, listed
from kenshin.server.schema import Gateway, Health, Reading, State
from kenshin.server.slots import HALF_HOUR, INSTANT

_AT_ONCE = 500  # gateways in a statement
SLOT = 1800
# Half-hours are missing when they are not here so long after: holes are mended by then.
GRACE = 3 * 3600
_WINDOW = 86_400


class Subject(NamedTuple):
    """A gateway, as far as rules need it."""

    id: int
    group_id: int | None
    zone: str
    contract: int | None
    created: int
    last_seen: int | None
    rssi: int | None


class Finding(NamedTuple):
    """What a rule says of a gateway."""

    rule: Rule
    gateway_id: int
    verdict: Verdict
    value: int | None
    since: int  # of the alert, should it begin now


class View(NamedTuple):
    """All that was found at one look, and which rules hold where."""

    findings: list[Finding]
    holding: set[tuple[int, int]]  # (gateway, rule)


def look(connection: Connection, now: int, awake: int, *, slow: bool) -> View:
    """Judge all rules; those of slow kinds when `slow`.

    `awake` = since when this server can have heard gateways: silence before was its own.
    """
    rules = listed(connection)
    if not any(rule.active for rule in rules):
        return View([], set())
    rows = connection.execute(
        select(
            *(Gateway.id, Gateway.group_id, Gateway.zone, Gateway.contract, Gateway.created),
            *(State.last_seen, State.rssi),
        ).join(State, State.gateway_id == Gateway.id)
    )
    subjects = {row[0]: Subject(*row) for row in rows}
    rules_of = assign(rules, [(one.id, one.group_id) for one in subjects.values()])
    holding = {(number, rule.id) for number, mine in rules_of.items() for rule in mine}
    asked: dict[int, list[Subject]] = {}
    for number, mine in rules_of.items():
        for rule in mine:
            # A gateway that never came is being installed.
            if subjects[number].last_seen is not None:
                asked.setdefault(rule.id, []).append(subjects[number])
    findings: list[Finding] = []
    for rule in rules:
        if rule.id in asked and (slow or not KINDS[rule.kind].slow):
            findings += _measure(connection, rule, asked[rule.id], now, awake)
    return View(findings, holding)


def _measure(
    connection: Connection, rule: Rule, subjects: Sequence[Subject], now: int, awake: int
) -> Iterator[Finding]:
    if rule.kind == "silent":
        for one in subjects:
            assert one.last_seen is not None
            quiet = now - max(one.last_seen, awake)
            verdict = judge.counted(quiet, rule.threshold * 60)
            if verdict is Verdict.OVER and one.last_seen < awake:
                verdict = Verdict.OPEN  # it still has time to come back
            yield Finding(rule, one.id, verdict, max(0, quiet) // 60, one.last_seen)
        return
    measure = {"missing": _missing, "used-day": _energy, "sold-day": _energy}.get(rule.kind, _span)
    for first in range(0, len(subjects), _AT_ONCE):
        yield from measure(connection, rule, subjects[first : first + _AT_ONCE], now)


# ---- values of the last minutes ----


def _span(
    connection: Connection, rule: Rule, subjects: Sequence[Subject], now: int
) -> Iterator[Finding]:
    if rule.kind == "contract":
        subjects = [one for one in subjects if one.contract]
    if rule.kind == "rssi":
        subjects = [one for one in subjects if one.rssi is not None]
    ids = [one.id for one in subjects]
    spans = _spreads(connection, rule.kind, ids, now - rule.minutes * 60, now)
    lasts = _spreads(connection, rule.kind, ids, now - judge.recent(rule.minutes), now)
    above = rule.kind != "rssi"
    for one in subjects:
        limit = rule.threshold
        if rule.kind == "contract":
            limit = (one.contract or 0) * rule.threshold // 10  # 0.1 A
        span, last = spans.get(one.id), lasts.get(one.id)
        verdict = judge.lasting(now, rule.minutes, span, last, limit, above=above)
        value = None if span is None else span.most if above else span.least
        since = now if span is None else span.first
        yield Finding(rule, one.id, verdict, value, since)


def _spreads(
    connection: Connection, kind: str, ids: Sequence[int], after: int, now: int
) -> dict[int, Spread]:
    """By gateway, of the values with after < t <= now."""
    table: Any = Health if kind == "rssi" else Reading
    value: Any = {
        "rssi": Health.rssi,
        "used": Reading.power,
        "sold": -Reading.power,
        # A limiter of three-wire mains counts both phases together.
        "contract": Reading.current_r + func.coalesce(Reading.current_t, 0),
    }[kind]
    statement = (
        select(table.gateway_id, func.count(), func.min(table.t), func.min(value), func.max(value))
        .where(table.gateway_id.in_(ids), table.t > after, table.t <= now, value.is_not(None))
        .group_by(table.gateway_id)
    )
    if kind != "rssi":
        statement = statement.where(Reading.kind == INSTANT)
    return {row[0]: Spread(*row[1:]) for row in connection.execute(statement)}


# ---- half-hours ----


def _missing(
    connection: Connection, rule: Rule, subjects: Sequence[Subject], now: int
) -> Iterator[Finding]:
    end = (now - GRACE) // SLOT * SLOT
    begin = end - _WINDOW
    counts = {
        row[0]: row[1]
        for row in connection.execute(
            select(Reading.gateway_id, func.count())
            .where(
                Reading.gateway_id.in_([one.id for one in subjects]),
                Reading.kind == HALF_HOUR,
                Reading.t > begin,
                Reading.t <= end,
                Reading.normal.is_not(None) | Reading.reverse.is_not(None),
            )
            .group_by(Reading.gateway_id)
        )
    }
    for one in subjects:
        # A gateway that is new owes nothing from before.
        first = max(begin, -(-one.created // SLOT) * SLOT)
        owed = max(0, (end - first) // SLOT)
        value = max(0, owed - counts.get(one.id, 0)) if owed else None
        yield Finding(rule, one.id, judge.counted(value, rule.threshold), value, now)


def _energy(
    connection: Connection, rule: Rule, subjects: Sequence[Subject], now: int
) -> Iterator[Finding]:
    column: Any = Reading.normal if rule.kind == "used-day" else Reading.reverse
    begins = {one.id: rollup.day_start(now, one.zone) for one in subjects}
    rows = connection.execute(
        select(Reading.gateway_id, Reading.t, column)
        .where(
            Reading.gateway_id.in_(list(begins)),
            Reading.kind == HALF_HOUR,
            Reading.t >= min(begins.values()),
            Reading.t <= now,
            column.is_not(None),
        )
        .order_by(Reading.gateway_id, Reading.t)
    )
    counters: dict[int, list[energy.Point]] = {}
    for gateway_id, t, value in rows:
        if t >= begins[gateway_id]:
            counters.setdefault(gateway_id, []).append((t, value))
    for one in subjects:
        points = energy.believed(counters.get(one.id, ()))
        turns = meters.turns(connection, one.id) if energy.falls(points) else ()
        steps = [energy.step(a, b, turns) for a, b in zip(points, points[1:], strict=False)]
        value = sum(filter(None, steps)) if points else None
        verdict = judge.counted(value, rule.threshold * 10_000)
        yield Finding(rule, one.id, verdict, value, begins[one.id])
