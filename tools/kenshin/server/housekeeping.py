"""What is done beside answering: folding hours and days, dropping what is old, making room.

Every server process tries; the one that holds the lease works (see `leases`).
"""

import secrets
import time
from collections.abc import Callable

from sqlalchemy import delete, or_, select

from kenshin.server import hot, leases, rollup, settings
from kenshin.server.schema import Health, Invitation, Rate, Session, State
from kenshin.server.store import Store
from kenshin.server.wheel import Wheel

EVERY = 60.0  # seconds between two looks
DROP_EVERY = 3600
LEASE = 300  # seconds; longer than any one step takes
_NAME = "housekeeping"
_AT_ONCE = 500  # gateways per look


class Housekeeper:
    """Works on a thread of its own until it is closed."""

    def __init__(self, store: Store, now: Callable[[], int]) -> None:
        self._store = store
        self._now = now
        self._me = secrets.token_hex(8)
        self._dropped = 0  # when what is old was last dropped
        self._wheel = Wheel(_NAME, EVERY, self.work)

    def start(self) -> None:
        """Begin."""
        self._wheel.start()

    def close(self) -> None:
        """Finish the step under way."""
        self._wheel.close()

    def work(self) -> None:
        """Do all that is due, if it is ours to do."""
        if not self.lease():
            return
        now = self._now()
        if self._store.postgres:
            for t in (now, now + 15 * 86_400):
                with self._store.writing() as connection:
                    hot.make_partition(connection, t)
        with self._store.reading() as connection:
            sure = rollup.sure(connection, now)
        if sure is not None:
            self._fold(sure)
        if not 0 <= now - self._dropped < DROP_EVERY:
            self._drop(now, sure)
            self._dropped = now

    def lease(self) -> bool:
        """Take the lease, or keep it; whether it is ours."""
        with self._store.writing() as connection:
            return leases.take(connection, _NAME, self._me, self._now(), LEASE).ours

    def _fold(self, now: int) -> None:
        with self._store.reading() as connection:
            ids = rollup.due(connection, now, _AT_ONCE)
        begun = time.monotonic()
        for gateway_id in ids:
            more = True
            while more and not self._wheel.stopping:
                with self._store.writing() as connection:
                    more = rollup.roll(connection, gateway_id, now)
                if time.monotonic() - begun > LEASE / 3:
                    begun = time.monotonic()
                    if not self.lease():
                        return

    def _drop(self, now: int, sure: int | None) -> None:
        with self._store.reading() as connection:
            wished = settings.read(connection)
        if sure is not None:
            keep = wished["retention.instant_days"]
            if keep:
                self._purge(sure - keep * 86_400)
            days = wished["retention.health_days"]
            if days:
                self._drop_health(sure - days * 86_400)
        with self._store.writing() as connection:
            connection.execute(delete(Rate).where(Rate.start < now - 2 * 86_400))
            connection.execute(delete(Invitation).where(Invitation.expires < now))
            idle = now - wished["session.idle_hours"] * 3600
            oldest = now - wished["session.longest_hours"] * 3600
            connection.execute(
                delete(Session).where(or_(Session.seen < idle, Session.created < oldest))
            )

    def _purge(self, limit: int) -> None:
        after = -1
        while not self._wheel.stopping:
            with self._store.reading() as connection:
                ids = rollup.to_purge(connection, limit, after, _AT_ONCE)
            if not ids:
                return
            for gateway_id in ids:
                gone = 1
                while gone and not self._wheel.stopping:
                    with self._store.writing() as connection:
                        gone = rollup.purge(connection, gateway_id, limit)
            after = ids[-1]

    def _drop_health(self, limit: int) -> None:
        with self._store.reading() as connection:
            ids = list(connection.scalars(select(State.gateway_id)))
        for gateway_id in ids:
            with self._store.writing() as connection:
                connection.execute(
                    delete(Health).where(Health.gateway_id == gateway_id, Health.t < limit)
                )
