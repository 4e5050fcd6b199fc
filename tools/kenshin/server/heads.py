"""The head of a request (its line and headers), bounded in size and in time.

The web server bounds neither: whoever can connect could fill the memory with one endless header,
or hold connections open for ever without a word. Bodies are bounded by `body`, and what comes
between two requests by the web server's own `timeout_keep_alive`.
"""

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_MAX = 64 * 1024  # bytes, but for what comes at once with the beginning
HEAD_SECONDS = 30.0  # from the connection, or the first byte, to the head's end

_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)


class BoundedHeads(HttpToolsProtocol):
    """The web server's side of one connection."""

    _open = True  # a head is awaited, or on its way
    _read = 0  # bytes of it
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come: now it is its turn."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_SECONDS, transport.close)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._in_time()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        """A head begins."""
        self._open = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """It is whole."""
        self._open = False
        super().on_headers_complete()

    def data_received(self, data: bytes) -> None:
        """Some bytes of anything."""
        before = self._open
        super().data_received(data)
        if not self._open:  # nearly always: a head comes in one piece
            self._in_time()
            return
        if before:
            self._read += len(data)
        if self._read > HEAD_MAX and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _in_time(self) -> None:
        self._read = 0
        if self._late is not None:
            self._late.cancel()
            self._late = None
