"""The module's end of PANA: joining a meter, renewing, leaving.

One authentication is an initiation and four requests of the meter, each answered by the module.
Every one of these frames can be lost; the meter repeats a request with growing pauses. A refusal
is silence: the module gives up after 10 to 40 s (`Traits`). When messages come through now and
then but not enough, it keeps trying for minutes, as the hardware does.
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

from meterlab import pana
from meterlab.air import Datagram, Node
from meterlab.pana import Session

if TYPE_CHECKING:
    from meterlab.modem import Modem

_NOBODY = bytes(8)


class What(IntEnum):
    """What happened to the session; the values are SKSTACK's event numbers."""

    FAILED = 0x24
    JOINED = 0x25
    PEER_CLOSED = 0x26
    ENDED = 0x27
    END_TIMEOUT = 0x28
    EXPIRED = 0x29


class Pac:
    """`peer`: the meter's MAC. `session`: the keys, or None. `closed`: hold your transmissions.
    `why`: what the last failure was due to: nobody, lost, credentials, other, stale, cleaning."""

    def __init__(self, modem: Modem) -> None:
        self.modem = modem
        self.peer = _NOBODY
        self.session: Session | None = None
        self.closed = False
        self.why = ""
        self._limits_ms = 0, 0  # without any answer, and with some
        self._attempt = 0  # number of the authentication under way; what belongs to others is void
        self._begun_ms = 0
        self._next: Session | None = None

    # -- what the host asks

    def join(self, peer: bytes) -> None:
        """Authenticate with a meter; ends in JOINED or FAILED."""
        self.session = None
        self.peer = peer
        self._begin(renewing=False)

    def rejoin(self) -> bool:
        """Renew at once; False without a session."""
        if self.session is None:
            return False
        self._begin(renewing=True)
        return True

    def renew(self) -> None:
        """As when four fifths of the lifetime are over, now."""
        if self.session is not None:
            self._renew(self.session)

    def expire(self) -> None:
        """As when the lifetime is over, now."""
        if self.session is not None:
            self._expire(self.session)

    def leave(self) -> bool:
        """End the session; ends in ENDED or END_TIMEOUT. False without one."""
        session = self.session
        if session is None:
            return False
        self._stop()
        self.session = None
        self.modem.later(self._report_ms(), self._leaving, session)
        return True

    def give_up(self) -> None:
        """Forget session and authentication; nobody is told."""
        self._stop()
        self.session = None

    # -- authentication

    def _begin(self, *, renewing: bool) -> None:
        self._attempt += 1
        self.closed = True
        self._begun_ms = self.modem.scheduler.now_ms()
        self.why = ""
        self._next = None
        traits = self.modem.traits
        silent = traits.renew_silent_ms if renewing else traits.silent_ms
        stuck = traits.renew_stuck_ms if renewing else traits.stuck_ms
        self._limits_ms = self._between(silent), stuck
        attempt = self._attempt
        known = self.peer in self.modem.neighbours
        node = self._node()
        if node is None:
            # Nobody there. The solicitation (or initiation) goes out and that was it.
            result = 0 if known else 2
            self.modem.later(self._report_ms(), self._vain, attempt, result)
            return
        if known or renewing:
            self._transmit(attempt, 0, 0, renewing)
        else:
            self.modem.later(self._report_ms(), self._solicit, attempt, 0)

    def _vain(self, attempt: int, result: int) -> None:
        if attempt == self._attempt:
            modem = self.modem
            sent = modem.transmit(40)
            modem.listener.on_sent(self.peer, result if sent else 1)
            self._fail_soon("nobody", modem.traits.nobody_ms)

    def _between(self, limits: tuple[int, int]) -> int:
        low, high = limits
        return low if low == high else self.modem.rng.randrange(low, high)

    def _solicit(self, attempt: int, tries: int) -> None:
        if attempt != self._attempt or self._given_up(tried=False):
            return
        modem, node = self.modem, self._node()
        sent = modem.transmit(40)
        modem.listener.on_sent(self.peer, 2 if sent else 1)
        if node is None or not sent or self._lost(node):
            modem.later(_gap(tries), self._solicit, attempt, tries + 1)
        else:
            modem.later(40 + modem.rng.random() * 60, self._solicited, attempt)

    def _solicited(self, attempt: int) -> None:
        if attempt == self._attempt:
            self.modem.remember(self.peer)
            self.modem.listener.on_solicitation(self.peer, answer=True)
            # The initiation waited behind the solicitation; its own report does not show.
            self._transmitted(attempt, 0, 0, False, True)

    def _transmit(self, attempt: int, step: int, tries: int, renewing: bool) -> None:
        self.modem.later(self._report_ms(), self._transmitted, attempt, step, tries, renewing)

    def _transmitted(
        self, attempt: int, step: int, tries: int, renewing: bool, quiet: bool = False
    ) -> None:
        if attempt != self._attempt or self._given_up(tried=step > 0):
            return
        modem, node = self.modem, self._node()
        sent = modem.transmit(pana.SENT[step])
        lost = node is None or not sent or modem.air.link(modem, node).loses_up(modem.rng)
        if not quiet:
            modem.listener.on_sent(self.peer, 1 if lost else 0)
        if node is None or lost:
            modem.later(_gap(tries), self._transmit, attempt, step, tries + 1, renewing)
        elif step == 4:
            self._joined(node)
        elif step == 0 and self._next is None:
            refusal = node.paa.admit(modem.mac, known=renewing)
            if refusal is not None:
                self._fail_soon(refusal, modem.traits.refused_ms)
                return
            self._next = node.paa.open(modem.mac)
            self._await(attempt, 0, 0, renewing)
        elif step == 2 and not node.paa.check(modem.rbid, modem.password):
            self._fail_soon("credentials", modem.traits.refused_ms)
        else:
            self._await(attempt, step, 0, renewing)

    def _await(self, attempt: int, step: int, tries: int, renewing: bool) -> None:
        node = self._node()
        link = self.modem.air.link(self.modem, node) if node else None
        delay = link.answer_ms(self.modem.rng, 90) if link else 1_000
        if delay > 10_000:
            delay = 10_000  # the meter's timers repeat what takes longer
        self.modem.later(delay, self._answered, attempt, step, tries, renewing)

    def _answered(self, attempt: int, step: int, tries: int, renewing: bool) -> None:
        if attempt != self._attempt or self._given_up(tried=True):
            return
        modem, node, session = self.modem, self._node(), self._next
        if node is None or session is None or modem.air.link(modem, node).loses_down(modem.rng):
            modem.later(_gap(tries), self._answered, attempt, step, tries + 1, renewing)
            return
        self._hand_over(node, node.paa.request(session, step))
        self._transmit(attempt, step + 1, 0, renewing)

    def _joined(self, node: Node) -> None:
        modem, session = self.modem, self._next
        if session is None:
            raise AssertionError("authenticated without a session")
        node.paa.grant(session)
        self._stop()
        self.session = session
        if modem.traits.forgetful:
            modem.neighbours.pop(self.peer, None)
        lifetime = node.paa.conduct.lifetime_s * 1000
        modem.later(lifetime * 4 // 5, self._renew, session)
        modem.later(lifetime, self._expire, session)
        modem.counters["joined"] += 1
        modem.listener.on_session(self.peer, What.JOINED)
        node.authenticated()

    def _renew(self, session: Session) -> None:
        if session is self.session and not self.closed and self.modem.renews:
            self.modem.listener.on_session(self.peer, What.EXPIRED)
            self._begin(renewing=True)

    def _expire(self, session: Session) -> None:
        if session is self.session:
            self._stop()
            self.session = None
            self.modem.listener.on_session(self.peer, What.EXPIRED)

    # -- failing

    def _given_up(self, *, tried: bool) -> bool:
        """After minutes without success the authentication ends."""
        waited = self.modem.scheduler.now_ms() - self._begun_ms
        if waited < self._limits_ms[tried]:
            return False
        self.why = "lost"
        self.modem.counters["join failed: lost"] += 1
        self._fail(self._attempt)
        return True

    def _fail_soon(self, why: str, after_ms: tuple[int, int]) -> None:
        self.why = why
        self.modem.counters["join failed: " + why] += 1
        if self.modem.traits.dogged and why in ("nobody", "other"):
            end = self._begun_ms + self._limits_ms[0]
        else:
            end = self._begun_ms + self._between(after_ms)
        wait = max(end - self.modem.scheduler.now_ms(), 0)
        self.modem.later(wait, self._fail, self._attempt)

    def _fail(self, attempt: int) -> None:
        if attempt == self._attempt and self.closed:
            self._stop()
            self.session = None
            self.modem.counters["join failed"] += 1
            self.modem.listener.on_session(self.peer, What.FAILED)

    def _stop(self) -> None:
        self._attempt += 1
        self.closed = False
        self._next = None

    # -- ending

    def _leaving(self, session: Session) -> None:
        modem, node = self.modem, self._node()
        sent = modem.transmit(40)
        if node is None or not sent or self._lost(node):
            modem.listener.on_sent(self.peer, 1)
            modem.later(3_000 + modem.rng.random() * 4_000, self._left, What.END_TIMEOUT)
            return
        modem.listener.on_sent(self.peer, 0)
        if node.paa.current(modem.mac) is None:
            modem.later(3_000 + modem.rng.random() * 4_000, self._left, What.END_TIMEOUT)
            return
        node.paa.forget()
        consent = node.paa.termination(session, request=False)
        modem.later(60 + self._report_ms(), self._consented, node, consent)

    def _consented(self, node: Node, consent: bytes) -> None:
        self._hand_over(node, consent)
        self._left(What.ENDED)

    def _left(self, what: What) -> None:
        self.modem.listener.on_session(self.peer, what)

    def dismissed(self, node: Node) -> None:
        """The meter ends the session and says so."""
        session = self.session
        if session is None or node.mac != self.peer:
            return
        self._stop()
        self.session = None
        self._hand_over(node, node.paa.termination(session, request=True))
        self.modem.later(self._report_ms(), self._dismissed)

    def _dismissed(self) -> None:
        self.modem.transmit(40)
        self.modem.listener.on_sent(self.peer, 0)
        self.modem.listener.on_session(self.peer, What.PEER_CLOSED)

    # -- small things

    def _node(self) -> Node | None:
        return self.modem.air.find(self.modem, self.peer)

    def _lost(self, node: Node) -> bool:
        link = self.modem.air.link(self.modem, node)
        return link.loses_up(self.modem.rng) or link.loses_down(self.modem.rng)

    def _report_ms(self) -> float:
        node = self._node()
        if node is None:
            return 115 + self.modem.rng.random() * 230
        return self.modem.air.link(self.modem, node).report_ms(self.modem.rng)

    def _hand_over(self, node: Node, message: bytes) -> None:
        rssi = self.modem.air.link(self.modem, node).signal(self.modem.rng)
        datagram = Datagram(node.mac, False, pana.PORT, False, rssi, message)
        self.modem.listener.on_datagram(datagram)


def _gap(tries: int) -> float:
    return min(1_000 * 2**tries, 30_000)
