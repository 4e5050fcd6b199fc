"""The radio half of a Wi-SUN module, whatever language its UART speaks.

Scanning, neighbour discovery, UDP, the airtime limit, and through `pac` the PANA session.
A personality (SKSTACK text or J11 frames) drives it and hears of everything through a
`Listener`. Addresses are 8-byte MACs; IPv6 text is the personality's business.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Protocol

from meterlab.air import Air, Beacon, Datagram, Link, Node
from meterlab.pac import Pac, What
from meterlab.pana import Session
from meterlab.scheduler import Scheduler

SENT, FAILED, SOLICITING = 0, 1, 2

_CHANNEL_MS = 18  # tuning to the next channel, by the difference of measured and computed scans


@dataclass(slots=True)
class Traits:
    """How one product's radio differs; may be changed while it runs.

    `cache`: neighbours remembered. `forgetful`: the neighbour entry made while joining is gone
    afterwards, so the first datagram is preceded by a solicitation. `limit_ms`: transmit time
    allowed in any hour. `refused_ms`, `nobody_ms`: how long it takes to call an authentication
    failed when the meter does not want it, and when there is no meter. `silent_ms`, `stuck_ms`:
    and when the initiation is never answered, or the handshake began and stopped; `renew_...`:
    the same while a session is renewed. `dogged`: no meter, and one in other hands, is taken for
    one that may yet answer. `gate`: nothing can be sent while a session is renewed.
    """

    cache: int = 8
    forgetful: bool = True
    limit_ms: int = 360_000
    refused_ms: tuple[int, int] = (10_000, 40_000)
    nobody_ms: tuple[int, int] = (10_000, 40_000)
    silent_ms: tuple[int, int] = (492_000, 492_000)
    stuck_ms: int = 311_500
    renew_silent_ms: tuple[int, int] = (492_000, 492_000)
    renew_stuck_ms: int = 311_500
    dogged: bool = False
    gate: bool = True


class Listener(Protocol):
    def on_sent(self, peer: bytes | None, result: int) -> None:
        """A datagram was sent (0), failed (1), or waits for a solicitation (2).
        `peer` None: a multicast."""

    def on_solicitation(self, peer: bytes, *, answer: bool) -> None:
        """A neighbour solicitation (or its answer) was received."""

    def on_datagram(self, datagram: Datagram) -> None: ...

    def on_undecipherable(self, datagram: Datagram) -> None:
        """A datagram of one's own meter came that no key opens."""

    def on_session(self, peer: bytes, what: What) -> None: ...

    def on_limit(self, active: bool) -> None: ...


class Airtime:
    """Transmit time: all of it, and that of the last hour in buckets of a minute."""

    def __init__(self) -> None:
        self.total_ms = 0
        self._hour: OrderedDict[int, int] = OrderedDict()
        self._used = 0

    def add(self, now_ms: int, length: int) -> int:
        """Count a datagram of `length` bytes; -> ms used in the last hour."""
        spent = 1 + (length + 75) * 8 // 100  # 100 kbit/s, headers, preamble, ACK
        self.total_ms += spent
        minute = now_ms // 60_000
        self._hour[minute] = self._hour.get(minute, 0) + spent
        self._used += spent
        return self.used(now_ms)

    def used(self, now_ms: int) -> int:
        oldest = now_ms // 60_000 - 60
        while self._hour and next(iter(self._hour)) <= oldest:
            self._used -= self._hour.popitem(last=False)[1]
        return self._used


class Modem:
    def __init__(
        self,
        scheduler: Scheduler,
        air: Air,
        mac: bytes,
        listener: Listener,
        *,
        traits: Traits | None = None,
        seed: int = 0,
    ) -> None:
        self.scheduler = scheduler
        self.air = air
        self.mac = mac
        self.listener = listener
        self.traits = traits or Traits()
        self.rng = Random(f"modem {seed}")
        self.counters: Counter[str] = Counter()
        self.airtime = Airtime()
        self.limited = False
        self._epoch = 0
        self.reset()
        air.add_module(self)

    def reset(self) -> None:
        """As after power-up: nothing known, nothing under way; the hour's airtime stays used."""
        self._epoch += 1
        self.channel = 0x21
        self.pan_id = 0xFFFF
        self.pairing = "CCDDEEFF"
        self.rbid: str | None = None
        self.password: str | None = None
        self.renews = True  # S17
        self.enabled = True  # SA9
        self.scanning = False
        self.neighbours: OrderedDict[bytes, None] = OrderedDict()
        self.pac = Pac(self)
        if self.limited:
            self._release_later()

    def later(self, delay_ms: float, fn: Callable[..., Any], *args: Any) -> None:
        """Call `fn(*args)` later, unless the module is reset before."""
        self.scheduler.call_later(delay_ms, self._if_same, self._epoch, fn, args)

    def _if_same(self, epoch: int, fn: Callable[..., Any], args: tuple[Any, ...]) -> None:
        if epoch == self._epoch:
            fn(*args)

    # -- scanning

    def scan(
        self,
        channels: Sequence[int],
        duration: int,
        pairing: str | None,
        found: Callable[[Beacon], None],
        done: Callable[[], None],
    ) -> None:
        """Active scan. `found` is called at each beacon, `done` after the last channel."""
        turn = self.dwell_ms(duration) + _CHANNEL_MS
        self.scanning = True
        for i, channel in enumerate(channels):
            for beacon in self.air.beacons(self, channel, pairing, duration, self.rng):
                delay = 20 + self.rng.random() * min(turn - _CHANNEL_MS, 150.0)
                self.later(i * turn + delay, found, beacon)
        self.later(len(channels) * turn + 20, self._scanned, done)

    @staticmethod
    def dwell_ms(duration: int) -> float:
        return 9.6 * (2**duration + 1)

    def _scanned(self, done: Callable[[], None]) -> None:
        self.scanning = False
        done()

    def measure(
        self, channels: Sequence[int], duration: int, done: Callable[[dict[int, int]], None]
    ) -> None:
        """Energy detection: `done` gets the level (as LQI) by channel."""
        levels = {channel: self.rng.randrange(2, 6) for channel in channels}
        for node in self.air.nodes:
            if node.channel in levels and not node.dead and self.rng.random() < 0.3:
                levels[node.channel] = lqi(self.air.link(self, node).rssi)
        self.scanning = True
        wait = len(channels) * (self.dwell_ms(duration) + _CHANNEL_MS)
        self.later(wait, self._scanned, lambda: done(levels))

    # -- sending

    def transmit(self, length: int) -> bool:
        """Account for one transmission; False when the airtime limit forbids it."""
        if self.limited or not self.enabled:
            self.counters["not sent"] += 1
            return False
        if self.airtime.add(self.scheduler.now_ms(), length) >= self.traits.limit_ms:
            self.limited = True
            self.counters["limited"] += 1
            self.listener.on_limit(True)
            self._release_later()
        return True

    def _release_later(self) -> None:
        self.later(60_000 - self.scheduler.now_ms() % 60_000, self._release)

    def _release(self) -> None:
        if self.airtime.used(self.scheduler.now_ms()) >= self.traits.limit_ms:
            self._release_later()
        else:
            self.limited = False
            self.listener.on_limit(False)

    def send(
        self,
        peer: bytes | None,
        port: int,
        secure: int,
        payload: bytes,
        done: Callable[[int], None],
    ) -> None:
        """Send a datagram. `secure` 0 plain, 1 only encrypted, 2 if possible. `done` gets SENT,
        FAILED or SOLICITING; after the last, on_sent tells the true result."""
        if self.pac.closed and (self.traits.gate or self.pac.session is None):
            self.counters["sent in closed gate"] += 1
            self.later(self._report_ms(None), done, FAILED)
            return
        session = self.pac.session if peer is None or peer == self.pac.peer else None
        if secure == 1 and session is None or self.scanning:
            self.later(self._report_ms(None), done, FAILED)
            return
        node = self.air.find(self, peer or self.pac.peer)
        delay = self._report_ms(node)
        if peer is not None and peer not in self.neighbours:
            self.later(delay, self._solicit, peer, port, secure, payload, done)
        elif delay:
            self.later(delay, self._send, peer, port, secure, payload, done)
        else:
            self._send(peer, port, secure, payload, done)

    def _report_ms(self, node: Node | None) -> int:
        return (self.air.link(self, node) if node else _DEFAULT).report_ms(self.rng)

    def _solicit(
        self, peer: bytes, port: int, secure: int, payload: bytes, done: Callable[[int], None]
    ) -> None:
        if not self.transmit(40):
            done(FAILED)
            return
        done(SOLICITING)
        node = self.air.find(self, peer)

        def tell(result: int) -> None:
            self.listener.on_sent(peer, result)

        if node is None or self.air.link(self, node).loses_up(self.rng):
            self.later(3_000, tell, FAILED)
        else:
            self.later(
                60 + self._report_ms(node), self._solicited, peer, port, secure, payload, tell
            )

    def _solicited(
        self, peer: bytes, port: int, secure: int, payload: bytes, done: Callable[[int], None]
    ) -> None:
        self.remember(peer)
        self.listener.on_solicitation(peer, answer=True)
        self._send(peer, port, secure, payload, done)

    def _send(
        self,
        peer: bytes | None,
        port: int,
        secure: int,
        payload: bytes,
        done: Callable[[int], None],
    ) -> None:
        if not self.transmit(len(payload)):
            done(FAILED)
            return
        self.counters["sent"] += 1
        node = self.air.find(self, peer or self.pac.peer)
        session = self.pac.session
        if node is None:
            done(SENT if peer is None else FAILED)
            return
        link = self.air.link(self, node)
        if link.loses_up(self.rng):
            # Mostly the radio notices that nobody acknowledged; sometimes it is lost above it.
            self.counters["lost up"] += 1
            done(FAILED if self.rng.random() < 0.7 else SENT)
            return
        done(SENT)
        if session is not None and secure and self.pac.peer == node.mac:
            node.datagram(self, link, port, payload, session.number)

    def remember(self, peer: bytes) -> None:
        self.neighbours.pop(peer, None)
        self.neighbours[peer] = None
        if len(self.neighbours) > self.traits.cache:
            self.neighbours.popitem(last=False)

    def ping(self, peer: bytes, done: Callable[[], None]) -> None:
        """`done` when the echo comes back; never when it does not."""
        node = self.air.find(self, peer)
        if node is None or self.pac.closed or not self.transmit(32):
            return
        link = self.air.link(self, node)
        if not (link.loses_up(self.rng) or link.loses_down(self.rng)):
            self.later(link.report_ms(self.rng) + link.answer_ms(self.rng, 32), done)

    # -- what the air does to it

    def _hears(self, node: Node) -> bool:
        here = node.channel == self.channel and node.pan_id == self.pan_id
        return here and not self.scanning

    def receive(self, node: Node, datagram: Datagram) -> None:
        if not self._hears(node):
            return
        if self.pac.session is None or self.pac.peer != node.mac:
            return  # no key
        self.listener.on_datagram(datagram)

    def dismissed(self, node: Node) -> None:
        if self._hears(node):
            self.pac.dismissed(node)

    def solicited(self, node: Node) -> None:
        if self._hears(node):
            self.remember(node.mac)
            self.listener.on_solicitation(node.mac, answer=False)

    def overheard(self, node: Node, datagram: Datagram) -> None:
        if self._hears(node) and self.pac.session is not None and self.pac.peer == node.mac:
            self.listener.on_undecipherable(datagram)

    def session_number(self, node: Node) -> int | None:
        session: Session | None = self.pac.session
        return session.number if session and self.pac.peer == node.mac else None


_DEFAULT = Link()


def lqi(rssi: int) -> int:
    """The link quality byte of a signal in dBm."""
    return min(max(round((rssi + 104.27) / 0.275), 0), 255)
