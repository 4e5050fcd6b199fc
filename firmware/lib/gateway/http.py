# An HTTP POST over `requests`, the client in every stock firmware, made fit for bad servers.
#
# By itself requests bounds neither time nor size, follows redirects with the token in hand, takes
# a reply that broke off for a whole one (up to firmware 1.28), and forgets to close the socket on
# a bad status line. So it is given an IP address, a length, a header parser that refuses
# redirects, and, in place of its module `socket`, a guard: every wait ends at the deadline, lines
# and headers are bounded, small writes are gathered, and the socket is closed whatever happens.
#
# It blocks: for the deadline plus a second at the longest, and up to 14 s for a name's look-up.
import socket

from gateway import names
from micropython import const

_CHUNK = const(512)
_HEAD_MAX = const(4096)
BODY_MAX = const(4096)


class HttpError(OSError):
    """No reply that can be used.

    `kind`: "refused" (nobody answers there), "timeout", "dns", "redirect", "closed" (broken off)
    or "reply" (not HTTP, or too large); `detail`: in words. An OSError, because on no other
    exception requests closes its socket.
    """

    wait_ms = 0  # for how long the server asks to be left alone

    def __init__(self, kind, detail):
        super().__init__(kind)
        self.kind = kind
        self.detail = detail


# What requests takes for the module `socket`, and for the socket that this hands out.
class _Guard:
    def __init__(self, clock, deadline_ms, body, length):
        self.clock = clock
        self.deadline_ms = deadline_ms
        self.end = clock.ms() + deadline_ms
        self.body = body
        self.length = length
        self.sent = None  # bytes of the body, once connected
        self.headers = {}
        self.head = 0  # bytes of status line and headers
        self.plain = None
        self.out = bytearray(_CHUNK)
        self.filled = 0
        self.buf = b""
        self.ended = False  # the server closed the connection
        self.getaddrinfo = socket.getaddrinfo
        self.SOCK_STREAM = socket.SOCK_STREAM

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

    def settimeout(self, _):
        pass  # `arm` knows better

    def connect(self, where):
        self.arm()
        self.plain.connect(where)

    def close(self):
        if self.plain:
            self.plain.close()

    def write(self, data):
        if isinstance(data, str):
            data = data.encode()
        while data:
            if self.filled == _CHUNK:
                self.flush()
            at = self.filled
            n = min(len(data), _CHUNK - at)
            self.out[at : at + n] = data[:n]
            self.filled = at + n
            data = data[n:]

    def flush(self):
        view = memoryview(self.out)[: self.filled]
        self.filled = 0
        while view:
            self.arm()
            view = view[self.plain.send(view) :]

    def fill(self):
        if not self.buf:
            self.flush()
            self.arm()
            self.buf = self.plain.recv(_CHUNK)
            self.ended = not self.buf
        return self.buf

    def readline(self):
        line = b""
        while line[-1:] != b"\n" and self.fill():
            n = self.buf.find(b"\n") + 1 or len(self.buf)
            line += self.buf[:n]
            self.buf = self.buf[n:]
            if self.head + len(line) > _HEAD_MAX:
                raise HttpError("reply", "more than %d bytes of headers" % _HEAD_MAX)
        if line[-1:] != b"\n":
            raise HttpError("closed", "the reply broke off")
        self.head += len(line)
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
        self.sent = 0
        for chunk in self.body:
            self.sent += len(chunk)
            yield chunk
        if self.sent != self.length:
            raise RuntimeError("body: %d bytes instead of %d" % (self.sent, self.length))

    # For each header line. requests 1.1 looks into `theirs` for the length and for "chunked".
    def header(self, line, theirs):
        name, _, value = str(line, "utf-8").partition(":")
        name = name.strip().lower()
        value = value.strip()
        if name == "location":
            raise HttpError("redirect", "to " + value[:80])
        if name in ("content-length", "content-type", "retry-after", "transfer-encoding"):
            theirs[name] = self.headers[name] = value

    def reply(self, raw):
        told = self.headers.get("content-length")
        told = None if told is None else int(told)
        data = b""
        if raw is self and "chunked" in self.headers.get("transfer-encoding", ""):
            raise ValueError("chunked")
        while told is None or len(data) < told:
            more = raw.read(_CHUNK if told is None else min(told - len(data), _CHUNK))
            if not more:
                break
            data += more
            if len(data) > BODY_MAX:
                raise HttpError("reply", "a body of more than %d bytes" % BODY_MAX)
        if told is not None and len(data) != told:
            raise HttpError("closed", "the reply broke off at %d of %d bytes" % (len(data), told))
        return data


class Client:
    """`post` is the face of the uplink's HTTP client; another may stand in its place."""

    def __init__(self, clock):
        self._clock = clock

    async def post(self, url, headers, body, length, deadline_ms):
        """POST to url, http://host[:port]/path.

        headers: dict of str; body: generator of bytes, length bytes in all; deadline_ms: for the
        whole exchange. -> (status, the headers that matter as a dict with lower-case names, body
        of at most BODY_MAX bytes). HttpError; RuntimeError when the body has another length.
        """
        import requests

        clock = self._clock
        _, _, place, path = url.split("/", 3)
        host, _, port = place.partition(":")
        try:
            address = names.resolve(host, clock.ms())
        except OSError:
            raise HttpError("dns", host)
        headers = dict(headers)
        headers["Host"] = place
        headers["Content-Length"] = str(length)
        guard = _Guard(clock, deadline_ms, body, length)
        theirs = requests.socket  # pyright: ignore[reportAttributeAccessIssue]
        requests.socket = guard  # pyright: ignore[reportAttributeAccessIssue]
        try:
            reply = requests.request(
                "POST",
                "http://%s:%s/%s" % (address, port or 80, path),
                data=guard.chunks(),
                headers=headers,
                parse_headers=guard.header,  # pyright: ignore[reportArgumentType]
            )
            if 300 <= reply.status_code < 400:
                raise HttpError("redirect", "status %d" % reply.status_code)
            return reply.status_code, guard.headers, guard.reply(reply.raw)
        except HttpError:
            raise
        except OSError as e:
            names.forget(host)
            if clock.ms() >= guard.end:
                raise HttpError("timeout", "no answer in %d s" % (deadline_ms // 1000))
            if guard.sent is None:
                raise HttpError("refused", "nobody answers at %s (%s)" % (address, e))
            raise HttpError("closed", "hung up (%s)" % e)
        except (ValueError, IndexError, NotImplementedError) as e:
            if guard.ended:
                raise HttpError("closed", "the reply broke off")
            raise HttpError("reply", "not HTTP as it should be: " + str(e)[:80])
        finally:
            requests.socket = theirs  # pyright: ignore[reportAttributeAccessIssue]
            guard.close()
