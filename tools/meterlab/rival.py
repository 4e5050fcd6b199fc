"""A second HEMS in the house: it takes the meter's only session, and keeps it for a while."""

from __future__ import annotations

from meterlab import frames
from meterlab.air import ECHONET_PORT, Air, Datagram, Link, Node
from meterlab.scheduler import Scheduler

_MAC = bytes.fromhex("001D12900000FFFF")
_POLL_MS = 60_000
_RETURN_MS = 180_000  # until it takes back what was taken from it


class Rival:
    """It polls once a minute. When the meter lets newcomers in, it comes back after having lost
    the session; when its time is up it is gone without a word."""

    def __init__(self, scheduler: Scheduler, air: Air, node: Node) -> None:
        self.scheduler = scheduler
        self.node = node
        self.mac = _MAC
        self.channel = node.channel
        self.pan_id = node.pan_id
        self.heard = 0  # datagrams that the meter sent to it
        self._until_ms = 0
        self._number: int | None = None  # of the session it thinks it has
        self._visit = 0
        self._link = Link()
        air.add_module(self)
        air.place(self, node, self._link)

    def steal(self, seconds: float) -> None:
        self._until_ms = self.scheduler.now_ms() + int(seconds * 1000)
        self._visit += 1
        self._take(self._visit)

    def _take(self, visit: int) -> None:
        left = self._until_ms - self.scheduler.now_ms()
        if visit != self._visit or left <= 0:
            return
        node = self.node
        self.channel, self.pan_id = node.channel, node.pan_id
        if not node.dead:
            node.paa.seize(self.mac, left / 1000)
            session = node.paa.current(self.mac)
            self._number = session.number if session else None
            node.authenticated()
        self.scheduler.call_later(_POLL_MS, self._poll, visit)

    def _poll(self, visit: int) -> None:
        if visit != self._visit or self.scheduler.now_ms() >= self._until_ms:
            return
        if self.node.paa.current(self.mac) is None:
            self.scheduler.call_later(_RETURN_MS, self._take, visit)
            return
        if self._number is not None and not self.node.dead:
            asked = [(0xE7, b"")]
            get = frames.build(1, frames.CONTROLLER, frames.METER, frames.GET, asked)
            self.node.datagram(self, self._link, ECHONET_PORT, get, self._number)
        self.scheduler.call_later(_POLL_MS, self._poll, visit)

    # -- what the air needs to know of it

    def receive(self, node: Node, datagram: Datagram) -> None:
        self.heard += 1

    def dismissed(self, node: Node) -> None:
        self._number = None

    def solicited(self, node: Node) -> None:
        pass

    def overheard(self, node: Node, datagram: Datagram) -> None:
        pass

    def session_number(self, node: Node) -> int | None:
        return self._number if node is self.node else None
