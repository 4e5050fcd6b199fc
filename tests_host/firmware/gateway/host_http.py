"""Both HTTP clients and the uplink against real servers that misbehave, over loopback.

Run on every MicroPython of this machine: with its own frozen `requests`, with one that behaves
like the next version's (on CPython too), and with the asyncio client, without TLS and with it.
"""

from __future__ import annotations

import datetime
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from badservers import Servers
from meterlab.runtimes import find_runtimes

ROOT = Path(__file__).resolve().parents[3]
HERE = Path(__file__).parent
COMPILED = ROOT / ".cache" / "upy" / "lib"
HELPERS = ROOT / "tests_host" / "firmware"
STANDIN = HERE / "requests_1_1"

# Kind of failure, or status, by case; a tuple: with frozen requests 0.10, with 1.1, with asyncio,
# with it over TLS; the last one counts for those that are left out.
WANTED: dict[str, Any] = {
    "ok": 200,
    "echo": 200,
    "split": 200,
    "open-end": 200,
    "nobody": "refused",
    "silent": "timeout",
    "trickle-status": "timeout",
    "trickle-headers": "timeout",
    "trickle-body": "timeout",
    "redirect-302": "redirect",
    "redirect-307": "redirect",
    "redirect-bare": "redirect",
    "html": 200,
    "short-body": ("closed", "reply", "closed"),
    "no-reply": "closed",
    "no-headers-end": "closed",
    "slam": "closed",
    "reset": "closed",
    "bad-status": "reply",
    "word-status": "reply",
    "no-code": "reply",
    "blank": "reply",
    "long-line": "reply",
    "many-headers": "reply",
    "big-told": "reply",
    "big-untold": "reply",
    "chunked": ("reply", 200, 200),
    "chunked-small": ("reply", 200, 200),
    "torn-chunk": ("reply", "reply", "closed"),
    "continue": (100, 100, 200),
    "bad-length": "reply",
    "negative-length": "reply",
    "no-content": 204,
    "unauthorized": 401,
    "busy": 503,
    "linger": 200,
    "early": (413, 413, 413, "closed"),
    "early-nothing": "closed",
}


class Papers:
    """Certificates of two CAs that nobody else knows, and files with the CAs' own."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA()
        day = datetime.timedelta(days=1)
        now = datetime.datetime.now(datetime.UTC)
        issue = self.ca.issue_cert
        self.contexts = {
            "good": self._context(issue("localhost")),
            "other-name": self._context(issue("server.example")),
            "expired": self._context(
                issue("localhost", not_before=now - 9 * day, not_after=now - day)
            ),
            "early": self._context(
                issue("localhost", not_before=now + day, not_after=now + 9 * day)
            ),
        }
        self.file = str(self._der(self.ca, folder / "ca.der"))
        self.foreign = str(self._der(trustme.CA(), folder / "foreign.der"))
        self.other = str(folder / "ca.txt")
        Path(self.other).write_text("a certificate, honestly")

    @staticmethod
    def _context(cert: trustme.LeafCert) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        cert.configure_cert(context)
        return context

    @staticmethod
    def _der(ca: trustme.CA, path: Path) -> Path:
        certificate = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
        path.write_bytes(certificate.public_bytes(Encoding.DER))
        return path


class Play:
    """One Python going through all cases, against servers of its own."""

    def __init__(
        self,
        argv: list[str],
        client: str,
        what: str,
        papers: Papers,
        more: list[str] | None = None,
    ) -> None:
        self.servers = Servers(papers.contexts["good"] if client == "tls" else None)
        self.nobody = socket.socket()  # holds a port on which nobody listens
        self.nobody.bind(("127.0.0.1", 0))
        lib = ROOT / "firmware" / "lib" if argv[0] == sys.executable else COMPILED
        command = [*argv, str(HERE / "http_driver.py"), str(lib), str(HELPERS)]
        command += [str(STANDIN) if client == "1.1" else "-"]
        command += [client if client in ("asyncio", "tls") else "requests"]
        command += [str(self.servers.port), str(self.nobody.getsockname()[1]), what]
        self.process = subprocess.Popen(
            command + (more or [papers.file]),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT / "tools" / "shim")},
        )

    def told(self) -> list[dict[str, Any]]:
        """What it printed, when it has ended."""
        said, errors = self.process.communicate(timeout=100)
        assert self.process.returncode == 0, said[-2000:] + errors
        return [json.loads(line) for line in said.splitlines()]

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
        self.servers.close()
        self.nobody.close()


CLIENTS = ("frozen", "1.1", "asyncio", "tls")
RUNTIMES = {runtime.name: [*runtime.argv, "-X", "heapsize=256k"] for runtime in find_runtimes()}
PLAYERS = {"cpython-1.1": ([sys.executable], "1.1")} | {
    f"{name}-{client}": (argv, client) for name, argv in RUNTIMES.items() for client in CLIENTS
}


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    return Papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def plays(papers: Papers) -> Iterator[dict[tuple[str, str], Play]]:
    """All at once, for most of their time is waiting."""
    plays = {
        (name, what): Play(*PLAYERS[name], what, papers)
        for name in PLAYERS
        for what in ("client", "uplink")
    }
    yield plays
    for play in plays.values():
        play.close()


@pytest.mark.parametrize("name", PLAYERS)
def test_client(name: str, plays: dict[tuple[str, str], Play]) -> None:
    play = plays[name, "client"]
    client = PLAYERS[name][1]
    cases = {out["case"]: out for out in play.told()}
    for case, wanted in WANTED.items():
        out = cases[case]
        if isinstance(wanted, tuple):
            wanted = wanted[min(CLIENTS.index(client), len(wanted) - 1)]
        assert out.get("kind", out.get("status")) == wanted, out
        assert out["leaked"] == 0, out
        if wanted == "timeout":
            assert out["ms"] >= 700
        if wanted == 200 and case not in ("echo", "html"):
            assert out["body"] == '{"v":1}', out
        assert len(out.get("detail", "")) < 140, out
    echo = json.loads(cases["echo"]["body"])
    assert echo["right"] and echo["length"] == "5000" and echo["encoding"] is None
    assert echo["host"] == f"{'localhost' if client == 'tls' else '127.0.0.1'}:{play.servers.port}"
    assert echo["authorization"] == "Bearer x"
    assert echo["line"] == f"POST /echo HTTP/1.{int(client != 'frozen')}"
    assert cases["busy"]["headers"]["retry-after"] == "17"
    assert cases["html"]["headers"]["content-type"] == "text/html"
    assert not any(b"/elsewhere" in head for head in play.servers.requests)
    # A body that is not as long as it says is our own fault, and not the server's.
    for length in ("length 4999", "length 5001"):
        assert "off the length" in cases[length]["error"] and cases[length]["leaked"] == 0


@pytest.mark.parametrize("name", PLAYERS)
def test_uplink(name: str, plays: dict[tuple[str, str], Play]) -> None:
    play = plays[name, "uplink"]
    told = play.told()
    assert [(out["case"], out["code"]) for out in told] == [
        ("good", None),
        ("html", "bad-reply"),
        ("no-reply", "bad-reply"),
        ("redirect-302", "redirect"),
        ("late", "timeout"),
        ("short-body", "bad-reply"),
        ("silent", "timeout"),
        ("busy", "broken"),
        ("unauthorized", "refused"),
        ("nobody", "unreachable"),
        ("good", None),
    ]
    assert [out["left"] for out in told] == [0, *range(10, 100, 10), 0]
    assert [out["says"] for out in told if out["code"] is None] == [None, None]
    # Every reading is there, once, though some were sent twice.
    rows = play.servers.rows
    assert sorted(rows) == list(range(1, 111))
    assert [rows[n][4] for n in range(1, 111)] == list(range(1, 111))
    assert len(play.servers.seen) > 110


@pytest.mark.parametrize("name", RUNTIMES)
def test_certificates(name: str, papers: Papers) -> None:
    """Each trouble with a certificate in words that say what to do, and none of them accepted."""
    plain = Servers()
    silent = socket.create_server(("127.0.0.1", 0))  # it never shakes hands
    servers = {what: Servers(context) for what, context in papers.contexts.items()}
    servers["plain"] = plain
    cases = (
        (papers.file, "good", "", 200, ""),
        (papers.foreign, "good", "", "certificate", "not signed by the CA in " + papers.foreign),
        (papers.file, "other-name", "", "certificate", "for another name than localhost"),
        (papers.foreign, "other-name", "", "certificate", "not signed by the CA"),
        (papers.other, "good", "", "certificate", "ca.txt is not a certificate in DER form"),
        ("nowhere.der", "good", "", "certificate", "no file nowhere.der on the board"),
        (papers.file, "plain", "", "tls", "localhost does not speak TLS at this port"),
        (papers.file, "silent", "short", "timeout", "no answer"),
        (papers.file, "early", "", "certificate", "the clock is not set yet"),
        (papers.file, "expired", "", "certificate", "the clock is not set yet"),
        (papers.file, "early", "told", "certificate", "not valid yet; here it is 2027-01-15"),
        (papers.file, "expired", "told", "certificate", "has expired; here it is 2027-01-15"),
        (papers.file, "good", "told", 200, ""),
    )
    more: list[str] = []
    for ca, server, told, _, _ in cases:
        port = silent.getsockname()[1] if server == "silent" else servers[server].port
        more += [ca, str(port), told]
    play = Play(RUNTIMES[name], "tls", "certificates", papers, more)
    try:
        results = play.told()
        for (_, server, _, wanted, words), out in zip(cases, results, strict=True):
            assert out.get("kind", out.get("status")) == wanted, (server, out)
            assert words in out.get("detail", ""), (server, out)
            assert len(out.get("detail", "")) < 240, out  # the folder of a test is long
            assert out["leaked"] == 0, (server, out)
    finally:
        play.close()
        silent.close()
        for server in servers.values():
            # No request went to whoever could not prove who it is.
            assert len(server.requests) == (2 if server is servers["good"] else 0)
            server.close()
