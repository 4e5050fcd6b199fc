"""Figures as people read them: at the terminal, and in BENCHMARKS.md."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Table:
    """Rows of text; the first column names, the others are figures. `how`: one honest sentence."""

    title: str
    how: str
    head: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list[Sequence[str]])

    def add(self, *cells: str) -> None:
        if len(cells) != len(self.head):
            raise ValueError(f"{self.title}: {len(cells)} cells under {len(self.head)} heads")
        self.rows.append(cells)


@dataclass
class Section:
    """One part of the benchmarks. `missed`: what had to be reached and was not."""

    tables: list[Table] = field(default_factory=list[Table])
    missed: list[str] = field(default_factory=list[str])


def number(value: float, digits: int = 0) -> str:
    return f"{value:,.{digits}f}"


def text(section: Section) -> str:
    """For a terminal."""
    parts: list[str] = []
    for table in section.tables:
        widths = [max(map(len, column)) for column in zip(table.head, *table.rows, strict=True)]
        lines = [table.title, ""]
        for row in (table.head, *table.rows):
            cells = [row[0].ljust(widths[0])]
            cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
            lines.append(("  " + "  ".join(cells)).rstrip())
        parts.append("\n".join(lines) + "\n")
    parts += [f"MISSED: {what}\n" for what in section.missed]
    return "\n".join(parts)


def markdown(sections: Sequence[Section], machine: Sequence[str]) -> str:
    """The whole of BENCHMARKS.md."""
    lines = [
        "# Benchmarks",
        "",
        "`make bench` measures all of this and writes this file. Nothing here ran on a "
        "microcontroller: the firmware ran on MicroPython's unix port, on the machine below, "
        "against a simulated meter and radio module. Sizes of objects are those of a board only "
        "on the 32-bit runtime; speeds are never those of a board.",
        "",
        *[f"* {line}" for line in machine],
    ]
    missed = [what for section in sections for what in section.missed]
    if missed:
        lines += ["", "**What was to be reached and was not:**", ""]
        lines += [f"* {_cell(what)}" for what in missed]
    for section in sections:
        for table in section.tables:
            lines += ["", f"## {table.title}", "", table.how, ""]
            lines.append("| " + " | ".join(map(_cell, table.head)) + " |")
            lines.append("|---" + "|---:" * (len(table.head) - 1) + "|")
            lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in table.rows]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
