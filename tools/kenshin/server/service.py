"""What the routes share: the database, the clock, the limits, the writer of uploads."""

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Annotated, NamedTuple, cast

from fastapi import Depends, Request
from sqlalchemy import Connection

from kenshin.server import ingest, settings, writer
from kenshin.server.alerts.worker import Alarms
from kenshin.server.clocks import Clocks
from kenshin.server.doors import Doors, Passed
from kenshin.server.housekeeping import Housekeeper
from kenshin.server.ingest import Outcome, Upload
from kenshin.server.store import Store, Unavailable

# Another process may change the settings for all pages: they are read again after so long.
DISPLAY_SECONDS = 10.0


def utc() -> int:
    """Now, in UTC seconds."""
    return int(time.time())


@dataclass(frozen=True)
class Limits:
    """Bounds on what a request may cost."""

    body: int = 256 * 1024  # bytes of an upload: 2,000 readings have about 150,000
    body_seconds: float = 30.0
    readings: int = 10_000  # per page of the API
    queue: writer.Limits = field(default_factory=writer.Limits)


class Display(NamedTuple):
    """How pages are shown to who has chosen nothing."""

    language: str  # "" = as the browser asks
    zone: str


class Incoming(NamedTuple):
    """An upload on its way to the writer."""

    passed: Passed
    upload: Upload


@dataclass
class Service:
    """One running server."""

    store: Store
    now: Callable[[], int] = utc
    limits: Limits = field(default_factory=Limits)
    open: bool = False  # everybody may look, without logging in: for demonstrations
    private_hooks: bool = False  # web-hooks may go to private networks and this machine

    def __post_init__(self) -> None:
        self.looked: dict[int, int] = {}  # gateway: when its missing days were looked for
        self.clocks = Clocks()
        self.doors = Doors()
        self.interval = 0  # seconds wished between uploads; 0 = none is wished
        self._interval_of = "never read"  # the directory's version when it was read
        self.writer = writer.Writer[Incoming, Outcome](
            self.store, self._store_all, self.limits.queue, self._prepare
        )
        self.housekeeper = Housekeeper(self.store, self.now)
        self._display = Display("", "Asia/Tokyo")
        self._looked = -DISPLAY_SECONDS  # when the settings for `display` were last read
        self.alarms = Alarms(self.store, self.now, private_hooks=self.private_hooks)

    def start(self) -> None:
        """Begin what is done beside answering."""
        self.housekeeper.start()
        self.alarms.start()

    def display(self, fresh: bool = False) -> Display:
        """The settings for all pages; `fresh` = they were just changed."""
        if fresh or time.monotonic() - self._looked >= DISPLAY_SECONDS:
            self._looked = time.monotonic()
            with contextlib.suppress(Unavailable), self.store.reading() as connection:
                found = settings.read(connection)
                self._display = Display(found["display.language"], found["display.zone"])
        return self._display

    def close(self) -> None:
        """Finish the writes under way and close the database."""
        self.alarms.close()
        self.housekeeper.close()
        self.writer.close()
        self.store.close()

    def _prepare(self, items: Sequence[Incoming]) -> None:
        ingest.prepare(self.store, [item.upload for item in items])

    def _store_all(
        self, connection: Connection, items: Sequence[Incoming]
    ) -> Sequence[Outcome | Exception]:
        refused = self.doors.check(connection, [item.passed for item in items])
        uploads = [item.upload for item, why in zip(items, refused, strict=True) if why is None]
        if self.doors.version != self._interval_of:
            self.interval = settings.number(connection, "upload.interval")
            self._interval_of = self.doors.version
        outcomes = iter(ingest.ingest_all(connection, uploads))
        return [next(outcomes) if why is None else why for why in refused]


def _service(request: Request) -> Service:
    return cast(Service, request.app.state.service)


Served = Annotated[Service, Depends(_service)]
