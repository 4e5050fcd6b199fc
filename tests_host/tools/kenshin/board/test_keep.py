"""Backup, restore, erase and doctor on virtual boards."""

from __future__ import annotations

import json
import zipfile

import pytest

from kenshin.board.backup import AHEAD
from kenshin.board.doctor import _SERIAL, Mask
from kenshin.board.repl import Repl

RBID = "0123456789ABCDEF0123456789ABCDEF"
KEY = "correct horse battery"
SETTINGS = {
    "broute.id": RBID,
    "broute.password": "ABCDEFGH0123",
    "wifi.ssid": "my own network",
    "wifi.key": KEY,
    "server.url": "http://server.example:8000",
    "server.token": "an-invented-token",
    "poll.interval": 20,
}
FACTS = {"stream": 77, "seq": 2048, "boot": 3}

PUT = f"""
import gateway, json, os
gateway.set({SETTINGS!r})
from gateway.twins import Twins
t = Twins(gateway.nvs(), "memory", 400)
t.load()
t.save(json.dumps({FACTS!r}).encode())
"""
READINGS = """
os.mkdir("/outbox")
for name in ("/outbox/index", "/ca.der"):
    with open(name, "wb") as f:
        f.write(bytes(range(256)))
"""


def facts(repl) -> dict[str, int]:
    return json.loads(
        repl.exec(
            "import gateway\nfrom gateway.twins import Twins\n"
            "print(str(Twins(gateway.nvs(), 'memory', 400).load(), 'utf-8'))"
        )
    )


@pytest.fixture
def used(make_board, files):
    """A board with settings and readings."""
    board = make_board(files)
    with Repl(str(board.serial)) as repl:
        repl.exec(PUT + READINGS)
    return board


def test_a_backup_brings_everything_back(used, make_board, kenshin, files, tmp_path):
    file = tmp_path / "backup.zip"
    said = kenshin(used, "backup", file, "--secrets").stdout
    assert "7 settings" in said and file.stat().st_mode & 0o777 == 0o600
    assert "removed" in kenshin(used, "erase", "--yes").stdout
    with Repl(str(used.serial)) as repl:
        assert repl.tree("/") == []
        assert used.nvs("kenshin", "settings.0") is None
        assert used.nvs("kenshin", "settings.1") is None
    kenshin(used, "flash", "--files", files)
    said = kenshin(used, "restore", file).stdout
    assert "restored 7 settings" in said and "missing" not in said
    with Repl(str(used.serial)) as repl:
        settings = repl.exec(
            "import gateway\nfrom gateway.settings import Settings\n"
            "import json; print(json.dumps(Settings(gateway.nvs()).export(True)))"
        )
        assert json.loads(settings) == SETTINGS
        assert repl.read("/ca.der") == bytes(range(256))
        now = facts(repl)
    assert now["stream"] == 77 and now["seq"] >= 2048 + AHEAD, "no number is given twice"


def test_without_secrets_there_are_none_in_it(used, kenshin, tmp_path):
    file = tmp_path / "backup.zip"
    assert "--secrets would" in kenshin(used, "backup", file).stdout
    with zipfile.ZipFile(file) as archive:
        text = archive.read("kenshin-backup.json").decode()
    assert "my own network" in text
    for key in ("broute.id", "broute.password", "wifi.key", "server.token"):
        assert str(SETTINGS[key]) not in text


def test_readings_of_its_own_are_not_overwritten(used, kenshin, tmp_path):
    file = tmp_path / "backup.zip"
    kenshin(used, "backup", file)
    assert "readings of its own" in kenshin(used, "restore", file, code=1).stderr
    wrong = tmp_path / "wrong.zip"
    wrong.write_bytes(b"no zip")
    assert "is no backup" in kenshin(used, "restore", wrong, code=1).stderr
    with zipfile.ZipFile(wrong, "w") as archive:
        archive.writestr("kenshin-backup.json", '{"v": 1, "settings": {}, "facts": {}}')
        archive.writestr("files/lib/gateway/evil.py", "")
    assert "no backup's business" in kenshin(used, "restore", wrong, code=1).stderr


def test_the_doctors_file_is_safe_to_post(make_board, files, kenshin, tmp_path):
    board = make_board(files)
    with Repl(str(board.serial)) as repl:
        repl.exec(PUT)
        repl.restart()
    file = tmp_path / "doctor.txt"
    said = kenshin(board, "doctor", file, "--files", files).stdout
    assert "secrets, names and addresses in it are masked" in said
    text = file.read_text()
    assert "MicroPython 1." in text and "Kenshin 0." in text
    assert '"phase"' in text and "Python heap:" in text and "I gateway: " in text
    assert "broute.id = set, not shown" in text and "poll.interval = 20" in text
    assert "not as built here:\nnone" in text or "/outbox/" in text
    for key, value in SETTINGS.items():
        if key != "poll.interval":
            assert str(value).lower() not in text.lower(), key
            assert str(value).encode().hex() not in text.lower(), key
    assert "server.example" not in text


def test_a_serial_number_is_found_in_the_status():
    said = "meter      coefficient 1, serial K24A012345, unit 2"
    assert _SERIAL.findall(said) == ["K24A012345"]


def test_what_is_masked():
    mask = Mask(["Secret One", KEY])
    said = mask(f"a secret one b {KEY.upper()} {KEY.encode().hex()} c")
    assert said == "a *** b *** *** c"
    assert mask("at FE80:0000:0000:0000:1234:5678:9ABC:DEF0 ok") == "at *** ok"
    assert mask("mac 00:1d:12:91:00:00:0d:ab 001D129100000DAB") == "mac ***:0d:ab ***"
    assert mask("12:34:56 at 192.168.1.10, 1795159689, uploaded 123456") == (
        "12:34:56 at 192.168.1.10, 1795159689, uploaded 123456"
    )
