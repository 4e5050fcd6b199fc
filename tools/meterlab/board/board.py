"""A board that exists only on this PC: the face for programs and tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from meterlab.board import flash
from meterlab.board import registers as r
from meterlab.board.calls import Address, Outside
from meterlab.board.chip import PWRON, Chip
from meterlab.board.events import Event, EventLog
from meterlab.board.hardware import HARDWARE
from meterlab.board.led import LedState
from meterlab.board.network import AccessPoint, Fault
from meterlab.board.nvs import Nvs
from meterlab.board.process import (
    BoardError,
    Launch,
    choose_runtime,
    heap_for,
    parse_size,
    standins,
)
from meterlab.board.serialline import PtyLine, SerialLine
from meterlab.datagrams import NameServer
from meterlab.runtimes import Runtime

UNIQUE_ID = bytes.fromhex("240ac4000001")
START_SECONDS = 20.0
PRESS_SECONDS = 0.2
LEAST_HEAP = 16 << 10


class VirtualBoard:
    """One board. `with VirtualBoard(flash) as board:` starts it and takes its power at the end.

    `flash`: an image file (made, blank, when missing), or a folder of which a fresh image is
    made, kept at `image` or thrown away. `link`: where its serial line appears; in a folder of
    its own when not given. `uart`: the pty of a radio module, for every UART or by number; it may
    appear later. `heap`: bytes that firmware finds free. `networks`: what is in the air; with
    none, every Wi-Fi name and key is good. `line` replaces the pty.
    """

    def __init__(
        self,
        flash: Path | str,
        *,
        link: Path | str | None = None,
        uart: Path | str | dict[int, Path] | None = None,
        heap: int | str = "100K",
        runtime: Runtime | str | None = None,
        hardware: str = "generic",
        image: Path | None = None,
        flash_size: int | str = flash.DEFAULT_SIZE,
        networks: list[AccessPoint] | None = None,
        online: bool = False,
        hosts: dict[str, str] | None = None,
        forwards: dict[Address, Address] | None = None,
        unique_id: bytes = UNIQUE_ID,
        line: SerialLine | None = None,
    ) -> None:
        if hardware not in HARDWARE:
            raise BoardError(f"no hardware {hardware!r}; there is: {', '.join(HARDWARE)}")
        self.events = EventLog()
        self.runtime = runtime if isinstance(runtime, Runtime) else choose_runtime(runtime)
        self.heap = heap if isinstance(heap, int) else parse_size(heap)
        if self.heap < LEAST_HEAP:
            raise BoardError(f"no board runs in a heap of {self.heap} bytes; give it 16K or more")
        self.hardware = HARDWARE[hardware]
        self.outside = Outside(online, hosts or {}, forwards or {})
        self.unique_id = unique_id
        self.networks = [replace(network) for network in networks or []]
        self._flash = Path(flash)
        self._image = image
        self._size = flash_size if isinstance(flash_size, int) else parse_size(flash_size)
        self._link = None if link is None else Path(link)
        self._line = line
        uarts = {} if uart is None else uart if isinstance(uart, dict) else {0: Path(uart)}
        self._uarts = uarts
        self._temporary: str | None = None
        self._chip: Chip | None = None
        self._names: NameServer | None = None
        self.standins_cost = 0

    # ---- life

    def start(self, timeout: float = START_SECONDS) -> VirtualBoard:
        """Prepare it, switch the power on and wait until boot.py is about to run."""
        self.prepare()
        try:
            self.power_on(timeout)
        except BaseException:
            self.stop()
            raise
        return self

    def prepare(self) -> None:
        """Make flash and serial line, and find out what the stand-ins cost; no power yet."""
        if self._chip is not None:
            raise BoardError("the virtual board runs already")
        standins()
        total = heap_for(self.runtime, self.heap)
        self.standins_cost = total - self.heap
        self._temporary = tempfile.mkdtemp(prefix="virtual-board-")
        try:
            image = self._make_flash(Path(self._temporary))
            line = self._line or PtyLine(self._link or Path(self._temporary) / "serial")
        except BaseException:
            shutil.rmtree(self._temporary)
            raise
        self.image = image
        self._names = names = NameServer(self.outside.lookup)
        names.start()
        self.outside.name_server = names.port
        nvs = Nvs(image.with_name(image.name + ".nvs"))
        launch = Launch(self.runtime, total, image)
        self._chip = chip = Chip(
            launch,
            line,
            self.hardware,
            nvs,
            self.outside,
            self._uarts,
            self.unique_id,
            self.events,
        )
        chip.wlan.points = self.networks
        chip.thread.start()

    def _make_flash(self, temporary: Path) -> Path:
        if self._flash.is_dir():
            image = self._image or temporary / "flash"
            flash.build(self.runtime, self._flash, image, self._size)
            return image
        if self._image is not None:
            raise BoardError("an image to keep goes with a folder of files, not with an image")
        if not self._flash.exists():
            flash.blank(self._flash, self._size)
        return self._flash

    def stop(self) -> None:
        """Take the power and remove the serial line. What is on the flash stays, if it has a
        place of its own.
        """
        if self._chip is not None:
            self._chip.stop()
            self._chip = None
        if self._names is not None:
            self._names.close()
            self._names = None
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def __enter__(self) -> VirtualBoard:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def chip(self) -> Chip:
        """What is inside; BoardError before start()."""
        if self._chip is None:
            raise BoardError("the virtual board does not run")
        return self._chip

    def join(self, timeout: float) -> bool:
        """Wait until the board's thread ends. Returns whether it has."""
        self.chip.thread.join(timeout)
        return not self.chip.thread.is_alive()

    # ---- power

    def power_on(self, timeout: float = START_SECONDS) -> None:
        """Switch it on and wait until boot.py is about to run."""
        mark = self.events.mark()
        self.chip.call(lambda: self.chip.power_on(PWRON))
        self._boot(mark, timeout)

    def _boot(self, mark: int, timeout: float) -> Event:
        def started(event: Event) -> bool:
            return event.kind == "boot" or event.kind == "crash"

        event = self._wait_any(mark, timeout, started)
        if event.kind == "crash":
            raise BoardError(f"{self.runtime} ended while it started: {event['text']}")
        return event

    def _wait_any(self, mark: int, timeout: float, match: Callable[[Event], bool]) -> Event:
        return self.events.wait(None, timeout, mark, match)

    def power_cut(self) -> None:
        """The power goes, this instant."""
        self.chip.call(lambda: self.chip.power_off("power cut"))

    def power_cut_at(self, operation: int, torn: int = 0) -> None:
        """The power goes at the n-th flash write, erase or NVS commit from now; `torn` bytes of
        it arrive.
        """

        def arm() -> None:
            self.chip.registers[r.FLASH_TORN] = torn
            self.chip.registers[r.FLASH_FUSE] = operation

        self.chip.call(arm)

    def power_cycle(self, timeout: float = START_SECONDS) -> None:
        """Off and on again; also what the reset button does."""
        self.power_cut()
        self.power_on(timeout)

    @property
    def powered(self) -> bool:
        return self.chip.powered

    # ---- what it shows and says

    @property
    def serial(self) -> Path:
        """The path that programs open to talk to it."""
        line = self.chip.relay.line
        if not isinstance(line, PtyLine):
            raise BoardError("the serial line is this terminal")
        return line.path

    @property
    def led(self) -> LedState:
        """What the LED shows now; str() is "green, double blink"."""
        return self.chip.front.led

    def wait_led(self, text: str, timeout: float, since: int = 0) -> LedState:
        """Wait until the LED shows `text`, as "green" or "green, double blink"."""

        def shows(event: Event) -> bool:
            return event["text"] == text or event["text"].split(",")[0] == text

        event = self.events.wait("led", timeout, since, shows)
        return LedState(event["colour"], event["pattern"], event["times"])

    # ---- what is around it

    def button(self, pressed: bool) -> None:
        """Hold the button down, or let go."""
        pin = self.hardware.button_pin
        self.chip.call(lambda: self.chip.front.drive(pin, 0 if pressed else None))

    def press_button(self, seconds: float = PRESS_SECONDS) -> None:
        """Press it for a while; returns when it is down."""
        chip, pin = self.chip, self.hardware.button_pin
        chip.call(lambda: chip.front.drive(pin, 0))
        chip.call(lambda: chip.later(seconds, lambda: chip.front.drive(pin, None)))

    def set_pin(self, pin: int, level: int | None) -> None:
        """Drive any pin from outside; None lets go of it."""
        self.chip.call(lambda: self.chip.front.drive(pin, level))

    def wifi(self, fault: Fault | None) -> None:
        """Break the Wi-Fi, or mend it (None).

        "no-ap": nobody sends that name; "wrong-key"; "no-address": no DHCP; "dead": connected,
        but nothing arrives.
        """
        self.chip.call(lambda: self.chip.wlan.set_fault(fault))

    def wifi_rssi(self, rssi: int) -> None:
        """The signal at the board, dBm."""
        self.chip.call(lambda: self.chip.wlan.set_rssi(rssi))

    def wifi_drop(self) -> None:
        """The access point goes for a moment."""
        self.chip.call(self.chip.wlan.drop)

    def lan_cable(self, plugged: bool) -> None:
        self.chip.call(lambda: self.chip.lan.set_cable(plugged))

    def uart_cable(self, plugged: bool) -> None:
        """The wire to the radio module."""
        self.chip.call(lambda: self.chip.plugs.plug(plugged))

    @property
    def hostname(self) -> str:
        """What the board calls itself."""
        return self.chip.wlan.hostname

    # ---- figures

    @property
    def heap_free(self) -> int:
        """Bytes of heap that boot.py found free."""
        return self.chip.registers[r.HEAP_FREE]

    @property
    def uart_lost(self) -> int:
        """Bytes that found the UART's receive buffer full, since power on."""
        return self.chip.registers[r.UART_LOST]

    def flash_operations(self) -> tuple[int, int, int]:
        """(programs, erases, bytes programmed) since power on."""
        registers = self.chip.registers
        return registers[r.FLASH_PROGRAMS], registers[r.FLASH_ERASES], registers[r.FLASH_BYTES]

    def nvs(self, space: str, key: str) -> int | bytes | None:
        """What the non-volatile storage holds for good."""
        return self.chip.calls.nvs.value(space, key)

    def read_flash(self, folder: Path) -> list[str]:
        """Copy the flash's files into `folder`, best while the power is off; -> their paths."""
        return flash.read(self.runtime, self.image, folder)
