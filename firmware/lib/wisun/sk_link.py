"""The state of the link to the meter, as the events of an SKSTACK-IP module tell it."""

from micropython import const

from . import RadioError
from .sk_parser import number
from .sk_port import Port

_LIMIT = const(5000)  # ms, for a command that only touches the module itself


class SkLink(Port):
    """Follows the events."""

    def __init__(self, uart, clock, log, on_datagram, on_event):
        super().__init__(uart, clock, log, on_datagram, on_event)
        self._quiet = False  # echo is off, for sure
        self._echoed = False
        self._found = []  # EPANDESC fields
        self._scan_until = None  # while the module scans: when it must be over
        self._outcome = None  # the last of the events 24 to 28; 0 while an SKJOIN has none

    # -- called by the parser ---------------------------------------------------------------------

    def on_datagram(self, payload, mac, secured, rssi):
        if rssi is not None:
            self._heard(rssi)
        if self._final is not None:  # what is answered has been sent
            self._answered.set()
        self._tell_datagram(payload, mac, secured, rssi)

    def on_pan(self, fields):
        if len(self._found) < 16:
            self._found.append(fields)

    def on_echo(self):
        self._echoed = True
        if self._quiet:  # the module has started anew
            self._forget()
            if not self._syncing:
                self._tell(0x37, None)

    def on_event(self, code, param):
        if code == 0x21:
            self._sent = param
            if self._final is not None:
                self._answered.set()
            self._tell(code, param)
        elif code == 0x22:
            self._scan_until = None
            self._signal()
        elif code == 0x33:
            self._unlimit()
        elif 0x24 <= code <= 0x29 or code == 0x20 or code == 0x32:
            if code == 0x29:
                self._refresh()
            elif code == 0x32:
                self._limit()
            elif code in (0x24, 0x25) or (code != 0x20 and self._phase != "joining"):
                self._outcome = code
                self._link(None, code == 0x25)
            self._tell(code, None)

    def _unlimit(self):
        if self._limited:
            self._limited = False
            self._signal()
            self._tell(0x33, None)

    # The module is as after power-up.
    def _forget(self):
        self._quiet = self._limited = False
        self._scan_until = self._outcome = None
        self._link(None, False)

    async def _read_limit(self):
        try:
            async with self._lock:
                if await self._register(b"SFB") == 0:
                    self._unlimit()
        except RadioError as error:
            self._log.warn("%s", error)

    # The value of a register, -1 when it is no number.
    async def _register(self, name):
        line = await self._do("SKSREG", b" " + name, b"ESREG ")
        return number(line, 6, len(line.rstrip()) - 6)

    # A command without data. The caller holds the lock.
    async def _do(self, word, rest=b"", want=None):
        return await self._ask(word, word.encode() + rest + b"\r\n", _LIMIT, want)
