"""What really happened in a seed, seen from outside: at the module, the meter, the line and the
server. Nothing here asks the gateway what it thinks it did, but for what it hands on."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any, NamedTuple

from campaign.house import SECRETS
from meterlab import frames
from meterlab.air import Datagram, Node
from meterlab.faults import Line
from meterlab.meter import Meter
from meterlab.metering import UNITS
from meterlab.modem import FAILED, SOLICITING
from meterlab.pac import What
from meterlab.world import World

GATE_MS = 60  # a datagram that was on the line when the gate closed could not be called back
TRY_S = 55  # between two datagrams that are only to find out whether the gate is open

_SPOILS = ("cut", "noise", "lost")
_NOT_MEASURED = 0x7FFE
_NO_COUNT = 0xFFFFFFFE


class Happened(NamedTuple):
    """Something that must not be: when (seconds), where, and what."""

    at: float
    where: str
    what: str


class Row(NamedTuple):
    """A reading as the server got it, `at` seconds after the start."""

    seq: int
    kind: str
    t: int
    quality: str | None
    power: int | None
    current_r: int | None
    current_t: int | None
    normal: int | None
    reverse: int | None
    origin: str
    at: float = 0.0


@dataclass(slots=True)
class Ask:
    """One request that the module took from the host, `at` seconds; when the host wrote it, in ms
    of UTC; and the truth that the meter read when it came there, by EPC; None while it did not."""

    at: float
    utc_ms: int
    tid: int
    truth: dict[int, Any] | None = None
    over: bool = False  # answered, or known to have failed


@dataclass(slots=True)
class Record:
    """All that was seen. Times in seconds from the start."""

    start_utc: int
    asks: list[Ask] = field(default_factory=list[Ask])
    rows: list[Row] = field(default_factory=list[Row])
    kept: list[float] = field(default_factory=list[float])  # instants that the gateway kept
    joins: list[float] = field(default_factory=list[float])
    starts: list[float] = field(default_factory=list[float])  # of the board
    exceptions: list[Happened] = field(default_factory=list[Happened])
    gate: list[Happened] = field(default_factory=list[Happened])
    outstanding: list[Happened] = field(default_factory=list[Happened])
    secrets: list[Happened] = field(default_factory=list[Happened])
    doubled: list[Happened] = field(default_factory=list[Happened])
    sent: int = 0  # datagrams that the module was asked to send
    digest: str = ""


class Watch:
    """Hangs on a world and a board, and fills a Record. `try_s`: how long the gateway may wait for
    an answer at least, before it asks again."""

    def __init__(
        self, world: World, line: Line, now: Callable[[], float], start_utc: int, try_s: int
    ) -> None:
        self.record = Record(start_utc)
        self.now = now
        self._world = world
        self._line = line
        self._try_s = try_s - 0.5
        self._hash = blake2b(digest_size=16)
        self._open: Ask | None = None
        self._waits: Ask | None = None  # for the answer to a neighbour solicitation
        self._written: dict[int, float] = {}  # when the host wrote the request, by TID
        self._closed_at = 0.0
        self._tried_at = -TRY_S
        self._unheard = False  # the host was not told that the gate is closed
        self._needles = [form for secret in SECRETS for form in _forms(secret)]
        self._modem = modem = world.module.modem
        self._send, modem.send = modem.send, self._sending
        self._receive, modem.receive = modem.receive, self._receiving
        self._reset, modem.reset = modem.reset, self._resetting
        self._answer, world.meter.answer = world.meter.answer, self._answering
        ear = modem.listener
        self._session, ear.on_session = ear.on_session, self._on_session
        self._limit, ear.on_limit = ear.on_limit, self._on_limit
        self._sent, ear.on_sent = ear.on_sent, self._on_sent
        self._watch_joins()

    # -- the digest: two runs of a seed are the same when their lines, logs and uploads are

    def note(self, what: bytes, data: bytes) -> None:
        self._hash.update(b"%b %.3f %b" % (what, self.now(), data))

    def close(self) -> Record:
        self.record.digest = self._hash.hexdigest()
        return self.record

    # -- at the module

    def _watch_joins(self) -> None:
        pac = self._modem.pac
        join = pac.join

        def joining(peer: bytes) -> None:
            self.record.joins.append(self.now())
            self._close_gate(told=True)
            join(peer)

        pac.join = joining

    def _resetting(self) -> None:
        self._reset()
        self._watch_joins()
        self._unheard = False

    # The host hears of it by an event, which a J11 module does not send and a line may spoil: then
    # it cannot know.
    def _telling(self, tell: Callable[[], None]) -> bool:
        module, counters = self._world.module, self._line.counters
        before = [counters[name] for name in _SPOILS]
        said: list[bytes] = []
        output = module.output

        def overheard(data: bytes) -> None:
            said.append(data)
            output(data)

        module.output = overheard
        tell()
        module.output = output
        return bool(said) and before == [counters[name] for name in _SPOILS]

    def _close_gate(self, *, told: bool) -> None:
        faults = self._line.faults
        self._closed_at = self.now() + (2 * faults.split_ms / 1000 if faults.split else 0)
        self._unheard = not told

    def _on_session(self, peer: bytes, what: What) -> None:
        if what != What.EXPIRED:
            self._session(peer, what)
            return
        told = self._telling(lambda: self._session(peer, what))
        self._close_gate(told=told)

    def _on_limit(self, active: bool) -> None:
        told = self._telling(lambda: self._limit(active))
        if active:
            self._close_gate(told=told)

    # What became of a datagram that waited.
    def _on_sent(self, peer: bytes | None, result: int) -> None:
        if self._waits is not None:
            self._waits.over = self._waits.over or result == FAILED
            self._waits = None
        self._sent(peer, result)

    def _sending(
        self,
        peer: bytes | None,
        port: int,
        secure: int,
        payload: bytes,
        done: Callable[[int], None],
    ) -> None:
        now = self.now()
        record = self.record
        record.sent += 1
        modem = self._modem
        if modem.pac.closed or modem.limited:
            self._not_now("limited" if modem.limited else "authenticating")
        # What the line has torn is no request, and the meter does not take it for one.
        message = frames.parse(payload)
        if message is None or message.service != frames.GET:
            self._send(peer, port, secure, payload, done)
            return
        tid = message.tid
        last = self._open
        if last is not None and not last.over and now - last.at < self._try_s:
            record.outstanding.append(
                Happened(
                    now,
                    "module",
                    f"request {tid:04X} while {last.tid:04X} of {now - last.at:.1f} s ago is open",
                )
            )
        written = self._written.get(tid, now)
        utc_ms = self._world.scheduler.utc_ms() - round((now - written) * 1000)
        self._open = ask = Ask(now, utc_ms, tid)
        record.asks.append(ask)

        def reported(result: int) -> None:
            if result == FAILED:
                ask.over = True
            elif result == SOLICITING:
                self._waits = ask
            done(result)

        self._send(peer, port, secure, payload, reported)

    def _not_now(self, why: str) -> None:
        now = self.now()
        since = now - self._closed_at
        if not self._unheard and since * 1000 > GATE_MS:
            text = f"sent while {why}, {since:.1f} s after it began"
            self.record.gate.append(Happened(now, "module", text))
        elif self._unheard and why == "limited":
            # Where nobody is told, trying is the way to find out that the budget is free again.
            if now - self._tried_at < TRY_S:
                text = f"tried while {why}, {now - self._tried_at:.1f} s after the last time"
                self.record.gate.append(Happened(now, "module", text))
            self._tried_at = now

    def _receiving(self, node: Node, datagram: Datagram) -> None:
        payload, ask = datagram.payload, self._open
        if ask is not None and len(payload) > 10 and payload[2] << 8 | payload[3] == ask.tid:
            if payload[10] in (frames.GET_RES, frames.GET_SNA):
                ask.over = True
        self._receive(node, datagram)

    # -- at the meter

    def _answering(self, payload: bytes) -> bytes | None:
        ask = self._open
        if len(payload) > 12 and payload[10] == frames.GET and ask is not None:
            if payload[2] << 8 | payload[3] == ask.tid:
                ask.truth = truth(self._world.meter, payload[12::2])
        return self._answer(payload)

    # -- at the gateway's ends

    def writes(self, data: bytes) -> None:
        """The host writes to the module."""
        self.note(b">", data)
        at = data.find(b"\x10\x81")
        if 0 <= at <= len(data) - 4:
            self._written[data[at + 2] << 8 | data[at + 3]] = self.now()

    def line(self, uart: Any) -> Any:
        return _Uart(uart, self)

    def board_starts(self, app: Any) -> None:
        """Look at what this run of the gateway hands on."""
        self.record.starts.append(self.now())
        self._open = None  # it knows nothing of what it asked before
        record = self.record
        log, status, outbox = app.log, app.status, app.outbox
        error, mask, count, append = log.error, log.mask, status.count, outbox.append

        def on_error(fmt: str, *args: Any) -> None:
            record.exceptions.append(
                Happened(self.now(), "log", mask(fmt % args if args else fmt))
            )
            error(fmt, *args)

        def on_line(text: str) -> str:
            text = mask(text)
            self.leaves("log", text.encode())
            return text

        def on_count(name: str, n: int = 1) -> None:
            if name.startswith("restart."):
                record.exceptions.append(Happened(self.now(), "supervisor", name))
            count(name, n)

        def on_append(reading: Any) -> Any:
            if reading.kind == "instant":
                record.kept.append(self.now())
            return append(reading)

        log.error, log.mask, status.count, outbox.append = on_error, on_line, on_count, on_append
        for name in status.counters:
            if name == "flash.damaged":
                record.exceptions.append(Happened(self.now(), "start", name))

    def flash(self, files: dict[str, bytes]) -> None:
        """Look through the files of the flash: whoever has the board can read them. Credentials
        are in the NVS area only."""
        for path, data in sorted(files.items()):
            self.leaves("flash, " + path[1:], data)

    def leaves(self, where: str, data: bytes) -> None:
        """Something leaves the gateway for people's eyes or the server's."""
        self.note(where.encode(), data)
        small = data.lower()
        for needle in self._needles:
            if needle in small:
                at = small.index(needle)
                text = small[max(at - 40, 0) : at].decode(errors="replace")
                self.record.secrets.append(Happened(self.now(), where, f"a secret after {text!r}"))


def _forms(secret: str) -> list[bytes]:
    raw = secret.lower().encode()
    return [raw, raw.hex().encode(), secret.encode().hex().encode()]


class _Uart:
    def __init__(self, uart: Any, watch: Watch) -> None:
        self._uart = uart
        self._watch = watch

    async def readinto(self, buf: bytearray | memoryview) -> int:
        n: int = await self._uart.readinto(buf)
        self._watch.note(b"<", bytes(buf[:n]))
        return n

    async def write(self, buf: bytes | bytearray | memoryview) -> int:
        self._watch.writes(bytes(buf))
        n: int = await self._uart.write(buf)
        return n


def truth(meter: Meter, epcs: bytes) -> dict[int, Any]:
    """What the meter would say now if it were asked for these, worked out apart from the firmware:
    W, 0.1 A (two of them), 0.1 Wh."""
    found: dict[int, Any] = {}
    metering = meter.metering
    for epc in epcs:
        if epc not in _TRUTHS:
            continue
        edt = metering.get(epc)
        if edt is not None:
            found[epc] = _TRUTHS[epc](meter, edt)
    return found


def energy(meter: Meter, count: int) -> int | None:
    """A counter's value in 0.1 Wh."""
    kit = meter.metering.equipment
    if count == _NO_COUNT:
        return None
    return count * (kit.coefficient or 1) * UNITS[kit.unit] // 360


def _power(_: Meter, edt: bytes) -> int:
    return struct.unpack(">i", edt)[0]


def _currents(_: Meter, edt: bytes) -> tuple[int | None, int | None]:
    r, t = struct.unpack(">hh", edt)
    return r, None if t == _NOT_MEASURED else t


def _counter(meter: Meter, edt: bytes) -> int | None:
    return energy(meter, struct.unpack(">I", edt)[0])


_TRUTHS: dict[int, Callable[[Meter, bytes], Any]] = {
    0xE0: _counter,
    0xE3: _counter,
    0xE7: _power,
    0xE8: _currents,
}
