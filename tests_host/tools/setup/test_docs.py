"""What the documentation says of settings and boards is what is in the tables."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

from boards.generic import TABLES
from gateway.settings_table import TABLE
from setup import docs

ROOT = Path(__file__).resolve().parents[3]
README = (ROOT / "README.md", ROOT / "README.ja.md")


def test_the_pages_are_up_to_date() -> None:
    for name, text in docs.pages().items():
        assert (ROOT / "docs" / name).read_text(encoding="utf-8") == text, (
            f"docs/{name}: PYTHONPATH=tools:firmware/lib .venv/bin/python -m setup.docs"
        )


def test_every_setting_and_board_has_its_row() -> None:
    page = docs.settings()
    for key, _, check, secret in TABLE:
        row = next(line for line in page.splitlines() if line.startswith(f"| `{key}` "))
        assert ("**Secret.**" in row) == secret
        assert not isinstance(check, str) or check in docs._CHECKS, check
    page = docs.boards_page()
    assert all(f"| `{name}` |" in page for name in docs.boards())


def test_the_drawing_shows_the_tables_pins() -> None:
    table = dict(TABLES[""], uart=(1, 4, 5), reset=33)
    drawn = ElementTree.fromstring(docs.drawing("x", table))
    texts = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    pairs = [(texts[n], texts[n + 2]) for n in range(2, len(texts) - 2)]
    for pair in (("RXD", "GPIO4"), ("TXD", "GPIO5"), ("VDD", "3V3"), ("RESET", "GPIO33")):
        assert pair in pairs


def test_the_readmes_wiring_is_that_of_the_generic_board() -> None:
    for readme in README:
        text = readme.read_text(encoding="utf-8")
        for pin, gpio in docs.wires(TABLES[""]):
            assert re.search(rf"\| {pin}\b[^|]*\| {gpio} \|", text), (readme.name, pin)


def test_the_readmes_name_boards_that_exist() -> None:
    for readme in README:
        text = readme.read_text(encoding="utf-8")
        table = text[text.index("`board.type`") :].split("\n\n")[0]
        named = re.findall(r"\| `([a-z0-9-]+)` \|", table)
        assert "atoms3lite-a1" in named and set(named) <= set(docs.boards())


def test_links_lead_somewhere() -> None:
    for page in [*README, *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_led_page_and_the_readme_say_the_same() -> None:
    def rows(page: Path) -> list[str]:
        text = page.read_text("utf-8")
        return [line for line in text.splitlines() if line.startswith("|")]

    table = rows(ROOT / "docs" / "led.md")
    assert len(table) == 12
    assert "\n".join(table) in (ROOT / "README.md").read_text("utf-8")
