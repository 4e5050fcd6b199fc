"""From a blank board to readings at the server, by the commands an owner types."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import serial

from kenshin.board import configure
from kenshin.board.console import Console
from kenshin.board.ports import BoardError
from kenshin.board.repl import Repl
from meterlab.board import AccessPoint, VirtualBoard
from meterlab.datagrams import TimeServer
from meterlab.demo.parts import Part, Server
from setup.build import package

RBID = "0123456789ABCDEF0123456789ABCDEF"
PASSWORD = "ABCDEFGH0123"
KEY = "correct horse battery"

SETTINGS = """
# A file like this can be kept with one's other files: it holds no secret.
[wifi]
ssid = "out of reach"
[wifi2]
ssid = "home"
key = { env = "HOME_WIFI" }
[broute]
id = { env = "BROUTE_ID" }
password = { env = "BROUTE_PASSWORD" }
[server]
url = "http://server.home:8000"
token = { env = "TOKEN" }
interval = 10
[poll]
interval = 10
[time]
ntp = "time.home"
"""

SERVER = ("server.home", 8000)


def closed() -> int:
    """A port of this PC where nobody listens."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def waits(board: VirtualBoard, enough: Callable[[int], bool], code: str | None = None) -> int:
    """Wait until `enough(readings that wait on the board)`, and until it says that `code` is what
    is wrong; returns how many these are."""
    with Console(str(board.serial), keep_json=True) as console:
        end = time.monotonic() + 120
        while True:
            queue = console.state.get("queue")
            said = code is None or console.state.get("code") == code
            if queue is not None and enough(queue) and said:
                return queue
            assert time.monotonic() < end, console.state
            time.sleep(0.5)


@pytest.mark.timeout(400)
def test_a_blank_board_is_installed_configured_and_its_readings_arrive(
    make_board, kenshin, files, tmp_path
):
    server = Server(tmp_path)
    radio = Part(
        "module",
        ["meterlab", "module", "--kind", "bp35a1", "--link", str(tmp_path / "radio"), "--fast"],
        {"METERLAB_ID": RBID, "METERLAB_PASSWORD": PASSWORD},
    )
    try:
        server.ready()
        radio.ready()
        with TimeServer() as clock:
            board = make_board(
                uart=tmp_path / "radio",
                networks=[AccessPoint("home", KEY, rssi=-60, hidden=True)],
                forwards={
                    SERVER: ("127.0.0.1", server.port),
                    ("time.home", 123): ("127.0.0.1", clock.port),
                },
            )
            # The other way to install: mpremote's own command and package.json.
            folder = tmp_path / "build" / "board"
            folder.parent.mkdir()
            folder.symlink_to(files)
            done = subprocess.run(
                [sys.executable, "-m", "mpremote", "connect", str(board.serial), "mip", "install"]
                + ["--target", "/", str(package(folder))],
                capture_output=True,
                text=True,
                timeout=180,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr
            assert "copied 0, removed 0" in kenshin(board, "flash", "--files", files).stdout
            source = tmp_path / "home.toml"
            source.write_text(SETTINGS)
            secrets = {"HOME_WIFI": KEY, "BROUTE_ID": RBID, "BROUTE_PASSWORD": PASSWORD}
            done = kenshin(
                board, "configure", "--from", source, env=secrets | {"TOKEN": server.token}
            )
            assert "network: the board is at 192.168.4.23, -60 dBm" in done.stdout
            assert "server: http://server.home:8000 lets it in" in done.stdout
            assert "radio: joined the meter" in done.stdout
            for secret in (*secrets.values(), server.token):
                assert secret not in done.stdout + done.stderr
            end = time.monotonic() + 60
            while not server.received() and time.monotonic() < end:
                time.sleep(0.5)
            assert server.received() > 0
            # The server's way is shut. What waits then moves to another board, and arrives.
            board.outside.forwards[SERVER] = ("127.0.0.1", closed())
            # Once an upload failed, none is under way that the server took already.
            queue = waits(board, lambda queue: queue > 1, "unreachable")
            before = server.received()
            file = tmp_path / "backup.zip"
            kenshin(board, "backup", file, "--secrets")
            board.stop()
            assert server.received() == before
            heir = make_board(
                files,
                networks=[AccessPoint("home", KEY)],
                forwards={SERVER: ("127.0.0.1", server.port)},
            )
            kenshin(heir, "restore", file)
            waits(heir, lambda queue: queue == 0)
            assert server.received() >= before + queue
    finally:
        radio.stop()
        server.stop()


def test_what_is_wrong_is_said_in_plain_words(make_board, kenshin, files, tmp_path):
    board = make_board(files, networks=[AccessPoint("home", KEY)])
    source = tmp_path / "home.toml"
    environment = {"BROUTE_ID": RBID, "BROUTE_PASSWORD": PASSWORD, "TOKEN": "an-invented-token"}

    def refused(text: str, *words: str | Path, env: dict[str, str] | None = None) -> str:
        source.write_text(text)
        env = environment if env is None else env
        return kenshin(board, "configure", "--from", source, *words, env=env, code=1).stderr

    assert "not valid TOML" in refused("[wifi")
    assert "wifi.key: $NOBODY is not set" in refused('[wifi]\nkey = { env = "NOBODY" }')
    assert "give text, a number" in refused("[wifi]\nssid = true")
    assert "did you mean wifi.ssid?" in refused('[wifi]\nssdi = "home"')
    said = refused('[broute]\nid = { env = "BROUTE_ID" }', env={"BROUTE_ID": "5EC4E7"})
    assert "has 6 characters" in said and "5EC4E7" not in said
    assert "stays in the shell's history" in refused("", "--set", "wifi.key=correct horse")
    assert "Still missing: broute.id" in refused('[wifi]\nssid = "home"')
    done = kenshin(
        board, "configure", "--from", source, "--set", "poll.interval=5", env={}, code=1
    )
    assert "from 10 to 3600" in done.stderr
    # What was stopped to be asked runs again, whatever became of that.
    with Console(str(board.serial)) as console:
        console.type("help")
        assert console.wait_line("json on|off", 30), list(console.lines)
    said = kenshin(board, "configure", "--set", "wifi.key=", "--no-check", code=1)
    assert "set: wifi.key" in said.stdout, "to unset a secret tells none"
    assert "page for a terminal" in kenshin(board, "monitor", code=1).stderr


def test_settings_that_are_complete_but_do_not_work(make_board, kenshin, files, tmp_path):
    board = make_board(files, networks=[AccessPoint("home", KEY)])
    source = tmp_path / "home.toml"
    source.write_text(SETTINGS)
    environment = {"BROUTE_ID": RBID, "BROUTE_PASSWORD": PASSWORD, "TOKEN": "an-invented-token"}
    said = kenshin(
        board, "configure", "--from", source, code=1, env=environment | {"HOME_WIFI": "wrong one"}
    ).stdout
    assert "The settings are complete." in said
    assert "network: Wi-Fi " in said and "readings wait on the board" in said
    assert "Checking the server" not in said, "without a network there is none"
    assert "radio: " in said and "wiring" in said


def test_a_board_without_kenshin(make_board, kenshin):
    assert "kenshin board flash" in kenshin(make_board(), "configure", code=1).stderr


class Typist:
    """Answers, and keeps what was asked."""

    def __init__(self, **answers: list[str]) -> None:
        self.answers = {key.replace("_", ".", 1): list(texts) for key, texts in answers.items()}
        self.asked: list[str] = []

    def text(self, question: str, default: str) -> str:
        self.asked.append(question)
        return self.answers[question].pop(0) or default

    def secret(self, question: str) -> str:
        self.asked.append(question)
        return self.answers[question.partition(" ")[0]].pop(0)


def test_what_is_missing_is_asked_for_and_the_rest_again_on_request(make_board, files):
    board = make_board(files, networks=[AccessPoint("home", KEY, rssi=-60)])
    with Repl(str(board.serial)) as repl:
        settings = configure.Settings(repl)
        said: list[str] = []
        typist = Typist(
            board_type=["99", ""],
            wifi_ssid=["2", "1"],
            wifi_key=["short", KEY],
            broute_id=["0123", RBID],
            broute_password=["", PASSWORD],
            server_url=["http://server.home:8000"],
            server_token=["an-invented-token"],
        )
        configure.ask_all(settings, typist, said.append)
        assert settings.missing == [] and settings.own["wifi.ssid"] == "home"
        assert not any(typist.answers.values()), "each answer was asked for"
        told = "\n".join(said)
        assert "There is no 2 here: from 1 to 1, or the name." in told
        assert "home  -60 dBm" in told and "broute.id: has 4 characters" in told
        for secret in (KEY, RBID, PASSWORD, "short"):
            assert secret not in told
        # Once all is set nothing is asked, but for what is named; Enter keeps it.
        typist = Typist(wifi_ssid=["", ""], wifi_key=["", "another key"], poll_interval=["20"])
        configure.ask_all(settings, typist, said.append)
        assert typist.asked == []
        configure.ask_all(settings, typist, said.append, ["wifi"])
        assert typist.asked == ["wifi.ssid", "wifi.key (not shown, Enter keeps it)"]
        secrets = "import gateway; from gateway.settings import Settings; "
        secrets += "print(Settings(gateway.nvs())['wifi.key'])"
        assert repl.exec(secrets).strip() == KEY
        configure.ask_all(settings, typist, said.append, ["wifi", "poll.interval"])
        assert repl.exec(secrets).strip() == "another key"
        assert settings.own["wifi.ssid"] == "home" and settings.own["poll.interval"] == 20
        # What can be left out may be left out.
        configure.ask_all(settings, Typist(net_hostname=[""]), said.append, ["net.hostname"])
        assert "net.hostname" not in settings.own
        with pytest.raises(BoardError, match="nothing: no such setting"):
            configure.ask_all(settings, Typist(nothing=["1"]), said.append, ["nothing"])


def test_what_to_do_about_a_server_depends_on_what_is_wrong_with_it():
    for problem, advice in (
        ("status 401: Invalid token", "server gateway token"),
        ("nobody answers at 192.168.1.10 ([Errno 111] ECONNREFUSED)", "--host 0.0.0.0"),
        ("no answer in 20 s", "--host 0.0.0.0"),
        ("the server's certificate: it is for another name than kenshin.example", "server.ca"),
        ("status 200, 7 bytes of text/html: not an answer of a Kenshin server", "word and code"),
    ):
        assert advice in configure.advice("server", problem), problem
    assert "--ask wifi" in configure.advice("network", "no answer in 3 s")


def test_a_port_in_use_is_told(make_board, kenshin):
    board = make_board()
    with serial.Serial(str(board.serial), exclusive=True):
        for command in ("configure", "flash", "doctor"):
            said = kenshin(board, command, code=1).stderr
            assert "is in use by another program" in said and "Close that" in said, said
