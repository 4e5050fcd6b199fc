"""A certificate, and a TLS server in front of a plain one, for uploads over https."""

from __future__ import annotations

import socket
import ssl
import threading
from types import TracebackType

import trustme
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

_SECONDS = 60.0


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(4096):
            target.sendall(data)
    except OSError:
        pass  # one of the two has gone, which is how a connection ends
    finally:
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # it was shut already


class TlsServer:
    """`with TlsServer("server.home", port) as tls:` listens on `tls.port` of this machine, and
    passes on to `port`. `ca`: the CA's certificate, DER, as a board has it in a file."""

    def __init__(self, host: str, port: int) -> None:
        ca = trustme.CA()
        pem = x509.load_pem_x509_certificate(ca.cert_pem.bytes())
        self.ca = pem.public_bytes(Encoding.DER)
        self.handshakes = 0
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = ca.issue_cert(host)
        issued.configure_cert(self._context)  # pyright: ignore[reportUnknownMemberType]
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> TlsServer:
        threading.Thread(target=self._accept, name="tls", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(raw,), name="tls", daemon=True).start()

    def _serve(self, raw: socket.socket) -> None:
        raw.settimeout(_SECONDS)
        try:
            client = self._context.wrap_socket(raw, server_side=True)
        except OSError:
            raw.close()
            return  # the board says what it did not like
        self.handshakes += 1
        with client, socket.create_connection(("127.0.0.1", self._target), _SECONDS) as server:
            back = threading.Thread(target=_pump, args=(server, client), name="tls", daemon=True)
            back.start()
            _pump(client, server)
            back.join()
