"""What the LED shows, put into words: "green, double blink".

The pattern is derived from the times at which the LED changed, as a person would: by looking at
it for a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

Colour = tuple[int, int, int]
OFF: Colour = (0, 0, 0)

STEADY_MS = 3500  # unchanged for so long, and no longer gap was seen before: steady
LOOK_MS = 20_000  # how far back one looks
ALIKE = 0.30  # two times that differ by less than this share are the same
FLASH_MS = 120
FAST_MS = 600
SLOW_MS = 1600
LONGEST = 9  # pulses in a cycle
PLAIN_MS = 1000  # so long it has to blink evenly
_COUNTS = {2: "double", 3: "triple", 4: "quadruple"}


@dataclass(frozen=True)
class LedState:
    """`colour` and `pattern` in words; `times` is one cycle in ms, (on, off, on, off, ...), empty
    when steady.
    """

    colour: str
    pattern: str
    times: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.colour if self.colour == "off" else f"{self.colour}, {self.pattern}"


DARK = LedState("off", "steady")


def name(colour: Colour) -> str:
    """The word for a colour, whatever its brightness."""
    top = max(colour)
    if top == 0:
        return "off"
    red, green, blue = (round(part / top, 2) for part in colour)
    high = [red >= 0.75, green >= 0.75, blue >= 0.75]
    low = [red < 0.25, green < 0.25, blue < 0.25]
    if min(red, green, blue) >= 0.6:
        return "white"
    if high[0] and low[2]:
        return "red" if green < 0.2 else "orange" if green < 0.55 else "yellow"
    if high[1] and low[0]:
        return "green" if blue < 0.5 else "cyan"
    if high[2] and low[0]:
        return "blue" if green < 0.5 else "cyan"
    if high[0] and low[1]:
        return "pink" if blue < 0.4 else "magenta"
    if high[2] and low[1]:
        return "purple"
    return (
        "yellow"
        if high[0] and high[1]
        else "green"
        if high[1]
        else "pink"
        if high[0]
        else "light blue"
    )


@dataclass(frozen=True)
class Pulse:
    """Lit in `colour` for `on` ms, then dark for `off` ms."""

    colour: str
    on: int
    off: int


def _same(one: Pulse, other: Pulse) -> bool:
    return one.colour == other.colour and _alike(one.on, other.on) and _alike(one.off, other.off)


def _alike(one: float, other: float) -> bool:
    return abs(one - other) <= max(ALIKE * max(one, other), 30)


class LedWatch:
    """Takes every change of the LED with its time, and says what it looks like."""

    def __init__(self) -> None:
        self._changes: deque[tuple[int, Colour]] = deque(maxlen=400)
        self._shown = DARK

    def reset(self) -> None:
        """The power went: the LED is dark and forgets."""
        self._changes.clear()
        self._shown = DARK

    def change(self, ms: int, colour: Colour) -> None:
        """The LED has this colour from time `ms` on; any clock in milliseconds will do."""
        if colour != (self._changes[-1][1] if self._changes else OFF):
            self._changes.append((ms, colour))

    def look(self, now: int) -> tuple[LedState, int | None]:
        """What it shows at time `now`, and in how many ms to look again, if it may change by
        itself.
        """
        while len(self._changes) > 1 and self._changes[1][0] < now - LOOK_MS:
            self._changes.popleft()
        if not self._changes:
            return DARK, None
        since, colour = self._changes[-1]
        quiet = now - since
        patience = max(STEADY_MS, *(int(1.5 * gap) for gap in self._gaps()), 0)
        if quiet >= patience:
            self._changes = deque([(since, colour)], maxlen=400)
            self._shown = DARK if colour == OFF else LedState(name(colour), "steady")
            return self._shown, None
        cycle = self._cycle()
        if cycle:
            self._shown = cycle
        elif self._shown == DARK and colour != OFF:
            self._shown = LedState(name(colour), "changing")
        return self._shown, patience - quiet

    def _pulses(self) -> list[Pulse]:
        """Every time it was lit and went dark again, oldest first."""
        changes = list(self._changes)
        pulses: list[Pulse] = []
        for (start, colour), (end, after), (again, _) in zip(
            changes, changes[1:], changes[2:], strict=False
        ):
            if colour != OFF and after == OFF:
                pulses.append(Pulse(name(colour), end - start, again - end))
        return pulses

    def _gaps(self) -> list[int]:
        return [pulse.off for pulse in self._pulses()[-16:]]

    def _cycle(self) -> LedState | None:
        """The newest pattern that was seen twice in a row."""
        newest = [colour for _, colour in self._changes][-6:]
        if any(a != OFF and b != OFF for a, b in zip(newest, newest[1:], strict=False)):
            return self._alternating(newest)
        pulses = self._pulses()
        for count in range(min(LONGEST, len(pulses) // 2), 0, -1):
            cycle, before = pulses[-count:], pulses[-2 * count : -count]
            if all(map(_same, cycle, before)):
                return self._repeated(pulses, count)
        return None

    def _repeated(self, pulses: list[Pulse], count: int) -> LedState | None:
        cycle = pulses[-count:]
        for shorter in range(1, count):
            if count % shorter == 0 and all(map(_same, cycle[shorter:], cycle)):
                cycle = cycle[-shorter:]
                break
        if len(cycle) == 1:
            # The pulses within a double blink are alike, too: plain blinking goes on for longer.
            seen = 0
            for pulse in reversed(pulses):
                if seen >= PLAIN_MS:
                    break
                if not _same(pulse, cycle[0]):
                    return None
                seen += pulse.on + pulse.off
            if seen < PLAIN_MS:
                return None
        last = max(range(len(cycle)), key=lambda i: cycle[i].off)
        cycle = cycle[last + 1 :] + cycle[: last + 1]
        times = tuple(length for pulse in cycle for length in (pulse.on, pulse.off))
        return LedState(cycle[0].colour, _words(times), times)

    def _alternating(self, newest: list[Colour]) -> LedState:
        names = sorted({name(colour) for colour in newest if colour != OFF})
        return LedState(" and ".join(names), "alternating" if len(names) > 1 else "changing")


def _words(times: tuple[int, ...]) -> str:
    pulses = len(times) // 2
    if pulses > 1:
        return f"{_COUNTS.get(pulses, f'{pulses}-fold')} blink"
    on, off = times[0], times[1]
    if on <= FLASH_MS and off > 4 * on:
        return "short flash"
    if on + off <= FAST_MS:
        return "fast blink"
    return "slow blink" if on + off > SLOW_MS else "blink"
