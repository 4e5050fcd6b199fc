"""Alerts in words, in the reader's language."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from kenshin.server import units
from kenshin.server.alerts.rules import KINDS

LANGUAGES = ("en", "ja")
WORDS: dict[str, dict[str, Any]] = {
    language: json.loads(Path(__file__).with_name(f"words.{language}.json").read_text("utf-8"))
    for language in LANGUAGES
}


class Words(NamedTuple):
    """What a sentence about an alert needs."""

    kind: str
    value: int | None
    threshold: int
    minutes: int


def amount(kind: str, value: int | None) -> str:
    """A measured value, as the kind shows it."""
    if value is None:
        return "?"
    if kind.endswith("-day"):
        return units.decimal(value, 4) + " kWh"
    if kind == "contract":
        return units.decimal(value, 1) + " A"
    return f"{value} {KINDS[kind].unit}".strip()


def limit(kind: str, threshold: int) -> str:
    """A rule's limit, as the kind shows it."""
    return f"{threshold} {KINDS[kind].unit}".strip()


def sentence(language: str, what: Any, part: str = "so") -> str:
    """What is so (`so`) or what a rule looks for (`rule`); `what` has the fields of Words."""
    return WORDS[language]["sentences"][what.kind][part].format(
        value=amount(what.kind, getattr(what, "value", None)),
        limit=limit(what.kind, what.threshold),
        minutes=what.minutes or what.threshold,
    )


def moment(t: int) -> str:
    """To the minute, in Japanese time."""
    return units.rfc3339(t)[:16].replace("T", " ")


def subject(language: str, lines: Sequence[Any]) -> str:
    """Of a mail that tells `lines`."""
    words = WORDS[language]["mail"]
    names = list(dict.fromkeys(line.name for line in lines))
    whose = names[0] if len(names) == 1 else words["several"].format(n=len(names))
    over = all(line.what == "end" for line in lines)
    title = WORDS[language]["kinds"][lines[0].kind]
    return words["over_subject" if over else "subject"].format(name=whose, title=title)


def body(language: str, lines: Sequence[Any]) -> str:
    """The text of a mail."""
    words = WORDS[language]["mail"]
    parts: list[str] = []
    for line in lines:
        whose = f"{line.name} ({line.code})" + (f", {line.group}" if line.group else "")
        text = sentence(language, line)
        if line.what == "end":
            until = moment(line.until) if line.until is not None else "?"
            text = words["over"].format(text=text, since=moment(line.since), until=until)
        else:
            text = words["begin"].format(text=text, since=moment(line.since))
        parts.append(f"{whose}\n  {text}")
    return "\n\n".join(parts) + f"\n\n-- \n{words['foot']}\n"
