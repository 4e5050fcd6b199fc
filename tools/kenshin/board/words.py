"""The gateway's JSON line of state in words for people: one text for each part of the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

JST = timezone(timedelta(hours=9), "JST")

# LED state: colour of the dot, rhythm in words and as on, off, on, off ... ms, meaning. As
# docs/led.md has them, and as the board plays them.
LED: dict[str, tuple[str, str, tuple[int, ...], str]] = {
    "ok": ("green", "steady", (), "all is well"),
    "too-far": (
        "dark_orange", "two flashes", (150, 200, 150, 900), "the meter is too far away"
    ),
    "meter": (
        "dark_orange", "three flashes", (150, 200) * 2 + (150, 1200), "the meter does not answer"
    ),
    "network": ("deep_sky_blue1", "four flashes", (150, 200) * 3 + (150, 1200), "no network"),
    "server": (
        "white",
        "five flashes",
        (150, 200) * 4 + (150, 1200),
        "the server refuses or cannot be reached",
    ),
    "config": (
        "magenta", "one long, one short", (1000, 300, 150, 700), "settings missing or wrong"
    ),
    "joining": ("blue", "slow and even", (800, 800), "looking for the meter, joining"),
    "fault": ("red", "fast and even", (180, 180), "radio module dead, or the program fails"),
    "safe": ("magenta", "one short every 3 s", (100, 2900), "safe mode"),
    "off": ("grey37", "dark", (), "stopped"),
}  # fmt: skip


def led(name: object) -> tuple[str, str, tuple[int, ...]]:
    """(colour, words, times) of a state of the LED."""
    colour, rhythm, times, meaning = LED.get(str(name), ("grey37", "?", (), "nothing heard yet"))
    return colour, f"{meaning} ({rhythm})", times


def power(state: Mapping[str, Any]) -> str:
    """Watts, or a dash."""
    reading = state.get("reading")
    return "-" if not reading or reading[3] is None else str(reading[3])


def current(state: Mapping[str, Any]) -> str:
    reading = state.get("reading")
    if not reading:
        return "no reading yet"
    amperes = [f"{value / 10:.1f} A" for value in reading[4:6] if value is not None]
    return f"{' + '.join(amperes) or 'current not measured'}  {_moment(reading[1], reading[2])}"


def _moment(seconds: int, quality: str | None) -> str:
    if quality is None:
        return f"{seconds} s after the start"
    return f"at {datetime.fromtimestamp(seconds, UTC).astimezone(JST):%H:%M:%S}"


def energy(state: Mapping[str, Any]) -> str:
    row = state.get("energy")
    if not row:
        return "not read yet"
    texts = [
        f"{value / 10000:,.1f} kWh {way}"
        for value, way in ((row[6], "bought"), (row[7], "sold"))
        if value is not None
    ]
    return "\n".join(texts) or "not measured"


def problem(state: Mapping[str, Any]) -> str:
    if not state:
        return "nothing heard yet; is the gateway running?"
    code = state.get("code")
    if not code:
        return "none"
    word = f"{state['word']}: " if state.get("word") else ""
    return f"{word}{code}" + (f"\n{state['detail']}" if state.get("detail") else "")


def radio(state: Mapping[str, Any]) -> str:
    rssi = state.get("rssi")
    if rssi is None:
        return "nothing measured yet"
    if rssi < -88:
        quality = "too far"
    else:
        quality = "poor" if rssi < -80 else "fair" if rssi < -70 else "good"
    return f"{rssi} dBm ({quality}), {span(state.get('rssi_age') or 0)} ago"


def link(state: Mapping[str, Any]) -> str:
    return f"{state.get('phase', '?')}; {state.get('module') or 'no module found yet'}"


def network(state: Mapping[str, Any]) -> str:
    if state.get("word") == "network":
        return str(state.get("code"))
    rssi = state.get("net_rssi")
    return "up" + (f", {rssi} dBm" if rssi is not None else "") if state else "?"


def outbox(state: Mapping[str, Any]) -> str:
    flash = state.get("flash")
    return f"{state.get('queue', '?')} waiting" + (f"; flash {flash}" if flash else "")


def uploads(state: Mapping[str, Any]) -> str:
    counters: Mapping[str, Any] = state.get("counters") or {}
    rejected = counters.get("rejected", 0)
    text = f"{counters.get('uploaded', 0)} readings sent"
    return text + (f", {rejected} rejected" if rejected else "")


def counters(state: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Every counter, by name."""
    found: Mapping[str, Any] = state.get("counters") or {}
    return [(name, str(found[name])) for name in sorted(found)]


def about(state: Mapping[str, Any]) -> str:
    if not state:
        return ""
    return (
        f"Kenshin {state.get('fw', '?')} on {state.get('board', '?')}, up for "
        f"{span(int(state.get('uptime') or 0))}, last start: {state.get('reset', '?')}"
    )


def span(seconds: int) -> str:
    """45 s, 12 min, 5 h 07 min, 3 d 4 h."""
    if seconds < 60:
        return f"{seconds} s"
    minutes = seconds // 60
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60:02} min"
    return f"{minutes // 1440} d {minutes % 1440 // 60} h"
