"""The air between radio modules and meters: who hears whom, how well, how soon, and how often not.

A `Node` is a meter with its radio: address, channel, PAN and the PANA authority. A `Link` is the
path between one module and one node. Delays and losses follow what was measured on real hardware
(42 requests of a good site: transmit report after 115-343 ms, median 248; answer 211-467 ms later,
median 365) and what weak sites report (median answer 3.7 s, answers minutes late).
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Protocol

from meterlab.meter import Meter
from meterlab.pana import Paa
from meterlab.scheduler import Scheduler

ECHONET_PORT = 0x0E1A

# How often a beacon request is answered in time, by the duration argument of the scan.
_BEACON = {0: 0.0, 1: 0.0, 2: 0.01, 3: 0.03, 4: 0.15, 5: 0.6, 6: 0.93, 7: 0.97}


@dataclass(frozen=True, slots=True)
class Beacon:
    """An answer to a beacon request. `pairing` is None when none was asked for."""

    channel: int
    pan_id: int
    mac: bytes
    rssi: int
    pairing: str | None


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram as a module receives it. `source`: MAC address of the sender."""

    source: bytes
    multicast: bool
    port: int
    secured: bool
    rssi: int
    payload: bytes


class Receiver(Protocol):
    """What the air needs to know of a module."""

    mac: bytes
    channel: int
    pan_id: int

    def receive(self, node: Node, datagram: Datagram) -> None: ...
    def dismissed(self, node: Node) -> None: ...
    def solicited(self, node: Node) -> None: ...
    def overheard(self, node: Node, datagram: Datagram) -> None: ...
    def session_number(self, node: Node) -> int | None: ...


def rssi_at(metres: float) -> int:
    """dBm expected in a house at a distance: -35 beside the meter, about -75 at 16 m."""
    return round(-35 - 33 * math.log10(max(metres, 1.0)))


@dataclass(slots=True)
class Link:
    """One path through the air; may be changed while in use.

    `rssi` in dBm decides everything unless a share is given: `loss_up`, `loss_down` of the
    datagrams lost towards and from the meter, `tail` of the answers up to 5 s slow (more on a weak
    link), `late` of them minutes late; `beacon_loss` of the beacons missed, beside those that the
    signal costs. `instant`: no delay at all.
    """

    rssi: int = -60
    loss_up: float | None = None
    loss_down: float | None = None
    tail: float | None = None
    late: float | None = None
    beacon_loss: float = 0.0
    instant: bool = False

    def _weakness(self) -> float:
        return min(max((-80 - self.rssi) / 15, 0.0), 1.0)

    def frame_loss(self) -> float:
        """Share of single radio frames lost: 2 % at -88 dBm, half at -93."""
        return 1.0 / (1.0 + 10.0 ** ((self.rssi + 93) / 3.0))

    def _loss(self, given: float | None) -> float:
        if given is not None:
            return given
        return self.frame_loss() ** 2 if self.rssi < -80 else 0.0  # the radio repeats by itself

    def loses_up(self, rng: Random) -> bool:
        loss = self._loss(self.loss_up)
        return loss > 0.0 and rng.random() < loss

    def loses_down(self, rng: Random) -> bool:
        loss = self._loss(self.loss_down)
        return loss > 0.0 and rng.random() < loss

    def hears_beacon(self, duration: int, rng: Random) -> bool:
        chance = _BEACON.get(duration, 0.99) * (1.0 - self.frame_loss())
        return rng.random() < chance * (1.0 - self.beacon_loss)

    def signal(self, rng: Random) -> int:
        """dBm of one frame."""
        return self.rssi + int(rng.random() * 5.0) - 2

    def report_ms(self, rng: Random) -> int:
        """From the last byte of SKSENDTO to the transmit report."""
        if self.instant:
            return 0
        return 115 + int((rng.random() + rng.random()) * 133.0)

    def answer_ms(self, rng: Random, length: int) -> int:
        """From the transmit report to an answer of `length` bytes."""
        if self.instant:
            return 0
        delay = 211 + int((rng.random() + rng.random()) * 154.0)
        if length > 80:
            delay += (length // 80) * 45  # 6LoWPAN fragments
        weak = self._weakness()
        dice = rng.random()
        late = 0.03 * weak if self.late is None else self.late
        if dice < late:
            return rng.randrange(60_000, 300_000)
        tail = 0.02 + 0.68 * weak if self.tail is None else self.tail
        if dice < late + tail:
            delay += min(int(rng.expovariate(1.0 / (1_500 + 4_500 * weak))), 5_000 + 25_000 * weak)
        return int(delay)


class Node:
    """A meter on the air. `mac` 8 bytes, `channel` as the register value 0x21-0x3C."""

    def __init__(
        self,
        scheduler: Scheduler,
        meter: Meter,
        paa: Paa,
        *,
        mac: bytes,
        channel: int,
        pan_id: int,
        seed: int = 0,
    ) -> None:
        self.scheduler = scheduler
        self.meter = meter
        self.paa = paa
        self.mac = mac
        self.channel = channel
        self.pan_id = pan_id
        self.dead = False  # no power: no beacon, no answer, nothing
        self.counters: Counter[str] = Counter()
        self.air: Air | None = None
        self._rng = Random(f"node {seed}")
        self._busy_until = -1
        meter.on_notify = self._notify

    def datagram(self, module: Receiver, link: Link, port: int, payload: bytes, key: int) -> None:
        """A secured datagram has arrived. `key`: number of the session it was secured with."""
        session = self.paa.current(module.mac)
        if session is None or session.number != key:
            self.counters["undecipherable"] += 1
            return
        if port != ECHONET_PORT:
            return
        now = self.scheduler.now_ms()
        request = len(payload) > 10 and payload[10] >> 4 == 6
        if request and now < self._busy_until:
            # One thing at a time: what comes while an answer is under way is lost.
            self.counters["overlapping"] += 1
            return
        answer = self.meter.answer(payload)
        if answer is None:
            return
        delay = link.answer_ms(self._rng, len(answer))
        if delay < 40_000:
            self._busy_until = now + delay
        self._send(module, link, answer, delay)

    def _send(
        self, module: Receiver, link: Link, payload: bytes, delay: float, multicast: bool = False
    ) -> None:
        if link.loses_down(self._rng):
            self.counters["lost down"] += 1
            return
        rssi = link.signal(self._rng)
        datagram = Datagram(self.mac, multicast, ECHONET_PORT, True, rssi, payload)
        if link.instant and not delay:
            module.receive(self, datagram)
        else:
            self.scheduler.call_later(delay, self._arrive, module, datagram)

    def _arrive(self, module: Receiver, datagram: Datagram) -> None:
        if not self.dead:
            module.receive(self, datagram)

    def _notify(self, frame: bytes, multicast: bool) -> bool:
        session = self.paa.current()
        if session is None or self.air is None or self.dead:
            return False
        module = self.air.module(session.peer)
        if module is None or module.session_number(self) != session.number:
            return False  # nobody who could decipher it
        link = self.air.link(module, self)
        if not multicast and self._rng.random() < 0.3 and not link.loses_down(self._rng):
            module.solicited(self)  # its neighbour entry has grown old
        self._send(module, link, frame, 5 + self._rng.random() * 55, multicast)
        if multicast:
            self.air.overhear(self, module, Datagram(self.mac, True, ECHONET_PORT, True, 0, frame))
        return True

    def move(self, channel: int) -> None:
        """The meter makes its network anew, on another channel; sessions are gone."""
        self.channel = channel
        self.pan_id = self._rng.randrange(1, 0xFFFE)
        self.paa.forget()

    def authenticated(self) -> None:
        """A module has joined or renewed: the instance list follows within about 3 s."""
        self.scheduler.call_later(self._rng.randrange(600, 3_100), self._announce)

    def _announce(self) -> None:
        if not self.dead:
            self.meter.announce()

    # -- what may go wrong, for scenarios

    def end_session(self, *, tell: bool) -> None:
        """The meter drops the session, telling the module (EVENT 26) or not."""
        session = self.paa.current()
        module = self.air.module(session.peer) if session and self.air else None
        if tell and module is not None and not self.dead:
            module.dismissed(self)
        self.paa.forget()


class Air:
    """Every module and meter within reach of each other."""

    def __init__(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler
        self.nodes: list[Node] = []
        self._modules: dict[bytes, Receiver] = {}
        self._links: dict[tuple[bytes, bytes], Link] = {}

    def add_node(self, node: Node) -> None:
        node.air = self
        self.nodes.append(node)

    def add_module(self, module: Receiver) -> None:
        if module.mac in self._modules:
            raise ValueError("two modules with one address")
        self._modules[module.mac] = module

    def module(self, mac: bytes) -> Receiver | None:
        return self._modules.get(mac)

    def overhear(self, node: Node, meant: Receiver, datagram: Datagram) -> None:
        """Everybody else on the channel hears a multicast too, without the key for it."""
        for module in self._modules.values():
            if module is not meant:
                module.overheard(node, datagram)

    def place(self, module: Receiver, node: Node, link: Link) -> None:
        self._links[module.mac, node.mac] = link

    def link(self, module: Receiver, node: Node) -> Link:
        """The path between two; a good one where none was placed."""
        key = module.mac, node.mac
        link = self._links.get(key)
        if link is None:
            link = self._links[key] = Link()
        return link

    def find(self, module: Receiver, mac: bytes) -> Node | None:
        """The node with this address if it is alive on the module's channel and PAN."""
        for node in self.nodes:
            if node.mac == mac:
                here = node.channel == module.channel and node.pan_id == module.pan_id
                return node if here and not node.dead else None
        return None

    def beacons(
        self, module: Receiver, channel: int, pairing: str | None, duration: int, rng: Random
    ) -> list[Beacon]:
        """Who answers a beacon request on a channel. `pairing` None asks everyone."""
        found: list[Beacon] = []
        for node in self.nodes:
            if node.dead or node.channel != channel:
                continue
            if pairing is not None and node.paa.pairing != pairing:
                continue
            link = self.link(module, node)
            if link.hears_beacon(duration, rng):
                rssi = link.signal(rng)
                found.append(Beacon(channel, node.pan_id, node.mac, rssi, pairing))
        return found
