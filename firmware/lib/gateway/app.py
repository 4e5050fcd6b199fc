# The gateway put together: who exists, who knows whom, and how it ends.
import asyncio
import gc

from gateway import drop
from gateway.clock import Clock
from gateway.console import Console
from gateway.exchange import Exchange
from gateway.log import Log
from gateway.meter import Meter
from gateway.network import Network
from gateway.outbox import Outbox
from gateway.session import Session
from gateway.settings import Settings
from gateway.status import Status
from gateway.store import Store
from gateway.supervisor import Supervisor, cancel
from gateway.timekeeper import TimeKeeper
from gateway.uplink import Uplink
from micropython import const

_REPL_WDT_MS = const(3_600_000)  # the watchdog cannot be stopped, only stretched
_CAPACITY = const(160)  # readings kept in RAM: an hour and more of polls at 30 s
_CHECK_MS = const(120_000)


class App:
    """One run of the gateway on `board`, from start to Ctrl-C.

    `outbox` is that of an earlier run since the board's start, so that stopping and starting again
    loses nothing. `clock`, `post`, `reader` and `write` stand in for the board's own in tests.
    """

    def __init__(self, board, outbox=None, clock=None, post=None, reader=None, write=None):
        self.board = board
        # An outbox with readings of unknown time must keep the clock these were taken by.
        self.clock = clock = clock or (outbox.clock if outbox else Clock(board))
        self.store = store = Store(board.nvs)
        self.log = log = Log(clock)
        self.settings = settings = Settings(board.nvs, log)
        log.secrets = settings.secrets
        self.status = status = Status(board, clock, log)
        self.outbox = outbox = outbox or Outbox(clock, store, _CAPACITY)
        clock.on_set = [self._fix]
        self.air = air = asyncio.Lock()
        self.network = network = Network(board, settings, clock, status, log)
        self.driver = driver = self._driver()
        self.exchange = exchange = Exchange(driver, clock, log, status, air)
        self.meter = Meter(settings, clock, outbox, status, log, exchange)
        self.supervisor = sup = Supervisor(board, clock, log, status)
        self.session = Session(self)
        self.uplink = Uplink(settings, clock, outbox, status, network, air, log, board, post)
        status.attach("outbox", outbox.snapshot)
        status.attach("network", network.snapshot)
        sup.add("radio", self._radio)
        sup.add("meter", self.session.run)
        sup.add("network", network.run)
        sup.add("time", TimeKeeper(settings, clock, network, air, log).run)
        sup.add("uplink", self.uplink.run)
        self.console = console = Console(self, reader, write)
        sup.add("console", console.run)
        if store.damage:
            log.error("%s", store.damage)

    # The driver for the module at hand; the other protocol's code is never loaded.
    def _driver(self):
        from wisun.skstack import SkStack

        return SkStack(self.board.uart, self.clock, self.log, self._datagram, self._event)

    def _datagram(self, payload, source, secured, rssi):
        self.exchange.datagram(payload, source, secured, rssi)

    def _event(self, name, value):
        self.session.event(name, value)

    def _fix(self):
        self.outbox.fix(self.clock.utc_at(0))

    async def _radio(self, beat):
        beat(None)  # the module may have nothing to say for hours
        await self.driver.run()

    # Until cancelled.
    async def serve(self):
        settings = self.settings
        missing = settings.missing()
        wrong = settings.problems()
        drop("settings_check", "settings_edit", "settings_table", "twins")
        if missing:
            text = "not set: " + ", ".join(missing)
            self.status.problem("config", "missing-settings", text)
        elif wrong:
            self.status.problem("config", "wrong-settings", wrong[0][1])
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
            if self.supervisor.armed:
                self.board.wdt(_REPL_WDT_MS)
            gc.collect()

    async def _end(self, main):
        await cancel(main)
        await self.leave()

    async def check(self, what):
        """`what`: "network", "server" or "radio". -> {"check", "ok", "problem" in words ...}."""
        from gateway import checks

        try:
            return await checks.run(self, what)
        finally:
            drop("checks")
