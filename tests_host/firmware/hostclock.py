"""The gateway's clock in real time, on both Pythons; on CPython in the running loop's time."""

import asyncio
import time

from gateway.clock import Clock

if hasattr(time, "ticks_ms"):
    HostClock = Clock
else:

    class HostClock(Clock):  # type: ignore[no-redef]
        """On a loop of virtual time this is virtual time, too."""

        def _ticks(self):
            try:
                return int(asyncio.get_running_loop().time() * 1000)
            except RuntimeError:  # no loop is running
                return int(time.monotonic() * 1000)

        def _since(self, earlier, now):
            return now - earlier

        async def sleep_ms(self, n):
            await asyncio.sleep(max(n, 0) / 1000)

        async def wait_for(self, awaitable, ms):
            return await asyncio.wait_for(awaitable, ms / 1000)
