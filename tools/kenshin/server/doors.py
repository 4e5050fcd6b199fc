"""Who may upload: looked up once, remembered, and looked up again when the directory changed.

Each server process remembers for itself. Before a group of uploads is committed, the directory's
version is read in the same transaction: a token that was revoked by another process, or by a
command, stores nothing from that moment on.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Connection

from kenshin.server import directory, gateways
from kenshin.server.gateways import Holder, Known
from kenshin.server.problems import Problem
from kenshin.server.store import Store

_MOST = 50_000


class Passed(NamedTuple):
    """Somebody who was let in, by the token with this hash, at this version of the directory."""

    hashed: str
    version: str
    now: int


class Doors:
    """Remembers tokens, by their hash."""

    def __init__(self) -> None:
        self._version = ""
        self._known: dict[str, Holder] = {}

    @property
    def version(self) -> str:
        """The directory's version that all that is remembered came from."""
        return self._version

    def remembered(self, hashed: str) -> Holder | None:
        """Whose token it is, when that was looked up before."""
        return self._known.get(hashed)

    def look(self, store: Store, hashed: str) -> tuple[Holder | None, str]:
        """Look it up, and remember it when it is known; also the directory's version."""
        with store.reading() as connection:
            version = directory.version(connection)
            found = gateways.holder_of(connection, hashed)
        if found is not None:
            self._fresh(version)[hashed] = found
        return found, version

    def check(self, connection: Connection, passed: Sequence[Passed]) -> list[Problem | None]:
        """Whether each may still do what it was let in for, in this transaction."""
        version = directory.version(connection)
        self._fresh(version)
        return [None if one.version == version else self._again(connection, one) for one in passed]

    def _again(self, connection: Connection, one: Passed) -> Problem | None:
        try:
            admit(gateways.holder_of(connection, one.hashed), one.now)
        except Problem as problem:
            return problem
        return None

    def _fresh(self, version: str) -> dict[str, Holder]:
        if version != self._version or len(self._known) > _MOST:
            self._known, self._version = {}, version
        return self._known


def admit(found: Holder | None, now: int) -> Known:
    """The gateway. Raises Problem: wrong-token, token-expired."""
    if found is None:
        raise Problem("wrong-token")
    if found.expires is not None and found.expires <= now:
        raise Problem("token-expired")
    return found.gateway
