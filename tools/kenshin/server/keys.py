"""Access keys of the API: for one gateway, one group, or all. Of a secret its SHA-256 is kept."""

import base64
import binascii
import secrets
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from kenshin.server import gateways, tokens
from kenshin.server.schema import ApiKey, Gateway, Group

_USED_EVERY = 60  # seconds: how exactly the last use is known


class NewKey(NamedTuple):
    """A key just made. The secret exists nowhere else."""

    access_key: str
    secret: str


class Scope(NamedTuple):
    """What a key may read: one gateway, one group, or, with neither, all."""

    access_key: str
    gateway_id: int | None
    group_id: int | None

    def holds(self, gateway_id: int, group_id: int | None) -> bool:
        """Whether a gateway is in it."""
        if self.gateway_id is not None:
            return self.gateway_id == gateway_id
        return self.group_id is None or self.group_id == group_id


class KeyRow(NamedTuple):
    """A key, as people see it."""

    access_key: str
    name: str
    gateway: str | None
    group: str | None
    created: int
    expires: int | None
    used: int | None


def add(
    connection: Connection,
    name: str,
    now: int,
    *,
    gateway: str | None = None,
    group: str | None = None,
    days: int | None = None,
) -> NewKey:
    """Make a key. Raises GatewayError for what is not there."""
    name = name.strip()
    if not 0 < len(name) <= 60 or not name.isprintable():
        raise gateways.GatewayError("a name has 1 to 60 printable characters")
    if gateway and group:
        raise gateways.GatewayError("a key is for a gateway or for a group, not for both")
    group_id = None
    if group:
        group_id = connection.scalar(select(Group.id).where(Group.name == group))
        if group_id is None:
            raise gateways.GatewayError(f'there is no group "{group}"')
    made = NewKey(secrets.token_hex(10), tokens.new_token())
    connection.execute(
        insert(ApiKey).values(
            access_key=made.access_key,
            sha256=tokens.sha256(made.secret),
            name=name,
            gateway_id=gateways.find(connection, gateway).id if gateway else None,
            group_id=group_id,
            created=now,
            expires=now + days * 86_400 if days else None,
        )
    )
    return made


def listed(connection: Connection) -> list[KeyRow]:
    """All keys, oldest first."""
    rows = connection.execute(
        select(
            ApiKey.access_key,
            ApiKey.name,
            Gateway.name,
            Group.name,
            ApiKey.created,
            ApiKey.expires,
            ApiKey.used,
        )
        .outerjoin(Gateway, Gateway.id == ApiKey.gateway_id)
        .outerjoin(Group, Group.id == ApiKey.group_id)
        .order_by(ApiKey.created, ApiKey.access_key)
    )
    return [KeyRow(*row) for row in rows]


def revoke(connection: Connection, access_key: str) -> bool:
    """From now on it opens nothing; whether it was there."""
    return connection.execute(delete(ApiKey).where(ApiKey.access_key == access_key)).rowcount == 1


def find(connection: Connection, access_key: str, secret: str, now: int) -> Scope | None:
    """What the key may read, or None; notes that it was used."""
    row = connection.execute(
        select(
            ApiKey.sha256, ApiKey.gateway_id, ApiKey.group_id, ApiKey.expires, ApiKey.used
        ).where(ApiKey.access_key == access_key)
    ).one_or_none()
    hashed = tokens.sha256(secret)
    # Compared in any case, and in the same time: an unknown key is not told from a wrong secret.
    right = tokens.same(row.sha256 if row is not None else "0" * 64, hashed)
    if row is None or not right or (row.expires is not None and row.expires <= now):
        return None
    if row.used is None or not 0 <= now - row.used < _USED_EVERY:
        connection.execute(update(ApiKey).where(ApiKey.access_key == access_key).values(used=now))
    return Scope(access_key, row.gateway_id, row.group_id)


def basic(authorization: str | None) -> tuple[str, str] | None:
    """Access key and secret of an Authorization header; None when it has none."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic" or len(encoded) > 400:
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        return None
    key, colon, secret = text.partition(":")
    if not colon or not key.isalnum() or len(key) > 24 or not secret.isprintable():
        return None
    return key, secret
