# The one open request: the meter answers one thing at a time (AIF 2.4), over a radio that loses,
# delays and reorders. What comes late is still genuine and is filed under the time it was asked.
from asyncio import Event, TimeoutError
from os import urandom

from echonet import EchonetError
from echonet.frame import (
    ESV_GET,
    ESV_INF,
    ESV_INFC,
    FormatTwo,
    Frame,
    build,
    is_answer,
    receipt,
)
from echonet.meter import CONTROLLER, METER
from micropython import const
from wisun import GateClosed, Refused, Timeout

_RING_MS = const(300_000)  # answers were seen 60 to 300 s late
_RING_MAX = const(40)
_GATE_MS = const(75_000)  # a refresh holds the gate for at most 60 s


def _nobody(*_):
    pass


class NoAnswer(Exception):
    """A request came to nothing. `why`: "silent" (the radio acknowledged it), "unsent", "gate"."""

    def __init__(self, why):
        super().__init__(why)
        self.why = why


class Exchange:
    """Requests to the meter object, one at a time, each try with a TID of its own.

    `app.air` is the lock that keeps blocking uploads out while an answer is awaited. `memory` has
    `tid`, the last one used, and `ring`: (tid, esv, epcs, asked_ms) of tries that ran out.
    `on_notice(frame)` gets INF and INFC; `on_late(frame, asked_ms)` gets answers whose try had run
    out. Frames given to them are valid only during the call. `on_reply()`: an INFC waits for its
    receipt, see flush.
    """

    def __init__(self, app, memory):
        self.driver = app.driver
        self.clock = app.clock
        self.log = app.log
        self.status = app.status
        self.air = app.air
        self.memory = memory
        self.on_notice = self.on_late = self.on_reply = _nobody
        self.asked_ms = 0  # when the last request went to the radio module
        self.answer = Frame()  # the last answer; valid until the next request
        self._rx = Frame()
        self._tx = bytearray(64)
        self._buf = bytearray(256)
        if memory.tid is None:
            memory.tid = int.from_bytes(urandom(2), "big")
        self._open = None  # (tid, esv, epcs) of the request under way
        self._answered = Event()
        self._reply = None

    # One try. -> Frame, valid until the next request. NoAnswer when it came to nothing;
    # RadioError when it was the module that failed. Where that only left the sending unconfirmed,
    # the try lasts its time all the same, for the meter may have been asked.
    async def request(self, esv, props, ms):
        epcs = props if isinstance(props, bytes) else bytes([p[0] for p in props])
        async with self.air:
            driver = self.driver
            if driver.gate:
                try:
                    await driver.open_gate(_GATE_MS)
                except (GateClosed, TimeoutError):
                    raise NoAnswer("gate")
            self.memory.tid = tid = (self.memory.tid + 1) & 0xFFFF
            n = build(self._tx, tid, CONTROLLER, METER, esv, props)
            self._answered.clear()
            self._open = (tid, esv, epcs)
            asked = self.clock.ms()
            heard = False
            silent = NoAnswer("silent")
            sent = 0
            try:
                try:
                    sent = await driver.send(memoryview(self._tx)[:n])
                except Timeout as e:
                    silent = e
                except Refused as e:
                    # ER04: a line was not understood, perhaps noise that came before ours.
                    if e.command != "SKSENDTO" or e.code >= "ER05":
                        raise
                    silent = e
                # A module that had to be brought round first has not been asked until then.
                self.asked_ms = asked = max(asked, driver.sent_ms)
                if not self._answered.is_set():
                    if sent == 1:
                        raise NoAnswer("unsent")
                    left = ms - (self.clock.ms() - asked)
                    await self.clock.wait_for(self._answered.wait(), max(left, 1))
                heard = True
            except GateClosed:
                raise NoAnswer("gate")
            except TimeoutError:
                raise silent
            finally:
                self._open = None
                # "Unsent" only says that no acknowledgement was heard: the meter may answer yet.
                if not heard:
                    self._remember(tid, esv, epcs, asked)
            return self.answer

    def get(self, epcs, ms):
        return self.request(ESV_GET, epcs, ms)

    def _remember(self, tid, esv, epcs, asked):
        ring = self.memory.ring
        while ring and (len(ring) >= _RING_MAX or self.clock.ms() - ring[0][3] > _RING_MS):
            ring.pop(0)
        ring.append((tid, esv, epcs, asked))

    # What the radio received, from the driver's reading task. Plain text is not from our meter.
    def datagram(self, payload, secured):
        if not secured:
            self.status.count("frame.plain")
            return
        frame = self._rx
        try:
            frame.parse(payload)
        except FormatTwo:
            return
        except EchonetError as e:
            self.status.count("frame.bad")
            self.log.warn("meter: unreadable frame: %s", e)
            return
        esv = frame.esv
        if esv == ESV_INF or esv == ESV_INFC:
            self.status.count("frame.notice")
            if esv == ESV_INFC:
                self._confirm(frame)
            self.on_notice(frame)
            return
        want = self._open
        if want and is_answer(frame, want[0], METER, want[1], want[2]):
            n = len(payload)
            if n > len(self._buf):
                self._buf = bytearray(n)
            self._buf[:n] = payload
            self.answer.parse(memoryview(self._buf)[:n])
            self._answered.set()
            return
        for i, late in enumerate(self.memory.ring):
            if is_answer(frame, late[0], METER, late[1], late[2]):
                self.memory.ring.pop(i)
                age = self.clock.ms() - late[3]
                if age <= _RING_MS:
                    self.status.count("frame.late")
                    self.log.info("meter: answer %d s late, filed under its time", age // 1000)
                    self.on_late(frame, late[3])
                    return
                break
        self.status.count("frame.stray")

    # An INFC wants a receipt: same TID, the same EPCs without data (ECHONET Lite part 2, 4.2.3.5).
    def _confirm(self, frame):
        self._reply = out = bytearray(12 + 2 * frame.opc)
        receipt(out, frame)
        self.on_reply()

    # Sends the waiting receipt, if any. Best effort: the meter asks again when it was lost.
    async def flush(self):
        reply = self._reply
        if reply is None:
            return
        self._reply = None
        async with self.air:
            try:
                await self.driver.send(reply)
            except GateClosed as e:
                self.log.info("meter: receipt not sent, gate %s", e)
