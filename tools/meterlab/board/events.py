"""What happens to a virtual board, in order, for programs that wait for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

KEPT = 10_000


class WaitTimeout(AssertionError):
    """What was waited for did not happen in time; the text tells what happened instead."""


@dataclass(frozen=True)
class Event:
    """`kind` and its details:

    ready(serial, runtime, heap, standins), boot(cause, soft), led(colour, pattern, times, text),
    pin(pin, level), reset(cause), wifi(status, connected), uart(id, attached), off(why),
    crash(text).
    """

    kind: str
    at: float
    details: dict[str, Any] = field(default_factory=dict[str, Any])

    def __getitem__(self, key: str) -> Any:
        return self.details[key]

    def __str__(self) -> str:
        return " ".join([self.kind, *(f"{key}={value}" for key, value in self.details.items())])


class EventLog:
    """The newest events; any thread may add, wait or listen."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._events: list[Event] = []
        self._dropped = 0
        self._listeners: list[Callable[[Event], None]] = []

    def listen(self, listener: Callable[[Event], None]) -> None:
        """`listener` is called with every further event, in the board's own thread."""
        self._listeners.append(listener)

    def add(self, kind: str, **details: Any) -> None:
        event = Event(kind, time.monotonic(), details)
        with self._changed:
            self._events.append(event)
            if len(self._events) > KEPT:
                del self._events[0]
                self._dropped += 1
            self._changed.notify_all()
        for listener in self._listeners:
            listener(event)

    def mark(self) -> int:
        """A place in the log: `wait(since=...)` looks behind it only."""
        with self._changed:
            return self._dropped + len(self._events)

    def all(self, kind: str | None = None, since: int = 0) -> list[Event]:
        with self._changed:
            events = self._events[max(since - self._dropped, 0) :]
        return [event for event in events if kind in (None, event.kind)]

    def wait(
        self,
        kind: str | None,
        timeout: float,
        since: int = 0,
        match: Callable[[Event], bool] | None = None,
    ) -> Event:
        """The first event of that kind behind `since` that matches; WaitTimeout after `timeout`
        seconds.
        """
        end = time.monotonic() + timeout
        place = since
        with self._changed:
            while True:
                while place < self._dropped + len(self._events):
                    event = self._events[max(place - self._dropped, 0)]
                    place = max(place, self._dropped) + 1
                    if kind in (None, event.kind) and (match is None or match(event)):
                        return event
                left = end - time.monotonic()
                if left <= 0 or not self._changed.wait(left):
                    break
            newest = "\n  ".join(map(str, self._events[-12:]))
        raise WaitTimeout(f"no {kind!r} within {timeout} s; the newest events:\n  {newest}")
