# One line typed at a terminal, byte by byte: no serial line edits or echoes by itself.
from micropython import const

_CR = const(13)
_LF = const(10)
_ESC = const(27)


class Line:
    """Collects at most `limit` printable ASCII characters; ends at CR, LF or CR LF.

    Backspace and Ctrl-U work, arrow keys and the like leave nothing behind. `echo(text)` gets what
    the terminal should show; None: show nothing. `last`: the byte that came before; after a CR a
    LF is no line of its own. `lost` tells that the line just completed was too long or had bytes
    outside ASCII, which were left out.
    """

    def __init__(self, limit, echo=None, last=_LF):
        self.limit = limit
        self.echo = echo
        self.text = ""
        self.lost = False
        self._last = last
        self._escape = 0  # 1 after ESC, 2 inside a control sequence

    def feed(self, c):
        """Take the byte `c`; the line as text when `c` completes it, else None."""
        last = self._last
        self._last = c
        if last == _CR and c == _LF:
            return None
        if last == _CR or last == _LF:
            self.lost = False
        if self._escape:
            # ESC [ digits letter, or ESC O letter, or ESC and one key
            more = (c == 0x5B or c == 0x4F) if self._escape == 1 else c < 0x40
            self._escape = 2 if more else 0
        elif c == _ESC:
            self._escape = 1
        elif c == _CR or c == _LF:
            text, self.text = self.text, ""
            self._show("\n")
            return text
        elif c == 8 or c == 127:
            if self.text:
                self.text = self.text[:-1]
                self._show("\b \b")
        elif c == 21:
            self._show("\b \b" * len(self.text))
            self.text = ""
            self.lost = False
        elif c >= 128 or c >= 32 and len(self.text) >= self.limit:
            self.lost = True
        elif c >= 32:
            self.text += chr(c)
            self._show(chr(c))
        return None

    def _show(self, text):
        if self.echo:
            self.echo(text)
