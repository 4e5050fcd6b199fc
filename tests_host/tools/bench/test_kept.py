"""What is measured by itself stays on the page when `make bench` writes it anew."""

from __future__ import annotations

from pathlib import Path

from bench import kept, report
from bench.__main__ import TARGET
from bench.report import Section, Table


def test_what_is_kept_is_the_same_afterwards(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    other = Table("Codec", "How.", ["frames", "a"], [["x", "1"]])
    tables = [
        Table(title, f"How {title} | came.", ["what", "n"], [["a | b", "1,000"], ["c", ""]])
        for title in kept.TITLES
    ]
    page.write_text(report.markdown([Section([other, *tables])], ["a processor"]), "utf-8")
    found = kept.section(page)
    assert found == Section(tables)
    assert kept.section(page) == found


def test_the_page_has_them() -> None:
    found = kept.section(TARGET)
    assert found.missed == []
    assert all(table.rows and table.how for table in found.tables)


def test_what_was_never_measured_is_said(tmp_path: Path) -> None:
    assert kept.section(tmp_path / "none.md").missed == [
        f"{title}: there are no figures" for title in kept.TITLES
    ]
