"""A module with SKSTACK-IP text on its UART: single-hop (BP35A1...) and dual-stack (BP35C2...).

This class is the command interpreter; `sk_input` splits and echoes what arrives, `modem` is the
radio, `sk_text` writes the long lines, `sk_scan` has SKSCAN, `sk_more` has what B-route hosts
seldom use.
Behaviour follows captured sessions; where a manual and a capture disagree, the capture wins.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from meterlab.air import Air, Datagram
from meterlab.modem import FAILED, SENT, SOLICITING, Modem, Traits
from meterlab.modules import sk_more, sk_scan, sk_text
from meterlab.modules import sk_registers as reg
from meterlab.modules.base import Module, Quirks
from meterlab.modules.sk_flash import Flash
from meterlab.modules.sk_input import Header, SkInput
from meterlab.modules.sk_products import Product
from meterlab.modules.sk_registers import Registers, number
from meterlab.modules.sk_text import address
from meterlab.pac import What
from meterlab.scheduler import Scheduler

_BAUD = (115_200, 2_400, 4_800, 9_600, 19_200, 38_400, 57_600)
_QUIET_MS = 100  # after which the rest of a broken SKSENDTO is not awaited any more


class SkStack(Module):
    def __init__(
        self,
        scheduler: Scheduler,
        air: Air,
        product: Product,
        *,
        mac: bytes,
        flash: Flash | None = None,
        traits: Traits | None = None,
        quirks: Quirks | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__(scheduler, quirks)
        self.product = product
        self.flash = flash or Flash(hex_data=product.hex_data)
        self.side = " 0" if product.dual else ""
        self.modem = Modem(
            scheduler, air, mac, self, traits=traits or Traits(cache=product.cache), seed=seed
        )
        self.own = address(mac)
        self._rng = Random(f"skstack {seed}")
        self.input = SkInput(
            dual=product.dual,
            emit=self.emit,
            on_line=self._command,
            on_datagram=self._send,
            on_fault=self._input_fault,
        )
        self._baud = _BAUD[0]
        self._commands = {**_COMMANDS, **sk_more.COMMANDS}
        self.restart_stack(autoload=True)

    # -- life

    def restart_stack(self, *, autoload: bool) -> None:
        """As SKRESET: registers, keys and session are gone, the flash is not."""
        self.modem.reset()
        product = self.product
        self.registers = Registers(dual=product.dual, echo=product.echo, power=product.power)
        self.ports = [3610, 716, 19788 if self.product.dual else 0, 0, 0, 0]
        self.pending_ports = list(self.ports)
        self.devices: set[str] = set()
        self.keys: set[int] = set()
        self.asleep = False
        self.input.clear()
        self.input.echo = self.product.echo
        if autoload and self.flash.saved is not None and self.flash.saved.get(reg.AUTOLOAD):
            self.load()

    def _restart(self) -> None:
        self._baud = _BAUD[self.flash.uart & 7]
        self.restart_stack(autoload=True)

    @property
    def baud(self) -> int:
        return self._baud

    def feed(self, data: bytes) -> None:
        if self.deaf or not data:
            return
        if self.asleep:
            if not self.product.dual:
                return  # only the pin wakes it
            self.wake()
        self.input.feed(data)

    def fall_asleep(self) -> None:
        self.asleep = True

    def wake(self) -> None:
        if self.asleep:
            self.asleep = False
            self.say("EVENT C0" + (f" {self.own} FF" if self.product.dual else ""))

    # -- saying things

    def say(self, *lines: str) -> None:
        """Lines that are nobody's reply, or a reply at once."""
        self.emit(("\r\n".join(lines) + "\r\n").encode())

    def reply(self, *lines: str, end: str = "\r\n", after_ms: float | None = None) -> None:
        """Finish a command, after the moment that a real module takes."""
        text = ("\r\n".join(lines) + end).encode()
        if after_ms is None:
            if self.quirks.prompt:
                self.emit(text)
                return
            after_ms = 2.0 + 6.0 * self._rng.random()
        self.input.busy = True
        self.modem.later(after_ms, self._replied, text)

    def _replied(self, text: bytes) -> None:
        self.emit(text)
        self.finish()

    def finish(self) -> None:
        self.input.busy = False
        self.input.resume()

    def ok(self, *lines: str) -> None:
        self.reply(*lines, "OK")

    def fail(self, code: str) -> None:
        self.reply("FAIL " + code)

    def _input_fault(self, code: str) -> None:
        self.scheduler.call_later(_QUIET_MS, self.input.silence)
        self.fail(code)

    def _command(self, line: bytes) -> None:
        text = line.rstrip(b" ").decode("latin-1")
        word, *args = text.split(" ")
        command = self._commands.get(word)
        if (code := self.quirks.refusal(text)) is not None:
            self.fail(code)
            return
        if command is None or word in sk_more.OPTIONS and not self.product.options:
            self.fail("ER04")
            return
        single, dual, run = command
        counts = dual if self.product.dual else single
        if counts is None:
            self.fail("ER04")
        elif len(args) not in counts:
            self.fail("ER05")
        else:
            run(self, args)

    # -- SKSENDTO

    def _send(self, header: Header, payload: bytes) -> None:
        handle, target, port, security = (part.decode() for part in header[:4])
        self.emit(b"\r\n")
        if (code := self.quirks.refusal("SKSENDTO")) is not None:
            self.fail(code)
            return
        if target.upper().startswith("FF02:"):
            peer = None
        elif (mac := sk_text.mac_of(target)) is not None:
            peer = mac
        else:
            self.fail("ER06")
            return
        if self.ports[int(handle) - 1] == 0:
            self.fail("ER10")
            return
        self.input.busy = True

        def report(result: int) -> None:
            event = f"EVENT 21 {target}{self.side} {result:02X}"
            lines = ("OK", event) if self.quirks.ok_first else (event, "OK")
            self._replied(("\r\n".join(lines) + "\r\n").encode())

        self.modem.send(peer, int(port, 16), int(security), payload, report)

    # -- what the modem reports

    def event(self, code: int, sender: str, tail: str = "") -> None:
        self.say(f"EVENT {code:02X} {sender}{self.side}{tail}")

    def on_sent(self, peer: bytes | None, result: int) -> None:
        if result not in (SENT, FAILED, SOLICITING):
            raise ValueError(result)
        target = sk_text.ALL_NODES if peer is None else address(peer)
        self.event(0x21, target, f" {result:02X}")

    def on_solicitation(self, peer: bytes, *, answer: bool) -> None:
        self.event(2 if answer else 1, address(peer))

    def on_datagram(self, datagram: Datagram) -> None:
        if datagram.port not in self.ports:
            return
        self.emit(
            sk_text.received(
                datagram,
                self.modem.mac,
                dual=self.product.dual,
                rssi=self.product.dual and bool(self.registers[reg.RSSI]),
                hexed=self.flash.hex_data,
            )
        )

    def on_undecipherable(self, datagram: Datagram) -> None:
        """Nobody is told."""

    def on_session(self, peer: bytes, what: What) -> None:
        self.event(what, address(peer))

    def on_limit(self, active: bool) -> None:
        self.event(0x32 if active else 0x33, self.own)

    # -- the commands of every B-route host

    def version(self, args: list[str]) -> None:
        self.ok("EVER " + self.product.ever)

    def app_version(self, args: list[str]) -> None:
        if self.product.appver is None:
            self.fail("ER04")
        else:
            self.ok("EAPPVER " + self.product.appver)

    def reset(self, args: list[str]) -> None:
        self.restart_stack(autoload=False)
        self.ok()

    def info(self, args: list[str]) -> None:
        modem = self.modem
        last = str(self.registers[reg.SIDE]) if self.product.dual else "FFFE"
        self.ok(
            f"EINFO {self.own} {modem.mac.hex().upper()} {modem.channel:02X} {modem.pan_id:04X} "
            + last
            + self.product.info_tail
        )

    def set_password(self, args: list[str]) -> None:
        length = number(args[0], 2)
        if length is None or not 1 <= length <= 0x20:
            self.fail("ER06")
            return
        # Too few characters leave the rest to what lay in the memory.
        self.modem.password = args[1][:length].ljust(length, "\0")
        self.ok()

    def set_rbid(self, args: list[str]) -> None:
        if len(args[0]) != 32 or not _printable(args[0]):
            self.fail("ER06")
            return
        self.modem.rbid = args[0]
        self.modem.pairing = args[0][-8:]
        self.ok()

    def link_local(self, args: list[str]) -> None:
        if len(args[0]) != 16 or number(args[0], 16) is None:
            self.fail("ER06")
        else:
            self.reply(address(bytes.fromhex(args[0])))  # and no OK

    def join(self, args: list[str]) -> None:
        peer = sk_text.mac_of(args[0])
        if peer is None:
            self.fail("ER06")
        elif self.modem.scanning:
            self.fail("ER10")
        else:
            self.ok()
            self.modem.pac.join(peer)

    def rejoin(self, args: list[str]) -> None:
        if self.modem.pac.session is None or not self.modem.pac.rejoin():
            self.fail("ER10")
        else:
            self.ok()

    def terminate(self, args: list[str]) -> None:
        if self.modem.pac.leave():
            self.ok()
        else:
            self.fail("ER10")

    # -- registers

    def register(self, args: list[str]) -> None:
        name = args[0].upper()
        code = number(name[1:], 2) if name.startswith("S") else None
        if code == reg.PAIRING:
            self._pairing(args[1:])
        elif code is None or code not in self.registers:
            self.fail("ER06")
        elif len(args) == 1:
            self.ok("ESREG " + self.registers.show(code, self.read_register(code)))
        elif (value := self.registers.parse(code, args[1])) is None:
            self.fail("ER06")
        else:
            # The echo of this very command still follows the old state.
            self.write_register(code, value)
            self.ok()

    def _pairing(self, args: list[str]) -> None:
        if not args:
            self.ok("ESREG " + self.modem.pairing)
        elif len(args[0]) == 8 and _printable(args[0]):
            self.modem.pairing = args[0]
            self.ok()
        else:
            self.fail("ER06")

    def read_register(self, code: int) -> int:
        modem = self.modem
        live: dict[int, int] = {
            reg.CHANNEL: modem.channel,
            reg.PAN: modem.pan_id,
            reg.FRAMES: modem.counters["sent"],
            reg.LIMITED: int(modem.limited),
            reg.AIRTIME: modem.airtime.total_ms,
        }
        return live.get(code, self.registers[code])

    def write_register(self, code: int, value: int) -> None:
        modem = self.modem
        self.registers[code] = value
        if code == reg.CHANNEL:
            modem.channel = value
        elif code == reg.PAN:
            modem.pan_id = value
        elif code == reg.RENEW:
            modem.renews = bool(value)
        elif code == reg.ENABLED:
            modem.enabled = bool(value)
        elif code == reg.RSSI and self.product.power:
            modem.counters["transmit power set"] += 1
        elif code == reg.ECHO:
            self.input.echo = bool(value)
        elif code == reg.AIRTIME:
            modem.airtime.total_ms = 0

    # -- flash

    def load(self) -> bool:
        saved = self.flash.saved
        if saved is None:
            return False
        for code, value in saved.items():
            self.write_register(code, value)
        self.ports = list(self.flash.ports)
        self.pending_ports = list(self.flash.ports)
        return True


def _printable(text: str) -> bool:
    return all(" " <= c <= "~" for c in text)


Command = tuple[
    tuple[int, ...] | None,  # arguments in the single-hop edition; None: not known there
    tuple[int, ...] | None,  # and in the dual-stack edition
    Callable[[SkStack, list[str]], None],
]

_COMMANDS: dict[str, Command] = {
    "SKVER": ((0,), (0,), SkStack.version),
    "SKAPPVER": ((0,), (0,), SkStack.app_version),
    "SKRESET": ((0,), (0,), SkStack.reset),
    "SKINFO": ((0,), (0,), SkStack.info),
    "SKSREG": ((1, 2), (1, 2), SkStack.register),
    "SKSETPWD": ((2,), (2,), SkStack.set_password),
    "SKSETRBID": ((1,), (1,), SkStack.set_rbid),
    "SKSCAN": ((3,), (4,), sk_scan.scan),
    "SKLL64": ((1,), (1,), SkStack.link_local),
    "SKJOIN": ((1,), (1,), SkStack.join),
    "SKREJOIN": ((0,), (0,), SkStack.rejoin),
    "SKTERM": ((0,), (0,), SkStack.terminate),
    "SKSENDTO": ((5,), (6,), lambda sk, _: sk.fail("ER06")),  # ended by a line end: no payload
}
