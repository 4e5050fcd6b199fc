"""Posting JSON to a web-hook, signed.

Whoever may set the address could make this server ask machines that only it can reach. So: http
and https only, no user in the address, no redirects, and the address that was looked at is the one
that is connected to. Private networks (and this machine) only when whoever starts the server says
so; what no web-hook can be (link-local, where clouds keep their secrets, multicast) never.
"""

import contextlib
import hashlib
import hmac
import http.client
import ipaddress
import socket
import ssl
import threading
from typing import NamedTuple
from urllib.parse import urlsplit

from kenshin import __version__
from kenshin.server.alerts.ways import NotSent

SECONDS = 10.0  # for each step
LONGEST = 20.0  # seconds for all of it


class Target(NamedTuple):
    """An address taken apart."""

    secure: bool
    host: str
    port: int
    path: str


def parse(url: str) -> Target:
    """Take it apart. Raises NotSent."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise NotSent("the web-hook's address is not valid") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise NotSent("the web-hook's address begins with http:// or https://")
    if parts.username is not None or parts.password is not None:
        raise NotSent("the web-hook's address holds no user and no password")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    if not (path.isascii() and path.isprintable() and parts.hostname.isascii()) or " " in path:
        raise NotSent("the web-hook's address has characters that must be escaped")
    secure = parts.scheme == "https"
    return Target(secure, parts.hostname, port or (443 if secure else 80), path)


def allowed(address: str, private: bool) -> bool:
    """Whether a web-hook may be at this IP address."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        ip = ip.ipv4_mapped or ip.sixtofour or ip
    if ip.is_link_local or ip.is_multicast or ip.is_unspecified:
        return False
    if ip.is_loopback or ip.is_private:
        return private
    return ip.is_global


def sign(secret: str, now: int, body: bytes) -> str:
    """`t=SECONDS,v1=HEX`: HMAC-SHA-256 of the seconds, a dot and the body."""
    digest = hmac.new(secret.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
    return f"t={now},v1={digest}"


def post(url: str, secret: str, body: bytes, delivery: str, now: int, *, private: bool) -> None:
    """Post it. Raises NotSent; its text holds neither the path nor the secret."""
    if not secret:
        raise NotSent("the web-hook has no secret yet")
    target = parse(url)
    address = _look_up(target, private)
    headers = {
        "Content-Type": "application/json",
        "User-Agent": f"kenshin/{__version__}",
        "Kenshin-Delivery": delivery,
        "Kenshin-Signature": sign(secret, now, body),
    }
    connection = _Connection(target, address)
    watch = threading.Timer(LONGEST, connection.cut)
    watch.daemon = True
    watch.start()
    try:
        connection.request("POST", target.path, body, headers)
        # The status says it all: nobody waits for the rest of the answer.
        status = connection.getresponse().status
    except ssl.SSLCertVerificationError as error:
        raise NotSent(f"the certificate of {target.host}: {error.verify_message}") from None
    except (OSError, http.client.HTTPException) as error:
        why = getattr(error, "strerror", None) or "no answer in time, or none that is HTTP"
        raise NotSent(f"{target.host} cannot be reached: {why}") from None
    finally:
        watch.cancel()
        connection.close()
    if not 200 <= status < 300:
        words = ": redirects are not followed" if 300 <= status < 400 else ""
        raise NotSent(f"{target.host} answers {status}{words}")


def _look_up(target: Target, private: bool) -> str:
    try:
        found = socket.getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotSent(f"the name {target.host} is not found") from None
    addresses = [str(each[4][0]) for each in found]
    # All of them: a name with a good and a bad address is a bad name.
    if not addresses or not all(allowed(each, private) for each in addresses):
        raise NotSent(
            f"{target.host} lies in a private network: "
            "start the server with --private-hooks to allow that"
        )
    return addresses[0]


class _Connection(http.client.HTTPConnection):
    """Connects to the address that was looked at, whatever its name means by now."""

    def __init__(self, target: Target, address: str) -> None:
        super().__init__(target.host, target.port, timeout=SECONDS)
        self._target = target
        self._address = address
        self._wire: socket.socket | None = None

    def connect(self) -> None:
        self._wire = socket.create_connection((self._address, self._target.port), SECONDS)
        if self._target.secure:
            context = ssl.create_default_context()
            self._wire = context.wrap_socket(self._wire, server_hostname=self._target.host)
        self.sock = self._wire

    def cut(self) -> None:
        """End it, whatever it waits for."""
        if self._wire is not None:
            with contextlib.suppress(OSError):  # it has ended by itself
                self._wire.shutdown(socket.SHUT_RDWR)
