"""The commands that look after a server, as real commands."""

import csv
import io
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from kenshin.cli import app
from kenshin.server import backups, doctor, export, people
from kenshin.server.store import Store, database_url

T0 = 1_795_392_000
HEAD = ",".join(export.COLUMNS["half-hour"]) + "\n"


@pytest.fixture
def run(database):
    """Run a command on a database of each kind, in this process; what it printed."""

    def go(*arguments, code=0):
        result = CliRunner().invoke(app, ["server", *arguments, "--db", database])
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result.output

    return go


def test_people_are_added_reset_and_removed(run):
    link = run("user", "add", "Anna", "--role", "owner")
    assert "/welcome/" in link
    assert "already" in run("user", "add", "Anna", code=1)
    assert "one of" in run("user", "add", "Bert", "--role", "king", code=1)
    run("user", "add", "Bert")
    assert run("user", "list").splitlines() == [
        "Anna  owner  (no password yet)",
        "Bert  viewer  (no password yet)",
    ]
    assert "/welcome/" in run("user", "reset", "Bert")
    run("user", "role", "Bert", "operator")
    assert json.loads(run("user", "list", "--json"))[1]["role"] == "operator"
    run("user", "remove", "Bert")
    assert "nobody named" in run("user", "reset", "Bert", code=1)


def test_keys_are_made_listed_and_ended(run):
    run("gateway", "add", "home")
    made = json.loads(run("key", "add", "program", "--gateway", "home", "--json"))
    listed = run("key", "list")
    assert made["access_key"] in listed and "home" in listed and made["secret"] not in listed
    run("key", "revoke", made["access_key"])
    assert "no such" in run("key", "revoke", made["access_key"], code=1)
    assert "no gateway" in run("key", "add", "x", "--gateway", "nowhere", code=1)
    assert "no group" in run("key", "add", "x", "--group", "nowhere", code=1)


def test_a_gateway_is_changed_and_deleted(run):
    code = json.loads(run("gateway", "add", "home", "--json"))["code"]
    run("gateway", "edit", code, "--name", "flat", "--group", "mine", "--zone", "UTC")
    run("gateway", "edit", "flat", "--contract", "40")
    assert "no time zone" in run("gateway", "edit", code, "--zone", "Mars/Base", code=1)
    assert "full hour" in run("gateway", "edit", code, "--zone", "Asia/Kolkata", code=1)
    assert "no gateway" in run("gateway", "edit", "home", "--name", "x", code=1)
    assert "Token" in run("gateway", "token", "flat")
    assert "no token works" in run("gateway", "token", code, "--revoke")
    run("gateway", "remove", code, "--yes")
    assert "There is no gateway yet" in run("gateway", "list")


def test_settings_are_shown_set_and_checked(run):
    assert "retention.instant_days = 400" in run("settings", "show")
    run("settings", "set", "retention.instant_days", "30")
    assert "retention.instant_days = 30" in run("settings", "show")
    assert "whole number" in run("settings", "set", "api.rate", "many", code=1)
    assert "between" in run("settings", "set", "api.rate", "0", code=1)
    assert "no setting" in run("settings", "set", "colour", "red", code=1)


def test_what_was_exported_can_be_imported_elsewhere_and_again(
    run, lab, board, instant, slot, row, tmp_path
):
    times = [T0 - 1800 * n for n in range(3000)]
    board.upload(*[slot(n, t, 10**6 - n, n % 7) for n, t in enumerate(times[:1500])])
    board.upload(*[slot(n, t, 10**6 - n) for n, t in enumerate(times[1500:], 1500)])
    # Both directions of one half-hour may come from different histories.
    merged = T0 - 1800 * 3000
    board.upload(slot(8000, merged, 900, origin="E2"))
    board.upload(slot(8001, merged, None, 901, origin="E4"))
    board.upload(instant(9000, T0 - 5, -12, current_r=-34, normal=2**62))
    board.upload(*[row(9100 + n, "minute", T0 - 60 * n, normal=n) for n in range(60)])
    code = json.loads(run("gateway", "add", "copy", "--json"))["code"]
    for kind, rows in (("half-hour", 3001), ("instant", 1), ("minute", 60)):
        file = str(tmp_path / f"{kind}.csv")
        run("export", "--kind", kind, "--gateway", board.code, "--bom", "--out", file)
        assert Path(file).stat().st_mode & 0o777 == 0o600  # it tells when a home is empty
        done = run("import", file, "--gateway", code)
        assert f"{rows} readings: {rows} new, 0 rejected" in done
        assert f"{rows} readings: 0 new, 0 rejected" in run("import", file, "--gateway", code)
        exported = [
            run("export", "--kind", kind, "--gateway", each) for each in (board.code, code)
        ]
        one, two = ([row[2:] for row in csv.reader(io.StringIO(text))] for text in exported)
        assert one == two and len(one) == rows + 1
    assert "E2 E4" in run("export", "--gateway", code)


def test_an_import_is_no_word_from_the_board(run, lab, board, slot, tmp_path):
    board.upload(*[slot(n, T0 - 90_000 + 1800 * n, 100 * n) for n in range(40)])
    file = str(tmp_path / "half-hours.csv")
    run("export", "--gateway", board.code, "--out", file)
    fresh = lab.board("never heard")
    run("import", file, "--gateway", fresh.code)
    run("import", file, "--gateway", board.code)
    assert (board.detail()["last_seen"], fresh.detail()["last_seen"]) == (T0, None)
    # Its days are made all the same.
    lab.service.housekeeper.work()
    found = lab.client.get(f"/api/v1/gateways/{fresh.code}/energy?period=month").json()
    assert sum(filter(None, found["normal"])) == 3900


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a,b\n1,2\n", "not a file"),
        (",".join(export.COLUMNS["day"]) + "\n", "days are sums"),
        ('[\n{"service_code":"x"}\n]\n', "is JSON: export it as CSV"),
        ("", "not a file"),
        (b"\xff\xfe\x00", "not CSV in UTF-8"),
        ("service_code,time,fwd_int_power_kwh,bwd_int_power_kwh\n", "not a file"),
        (HEAD + "x,x,now,1,2,,,ntp,get\n", "line 2"),
        (HEAD + "x,x,2026-11-01,1.00001,,,,ntp,get\n", "line 2"),
        (HEAD + "x,x,2026-11-01,1,,,,ntp,get\n", "no gateway"),
    ],
)
def test_a_file_that_cannot_be_imported_is_told_in_words(run, tmp_path, content, words):
    file = tmp_path / "x.csv"
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert words in run("import", str(file), code=1)


def test_a_backup_is_made_while_the_server_works(sqlite_lab, instant, tmp_path):
    board = sqlite_lab.board()
    board.upload(instant(1))
    target = tmp_path / "copy.db"
    arguments = ["server", "backup", str(target), "--db", str(sqlite_lab.path)]
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 0, result.output
    assert target.stat().st_mode & 0o777 == 0o600
    board.upload(instant(2, T0 - 9))
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM readings").fetchone() == (1,)
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code == 1 and "there already" in again.output
    assert [path.name for path in tmp_path.glob("*.part")] == []
    # It is a database to work with.
    opened = Store(database_url(str(target)))
    opened.close()


def test_a_backup_comes_to_its_end_although_the_server_writes(sqlite_lab, monkeypatch, tmp_path):
    lab = sqlite_lab
    with lab.store.writing() as connection:
        connection.exec_driver_sql("CREATE TABLE filler (a BLOB)")
        for _ in range(40):
            connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(1000000))")
    other = Store(lab.store.url)
    written = []

    def more(_status, left, _total):
        # Between any two pieces of the copy somebody else commits.
        assert len(written) < 100, "the copy begins again and again"
        with other.writing() as connection:
            connection.exec_driver_sql("INSERT INTO filler VALUES (zeroblob(9))")
        written.append(left)

    connect = sqlite3.connect

    class Source(sqlite3.Connection):
        def backup(self, target, **how):
            super().backup(target, **how, progress=more)

    monkeypatch.setattr(sqlite3, "connect", lambda path: connect(path, factory=Source))
    target = tmp_path / "copy.db"
    backups.copy(lab.store, target)
    other.close()
    assert written
    with closing(connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM filler").fetchone() == (40,)


def test_the_doctor_says_what_is_wrong_and_what_helps(run, lab):
    sick = run("doctor", code=1)
    assert "BAD  owners: nobody: open the link" in sick or "BAD  owners" in sick
    assert "BAD  gateways: none" in sick
    with lab.store.writing() as connection:
        people.add(connection, "Anna", "owner", T0, "a long password")
    lab.board()
    found = {finding.what: finding for finding in doctor.examine(lab.store, T0)}
    assert found["owners"].good and found["gateways"].good and found["clock"].good
    assert found["database"].good
    assert not {f.what: f for f in doctor.examine(lab.store, 0)}["clock"].good


def test_the_doctor_sees_silence_and_a_readable_file(sqlite_lab, instant):
    board = sqlite_lab.board()
    board.upload(instant(1))
    sqlite_lab.path.chmod(0o644)
    findings = doctor.examine(sqlite_lab.store, T0 + 4 * 3600)
    found = {finding.what: finding for finding in findings}
    assert not found["silent"].good and "1 of 1" in found["silent"].words
    assert (
        not found["hours and days"].good
        and "is the server running" in found["hours and days"].words
    )
    assert not found["permissions"].good and "chmod 600" in found["permissions"].words


def test_the_first_start_prints_a_link_once(start, cli):
    server = start()
    assert server.process.stdout is not None
    line = server.process.stdout.readline()
    assert "Nobody can log in yet" in line
    link = line.split()[-1]
    assert link.startswith(server.url + "/welcome/")
    assert server.client.get(link).status_code == 200
    assert server.client.get(server.url + "/welcome/" + "x" * 43).text.count("<form") == 0


def test_a_demonstration_is_for_this_machine_only(start, cli):
    refused = cli("server", "run", "--demo", "--host", "0.0.0.0", "--port", "0")
    assert refused.returncode == 1 and "only with an address of this machine" in refused.stderr
    server = start("--demo")
    assert server.client.get("/").status_code == 200
    assert server.client.get("/api/v1/gateways").json()["gateways"] == []


def test_metrics_for_prometheus(lab, board, instant):
    board.upload(instant(1), status={"rssi": -71, "queue": 3})
    text = lab.client.get("/metrics").text
    assert f'kenshin_gateway_rssi{{code="{board.code}"}} -71' in text
    assert f'kenshin_gateway_queue{{code="{board.code}"}} 3' in text
    assert "kenshin_uploads_total 1" in text
    for line in text.splitlines():
        assert line.startswith("# ") or float(line.rpartition(" ")[2]) is not None
    header = {"Authorization": f"Bearer {board.token}"}
    assert lab.visitor().get("/metrics", headers=header).status_code == 403
    assert lab.visitor().get("/metrics").status_code == 401
