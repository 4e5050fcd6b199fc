"""Stands in for `requests` 1.1 of firmware 1.29 where the runtime has 0.10, or none at all.

It behaves as that version was measured to: HTTP/1.1, a lazy body that ends where Content-Length
or the last chunk says and is a ValueError when it breaks off, redirects followed with all headers,
and the socket closed for OSError only.
"""

import socket


class _Body:
    def __init__(self, sock, length, chunked):
        self.sock = sock
        self.left = length
        self.chunked = chunked

    def read(self, n=-1):
        out = bytearray()
        while n < 0 or len(out) < n:
            if self.chunked and not self.left:
                size = int(self.sock.readline().split(b";")[0], 16)
                if not size:
                    self.chunked = False
                    break
                self.left = size
            if self.left == 0:
                break
            want = 256 if n < 0 else n - len(out)
            data = self.sock.read(want if self.left is None else min(want, self.left))
            if not data:
                if self.left:
                    raise ValueError("connection closed before the end")
                break
            out += data
            if self.left is not None:
                self.left -= len(data)
                if self.chunked and not self.left:
                    self.sock.readline()
        return bytes(out)

    def close(self):
        self.sock.close()


class Response:
    def __init__(self, raw, status_code):
        self.raw = raw
        self.status_code = status_code


def request(method, url, data=None, headers=None, timeout=None, *, parse_headers):
    headers = dict(headers or {})
    _, _, host, path = url.split("/", 3)
    host, _, port = host.partition(":")
    where = socket.getaddrinfo(host, int(port or 80), 0, socket.SOCK_STREAM)[0]
    sock = socket.socket(where[0], socket.SOCK_STREAM, where[2])
    if timeout is not None:
        sock.settimeout(timeout)
    try:
        sock.connect(where[-1])
        sock.write(("%s /%s HTTP/1.1\r\n" % (method, path)).encode())
        headers.setdefault("Host", host)
        headers.setdefault("Connection", "close")
        for name in headers:
            sock.write(("%s: %s\r\n" % (name, headers[name])).encode())
        sock.write(b"\r\n")
        if "Content-Length" in headers:
            for chunk in data:
                sock.write(chunk)
        else:
            for chunk in data:
                sock.write(b"%x\r\n" % len(chunk))
                sock.write(chunk)
                sock.write(b"\r\n")
            sock.write(b"0\r\n\r\n")
        line = sock.readline()
        if not line:
            raise ValueError("empty status line")
        status = int(line.split(None, 2)[1])
        found = {}
        while True:
            line = sock.readline()
            if not line or line == b"\r\n":
                break
            parse_headers(line, found)
    except OSError:
        sock.close()
        raise
    for name in found:
        if name.lower() == "location" and 300 <= status < 400:
            sock.close()
            return request(method, found[name], data, headers, parse_headers=parse_headers)
    length = found.get("content-length")
    body = _Body(sock, None if length is None else int(length), False)
    if "chunked" in found.get("transfer-encoding", ""):
        body = _Body(sock, 0, True)
    return Response(body, status)
