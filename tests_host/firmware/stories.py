"""What the stories of good and bad days share."""

from __future__ import annotations

from typing import Any

from gateway.led import PATTERNS
from house import START, House
from meterlab.household import day_of

TODAY = day_of(START)  # a meter fitted today has no past to bring home
KINDS = ("bp35a1", "bp35c2")


def days(settings: dict[str, Any] | None = None, **choices: Any) -> Any:
    """A decorator: plays the story below as a test."""

    def wrap(story: Any) -> Any:
        def test() -> None:
            House(settings, **choices).run(story)

        test.__doc__ = story.__doc__
        return test

    return wrap


def led(h: House) -> str:
    """The name of the pattern that shows now."""
    return next(name for name in PATTERNS if PATTERNS[name] == h.board.patterns[-1])
