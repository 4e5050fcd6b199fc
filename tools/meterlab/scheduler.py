"""The one face through which the simulator sees time.

Two clocks, on purpose:

* *process time* (`now_ms`, `call_later`) is what waiting costs: scans, joins, answers, lifetimes.
  It may run `factor` times faster than the loop it stands on (`meterlab module --fast`).
* *wall time* (`utc_ms`, `call_at_utc`) is what the meter's clock shows. It always runs at the
  loop's own pace, so a board that keeps true time agrees with a meter on a hurried module.

In virtual time both stand on a `vtime.VirtualLoop` and the factor is 1.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Protocol


class Timer(Protocol):
    def cancel(self) -> None: ...


class Scheduler(Protocol):
    def now_ms(self) -> int:
        """Process time: monotonic milliseconds since the scheduler was made."""
        ...

    def call_later(self, delay_ms: float, fn: Callable[..., Any], *args: Any) -> Timer:
        """Call `fn(*args)` once, `delay_ms` of process time from now."""
        ...

    def utc_ms(self) -> int:
        """Wall time: milliseconds since 1970-01-01 UTC."""
        ...

    def call_at_utc(self, utc_ms: int, fn: Callable[..., Any], *args: Any) -> Timer:
        """Call `fn(*args)` when wall time reaches `utc_ms` (at once when it has passed)."""
        ...


class LoopScheduler:
    """A `Scheduler` on any asyncio loop: real, hurried or virtual.

    `utc_ms`: wall time at this moment. `factor`: how much faster process time runs.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, *, utc_ms: int, factor: float = 1.0
    ) -> None:
        if factor <= 0:
            raise ValueError("the factor must be positive")
        self.loop = loop
        self.factor = factor
        self._start = loop.time()
        self._utc_ms = utc_ms
        self._to_ms = 1000.0 * factor
        self._to_s = 1.0 / self._to_ms

    def now_ms(self) -> int:
        return int((self.loop.time() - self._start) * self._to_ms + 0.5)

    def call_later(self, delay_ms: float, fn: Callable[..., Any], *args: Any) -> Timer:
        return self.loop.call_later(delay_ms * self._to_s, fn, *args)

    def utc_ms(self) -> int:
        return self._utc_ms + int((self.loop.time() - self._start) * 1000.0 + 0.5)

    def call_at_utc(self, utc_ms: int, fn: Callable[..., Any], *args: Any) -> Timer:
        delay = (utc_ms - self._utc_ms) / 1000.0 - (self.loop.time() - self._start)
        return self.loop.call_later(max(delay, 0.0), fn, *args)
