"""The directory of gateways: adding, listing, and who holds a token."""

from typing import NamedTuple

from sqlalchemy import Connection, insert, select

from kenshin.server import tokens
from kenshin.server.schema import Gateway, State, Token


class GatewayError(ValueError):
    """A gateway cannot be added as asked; the text says why."""


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


def add(connection: Connection, name: str, now: int) -> Added:
    """Create a gateway with its service code and token. Raises GatewayError."""
    name = name.strip()
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise GatewayError("a name has 1 to 60 printable characters")
    taken = connection.scalar(select(Gateway.code).where(Gateway.name == name))
    if taken is not None:
        raise GatewayError(f'there is already a gateway "{name}", with service code {taken}')
    code, token = tokens.new_code(), tokens.new_token()
    gateway_id = connection.scalar(
        insert(Gateway).values(code=code, name=name, created=now).returning(Gateway.id)
    )
    connection.execute(
        insert(Token).values(sha256=tokens.sha256(token), gateway_id=gateway_id, created=now)
    )
    connection.execute(insert(State).values(gateway_id=gateway_id))
    return Added(code, name, token)


def holder(connection: Connection, token: str, now: int) -> Known | None:
    """The gateway whose token this is, or None. Raises NotAllowed when it has expired.

    The look-up is by hash: its timing tells about the hash of a guess, which says nothing about
    any token; the comparison that decides takes the same time wherever the hashes differ.
    """
    hashed = tokens.sha256(token)
    row = connection.execute(
        select(Token.sha256, Token.expires, Gateway.id, Gateway.code, Gateway.name)
        .join(Gateway, Gateway.id == Token.gateway_id)
        .where(Token.sha256 == hashed)
    ).one_or_none()
    if row is None or not tokens.same(row.sha256, hashed):
        return None
    if row.expires is not None and row.expires <= now:
        raise NotAllowed
    return Known(row.id, row.code, row.name)
