"""What the LED shows, put into words: "green, double blink".

The pattern is derived from the times at which the LED changed, as a person would: by looking at
it for a while.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

Colour = tuple[int, int, int]
OFF: Colour = (0, 0, 0)

STEADY_MS = 2500  # unchanged for so long, and no longer gap was seen before: steady
LOOK_MS = 20_000  # how far back one looks
ALIKE = 0.30  # two times that differ by less than this share are the same
FLASH_MS = 120
FAST_MS = 600
SLOW_MS = 1600
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
        return self._shown, patience - quiet

    def _segments(self) -> list[tuple[Colour, int]]:
        changes = list(self._changes)
        return [
            (colour, after - at)
            for (at, colour), (after, _) in zip(changes, changes[1:], strict=False)
        ]

    def _gaps(self) -> list[int]:
        return [length for colour, length in self._segments()[-16:] if colour == OFF]

    def _cycle(self) -> LedState | None:
        """The newest whole cycle: pulses between two long gaps of the same length."""
        segments = self._segments()
        colours = [colour for colour, _ in segments if colour != OFF]
        if not colours:
            return None
        if any(
            a != OFF and b != OFF
            for (a, _), (b, _) in zip(segments[-6:], segments[-5:], strict=False)
        ):
            return self._alternating(segments)
        gaps = [i for i, (colour, _) in enumerate(segments) if colour == OFF and i]
        if len(gaps) < 2:
            return None
        longest = max(segments[i][1] for i in gaps[-8:])
        separators = [i for i in gaps if _alike(segments[i][1], longest)]
        if len(separators) < 2 or separators[-1] != gaps[-1] and len(gaps) < 4:
            return None
        first, last = separators[-2], separators[-1]
        times = tuple(length for _, length in segments[first + 1 : last + 1])
        return LedState(name(segments[last - 1][0]), _words(times), times)

    def _alternating(self, segments: list[tuple[Colour, int]]) -> LedState | None:
        names: list[str] = []
        for colour, _ in segments[-8:]:
            if colour != OFF and name(colour) not in names:
                names.append(name(colour))
        if len(names) < 2:
            return LedState(names[0], "changing")
        return LedState(" and ".join(sorted(names)), "alternating")


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
