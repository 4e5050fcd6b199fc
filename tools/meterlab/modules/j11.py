"""A module with J11 frames on its UART (BP35C0-J11 and relatives).

This class keeps the states, decides what may be asked in which, and writes what the radio
reports; `j11_frame` takes requests out of the bytes, `j11_commands` carries them out, `modem` is
the radio. Everything that was set is lost at a reset.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from random import Random

from meterlab.air import Air, Beacon, Datagram
from meterlab.modem import Modem, Traits
from meterlab.modules import j11_commands as commands
from meterlab.modules.base import Module, Quirks
from meterlab.modules.j11_address import address, level
from meterlab.modules.j11_frame import J11Input, answer
from meterlab.modules.j11_products import J11Product
from meterlab.pac import What
from meterlab.scheduler import Scheduler

OK, BAD_COMMAND, BUSY = 0x01, 0x03, 0x3D
BOOT_MS = 600  # from a reset to the notification that says so
DROPPED_MS = 80 * 60_000  # after which the stack lets go of a meter without a session

_BOOTED, _LINK, _RESULT, _RECEIVED, _UNREADABLE = 0x6019, 0x601A, 0x6028, 0x6018, 0x6038


class J11(Module):
    """`init`: the data of 005F (mode, sleep, channel, power), or None before it. `operating`: the
    B route has been started; with a session it is authenticated."""

    def __init__(
        self,
        scheduler: Scheduler,
        air: Air,
        product: J11Product,
        *,
        mac: bytes,
        traits: Traits | None = None,
        quirks: Quirks | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(scheduler, quirks)
        self.product = product
        self._rng = Random(f"j11 {seed}")
        self._strange = 0  # sequence number of what could not be deciphered
        self.modem = Modem(scheduler, air, mac, self, traits=traits or product.traits, seed=seed)
        self.input = J11Input(scheduler, self._request, self._fault)
        self._restart()

    # -- life

    def _restart(self) -> None:
        self.modem.reset()
        self.input.clear()
        self.init: bytes | None = None
        self.operating = False
        self.solicits = False
        self.flow_control = False
        self.credentials = False
        self.ports: list[int] = []
        self.ping: object | None = None  # that is under way
        self.busy = False
        self.authenticating = False  # asked for by the host, who is told how it ends
        self.claims = False  # to be authenticated, without a session
        self.solicited_send: Callable[[int], None] | None = None
        self._unauthenticated = 0  # number of the spell without a session

    @property
    def boot_ms(self) -> int:
        return BOOT_MS

    def power_cycle(self) -> None:
        super().power_cycle()
        self.modem.later(self.boot_ms, self._booted, self._spell)

    def _booted(self, spell: int) -> None:
        if spell == self._spell:
            self.deaf = False
            self.say(_BOOTED, b"")

    def feed(self, data: bytes) -> None:
        if not self.deaf and data:
            self.input.feed(data)

    def wake(self) -> None:
        """The pin has no such meaning here."""

    # -- states

    @property
    def authenticated(self) -> bool:
        return self.modem.pac.session is not None or self.claims

    @property
    def started(self) -> bool:
        return self.init is not None

    def status(self) -> bytes:
        """Global, B route, HAN."""
        route = 1 + self.operating + (self.operating and self.authenticated)
        return bytes([3 if self.started else 2, route, 1])

    def _refusal(self, allowed: str) -> int | None:
        """The result that says why a command may not be run now. `allowed`: any of the letters of
        global not started, B not started, operating, authenticated: "gnoa"."""
        if not self.started:
            return None if "g" in allowed else 0x37
        if not self.operating:
            return None if "n" in allowed else 0x10
        if not self.authenticated:
            return None if "o" in allowed else 0x34
        return None if "a" in allowed else 0x35

    # -- requests

    def _fault(self, code: int, result: int) -> None:
        self.reply_now(code, bytes([result]))

    def _request(self, command: int, data: bytes) -> None:
        entry = commands.COMMANDS.get(command)
        if entry is None:
            self.reply_now(0xFFFF, bytes([BAD_COMMAND]))
            return
        allowed, lengths, run = entry
        if (code := self.quirks.refusal(f"{command:04X}")) is not None:
            self.reply(command, int(code, 16))
            return
        if command == commands.RESET:
            self.power_cycle()
            return
        if self.busy:
            self.reply_now(command | 0x2000, bytes([BUSY]))
            return
        refusal = self._refusal(allowed)
        if refusal is None and len(data) not in lengths:
            refusal = 0x11
        if refusal is None and self.init is not None and self.init[0] != 5 and "g" not in allowed:
            refusal = 0x14
        if refusal is not None:
            self.reply(command, refusal)
            return
        run(self, command, data)

    def reply(self, command: int, result: int = OK, data: bytes = b"") -> None:
        """Answer a request, after the moment that a real module takes."""
        body = bytes([result]) + data
        if self.quirks.prompt:
            self.reply_now(command | 0x2000, body)
            return
        self.busy = True
        self.modem.later(3.0 + 20.0 * self._rng.random(), self.reply_late, command | 0x2000, body)

    def reply_late(self, code: int, body: bytes) -> None:
        """The answer to a command that kept the module busy."""
        self.busy = False
        self.reply_now(code, body)

    def reply_now(self, code: int, body: bytes) -> None:
        self.emit(answer(code, body))

    def say(self, code: int, data: bytes) -> None:
        """A notification."""
        self.emit(answer(code, data))

    # -- the B route

    def join_mac(self, beacon: Beacon) -> None:
        self.operating = True
        self.modem.pan_id = beacon.pan_id
        self.modem.remember(beacon.mac)
        self.modem.pac.peer = beacon.mac
        self.unauthenticated()

    def leave_mac(self) -> None:
        self.operating = self.authenticating = self.claims = False
        self.ports.clear()
        self.modem.pan_id = 0xFFFF
        self._unauthenticated += 1

    def unauthenticated(self) -> None:
        self._unauthenticated += 1
        self.modem.later(DROPPED_MS, self._dropped, self._unauthenticated)

    def _dropped(self, spell: int) -> None:
        if spell != self._unauthenticated or not self.operating or self.authenticated:
            return
        peer = self.modem.pac.peer
        self.modem.pac.give_up()
        self.leave_mac()
        self.say(_LINK, b"\x03" + peer + b"\x00")

    def connections(self) -> bytes:
        """What 0011 tells."""
        if not self.operating:
            return b"\x00"
        state = 2 if self.authenticated else 1
        pan = struct.pack(">H", self.modem.pan_id)
        return b"\x01\x01" + self.modem.pac.peer + pan + bytes([1, 7, state])

    # -- what the modem reports

    def on_sent(self, peer: bytes | None, result: int) -> None:
        done, self.solicited_send = self.solicited_send, None
        if done is not None:
            done(result)

    def on_solicitation(self, peer: bytes, *, answer: bool) -> None:
        pass

    def on_datagram(self, datagram: Datagram) -> None:
        if datagram.port not in self.ports:
            return
        port = struct.pack(">H", datagram.port)
        flags = bytes([datagram.multicast, 2 if datagram.secured else 1, level(datagram.rssi)])
        self.say(
            _RECEIVED,
            b"%b%b%b%b%b%b%b"
            % (
                address(datagram.source),
                port,
                port,
                struct.pack(">H", self.modem.pan_id),
                flags,
                struct.pack(">H", len(datagram.payload)),
                datagram.payload,
            ),
        )

    def on_session(self, peer: bytes, what: What) -> None:
        held = self.modem.pac.session is not None
        if what is What.EXPIRED and held:
            return  # it is about to renew by itself, and nobody is told
        asked, self.authenticating = self.authenticating, False
        if what is What.JOINED:
            self.claims = False
            self._unauthenticated += 1
            if asked:
                self.say(_RESULT, b"\x01" + peer)
            return
        if what in (What.FAILED, What.EXPIRED):
            silent = self.modem.pac.why in ("", "nobody", "lost", "other")
            self.claims = self.quirks.stubborn and not asked
            self.say(_RESULT, bytes([3 if silent else 2]) + peer)
        elif what is What.PEER_CLOSED:
            self.say(_LINK, b"\x04" + peer + bytes([self._rssi(peer)]))
        if self.operating and not self.authenticated:
            self.unauthenticated()

    def _rssi(self, peer: bytes) -> int:
        node = self.modem.air.find(self.modem, peer)
        if node is None:
            return 0
        return level(self.modem.air.link(self.modem, node).signal(self.modem.rng))

    def on_limit(self, active: bool) -> None:
        """Nobody is told; sending fails."""

    def on_undecipherable(self, datagram: Datagram) -> None:
        self._strange = (self._strange + 1) & 0xFF
        start = self._rng.randbytes(5)  # of what could not be read
        self.unreadable(1, datagram.source, self._strange, start)

    def unreadable(self, reason: int, source: bytes, sequence: int, start: bytes) -> None:
        """6038. `reason`: 1 cannot be decrypted, 2 MAC, 20 6LoWPAN, 30 IP, 40 UDP (hex)."""
        head = bytes([reason]) + address(source) + bytes([sequence, 0, 0, 0])
        self.say(_UNREADABLE, head + start)
