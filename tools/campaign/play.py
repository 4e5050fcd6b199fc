"""Plays one seed: so many days of one gateway's life, and what came of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from campaign import checks, firmware
from campaign.draw import HOUSE, Scenario, draw
from campaign.house import START, House, Server
from campaign.watch import Happened, Row, Watch
from meterlab import vtime
from meterlab.trouble import Fault

_AFTER_S = 3_600  # for the last uploads, when all is well again
_LOOK_S = 20
_BOOT_S = 3  # of a board
_PAUSE_S = 10  # of main.py, before it starts the board anew

Say = Callable[[str], None]


@dataclass(slots=True)
class Outcome:
    """What a seed came to. `trouble`: what must not have been, by the name of the check. `times`:
    seconds from the start at which the instants were asked for that the server got; `joins`: when
    the module began to join."""

    scenario: Scenario
    trouble: list[tuple[str, Happened]]
    figures: dict[str, float]
    digest: str
    cpu_s: float
    times: list[int]
    joins: list[float]
    counters: dict[str, int] = field(default_factory=dict[str, int])


class Store(Server):
    """A server that keeps what it gets as Kenshin's does: once, whatever is sent twice."""

    def __init__(self, now: Callable[[], int], watch: Watch) -> None:
        super().__init__(now)
        self._watch = watch
        self._stream = 0
        self._had: dict[tuple[int, int], list[Any]] = {}

    def received(self, text: bytes, message: dict[str, Any]) -> None:
        self._watch.leaves("upload", text)

    def accept(self, message: dict[str, Any]) -> bytes:
        record = self._watch.record
        stream: int = message["stream"]
        for row in message["readings"]:
            key = stream, row[0]
            had = self._had.get(key)
            if had is None:
                self._had[key] = row
                record.rows.append(Row(*row, at=self._watch.now()))
            elif had != row:
                text = f"number {row[0]} was {had[1:]} and is now {row[1:]}"
                record.doubled.append(Happened(self._watch.now(), "server", text))
        self.rows.clear()
        return super().accept(message)


class Trial(House):
    """A house whose days follow from a scenario. `say`, when given, hears what happens."""

    watch: Watch

    def __init__(self, scenario: Scenario, say: Say | None = None) -> None:
        super().__init__(scenario.settings, paced=scenario.paced, **scenario.choices)
        self.scenario = scenario
        self.totals: dict[str, int] = {}
        self._starting: asyncio.Task[None] | None = None
        self._say = say
        self._began = 0.0
        self._time: Callable[[], float]

    def now(self) -> float:
        return self._time() - self._began

    # -- what is watched

    def build(self) -> None:
        self._time = asyncio.get_running_loop().time
        self._began = self._time()
        super().build()
        try_s: int = self.settings["poll.timeout"]
        self.watch = Watch(self.world, self.wire.line, self.now, START, try_s)
        self.board.uart = self.watch.line(self.wire.uart)
        self.server = Store(self.server.now, self.watch)
        if self.scenario.pin:
            self.board.on_pin = self.world.module.power_cycle

    @property
    def settings(self) -> Any:
        return firmware.module("gateway.settings").Settings(self.board.nvs)

    def switch_on(self) -> None:
        super().switch_on()
        self.watch.board_starts(self.app)
        assert self._main is not None
        self._main.add_done_callback(self._ended)
        self.board.restart = self._reset
        if self._say:
            mask = self.app.log.mask

            def heard(text: str) -> str:
                text = mask(text)
                self.tell(text)
                return text

            self.app.log.mask = heard

    def write(self, text: str) -> None:
        self.watch.leaves("console", text.encode())

    def tell(self, text: str) -> None:
        if self._say:
            self._say(f"{stamp(self.now())} {text}")

    # -- what happens

    async def days(self, _: Any = None) -> None:
        """The scenario, from the first start to the last upload."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(self._unhandled)
        self.control.told = lambda text: self.tell("--- " + text)
        for fault in self.scenario.faults:
            if fault.name.startswith(HOUSE):
                loop.call_at(self._began + fault.at_s, self._begin, fault)
            else:
                loop.call_at(self._began + fault.at_s, self.control.apply, fault)
        await asyncio.sleep(self.scenario.days * 86_400)
        until = self.now() + _AFTER_S
        while self.app.outbox and self.now() < until:
            await asyncio.sleep(_LOOK_S)
        self._sum()
        self.watch.flash(self.board.flash.files)

    def _unhandled(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        what = f"{context.get('message')}: {context.get('exception')!r}"
        self.watch.record.exceptions.append(Happened(self.now(), "loop", what))

    def _sum(self) -> None:
        for name, n in self.count.items():
            self.totals[name] = self.totals.get(name, 0) + n

    # A fault of the house. There is only one at a time.
    def _begin(self, fault: Fault) -> None:
        self.tell(f"--- begins: {fault}")
        (order,) = fault.orders
        part, _, word = order.partition(".")
        if part == "net":
            self.board.net.alive = False
        elif part == "time":
            self.ntp_alive = False
        elif part == "server":
            self._server(word)
        elif part == "board":
            self.start_anew()
        if fault.lasts_s:
            asyncio.get_running_loop().call_later(fault.lasts_s, self._end, fault)

    def _end(self, fault: Fault) -> None:
        self.tell(f"--- ends: {fault}")
        self.board.net.alive = self.ntp_alive = True
        self.server.raises = self.server.reply = None

    # The gateway gives itself up: main.py does the rest.
    def _ended(self, main: asyncio.Task[Any]) -> None:
        error = None if main.cancelled() else main.exception()
        if error is not None:
            self.start_anew(_PAUSE_S, f"hard: {type(error).__name__}: {error}")

    def _reset(self, why: str) -> None:
        self.start_anew(cause=f"soft: {why}")

    def start_anew(self, pause_s: float = 0, cause: str = "power-on") -> None:
        """The board starts anew, unless it is about to."""
        if self._starting is None or self._starting.done():
            self._starting = asyncio.create_task(self._restart(pause_s, cause))

    # What is in its flash stays.
    async def _restart(self, pause_s: float, cause: str) -> None:
        await asyncio.sleep(pause_s)
        self.tell(f"--- the board starts anew: {cause}")
        self.board.cause = cause
        await self.switch_off()
        await self.app.leave()
        self._sum()
        self.watch.flash(self.board.flash.files)
        firmware.forget()
        await asyncio.sleep(_BOOT_S)
        self.switch_on()

    def _server(self, word: str) -> None:
        server = self.server

        # Of the gateway that runs then: a new start of the board loads its modules anew.
        def error(word: str, why: str) -> Exception:
            return firmware.module("gateway.uplink").HttpError(word, why)

        if word in ("refused", "timeout"):
            server.raises = lambda: error(word, "as the campaign wishes")
        elif word == "lost":

            def lose(message: dict[str, Any]) -> Any:
                server.accept(message)
                raise error("closed", "the reply broke off")

            server.reply = lose
        elif word == "html":
            server.reply = lambda _: (200, {"content-type": "text/html"}, b"<html>hello</html>")
        else:
            server.reply = lambda _: (int(word), {}, b"{}")


def stamp(at: float) -> str:
    """Seconds of the campaign as days and time of day since its start."""
    minutes, seconds = divmod(at, 60)
    days, minutes = divmod(int(minutes), 1_440)
    return f"{days}d {minutes // 60:02}:{minutes % 60:02}:{seconds:06.3f}"


def play(
    seed: int,
    days: float,
    *,
    say: Say | None = None,
    trial: type[Trial] = Trial,
    scenario: Scenario | None = None,
) -> Outcome:
    """Play a seed, or another scenario under its number, and judge it."""
    scenario = scenario or draw(seed, days)
    began = time.process_time()
    with firmware.fresh(f"board {seed}"):
        house = trial(scenario, say)
        broken = ""
        try:
            house.run(house.days, scenario.days * 24 + 48)
        except vtime.VirtualTimeError as error:
            broken = f"{type(error).__name__}: {error}"
        record = house.watch.close()
        if broken:
            record.exceptions.append(Happened(days * 86_400, "loop", broken))
        trouble = checks.judge(record, house)
    figures = checks.figures(record, house)
    times = sorted(row.t - START for row in record.rows if row.kind == "instant")
    cpu_s = time.process_time() - began
    return Outcome(
        scenario, trouble, figures, record.digest, cpu_s, times, record.joins, house.totals
    )
