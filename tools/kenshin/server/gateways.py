"""The directory of gateways: adding, changing, and who holds a token."""

import secrets
from typing import Any, NamedTuple

from sqlalchemy import Connection, delete, insert, or_, select, update

from kenshin.server import settings, tokens, units
from kenshin.server.directory import changed
from kenshin.server.schema import (
    Alert,
    AlertMessage,
    AlertRule,
    ApiKey,
    Conflict,
    Day,
    Event,
    Gateway,
    Group,
    Health,
    Hour,
    MeterTold,
    Reading,
    Received,
    Rejection,
    Stale,
    State,
    Strip,
    Token,
)

# An old token still works for so long after a new one was made, in seconds.
OVERLAP = 7 * 86_400
# All tables of a gateway that are keyed by it. The state first: an upload under way has it locked,
# and what that one stores must be seen when the others are emptied.
OF_A_GATEWAY = (
    *(State, Reading, Conflict, Received, Rejection, Health, Event, Hour, Day, Strip),
    *(MeterTold, Stale, Alert, AlertMessage),
)


class GatewayError(ValueError):
    """A gateway cannot be added or changed as asked; the text says why."""


class NotAllowed(Exception):
    """The token is known, but may not be used any more."""


class Added(NamedTuple):
    """A gateway just created. The token exists nowhere else."""

    code: str
    name: str
    token: str


class Known(NamedTuple):
    """A gateway of the directory."""

    id: int
    code: str
    name: str


class Holder(NamedTuple):
    """Whose token it is, and when it ends (None = never)."""

    gateway: Known
    expires: int | None


def check_name(name: str) -> str:
    """A name fit for a gateway or a group. Raises GatewayError."""
    name = name.strip()
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise GatewayError("a name has 1 to 60 printable characters")
    return name


def add(connection: Connection, name: str, now: int) -> Added:
    """Create a gateway with its service code and token. Raises GatewayError."""
    name = check_name(name)
    taken = connection.scalar(select(Gateway.code).where(Gateway.name == name))
    if taken is not None:
        raise GatewayError(f'there is already a gateway "{name}", with service code {taken}')
    code, token = tokens.new_code(), tokens.new_token()
    number = 0
    while not number or connection.scalar(select(Gateway.id).where(Gateway.id == number)):
        number = secrets.randbelow(2**31 - 1) + 1
    zone = settings.text(connection, "display.zone")
    connection.execute(
        insert(Gateway).values(id=number, code=code, name=name, created=now, zone=zone)
    )
    connection.execute(
        insert(Token).values(sha256=tokens.sha256(token), gateway_id=number, created=now)
    )
    connection.execute(insert(State).values(gateway_id=number))
    return Added(code, name, token)


def find(connection: Connection, code_or_name: str) -> Known:
    """The gateway with this service code or name. Raises GatewayError."""
    row = connection.execute(
        select(Gateway.id, Gateway.code, Gateway.name)
        .where(or_(Gateway.code == code_or_name, Gateway.name == code_or_name))
        .order_by(Gateway.code != code_or_name)
        .limit(1)
    ).one_or_none()
    if row is None:
        raise GatewayError(f'no gateway has the service code or name "{code_or_name}"')
    return Known(*row)


def rotate(connection: Connection, gateway: Known, now: int, overlap: int = OVERLAP) -> str:
    """A new token; the ones before it work for `overlap` more seconds."""
    token = tokens.new_token()
    old = (Token.gateway_id == gateway.id, or_(Token.expires.is_(None), Token.expires > now))
    connection.execute(delete(Token).where(Token.gateway_id == gateway.id, Token.expires <= now))
    ends = now + overlap
    connection.execute(
        update(Token)
        .where(*old, or_(Token.expires.is_(None), Token.expires > ends))
        .values(expires=ends)
    )
    connection.execute(
        insert(Token).values(sha256=tokens.sha256(token), gateway_id=gateway.id, created=now)
    )
    changed(connection)
    return token


def revoke(connection: Connection, gateway: Known) -> None:
    """No token of this gateway works any more."""
    connection.execute(delete(Token).where(Token.gateway_id == gateway.id))
    changed(connection)


def edit(
    connection: Connection,
    gateway: Known,
    *,
    name: str | None = None,
    group: str | None = None,
    zone: str | None = None,
    contract: int | None = None,
) -> None:
    """Change what is given; `group` "" = none, `contract` 0 = none. Raises GatewayError."""
    values: dict[str, Any] = {}
    if name is not None:
        values["name"] = check_name(name)
        other = select(Gateway.code).where(
            Gateway.name == values["name"], Gateway.id != gateway.id
        )
        if connection.scalar(other) is not None:
            raise GatewayError(f'there is already a gateway "{values["name"]}"')
    if group is not None:
        values["group_id"] = group_id(connection, group) if group.strip() else None
    if zone is not None:
        values["zone"] = check_zone(zone)
    if contract is not None:
        if not 0 <= contract <= 10_000:
            raise GatewayError("the contract is for 1 to 10000 A; 0 = none")
        values["contract"] = contract or None
    if values:
        connection.execute(update(Gateway).where(Gateway.id == gateway.id).values(**values))


def check_zone(zone: str) -> str:
    """A time zone whose days begin on a full hour in UTC. Raises GatewayError."""
    try:
        return units.check_zone(zone)
    except ValueError as error:
        raise GatewayError(str(error)) from None


def group_id(connection: Connection, name: str) -> int:
    """The number of a group, which is made when it is not there. Raises GatewayError."""
    name = check_name(name)
    there = connection.scalar(select(Group.id).where(Group.name == name))
    if there is not None:
        return there
    made = connection.scalar(insert(Group).values(name=name).returning(Group.id))
    assert made is not None
    return made


def remove(connection: Connection, gateway: Known) -> None:
    """Delete a gateway and all that was kept of it."""
    for table in OF_A_GATEWAY:
        connection.execute(delete(table).where(table.gateway_id == gateway.id))
    for table in (Token, ApiKey, AlertRule):
        connection.execute(delete(table).where(table.gateway_id == gateway.id))
    connection.execute(delete(Gateway).where(Gateway.id == gateway.id))
    changed(connection)


def holder(connection: Connection, token: str, now: int) -> Known | None:
    """The gateway whose token this is, or None. Raises NotAllowed when it has expired."""
    found = holder_of(connection, tokens.sha256(token))
    if found is None:
        return None
    if found.expires is not None and found.expires <= now:
        raise NotAllowed
    return found.gateway


def holder_of(connection: Connection, hashed: str) -> Holder | None:
    """Whose token has this SHA-256.

    The look-up is by hash: its timing tells about the hash of a guess, which says nothing about
    any token; the comparison that decides takes the same time wherever the hashes differ.
    """
    row = connection.execute(
        select(Token.sha256, Token.expires, Gateway.id, Gateway.code, Gateway.name)
        .join(Gateway, Gateway.id == Token.gateway_id)
        .where(Token.sha256 == hashed)
    ).one_or_none()
    if row is None or not tokens.same(row.sha256, hashed):
        return None
    return Holder(Known(row.id, row.code, row.name), row.expires)
