"""Driver for modules that speak J11 frames."""

import sys

from micropython import const

from . import Refused, Timeout
from .j11_port import Port

_TRIES = const(3)
_PAUSE = const(1000)  # ms, for a busy module


class J11(Port):
    """One J11 module. The callbacks and the events are described in the package.

    `run()` must be running for anything else to work. One command is under way at a time, others
    wait; each can be cancelled, and raises Timeout or Refused. The module forgets everything at a
    reset, so the driver keeps the credentials. For what comes around a session, see wisun.link
    and the functions of wisun.j11_setup.
    """

    def __init__(self, uart, clock, log, on_datagram, on_event):
        super().__init__(uart, clock, log, on_datagram, on_event)
        self._outcome = None  # of the last authentication; 0 while it has none
        self._answer = False  # something has come while a datagram was being sent
        # ms of the last try that found the transmit budget used up. A reset may leave it so.
        self._spent = 0
        self._found = []
        self._channel = 0  # that was scanned last

    # -- told by the state ------------------------------------------------------------------------

    def on_datagram(self, payload, mac, secured, rssi):
        if secured:
            self._answer = True
        self._tell_datagram(payload, mac, secured, rssi)

    def on_rssi(self, rssi):
        self._heard(rssi)

    def on_pan(self, channel, mac, pan_id, rssi):
        self._channel = channel
        if mac and len(self._found) < 16:
            self._found.append((channel, mac, pan_id, rssi))
            self._tell(0x20, None)

    def on_event(self, code, value):
        if code == 0x37:
            self._forget()
            if self._code == 0x00D9:
                return self._reply(1)
            if self._code is not None:
                self._reply(0x37)
        elif code == 0x25:
            self._outcome = 1
            self._link(None, True)
        elif code != 0x35:
            if code == 0x24:
                self._outcome = value
            self._link(None, False)
        self._tell(code, value)

    # The module is as after power-up.
    def _forget(self):
        self._limited = False
        self._outcome = self._owed = None
        self._link(None, False)

    # -- around a session -------------------------------------------------------------------------

    # What is needed only then is loaded when it is needed, and not kept.
    async def _setup(self, name, args, named):
        from . import j11_setup

        try:
            async with self._lock:
                return await getattr(j11_setup, name)(self, *args, **named)
        finally:
            if sys.modules.pop("wisun.j11_setup", None):
                delattr(sys.modules["wisun"], "j11_setup")

    # -- in a session -----------------------------------------------------------------------------

    async def send(self, data) -> int:
        """Send a datagram to the meter, encrypted; GateClosed while the gate is closed.

        0: the radio acknowledged it; 1: it failed, send it again; 2: it is on its way, do not.
        """
        async with self._lock:
            self._check_gate()
            self._head = bytes(data[:5])
            self._answer = False
            try:
                sent = await self._send(data)
            finally:
                self._head = b""
            self._tell(0x21, sent)
            return sent

    async def _send(self, data):
        for _ in range(_TRIES):
            try:
                # 0.9 s for a short one to 7 s for the longest, and 1 s to spare
                result = await self._ask(0x0008, self._state.datagram(data), 1900 + 5 * len(data))
            except Timeout:
                if self._answer:  # what is answered has been sent
                    return 2
                raise
            except Refused as error:
                code = int(error.code, 16)
                if code == 0x0B:
                    await self._ask(0x0005, self._state.data(0x0005))
                elif code == 0x3D or code == 0x52:
                    await self._clock.sleep_ms(_PAUSE)
                elif code == 0x37:  # it has started anew, and may have sent it before
                    raise Timeout(error.command)
                else:
                    raise
            else:
                return self._judge(result[0])
        return 1

    # The send result: low digit what became of it, high digit what of the queue.
    def _judge(self, result):
        low = result & 15
        if low == 2:
            if not self._spent:
                self._tell(0x32, None)
            self._spent = self._clock.ms()
            self._limit()
        elif self._spent and low in (0, 5):  # it went on air
            self._spent = 0
            self._tell(0x33, None)
        if low == 15 and result >> 4 != 2:
            return 2
        return 1 if low else 0

    # The module cannot be asked: the next datagram tries.
    async def _read_limit(self):
        self._limited = False
        self._signal()
