"""What every simulated radio module offers to the line it hangs on and to those who torment it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from meterlab.modem import Modem
from meterlab.scheduler import Scheduler

BOOT_MS = 2_500  # from power or reset pin until the UART listens; the manuals say wait 3 s


def _nowhere(_: bytes) -> None:
    pass


@dataclass(slots=True)
class Quirks:
    """Oddities of single specimens; may be changed while they run.

    `prompt`: replies without the few ms a real module takes. `ok_first`: SKSTACK's OK before
    EVENT 21. `scan_unanswered`: SKSTACK scans without a word of OK. `uncalibrated`: J11 answers 0C
    to its set-up. `stubborn`: J11 stays "authenticated" when it could not renew its session.
    `refuse`: what begins so is refused, with the last word ("SKSREG S2 ER06", J11 "0008 06").
    """

    prompt: bool = False
    ok_first: bool = False
    scan_unanswered: bool = False
    uncalibrated: bool = False
    stubborn: bool = False
    refuse: str = ""

    def refusal(self, command: str) -> str | None:
        """The code with which a command is refused; None: it is not."""
        words, _, code = self.refuse.rpartition(" ")
        return code if words and command.startswith(words) else None


class Module(ABC):
    """Bytes in by `feed`, bytes out by `output`; power, pins and faults beside them.

    `deaf` while it boots or hangs: what arrives is lost and nothing is said.
    """

    modem: Modem

    def __init__(self, scheduler: Scheduler, quirks: Quirks | None = None) -> None:
        self.scheduler = scheduler
        self.quirks = quirks or Quirks()
        self.output: Callable[[bytes], None] = _nowhere
        self.deaf = False
        self._spell = 0  # number of the deafness; a later one outlives an earlier one's end

    @abstractmethod
    def feed(self, data: bytes) -> None:
        """Bytes from the host."""

    @abstractmethod
    def _restart(self) -> None:
        """Forget everything volatile, as at power-up."""

    @property
    def baud(self) -> int:
        return 115_200

    @property
    def boot_ms(self) -> int:
        return BOOT_MS

    def emit(self, data: bytes) -> None:
        if not self.deaf:
            self.output(data)

    def power_cycle(self) -> None:
        """Power or the reset pin goes away and comes back."""
        self._restart()
        self._deafen(self.boot_ms)

    def hang(self, duration_ms: int | None) -> None:
        """Stop doing anything, for a while or (None) until the power is cycled."""
        self._deafen(duration_ms)

    def stall(self, duration_ms: int | None) -> None:
        """Stop in the middle of what it says next, and hang for the rest of the time, counted
        from now; None: until the power is cycled."""
        output = self.output
        until = None if duration_ms is None else self.scheduler.now_ms() + duration_ms

        def half(data: bytes) -> None:
            self.output = output
            left = None if until is None else until - self.scheduler.now_ms()
            if left is not None and left <= 0:
                output(data)
            else:
                output(data[: len(data) // 2])
                self.hang(left)

        self.output = half

    @abstractmethod
    def wake(self) -> None:
        """The wake-up pin is pulled."""

    def _deafen(self, duration_ms: int | None) -> None:
        self.deaf = True
        self._spell += 1
        if duration_ms is not None:
            self.scheduler.call_later(duration_ms, self._recover, self._spell)

    def _recover(self, spell: int) -> None:
        if spell == self._spell:
            self.deaf = False
