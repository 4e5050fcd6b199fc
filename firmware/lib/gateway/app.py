# The gateway at work: one run, from start to Ctrl-C.
# pyright: reportAttributeAccessIssue=false
# (gateway.parts gives an App its attributes, which no checker sees)
import asyncio
import gc

from gateway import drop
from gateway.supervisor import cancel
from micropython import const

_REPL_WDT_MS = const(3_600_000)  # the watchdog cannot be stopped, only stretched
_CHECK_MS = const(120_000)


class App:
    """One run of the gateway on `board`. What it is made of is in gateway.parts.

    `outbox` is that of an earlier run since the board's start, so that stopping and starting again
    loses nothing. `clock`, `post`, `reader` and `write` stand in for the board's own in tests.
    """

    def __init__(self, board, outbox=None, clock=None, post=None, reader=None, write=None):
        from gateway.settings import Settings

        # While there is room: what judges settings is large, and all else is not loaded yet.
        self.settings = settings = Settings(board.nvs)
        self.missing = settings.missing()
        wrong = settings.problems()
        drop("settings_check", "settings_edit", "settings_table", "twins")
        from gateway import parts

        parts.assemble(self, board, outbox, clock, post, reader, write)
        parts.judge(self, wrong)
        del parts
        drop("parts")

    def fix(self):
        self.outbox.fix(self.clock.utc_at(0))

    async def radio(self, beat):
        beat(None)  # the module may have nothing to say for hours
        await self.tuned.wait()
        await self.driver.run()

    # Until cancelled.
    async def serve(self):
        await self.supervisor.run()

    # Until the check's result.
    async def _checked(self, what):
        main = asyncio.create_task(self.serve())
        try:
            return await self.clock.wait_for(self.check(what), _CHECK_MS)
        except asyncio.TimeoutError:
            return {"check": what, "ok": False, "problem": "no result in two minutes"}
        finally:
            await cancel(main)

    async def leave(self):
        """End every task and wait for it."""
        await self.supervisor.stop()
        if self.outbox.root:
            self.outbox.aside("spill", 2)
        self.repair.save()
        self.status.set_phase("stopped")

    def run(self, check=None):
        """Run until Ctrl-C or the console's `stop`; then every task has ended, the REPL is free.

        With `check` only until that has its result, which is returned; None when stopped before.
        """
        loop = asyncio.new_event_loop()
        main = loop.create_task(self._checked(check) if check else self.serve())
        self.stop = main.cancel
        try:
            return loop.run_until_complete(main)
        except (KeyboardInterrupt, asyncio.CancelledError):
            return None  # both are the owner's wish
        finally:
            self.console.close()
            # Ctrl-C leaves the tasks where they were: they end in the same loop, and properly.
            # More of them change nothing: each step has its limit, and nothing may be skipped.
            while True:
                try:
                    loop.run_until_complete(self._end(main))
                    break
                except KeyboardInterrupt:
                    continue
            asyncio.new_event_loop()
            # What outlives the run must not keep all the rest.
            self.status.freeze()
            self.clock.on_set = []
            self.outbox.on_delivered = None
            if self.supervisor.armed:
                self.board.wdt(_REPL_WDT_MS)
            gc.collect()

    # `main` is only told: where Ctrl-C came in its midst, it has ended without asyncio's knowing.
    async def _end(self, main):
        main.cancel()
        await self.leave()

    async def check(self, what):
        """`what`: "network", "server" or "radio". -> {"check", "ok", "problem" in words ...}."""
        from gateway import checks

        try:
            return await checks.run(self, what)
        finally:
            drop("checks")
