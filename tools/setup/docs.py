"""Writes what the documentation says about settings and boards, from where these are defined.

    PYTHONPATH=tools:firmware/lib python -m setup.docs

docs/settings.md, docs/boards.md and the drawings docs/wiring-*.svg. A test compares them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[2]
FIRMWARE = ROOT / "firmware" / "lib"

# What a row of the settings' table says, and what the checks of that name let through.
_CHECKS = {
    "route_id": "32 digits 0-9, A-F",
    "route_password": "12 letters and digits",
    "ssid": "1 to 32 bytes",
    "wifi_key": "8 to 63 characters, or 64 hexadecimal digits",
    "country": "two letters",
    "token": "8 to 200 characters without blanks",
    "hostname": "letters, digits, hyphens",
    "host": "a name or an IPv4 address",
    "url": "http:// or https://",
    "address": "an IPv4 address",
    "mask": "a network mask",
    "file": "a file on the board",
    "board": "see [boards](boards.md)",
}

# (module, its pin on the 20-pin connector) by what it is wired to.
_MODULE = "BP35A1 or BP35C1-J11-T01"
_PINS = {"RXD": "4", "TXD": "3", "VDD": "1, 11", "GND": "2, 12, 18", "WKUP": "5", "RESET": "6"}


def _firmware(name: str) -> Any:
    if str(FIRMWARE) not in sys.path:
        sys.path.insert(0, str(FIRMWARE))
    return __import__(name, fromlist=["x"])


def boards() -> dict[str, Mapping[str, Any]]:
    """Every board's table, by its name."""
    found: dict[str, Mapping[str, Any]] = {}
    for name in _firmware("boards.names").NAMES:
        file, _, kind = name.partition("-")
        found[name] = _firmware(f"boards.{file}").TABLES[kind]
    return found


def _help() -> dict[str, str]:
    lines = (FIRMWARE / "gateway" / "settings_help.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("\t", 1) for line in lines if "\t" in line)


def _values(check: Any) -> str:
    if isinstance(check, str):
        return _CHECKS.get(check, check)
    if isinstance(check[0], int):
        return f"{check[0]} to {check[1]}" if len(check) == 2 else ", ".join(map(str, check))
    return ", ".join(f"`{word}`" for word in check)


def settings() -> str:
    """docs/settings.md."""
    words = _help()
    lines = [
        "# Settings",
        "",
        "Set them with `kenshin board configure`, or at the Python prompt with `gateway.setup()`",
        'or `gateway.set("key", value)`; `None` as value goes back to the default. They count',
        "from the next start of the gateway. The board keeps them in its flash, apart from the",
        "files: flashing leaves them alone. **Secret**: asked for without echo, never shown.",
        "",
        "| Key | Default | Values | Meaning |",
        "|---|---|---|---|",
    ]
    for key, default, check, secret in _firmware("gateway.settings_table").TABLE:
        shown = "" if default is None else f"`{default}`"
        text = ("**Secret.** " if secret else "") + words[key]
        cells = (f"`{key}`", shown, _values(check), text)
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    lines += [
        "",
        "Several Wi-Fi networks are tried in the order `wifi`, `wifi2`, `wifi3`; one that hides",
        "its name is found too. IPv6 is not offered: stock MicroPython on the ESP32 has none.",
        "",
        "## A file of settings",
        "",
        "`kenshin board configure --from home.toml` takes them from a file. A value may come from",
        "an environment variable, so that the file holds no secret:",
        "",
        "```toml",
        "[wifi]",
        'ssid = "home"',
        'key = { env = "HOME_WIFI" }',
        "[net]",
        'mode = "static"',
        'ip = "192.168.1.50"',
        'mask = "255.255.255.0"',
        'gateway = "192.168.1.1"',
        'dns = "192.168.1.1"',
        "```",
    ]
    return "\n".join(lines) + "\n"


def _led(table: Mapping[str, Any]) -> str:
    led = table.get("led")
    if not led:
        return "none"
    kind = {"plain": "plain", "ws2812": "colour (WS2812)", "backlight": "light of the screen"}
    return f"{kind[led[0]]}, GPIO{led[1]}"


def _gpio(number: int | None) -> str:
    return "" if number is None else f"GPIO{number}"


def boards_page() -> str:
    """docs/boards.md."""
    lines = [
        "# Boards",
        "",
        "Pins are from the makers' examples and public projects; **none has been tried with this",
        "firmware on silicon yet.** Ethernet, above all, is untested.",
        "",
        "| `board.type` | What it is | To RXD | From TXD | RESET | LED | Button |",
        "|---|---|---|---|---|---|---|",
    ]
    notes: list[str] = []
    for name, table in boards().items():
        _, rx, tx = table["uart"]
        cells = [f"`{name}`", table["about"], _gpio(rx), _gpio(tx), _gpio(table.get("reset"))]
        cells += [_led(table), _gpio(table.get("button"))]
        lines.append("| " + " | ".join(cells) + " |")
        if "note" in table:
            notes.append(f"* `{name}`: {table['note']}.")
    lines += ["", *notes, ""]
    lines += [
        "## Wiring",
        "",
        *(f"![Wiring of {name}](wiring-{name}.svg)" for name in wired()),
        "",
        "Everything is 3.3 V. 5 V on any pin of a module destroys it. The `-T01` modules need an",
        "antenna that is certified with them.",
        "",
        "## Adding a board",
        "",
        "1. Copy a file of `firmware/lib/boards` that is like it, such as `atoms3lite.py`.",
        "2. Its name is the board's, without hyphen; each key of `TABLES` is what follows it.",
        "3. Change the pins. `generic.py` says what each entry means.",
        "4. Enter the names in `names.py`, and the file under `LAZY` in `tools/setup/sizes.py`.",
        "5. `PYTHONPATH=tools:firmware/lib .venv/bin/python -m setup.docs` renews this page.",
        "6. `make test`.",
        "",
        "A new kind of LED is a module `led_<kind>.py` with a class `Lamp` that has `show(rgb)`.",
    ]
    return "\n".join(lines) + "\n"


def wired() -> list[str]:
    """The boards that somebody wires by hand."""
    return [name for name, table in boards().items() if "radio" not in table]


def wires(table: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(module's pin, board's pin), from the board's table."""
    _, rx, tx = table["uart"]
    rows = [("RXD", f"GPIO{rx}"), ("TXD", f"GPIO{tx}"), ("VDD", "3V3"), ("GND", "GND")]
    rows.append(("WKUP", "3V3"))
    if "reset" in table:
        rows.append(("RESET", f"GPIO{table['reset']}"))
    return rows


_COLOURS = {"RXD": "#d08000", "TXD": "#0070c0", "VDD": "#c00000", "GND": "#333333"}


def drawing(name: str, table: Mapping[str, Any]) -> str:
    """The wiring as an SVG."""
    rows = wires(table)
    height = 90 + 36 * len(rows)
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 {height}" width="640" '
        f'height="{height}" font-family="sans-serif" font-size="14">',
        f"<title>{escape(name)}: {escape(table['about'])}</title>",
        f'<rect width="640" height="{height}" fill="#ffffff"/>',
        f'<rect x="20" y="20" width="200" height="{height - 40}" rx="8" fill="#eef4ee" '
        'stroke="#446644"/>',
        f'<rect x="420" y="20" width="200" height="{height - 40}" rx="8" fill="#eef" '
        'stroke="#444488"/>',
        f'<text x="120" y="44" text-anchor="middle" font-size="13">{_MODULE}</text>',
        f'<text x="520" y="44" text-anchor="middle" font-weight="bold">{escape(name)}</text>',
    ]
    for n, (pin, gpio) in enumerate(rows):
        y = 80 + 36 * n
        colour = _COLOURS.get(pin, "#777777")
        note = " (BP35A1 only)" if pin == "WKUP" else ""
        out += [
            f'<line x1="220" y1="{y}" x2="420" y2="{y}" stroke="{colour}" stroke-width="3"/>',
            f'<circle cx="220" cy="{y}" r="4" fill="{colour}"/>',
            f'<circle cx="420" cy="{y}" r="4" fill="{colour}"/>',
            f'<text x="205" y="{y + 5}" text-anchor="end">{pin}</text>',
            f'<text x="30" y="{y + 5}" font-size="11" fill="#666666">pin {_PINS[pin]}</text>',
            f'<text x="435" y="{y + 5}">{gpio}</text>',
        ]
        if note:
            out.append(
                f'<text x="320" y="{y - 6}" text-anchor="middle" font-size="11" '
                f'fill="#666666">{note.strip()}</text>'
            )
    return "\n".join([*out, "</svg>"]) + "\n"


def pages() -> dict[str, str]:
    """Every file that is made, by its name in docs/."""
    made = {"settings.md": settings(), "boards.md": boards_page()}
    tables = boards()
    for name in wired():
        made[f"wiring-{name}.svg"] = drawing(name, tables[name])
    return made


def main() -> None:
    for name, text in pages().items():
        (ROOT / "docs" / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
