"""Driver for modules that speak SKSTACK-IP text, single hop and dual stack."""

import sys

from micropython import const

from . import RadioError, Refused
from .sk_parser import number
from .sk_port import Port

_SEND = const(10000)  # ms
_LIMIT = const(5000)  # ms, for a command that only touches the module itself


class SkStack(Port):
    """One SKSTACK-IP module. The callbacks and the events are described in the package.

    `run()` must be running for anything else to work. One command is under way at a time, others
    wait; each can be cancelled, and raises Timeout or Refused. For what comes around a session,
    see wisun.link and the functions of wisun.sk_setup.
    """

    def __init__(self, uart, clock, log, on_datagram, on_event):
        super().__init__(uart, clock, log, on_datagram, on_event)
        self._quiet = False  # echo is off, for sure
        self._echoed = False
        self._found = []  # EPANDESC fields
        self._scan_until = None  # while the module scans: when it must be over
        self._outcome = None  # last of the events 24 to 28; 0: is to come, of SKJOIN or SKTERM
        self.counters["flip"] = self.counters["partial"] = 0
        self._dual = False
        self._flipped = False
        self._pair_id = None
        self._address = b""

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

    # -- commands ---------------------------------------------------------------------------------

    # What is needed between sessions only is loaded when it is needed, and not kept.
    async def _setup(self, name, args, named):
        from . import sk_setup

        try:
            async with self._lock:
                return await getattr(sk_setup, name)(self, *args, **named)
        finally:
            if sys.modules.pop("wisun.sk_setup", None):
                delattr(sys.modules["wisun"], "sk_setup")

    async def send(self, data) -> int:
        """Send a datagram to the meter, encrypted; GateClosed while the gate is closed.

        0: the radio acknowledged it; 1: it failed, send it again; 2: it is on its way, do not.
        """
        async with self._lock:
            self._check_gate()
            await self._either("SKSENDTO", self._packet, data, _SEND)
            return 2 if self._sent is None else self._sent

    def _packet(self, data):
        side = b"0 " if self._dual else b""
        return b"SKSENDTO 1 %s 0E1A 1 %s%04X " % (self._address, side, len(data)) + data

    # Sends what depends on the edition. ER05 says that it is the other one: believed once.
    async def _either(self, word, build, data, ms):
        while True:
            try:
                return await self._ask(word, build(data), ms)
            except Refused as error:
                self._torn = True  # the data that followed may lie in the module as half a line
                if error.code != "ER05" or self._flipped:
                    raise
            self._flipped = True
            self._dual = not self._dual
            self.counters["flip"] += 1
            self._log.warn("radio module speaks the other edition")
