# An HTTP POST over asyncio, with TLS for https://. The loop goes on meanwhile, and the server's
# certificate is checked, which `requests` does not do. It has the face of gateway.http's Client.
#
# A step of the TLS handshake still stops everything for as long as the chip computes (about a
# second). The chip's own memory holds one TLS connection, and only while an upload lasts.
# Loaded for one upload, and dropped.
import asyncio
import socket
from errno import EINPROGRESS

from gateway.uplink import HttpError
from micropython import const

_PIECE = const(512)  # bytes sent at once: each piece costs a TLS record and a packet
_CHUNK = const(256)
_HEAD_MAX = const(4096)
BODY_MAX = const(4096)
_CA_MAX = const(4096)
_REFUSED = (104, 111)  # reset, refused: somebody is there, but not that server
_NOT_TLS = const(-29184)  # what came is no TLS record
_HUNG_UP = const(-29312)
_NO_MEMORY = (12, -32512)

# What mbedtls says of a certificate.
_UNKNOWN = "not correctly signed"
_OTHER = "Common Name"
_LATE = "expired"
_EARLY = "in the future"


class Client:
    """`address`: of the host in the URL, dotted. `ca`: file with the CA's certificate, in DER."""

    def __init__(self, clock, address, ca=None):
        self.clock = clock
        self.address = address
        self._ca = ca
        self._begun = False  # to send the body
        self._buf = b""
        self._room = _HEAD_MAX  # bytes of status line and headers that may come

    async def post(self, url, headers, body, length, deadline_ms):
        """As gateway.http.Client.post, and for https:// too.

        More kinds of HttpError: "unreachable", "certificate" and "tls".
        """
        try:
            return await self.clock.wait_for(self._post(url, headers, body, length), deadline_ms)
        except asyncio.TimeoutError:
            raise HttpError("timeout", "no answer in %d s" % (deadline_ms // 1000))
        except HttpError:
            raise
        except OSError as e:
            if self._begun:
                raise HttpError("closed", "hung up (%s)" % e)
            kind = "refused" if e.errno in _REFUSED else "unreachable"
            raise HttpError(kind, "nobody answers at %s (%s)" % (self.address, e))
        except (ValueError, IndexError) as e:
            raise HttpError("reply", "not HTTP as it should be: " + str(e)[:60])

    async def _post(self, url, headers, body, length):
        scheme, _, place, path = url.split("/", 3)
        host, _, port = place.partition(":")
        secure = scheme == "https:"
        context = self._context() if secure else None
        where = socket.getaddrinfo(self.address, int(port or (443 if secure else 80)))[0][-1]
        sock = raw = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            try:
                sock.connect(where)
            except OSError as e:
                if e.errno != EINPROGRESS:
                    raise
            if context:
                sock = context.wrap_socket(
                    sock, server_hostname=host, do_handshake_on_connect=False
                )
            stream = asyncio.StreamReader(sock)
            head = "POST /%s HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n" % (path, place)
            head += "Content-Length: %d\r\n" % length
            for name, value in headers.items():
                head += "%s: %s\r\n" % (name, value)
            try:
                await _send(stream, (head + "\r\n").encode())
            except (OSError, ValueError) as e:
                if context:
                    self._explain(e, host)
                raise
            self._begun = True
            head = b""
            for chunk in body:
                length -= len(chunk)
                head += chunk
                if len(head) >= _PIECE:
                    await _try(stream, head)
                    head = b""
            if length:
                raise RuntimeError("body: %d bytes off the length told" % -length)
            await _try(stream, head)
            return await self._reply(stream)
        finally:
            sock.close()
            raw.close()  # which the other forgets after a failed handshake

    # -- TLS

    def _context(self):
        import tls

        ca = self._ca
        try:
            if not ca:
                raise ValueError("https needs the CA's certificate: set server.ca")
            with open(ca, "rb") as f:
                der = f.read(_CA_MAX)
            context = tls.SSLContext(tls.PROTOCOL_TLS_CLIENT)
            context.verify_mode = tls.CERT_REQUIRED  # pyright: ignore[reportAttributeAccessIssue]
            context.load_verify_locations(der)
            return context
        except OSError:
            why = "server.ca: there is no file %s on the board" % ca
        except ValueError as e:
            why = str(e) if not ca else "server.ca: %s is not a certificate in DER form" % ca
        raise HttpError("certificate", why)

    # What went wrong with the handshake, in plain words; or returns, when it was no fault of TLS.
    def _explain(self, e, host):
        if isinstance(e, ValueError):
            flaw = self._flaw(str(e).strip(), host)
            raise HttpError("certificate", "the server's certificate: " + flaw)
        code = e.errno
        if code == _NOT_TLS:
            raise HttpError("tls", "%s does not speak TLS at this port; is it http://?" % host)
        if code in _NO_MEMORY:
            raise HttpError("tls", "not enough memory for TLS")
        if code == _HUNG_UP:
            raise HttpError("closed", "hung up during the TLS handshake")
        if isinstance(code, int) and code < -255:
            raise HttpError("tls", "TLS failed: %s" % (e.args[-1],))

    def _flaw(self, said, host):
        if _UNKNOWN in said:
            return "it is not signed by the CA in %s (server.ca)" % self._ca
        if _OTHER in said:
            return "it is for another name than %s" % host
        early = _EARLY in said
        if not early and _LATE not in said:
            return said[:80]
        now = self.clock.utc()
        if now is None:
            return "it cannot be checked, for the clock is not set yet (see time.ntp)"
        from echonet.dates import jst

        today = "%d-%02d-%02d" % jst(now)[:3]
        return "it %s; here it is %s" % ("is not valid yet" if early else "has expired", today)

    # -- the reply

    # More to read, or b"" at the end.
    async def _fill(self, stream):
        if not self._buf:
            self._buf = await stream.read(_CHUNK)
        return self._buf

    async def _line(self, stream):
        line = b""
        while line[-1:] != b"\n":
            if not await self._fill(stream):
                raise HttpError("closed", "the reply broke off")
            n = self._buf.find(b"\n") + 1 or len(self._buf)
            line += self._buf[:n]
            self._buf = self._buf[n:]
            self._room -= n
            if self._room < 0:
                raise HttpError("reply", "headers without an end")
        return str(line, "utf-8").strip()

    # n bytes, or fewer at the end; at most BODY_MAX with what there is already.
    async def _read(self, stream, n, data=b""):
        if len(data) + n > BODY_MAX:
            n = BODY_MAX + 1 - len(data)
        while n and await self._fill(stream):
            data += self._buf[:n]
            got = min(n, len(self._buf))
            self._buf = self._buf[got:]
            n -= got
        if len(data) > BODY_MAX:
            raise HttpError("reply", "more than %d bytes" % BODY_MAX)
        return data, n

    async def _reply(self, stream):
        status = 100
        found = {}
        while 100 <= status < 200:  # "continue", though nobody asked for it
            version, status = (await self._line(stream)).split(None, 2)[:2]
            if version[:7] != "HTTP/1.":
                raise ValueError(version[:20])
            status = int(status)
            found = {}
            while True:
                line = await self._line(stream)
                if not line:
                    break
                name, _, value = line.partition(":")
                found[name.lower()] = value.strip()
        if "location" in found or 300 <= status < 400:
            raise HttpError("redirect", "to " + found.get("location", "nowhere")[:80])
        if found.get("transfer-encoding", "").lower() == "chunked":
            data = b""
            while True:
                size = int((await self._line(stream)).partition(";")[0], 16)
                if size < 0:
                    raise ValueError(size)
                data, missing = await self._read(stream, size, data)
                if missing:
                    break
                await self._line(stream)
                if not size:
                    return status, found, data
        else:
            told = found.get("content-length")
            size = BODY_MAX + 1 if told is None else int(told)
            if status == 204:
                size = 0
            if size < 0:
                raise ValueError(told)
            data, missing = await self._read(stream, size)
            if told is None or not missing:
                return status, found, data
        raise HttpError("closed", "the reply broke off at %d bytes" % len(data))


# Not by stream.write(), which tries at once: nothing can be written before there is a connection.
async def _send(stream, data):
    stream.out_buf = data
    await stream.drain()


# A server that hangs up in the midst of the body may have answered before: that is read. Not over
# TLS, where a socket that failed once says nothing any more.
async def _try(stream, data):
    try:
        await _send(stream, data)
    except OSError:
        pass
