"""`meterlab module` as a process: one line, a serial port, and a clean end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import serial

from meterlab.modules.sk_text import address
from meterlab.scenario import load, shipped

RBID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"
ROOT = Path(__file__).resolve().parents[3]
SECONDS = 60  # after which a process that does not do its part is killed


def _environment(**more: str) -> dict[str, str]:
    path = os.pathsep.join(str(ROOT / p) for p in ("tools", "firmware/lib", "tools/shim"))
    return {**os.environ, "PYTHONPATH": path, "METERLAB_ID": RBID, **more}


@contextmanager
def running(link: Path, *args: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A module process that is ready, and the line it said; it is killed if it hangs."""
    command = [sys.executable, "-m", "meterlab", "module", "--link", str(link), *args]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=_environment(METERLAB_PASSWORD=PASSWORD),
    ) as process:
        guard = threading.Timer(SECONDS, process.kill)
        guard.start()
        try:
            assert process.stdout is not None
            yield process, process.stdout.readline()
        finally:
            process.kill()
            guard.cancel()


class Port:
    def __init__(self, link: Path) -> None:
        self.serial = serial.Serial(str(link), 115_200, timeout=0.05)
        self.got = b""

    def command(self, line: str, until: str = r"(OK|FAIL ER\d\d)\r\n") -> str:
        self.got = b""
        self.serial.write(line.encode() + b"\r\n")
        return self.until(until)

    def until(self, pattern: str, seconds: float = 60) -> str:
        end = time.monotonic() + seconds
        while not (match := re.search(pattern.encode("latin-1"), self.got, re.S)):
            assert time.monotonic() < end, (pattern, self.got)
            self.got += self.serial.read(4_096)
        text, self.got = self.got[: match.end()], self.got[match.end() :]
        return text.decode("latin-1")


@pytest.mark.parametrize("kind", ["bp35a1", "bp35c2"])
def test_from_the_first_command_to_a_reading(tmp_path, kind):
    link = tmp_path / "radio"
    args = ("--kind", kind, "--factor", "20", "--set", "traits.forgetful=off", "--seed", "4")
    with running(link, *args) as (process, ready):
        assert ready.startswith(f"{kind} ready on {link} (/dev/")
        assert RBID[-8:] not in ready and PASSWORD not in ready
        port = Port(link)
        side = " 0" if kind == "bp35c2" else ""
        assert "EVER" in port.command("SKVER")
        assert port.command("SKSREG SFE 0").startswith("SKSREG SFE 0\r\n")
        port.command(f"SKSETPWD C {PASSWORD}")
        port.command(f"SKSETRBID {RBID}")
        found = ""
        for _ in range(10):
            port.command("SKSCAN 2 FFFFFFFF 6" + side)
            found = port.until("EVENT 22")
            if "EPANDESC" in found:
                break
        fields = dict(re.findall(r"  (\w[\w ]*):(\w+)", found))
        assert fields["PairID"] == RBID[-8:]
        port.command("SKSREG S2 " + fields["Channel"])
        port.command("SKSREG S3 " + fields["Pan ID"])
        meter = address(bytes.fromhex(fields["Addr"]))
        assert meter in port.command("SKLL64 " + fields["Addr"], r"FE80[0-9A-F:]+\r\n")
        port.command("SKJOIN " + meter)
        port.until("EVENT 25")
        port.until(
            re.escape("\x10\x81") + "..\x0e\xf0\x01\x0e\xf0\x01s\x01\xd5\x04\x01\x02\x88\x01"
        )
        request = bytes.fromhex("1081ABCD05FF010288016202E700E800")
        head = f"SKSENDTO 1 {meter} 0E1A 1{side} {len(request):04X} "
        port.serial.write(head.encode() + request)
        answer = port.until(
            r"\x10\x81\xab\xcd\x02\x88\x01\x05\xff\x01r\x02\xe7\x04.{4}\xe8\x04.{4}"
        )
        assert " 00\r\nOK\r\n" in answer
        port.serial.close()

        again = Port(link)  # the owner comes back
        assert "EVER" in again.command("SKVER")
        again.serial.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
        assert process.stdout is not None and process.stdout.read() == ""
    assert not link.exists() and not link.is_symlink()


def test_bytes_take_the_time_of_the_line(tmp_path):
    link = tmp_path / "radio"
    with running(link, "--instant"):
        port = Port(link)
        port.command("SKSREG SFE 0")
        begun = time.monotonic()
        for _ in range(20):
            port.command("SKINFO")
        took = time.monotonic() - begun
        port.serial.close()
    # 8 bytes there and 91 back, 20 times, at 11,520 bytes/s. Never faster than the wire.
    assert took > 20 * 95 / 11_520


def test_orders_while_it_runs(tmp_path):
    link = tmp_path / "radio"
    with running(link, "--control") as (process, _):
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write("meter.dead on\nlink.rssi loud\n\nmodule.hang\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ok: meter.dead on\n"
        assert process.stdout.readline().startswith("error: link.rssi takes a number")
        assert process.stdout.readline() == "ok: module.hang\n"
        port = Port(link)
        port.serial.write(b"SKVER\r\n")
        time.sleep(0.2)
        assert port.serial.read(100) == b""
        port.serial.close()
        process.stdin.close()
        process.terminate()
        assert process.wait(SECONDS) == 0
    assert not link.is_symlink()


def test_a_scenario_and_what_is_given_beside_it(tmp_path):
    story = tmp_path / "story.toml"
    story.write_text(
        'title = "A short one"\n[meter]\nlike = "kansai"\n[set]\nlink.rssi = -70\n'
        "[[fault]]\nat = 5\nlasts = 10\nset = { manners.silent = true }\n"
    )
    link = tmp_path / "radio"
    args = ("--kind", "bp35c0-j11", "--scenario", str(story), "--factor", "100")
    with running(link, *args) as (process, ready):
        assert process.stdout is not None and ready.startswith("bp35c0-j11 ready on")
        begins = process.stdout.readline()
        ends = process.stdout.readline()
        port = Port(link)
        port.serial.write(bytes.fromhex("D0EA83FC006B000403A80000"))
        said = port.until("\xd0\xf9\xee\x5d\x20\x6b.{6}.{9}").encode("latin-1")
        port.serial.close()
        process.terminate()
        assert process.wait(SECONDS) == 0
    assert begins.startswith("begins: 0d 00:00:05 for 10 s: told (manners.silent on)")
    assert ends == begins.replace("begins", "ends")
    assert said.hex().upper().endswith("D0F9EE5D206B000D03AC00A801040001030000158A")


def test_the_scenarios_are_listed_with_what_they_are_about():
    command = [sys.executable, "-m", "meterlab", "scenarios"]
    text = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=True)
    lines = text.stdout.splitlines()
    assert [line.split()[0] for line in lines] == shipped()
    assert lines[0] == "airtime          " + load("airtime").title


def test_an_older_link_is_replaced_and_a_file_is_not(tmp_path):
    link = tmp_path / "radio"
    link.symlink_to("/dev/null")
    with running(link) as (process, ready):
        assert "ready" in ready and os.readlink(link) != "/dev/null"
        process.send_signal(signal.SIGINT)
        assert process.wait(SECONDS) == 0
    link.write_text("mine")
    with running(link) as (process, said):
        assert process.wait(SECONDS) == 2
        assert process.stdout is not None
        assert "not a link" in " ".join((said + process.stdout.read()).split())
    assert link.read_text() == "mine"


@pytest.mark.parametrize(
    ("args", "says"),
    [
        (("--kind", "bp99"), "bp35c2"),
        (("--unit", "05"), "E1"),
        (("--set", "foo=1"), "manners.silent"),
        (("--password", "TOOSHORT"), "12"),
        (("--meter", "mine"), "kansai"),
        (("--lacks", "EC,XX"), "'XX'"),
        (("--lacks", "9F"), "9F"),
        (("--scenario", "doom"), "weak-evening"),
        (("--kind", "rs-wsuha-j11", "--hex"), "J11"),
    ],
)
def test_mistakes_are_explained_without_showing_secrets(tmp_path, args, says):
    done = subprocess.run(
        [sys.executable, "-m", "meterlab", "module", "--link", str(tmp_path / "x"), *args],
        env=_environment(METERLAB_PASSWORD=PASSWORD),
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 2
    assert says in done.stderr
    for secret in (RBID, PASSWORD, "TOOSHORT"):
        assert secret not in done.stderr + done.stdout
