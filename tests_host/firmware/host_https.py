"""The shipped files on a virtual board, uploading over https: by name, with a certificate."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from badservers import Servers
from boardline import Line

Make = Callable[..., Line]
HOST = "kenshin.home"


def _der(ca: trustme.CA) -> bytes:
    certificate = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
    return certificate.public_bytes(Encoding.DER)


def _settings(line: Line, **more: str) -> None:
    values = {
        "wifi.ssid": "home",
        "server.token": "an-invented-token",
        "server.ca": "ca.der",
        **{key.replace("_", "."): value for key, value in more.items()},
    }
    line.raw()
    assert line.run(f"import gateway\ngateway.set({values!r})") == ""


def _check(line: Line) -> dict[str, object]:
    out = line.run("import json, gateway\nprint(json.dumps(gateway.start('server')))")
    return json.loads(out.splitlines()[-1])  # after the lines of the log


def test_a_board_uploads_over_https(start: Make) -> None:
    ca = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert(HOST).configure_cert(context)
    servers = Servers(context)

    def prepare(folder: Path) -> None:
        (folder / "ca.der").write_bytes(_der(ca))
        (folder / "other.der").write_bytes(_der(trustme.CA()))

    try:
        line = start(prepare, forwards={(HOST, 443): ("127.0.0.1", servers.port)})
        line.until("missing-settings")
        _settings(line, server_url=f"https://{HOST}/good/named")
        # Whoever asks for it on a board without a radio module still sees the server's word. The
        # gateway runs meanwhile: its own first upload, at any moment of its first minute, may come
        # before this one.
        found = _check(line)
        assert found["ok"] is True, found
        assert servers.requests
        _settings(line, server_url=f"https://{HOST}/good/other", server_ca="other.der")
        found = _check(line)
        assert found["ok"] is False and "not signed by the CA in other.der" in str(found)
        _settings(line, server_url="https://nobody.home/good/nobody")
        assert "nobody.home: there is no such name" in str(_check(line))
        # To the server that is not trusted, and to the one that is not there, nothing was sent.
        for head in servers.requests:
            assert head.startswith(b"POST /good/named/") and b"Host: kenshin.home\r\n" in head
    finally:
        servers.close()
