# An HTTP POST over `requests`, the client in every stock firmware, made fit for bad servers.
#
# By itself requests bounds neither time nor size, follows redirects with the token in hand, takes
# a reply that broke off for a whole one (up to firmware 1.28), and forgets to close the socket on
# a bad status line. So it is given an IP address, a length, a header parser that refuses
# redirects, and, in place of its module `socket`, a guard: every wait ends at the deadline, lines
# and headers are bounded, and the socket is closed whatever happens.
#
# It blocks: for the deadline plus a second at the longest.
# Loaded for one upload, and dropped.
import socket
import sys

from gateway.uplink import HttpError
from micropython import const

_CHUNK = const(256)
_REFUSED = (104, 111)  # reset, refused: somebody is there, but not that server
_HEAD_MAX = const(4096)
BODY_MAX = const(4096)


# What requests takes for the module `socket`, and for the socket that this hands out.
class _Guard:
    SOCK_STREAM = socket.SOCK_STREAM

    def __init__(self, clock, end, body, length):
        self.clock = clock
        self.end = end
        self.body = body
        self.length = length  # bytes of the body that are still to be sent
        self.begun = False  # to send it
        self.headers = {}
        self.head = _HEAD_MAX  # bytes of status line and headers that may come
        self.plain = None
        self.buf = b""
        self.getaddrinfo = socket.getaddrinfo

    # -- the module

    def socket(self, *args):
        self.plain = socket.socket(*args)
        return self

    # -- the socket

    # Before each wait: it may take what is left. In whole seconds, so the last one may be passed.
    def arm(self):
        left = self.end - self.clock.ms()
        if left <= 0:
            raise OSError
        self.plain.settimeout((left + 999) // 1000)
        return self.plain

    def connect(self, where):
        self.arm().connect(where)

    def close(self):
        if self.plain:
            self.plain.close()

    # A server that hangs up in the midst of the body may have answered before: that is read.
    def write(self, data):
        try:
            while data:
                data = data[self.arm().send(data) :]
        except OSError:
            if not self.begun:
                raise

    # More to read, or b"" at the end.
    def fill(self):
        self.buf = self.buf or self.arm().recv(_CHUNK)
        return self.buf

    def readline(self):
        line = b""
        while line[-1:] != b"\n":
            if not self.fill():
                raise HttpError("closed", "the reply broke off")
            n = self.buf.find(b"\n") + 1 or len(self.buf)
            line += self.buf[:n]
            self.buf = self.buf[n:]
            self.head -= n
            if self.head < 0:
                raise HttpError("reply", "headers without an end")
        return line

    # Like a socket's: fewer than n only at the end.
    def read(self, n):
        data = b""
        while len(data) < n and self.fill():
            m = n - len(data)
            data += self.buf[:m]
            self.buf = self.buf[m:]
        return data

    def readinto(self, buf):
        data = self.read(len(buf))
        buf[: len(data)] = data
        return len(data)

    # -- what goes through it

    def chunks(self):
        self.begun = True
        for chunk in self.body:
            self.length -= len(chunk)
            yield chunk
        if self.length:
            raise RuntimeError("body: %d bytes off the length told" % -self.length)

    # For each header line. requests 1.1 looks into `found` for the length and for "chunked".
    def header(self, line, found):
        name, _, value = str(line, "utf-8").partition(":")
        name = name.lower()
        value = value.strip()
        if name == "location":
            raise HttpError("redirect", "to " + value[:80])
        found[name] = self.headers[name] = value

    def reply(self, raw):
        told = self.headers.get("content-length")
        if told is None:
            told = BODY_MAX + 1
            if raw is self and "transfer-encoding" in self.headers:
                raise ValueError("chunked")
        n = int(told)
        if n < 0:
            raise ValueError(told)
        data = raw.read(min(n, BODY_MAX + 1))
        if len(data) > BODY_MAX:
            raise HttpError("reply", "more than %d bytes" % BODY_MAX)
        if len(data) < n <= BODY_MAX:
            raise HttpError("closed", "the reply broke off at %d of %d bytes" % (len(data), n))
        return data


class Client:
    """`post` is the face of an HTTP client; gateway.https has the same. `address`: of the
    host in the URL, dotted."""

    def __init__(self, clock, address):
        self.clock = clock
        self.address = address

    async def post(self, url, headers, body, length, deadline_ms):
        """POST to url, http://host[:port]/path.

        headers: dict of str, which gets more; body: generator of bytes, length bytes in all;
        deadline_ms: for the whole exchange. -> (status, the headers as a dict with lower-case
        names, body of at most BODY_MAX bytes). HttpError; RuntimeError when the body has another
        length.
        """
        import requests

        clock = self.clock
        end = clock.ms() + deadline_ms
        _, _, place, path = url.split("/", 3)
        port = place.partition(":")[2]
        headers["Host"] = place
        headers["Content-Length"] = str(length)
        guard = _Guard(clock, end, body, length)
        theirs = requests.socket  # pyright: ignore[reportAttributeAccessIssue]
        requests.socket = guard  # pyright: ignore[reportAttributeAccessIssue]
        try:
            reply = requests.request(
                "POST",
                "http://%s:%s/%s" % (self.address, port or 80, path),
                data=guard.chunks(),
                headers=headers,
                parse_headers=guard.header,  # pyright: ignore[reportArgumentType]
            )
            status = reply.status_code
            if 300 <= status < 400:
                raise HttpError("redirect", "status %d" % status)
            return status, guard.headers, guard.reply(reply.raw)
        except HttpError:
            raise
        except OSError as e:
            if clock.ms() >= end:
                raise HttpError("timeout", "no answer in %d s" % (deadline_ms // 1000))
            if guard.begun:
                raise HttpError("closed", "hung up (%s)" % e)
            kind = "refused" if e.errno in _REFUSED else "unreachable"
            raise HttpError(kind, "nobody answers at %s (%s)" % (self.address, e))
        except (ValueError, IndexError) as e:
            raise HttpError("reply", "not HTTP as it should be: " + str(e)[:60])
        finally:
            requests.socket = theirs  # pyright: ignore[reportAttributeAccessIssue]
            sys.modules.pop("requests", None)  # 600 bytes until the next upload
            guard.close()
