"""PANA (RFC 5191) with EAP-PSK between a module (PaC) and a meter (PAA), as far as it shows.

The messages of the meter have the layout, the lengths and the AVPs of captured sessions. What is
inside the cryptographic fields is random: the keys are checked by comparing ID and password, and
nobody on the UART can tell.
"""

from __future__ import annotations

import struct
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import Literal

from meterlab.scheduler import Scheduler

PORT = 0x02CC

_PAR, _PTR = 2, 3
_REQUEST, _START, _COMPLETE = 0x8000, 0x4000, 0x2000
_AUTH, _EAP, _INTEGRITY, _KEY_ID, _NONCE, _PRF, _RESULT, _LIFETIME = range(1, 9)

# Bytes of the datagrams a module sends: its initiation, and its answers to the four requests.
SENT = (16, 40, 116, 84, 40)

Refusal = Literal["other", "stale", "cleaning"]


def _avp(code: int, data: bytes) -> bytes:
    padded = data + b"\x00" * (-len(data) % 4)
    return struct.pack(">HHHH", code, 0, len(data), 0) + padded


def _message(flags: int, kind: int, session: int, sequence: int, *avps: bytes) -> bytes:
    body = b"".join(avps)
    return struct.pack(">HHHHII", 0, 16 + len(body), flags, kind, session, sequence) + body


@dataclass(slots=True)
class Session:
    """A security association. `peer`: the MAC address of the module."""

    peer: bytes
    number: int
    sequence: int
    until_ms: int


@dataclass(slots=True)
class Conduct:
    """How a meter handles sessions; may be changed while it runs.

    `lifetime_s`: what it grants. `newcomer`: what happens to a second module while one is joined.
    `stale_refusals`: how often it refuses a module that vanished without SKTERM and comes back.
    `cleaning_ms`: how long after the end of a session it takes no new one.
    """

    lifetime_s: int = 86_400
    newcomer: Literal["refuse", "replace"] = "refuse"
    stale_refusals: tuple[int, int] = (1, 2)
    cleaning_ms: int = 3_000
    rejoin_refusal: float = 0.0


class Paa:
    """The meter's end: who may join, who is joined, and the requests it sends."""

    def __init__(
        self,
        scheduler: Scheduler,
        rbid: str,
        password: str,
        *,
        conduct: Conduct | None = None,
        seed: int = 0,
    ) -> None:
        if len(rbid) != 32 or len(password) != 12:
            raise ValueError("an ID has 32 characters and a password has 12")
        self.scheduler = scheduler
        self.conduct = conduct or Conduct()
        self.counters: Counter[str] = Counter()
        self.session: Session | None = None
        self._rbid = rbid
        self._password = password
        self._rng = Random(f"paa {seed}")
        self._refusals = 0
        self._clean_ms = 0

    @property
    def pairing(self) -> str:
        return self._rbid[-8:]

    def current(self, peer: bytes | None = None) -> Session | None:
        """The living session, of one module or of whichever has it."""
        session = self.session
        if session is not None and session.until_ms <= self.scheduler.now_ms():
            self.session = session = None
        if session is not None and peer is not None and session.peer != peer:
            return None
        return session

    def admit(self, peer: bytes, *, known: bool) -> Refusal | None:
        """May this module begin? `known`: it says it is renewing the session it has."""
        now = self.scheduler.now_ms()
        session = self.current()
        if session is None:
            if now < self._clean_ms:
                return self._refuse("cleaning")
            return None
        if session.peer != peer:
            return None if self.conduct.newcomer == "replace" else self._refuse("other")
        if known:
            lucky = self._rng.random() >= self.conduct.rejoin_refusal
            return None if lucky else self._refuse("stale")
        if self._refusals == 0:
            self._refusals = 1 + self._rng.randint(*self.conduct.stale_refusals)
        self._refusals -= 1
        if self._refusals:
            return self._refuse("stale")
        self.session = None
        return None

    def _refuse(self, why: Refusal) -> Refusal:
        self.counters["refused " + why] += 1
        return why

    def check(self, rbid: str | None, password: str | None) -> bool:
        good = rbid == self._rbid and password == self._password
        self.counters["credentials " + ("right" if good else "wrong")] += 1
        return good

    def grant(self, session: Session) -> None:
        session.until_ms = self.scheduler.now_ms() + self.conduct.lifetime_s * 1000
        self._refusals = 0
        self.session = session
        self.counters["sessions"] += 1

    def forget(self) -> None:
        """The session is gone; the module is not told."""
        if self.session is not None:
            self.session = None
            self._clean_ms = self.scheduler.now_ms() + self.conduct.cleaning_ms

    def seize(self, peer: bytes, seconds: float) -> None:
        """Another controller, of whom only this is known, takes the meter for a while."""
        until = self.scheduler.now_ms() + int(seconds * 1000)
        self.session = Session(peer, self._rng.getrandbits(32), 0, until)

    # -- messages

    def open(self, peer: bytes) -> Session:
        return Session(peer, self._rng.getrandbits(32), self._rng.getrandbits(31), 0)

    def request(self, session: Session, step: int) -> bytes:
        """Authentication request number `step`, 0 to 3."""
        rng = self._rng
        sequence = (session.sequence + step) & 0xFFFFFFFF
        eap = (sequence + 0x35) & 0xFF
        if step == 0:
            flags = _REQUEST | _START
            avps = (_avp(_PRF, b"\0\0\0\5"), _avp(_INTEGRITY, b"\0\0\0\x0c"))
        elif step == 1:
            flags = _REQUEST
            hello = struct.pack(">BBHBB", 1, eap, 56, 0x2F, 0) + rng.randbytes(16)
            name = b"SM" + self._rbid.encode()
            avps = (_avp(_NONCE, rng.randbytes(16)), _avp(_EAP, hello + name))
        elif step == 2:
            flags = _REQUEST
            proof = struct.pack(">BBHBB", 1, eap, 59, 0x2F, 0x80) + rng.randbytes(32)
            avps = (_avp(_EAP, proof + b"\0\0\0\0" + rng.randbytes(17)),)
        else:
            flags = _REQUEST | _COMPLETE
            avps = (
                _avp(_RESULT, b"\0\0\0\0"),
                _avp(_EAP, struct.pack(">BBH", 3, (eap - 1) & 0xFF, 4)),
                _avp(_KEY_ID, b"\0\0\x09\x01"),
                _avp(_LIFETIME, struct.pack(">I", self.conduct.lifetime_s)),
                _avp(_AUTH, rng.randbytes(16)),
            )
        return _message(flags, _PAR, session.number, sequence, *avps)

    def termination(self, session: Session, *, request: bool) -> bytes:
        """The meter's wish to end a session, or its consent to the module's."""
        flags = _REQUEST if request else 0
        auth = _avp(_AUTH, self._rng.randbytes(16))
        return _message(flags, _PTR, session.number, session.sequence + 4, auth)
