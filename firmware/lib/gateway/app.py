# The gateway put together: who exists, who knows whom, and how it ends.
import asyncio
import gc

from gateway.clock import Clock
from gateway.console import Console
from gateway.exchange import Exchange
from gateway.link import Link
from gateway.log import Log
from gateway.meter import Meter
from gateway.network import Network
from gateway.outbox import Outbox
from gateway.session import Session
from gateway.settings import Settings
from gateway.status import Status
from gateway.store import Store
from gateway.supervisor import Supervisor, cancel
from gateway.uplink import Uplink
from micropython import const

_REPL_WDT_MS = const(3_600_000)  # the watchdog cannot be stopped, only stretched
_CAPACITY = const(600)  # readings kept in RAM: five hours of polls at 30 s


class App:
    """One run of the gateway on `board`, from start to Ctrl-C.

    `outbox` is that of an earlier run in the same boot, so that stopping and starting loses nothing.
    """

    def __init__(self, board, outbox=None):
        self.board = board
        self.clock = clock = Clock(board)
        self.store = store = Store(board.nvs)
        self.log = log = Log(clock)
        self.settings = settings = Settings(board.nvs, log)
        log.secrets = settings.secrets
        self.status = status = Status(board, clock, log)
        self.outbox = outbox or Outbox(clock, store, _CAPACITY)
        self.air = asyncio.Lock()
        self.network = Network(board, settings, clock, status, log)
        self.meter = Meter(settings, clock, self.outbox, status, log)
        self.driver = driver = self._driver()
        self.exchange = Exchange(
            driver, clock, log, status, self.air, self.meter.notice, self.meter.late
        )
        self.meter.exchange = self.exchange
        self.supervisor = Supervisor(board, clock, log, status)
        self.link = Link(driver, board, settings, store, clock, log, status)
        self.session = Session(
            settings, clock, status, log, driver, self.link, self.meter, self.exchange, self.supervisor
        )
        self.uplink = Uplink(
            settings, clock, self.outbox, status, self.network, self.air, log, board
        )
        self.console = Console(self)

    # The driver for the module at hand; the other protocol's code is never loaded.
    def _driver(self):
        from wisun.skstack import SkStack

        return SkStack(self.board.uart, self.clock, self.log, self._datagram, self._event)

    def _datagram(self, payload, source, secured, rssi):
        self.exchange.datagram(payload, source, secured, rssi)

    def _event(self, name, value):
        self.session.event(name, value)

    async def _radio(self, beat):
        beat(None)  # it waits for the module, which may have nothing to say
        await self.driver.run()

    # Until cancelled.
    async def _main(self):
        sup = self.supervisor
        sup.add("radio", self._radio)
        sup.add("meter", self.session.run)
        sup.add("network", self.network.run)
        sup.add("uplink", self.uplink.run)
        sup.add("console", self.console.run)
        missing = self.settings.missing()
        if missing:
            self.status.problem("config", "missing-settings", "not set: " + ", ".join(missing))
        await sup.run()

    async def _leave(self):
        await self.supervisor.stop()
        self.status.set_phase("stopped")

    def run(self):
        """Run until Ctrl-C or the console's `stop`; then every task has ended and the REPL is free."""
        loop = asyncio.new_event_loop()
        main = loop.create_task(self._main())
        self.stop = main.cancel
        try:
            loop.run_until_complete(main)
        except (KeyboardInterrupt, asyncio.CancelledError):
            pass  # both are the owner's wish
        finally:
            # Ctrl-C leaves the other tasks where they were: end them properly in the same loop.
            loop.run_until_complete(self._end(main))
            asyncio.new_event_loop()
            if self.supervisor.armed:
                self.board.wdt(_REPL_WDT_MS)
            gc.collect()

    async def _end(self, main):
        await cancel(main)
        await self._leave()

    async def check(self, what):
        """`what`: "network", "server" or "radio". -> dict with "ok", and "problem" in plain words."""
        from gateway import checks

        return await checks.run(self, what)
