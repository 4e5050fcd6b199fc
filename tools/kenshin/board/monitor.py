"""`kenshin board monitor`: a page in the terminal about the board at the serial line."""

from __future__ import annotations

import queue
from typing import Any, ClassVar, Protocol

from rich.text import Text
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Grid, Horizontal, Vertical
from textual.timer import Timer
from textual.widgets import Digits, Footer, RichLog, Sparkline, Static

from kenshin.board import words

LOOK_SECONDS = 0.5
SILENT_SECONDS = 10
POINTS = 120


class Source(Protocol):
    """What feeds the page: kenshin.board.console.Console, or what stands in for it."""

    port: str
    prompt: bool

    @property
    def state(self) -> dict[str, Any]:
        """The newest JSON line."""
        ...

    def type(self, word: str) -> None:
        """Type a word at the console."""
        ...


class Panel(Static):
    """A text in a frame with a title."""

    def __init__(self, title: str, name: str) -> None:
        super().__init__("", id=name, markup=False)
        self.border_title = title


class Monitor(App[None]):
    """The page. `lines` brings what the console says, `plugs` whether the board is plugged in."""

    TITLE = "kenshin board monitor"
    ENABLE_COMMAND_PALETTE = False
    CSS = """
    Screen { layout: vertical; }
    #about { height: 1; color: $text-muted; padding: 0 1; }
    #state { height: 5; }
    #led { width: 34; height: 1fr; border: round $primary; padding: 0 1; }
    #top { height: 9; }
    #now { width: 34; border: round $primary; padding: 0 1; }
    #watts { width: auto; }
    #facts { grid-size: 3 2; grid-rows: 1fr; width: 1fr; }
    #link { column-span: 2; }
    #problem { width: 1fr; }
    Panel { border: round $primary; padding: 0 1; height: 1fr; }
    #trend { height: 5; border: round $primary; padding: 0 1; }
    #bottom { height: 1fr; min-height: 6; }
    #log { border: round $primary; padding: 0 1; width: 1fr; }
    #counters { width: 34; height: 1fr; overflow-y: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("q", "quit", "Quit"),
        Binding("g", "start", "Start the gateway"),
        Binding("s", "say('status')", "Status"),
        Binding("l", "say('log')", "Log"),
        Binding("n", "say('check network')", "Check network"),
        Binding("v", "say('check server')", "Check server"),
        Binding("r", "say('check radio')", "Check radio"),
    ]

    def __init__(
        self, source: Source, lines: queue.SimpleQueue[str], plugs: queue.SimpleQueue[bool]
    ) -> None:
        super().__init__()
        self._source = source
        self._lines = lines
        self._plugs = plugs
        self._plugged = True
        self._seen: tuple[Any, ...] = ()
        self._watts: list[float] = []
        self._uptime: Any = None
        self._quiet = 0.0
        self._led: object = ""
        self._step = 0
        self._blink: Timer | None = None
        self._lamp = Static("", id="led", markup=False)

    def compose(self) -> ComposeResult:
        yield Static("", id="about", markup=False)
        with Horizontal(id="state"):
            yield self._lamp
            yield Panel("Problem", "problem")
        with Horizontal(id="top"):
            with Vertical(id="now"):
                yield Digits("-", id="watts")
                yield Static("", id="current", markup=False)
                yield Static("", id="energy", markup=False)
            with Grid(id="facts"):
                yield Panel("Link to the meter", "link")
                yield Panel("Signal of the meter", "radio")
                yield Panel("Network", "network")
                yield Panel("Outbox", "outbox")
                yield Panel("Uploads", "uploads")
        yield Sparkline([], id="trend", summary_function=max)
        with Horizontal(id="bottom"):
            yield RichLog(id="log", max_lines=1000, min_width=20, wrap=True, markup=False)
            yield Panel("Counters", "counters")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#now").border_title = "Power, W"
        self.query_one("#led").border_title = "LED"
        self.query_one("#trend").border_title = "Power, the last readings"
        self.query_one("#log").border_title = "What the board says"
        self.set_interval(LOOK_SECONDS, self.look)
        self.look()

    def action_say(self, word: str) -> None:
        """Type a word at the board's console."""
        self._source.type(word)

    def action_start(self) -> None:
        """Start it, where Python's prompt is in its place."""
        if self._source.prompt:
            self._source.type("gateway.run()")

    def look(self) -> None:
        """Bring the page up to date."""
        log = self.query_one("#log", RichLog)
        while not self._plugs.empty():
            plugged = self._plugs.get()
            if plugged != self._plugged:
                log.write("-- the board is back" if plugged else "-- the board is unplugged")
            self._plugged = plugged
        while not self._lines.empty():
            log.write(self._lines.get())
        state = self._source.state
        self._quiet = 0 if state.get("uptime") != self._uptime else self._quiet + LOOK_SECONDS
        self._uptime = state.get("uptime")
        self._show(state)

    def _text(self, name: str, text: str) -> None:
        self.query_one(f"#{name}", Static).update(text)

    def _show(self, state: dict[str, Any]) -> None:
        self._text("about", f"{self._source.port}  {self._about(state)}")
        known = self._plugged and not self._source.prompt and self._quiet <= SILENT_SECONDS
        self._light(state.get("led") if known else None)
        self.query_one("#watts", Digits).update(words.power(state))
        for name in ("current", "energy", "problem", "link", "radio", "network", "outbox"):
            self._text(name, getattr(words, name)(state))
        self._text("uploads", words.uploads(state))
        self._text("counters", "\n".join(f"{n:22} {v:>7}" for n, v in words.counters(state)))
        reading = state.get("reading")
        if reading and tuple(reading) != self._seen:
            self._seen = tuple(reading)
            if reading[3] is not None:
                self._watts = [*self._watts, float(reading[3])][-POINTS:]
                self.query_one("#trend", Sparkline).data = self._watts

    def _light(self, name: object) -> None:
        """Show the LED as the board plays it: `name` is the state's, None that nobody knows."""
        if name != self._led:
            self._led = name
            self._step = 0
            self._play()

    # The board's own steps; the two need not flash in the same moment.
    def _play(self) -> None:
        if self._blink:
            self._blink.stop()
        colour, text, times = words.led(self._led)
        shines = colour != DARK and not self._step & 1
        dot = ("● ", COLOURS[colour]) if shines else ("○ ", COLOURS[DARK])
        self._lamp.update(Text.assemble(dot, (text, COLOURS[colour])))
        if times:
            # The panel's own timer, which ends when the page does.
            self._blink = self._lamp.set_timer(times[self._step] / 1000, self._play)
            self._step = (self._step + 1) % len(times)

    def _about(self, state: dict[str, Any]) -> str:
        if not self._plugged:
            return "UNPLUGGED: plug the board in again, the page goes on by itself"
        if self._source.prompt:
            return "STOPPED: at the Python prompt; g starts the gateway"
        if self._quiet > SILENT_SECONDS:
            return "SILENT: the gateway is stopped, or in safe mode; what stands here is old"
        return words.about(state)


DARK = "grey37"
# Rich's names of the words, in what textual's styles take.
COLOURS = {
    "green": "#3fb950",
    "dark_orange": "#f0883e",
    "deep_sky_blue1": "#58c7ff",
    "white": "#ffffff",
    "magenta": "#d070d0",
    "blue": "#5f87ff",
    "red": "#ff5f5f",
    "grey37": "#7a7a7a",
}


def run(port: str | None) -> None:
    """Until `q`. BoardError when the port cannot be opened at first."""
    from kenshin.board.console import Console

    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    plugs: queue.SimpleQueue[bool] = queue.SimpleQueue()
    console = Console(port, keep_json=True, on_line=lines.put, on_plug=plugs.put)
    with console:
        plugs.put(True)
        Monitor(console, lines, plugs).run()
