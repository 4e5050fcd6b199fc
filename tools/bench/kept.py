"""Figures of what takes long and is run by itself: they stay in BENCHMARKS.md as they are."""

from __future__ import annotations

from pathlib import Path

from bench.report import Section, Table

TITLES = ("Years in minutes", "Mutated input")


def section(page: Path) -> Section:
    """The tables with these titles, as they are in the page that there is."""
    tables: list[Table] = []
    text = page.read_text(encoding="utf-8") if page.exists() else ""
    for part in text.split("\n## ")[1:]:
        title, _, rest = part.partition("\n")
        if title not in TITLES:
            continue
        lines = [line for line in rest.splitlines() if line]
        rows = [_cells(line) for line in lines if line.startswith("|")]
        how = " ".join(line for line in lines if not line.startswith("|"))
        tables.append(Table(title, how, rows[0], [*rows[2:]]))
    missing = [title for title in TITLES if title not in {table.title for table in tables}]
    return Section(tables, [f"{title}: there are no figures" for title in missing])


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in line[1:-1].split(" | ")]
