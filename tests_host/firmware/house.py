"""The house in virtual time of tools/campaign, with what a told story needs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from campaign import firmware, house
from campaign.house import SECRETS, START
from gateway import ring, summary
from gateway.uplink import HttpError

__all__ = ["REFUSED", "START", "House"]


class House(house.House):
    """`run` plays a story while the gateway lives, each time with the same luck; afterwards
    everything has ended properly, and nothing that left the gateway holds a secret."""

    def run(self, story: Callable[[House], Awaitable[Any]], hours: float = 24) -> Any:
        try:
            with firmware.chance("house"):
                return super().run(story, hours)
        finally:
            self.no_secrets()

    @property
    def told(self) -> dict[str, int]:
        """The counters as the server is told them: link events and the ladder's steps, too."""
        return summary.snapshot(self.status)["counters"]

    async def until(self, what: Callable[[], Any], minutes: float = 10) -> Any:
        """Wait until `what()` is true, looking every half second; fails after so many minutes."""
        for _ in range(int(minutes * 120)):
            result = what()
            if result:
                return result
            await asyncio.sleep(0.5)
        log = "\n".join(ring.lines(self.app.log))
        raise AssertionError(f"not within {minutes} min; {summary.snapshot(self.status)}\n{log}")

    async def polling(self, minutes: float = 10, polls: int = 2) -> None:
        """Wait until so many more polls were answered."""
        goal = self.count.get("poll.ok", 0) + polls
        await self.until(lambda: self.count.get("poll.ok", 0) >= goal, minutes)

    async def word(self, word: str, code: str | None = None, minutes: float = 30) -> None:
        """Wait until the gateway names this."""
        await self.until(
            lambda: self.status.code(word) == code if code else self.status.code(word), minutes
        )

    def no_secrets(self) -> None:
        """Nothing that left the gateway may hold one."""
        shown = "\n".join(ring.lines(self.app.log)) + "".join(self.written)
        shown += json.dumps(summary.snapshot(self.status))
        for message in self.server.posts:
            shown += json.dumps(message)
        for secret in SECRETS:
            assert secret.lower() not in shown.lower()


REFUSED = HttpError("refused", "nobody answers at 192.0.2.1 port 8080")
