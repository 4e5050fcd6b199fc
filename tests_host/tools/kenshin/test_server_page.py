"""The page: offline, safe, in two languages; and as a browser shows it."""

import hashlib
import json
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from kenshin.server import pages, web
from kenshin.server.wire import GatewayStatus

STATIC = Path(pages.__file__).parent / "static"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)

# The words and codes that the gateway's users are told of; its own tests hold that these are all.
TROUBLES = STATIC.parents[3] / "docs" / "troubleshooting.md"


def codes() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    rows = re.findall(r"^\| `(\w+)` \| (`[^|]*) \|", TROUBLES.read_text("utf-8"), re.MULTILINE)
    for word, named in rows:
        found.setdefault(word, set()).update(re.findall(r"`([\w-]+)`", named))
    return found


CODES = codes()


def words(language):
    return json.loads((STATIC / f"words.{language}.json").read_text("utf-8"))


def test_the_chart_library_is_the_one_recorded():
    folder = STATIC / "uplot"
    record = json.loads((folder / "vendored.json").read_text())
    files = {path.name for path in folder.iterdir()} - {"vendored.json"}
    assert files == set(record["sha256"])
    for name, expected in record["sha256"].items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == expected, name
    assert f"(v{record['version']})" in (folder / "uPlot.iife.min.js").read_text()[:100]
    assert "MIT" in (folder / "LICENSE.txt").read_text()


def test_the_page_asks_no_other_host_for_anything(lab):
    html = lab.client.get("/").text
    loaded = re.findall(r'(?:src|href)="([^"]+)"', html)
    assert len(loaded) > 5
    for address in loaded:
        assert address.startswith("/") and not address.startswith("//"), address
        assert lab.client.get(address).status_code == 200, address
    for name in ("page.js", "page.css"):
        assert "//" not in re.sub(
            r"^\s*//.*$|\s// .*$", "", (STATIC / name).read_text(), flags=re.M
        )


def test_the_page_is_safe_by_its_headers(lab):
    answer = lab.client.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    scripts = re.findall(r"<script(.*?)>", answer.text)
    # Nothing in the page itself runs: each script is a file, or data.
    assert all("src=" in tag or 'type="application/json"' in tag for tag in scripts)
    assert not re.search(r"\son\w+=|\sstyle=", answer.text)


@pytest.mark.parametrize(
    ("header", "language"),
    [
        (None, "en"),
        ("", "en"),
        ("ja", "ja"),
        ("ja-JP,ja;q=0.9,en-US;q=0.8,en;q=0.7", "ja"),
        ("en-US,en;q=0.9,ja;q=0.8", "en"),
        ("fr,ja;q=0.5,en;q=0.4", "ja"),
        ("de", "en"),
        ("ja;q=0", "en"),
        ("ja;q=nonsense,,;,en", "en"),
        ("JA", "ja"),
    ],
)
def test_the_language_follows_the_reader(lab, header, language):
    headers = {} if header is None else {"Accept-Language": header}
    assert web.language_of(header) == language
    answer = lab.client.get("/", headers=headers)
    assert f'<html lang="{language}">' in answer.text
    assert answer.headers["content-language"] == language
    assert "Accept-Language" in answer.headers["vary"]


def test_both_languages_say_the_same_things():
    def shape(value):
        if isinstance(value, dict):
            return {key: shape(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [bool(inner) for inner in value]
        return sorted(re.findall(r"\{\w+\}", value))

    assert shape(words("en")) == shape(words("ja"))


@pytest.mark.parametrize("language", web.LANGUAGES)
def test_every_state_a_gateway_reports_has_plain_words(language):
    found = words(language)
    assert {word: set(codes) for word, codes in found["reasons"].items()} == CODES
    assert set(found["words"]) == set(CODES)
    kinds = GatewayStatus.model_json_schema()["properties"]["word"]["anyOf"][0]["enum"]
    assert set(kinds) == set(CODES)
    used = set(re.findall(r'text\("(\w+)"', (STATIC / "page.js").read_text()))
    assert used <= set(found)


def test_the_server_says_that_it_is_well(lab):
    answer = lab.client.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "ok\n")


@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
def test_a_browser_shows_values_gaps_and_names_as_text(start, new_board, instant, tmp_path):
    server = start("--demo")
    board = new_board(server, "<b>home</b>")
    now = int(time.time())
    times = [now - 600 + 30 * n for n in range(8)] + [now - 60, now - 30]
    board.upload(
        *[instant(n, t=t, power=100 + n) for n, t in enumerate(times)],
        instant(50, t=now, power=-1234, current_r=-51, normal=12_345_678_901_234),
        status={"word": "radio", "code": "too-far", "detail": "<i>-91 dBm</i>", "rssi": -91},
    )
    shown = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            f"--user-data-dir={tmp_path / 'chromium'}",
            "--accept-lang=en",
            "--enable-logging=stderr",
            "--virtual-time-budget=5000",
            "--dump-dom",
            server.url + "/",
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    dom = shown.stdout
    assert ":CONSOLE" not in shown.stderr, shown.stderr  # no complaint of the page's policy either
    assert "<b>\u22121,234</b><small> W</small>" in dom
    assert "exporting" in dom
    assert "<b>\u22125.1</b><small> A</small>" in dom
    assert "<b>1,234,567,890.1234</b><small> kWh</small>" in dom
    assert "The meter is too far away" in dom
    assert "&lt;i&gt;-91 dBm&lt;/i&gt;" in dom and "radio \u221291 dBm" in dom
    assert '<canvas width="' in dom
    assert "<title>&lt;b&gt;home&lt;/b&gt; – Kenshin</title>" in dom
