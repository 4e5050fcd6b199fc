"""The virtual chip: one thread that runs the board's process and everything around it until the
power goes.
"""

from __future__ import annotations

import contextlib
import os
import queue
import select
import signal
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

from meterlab.board import registers as r
from meterlab.board.calls import Calls, Outside, PowerGone
from meterlab.board.events import EventLog
from meterlab.board.hardware import Colour, Hardware
from meterlab.board.led import OFF, LedState, LedWatch
from meterlab.board.memory import Registers
from meterlab.board.network import Lan, Wlan
from meterlab.board.nvs import Nvs
from meterlab.board.process import Launch
from meterlab.board.serialline import CHUNK, SerialLine

PWRON, HARD, WDT, DEEPSLEEP, SOFT = 1, 2, 3, 4, 5
CAUSES = {PWRON: "power-on", HARD: "hard", WDT: "watchdog", DEEPSLEEP: "deep-sleep", SOFT: "soft"}
CTRL_C = b"\x03"
TICKS = 0x3FFFFFFF
PACKET = 65536
BACKLOG = 1 << 20  # bytes for a slow listener before the board has to wait for it
UART_SECONDS = 0.1
CRASHES = 5
CRASH_SECONDS = 10.0
_EVENT = struct.Struct("<Biii")
_UNDRIVEN = bytes([2]) * 64


def _ticks() -> int:
    return time.monotonic_ns() // 1_000_000


class Chip:
    """Runs in `thread`; others use `call`. `uarts` are the ptys of modules by UART number, 0 for
    any.
    """

    def __init__(
        self,
        launch: Launch,
        line: SerialLine,
        hardware: Hardware,
        nvs: Nvs,
        outside: Outside,
        uarts: dict[int, Path],
        unique_id: bytes,
        events: EventLog,
    ) -> None:
        self.launch = launch
        self.line = line
        self.hardware = hardware
        self.uarts = uarts
        self.events = events
        self.registers = registers = Registers()
        self.wlan = Wlan(registers, self._net_changed, time.monotonic)
        self.lan = Lan(registers, self._net_changed)
        self.calls = Calls(registers, nvs, self.wlan, self.lan, outside, self._say, self._uart)
        registers[r.PIN_COUNT] = hardware.pins
        registers[r.INPUT_ONLY] = hardware.input_only
        registers[r.ONLINE] = int(outside.online)
        registers[r.NET_ALIVE] = 1
        registers.put(r.UNIQUE_ID, unique_id)
        registers.put(r.PINS, _UNDRIVEN)
        for word, value in ((r.IDF_TOTAL, 180_000), (r.IDF_FREE, 94_000), (r.IDF_LARGEST, 53_000)):
            registers[word] = value
        registers[r.IDF_MINIMUM] = 88_000
        self.watch = LedWatch()
        self.led = LedState("off", "steady")
        self.thread = threading.Thread(target=self._main, name="virtual board", daemon=True)
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._bus: socket.socket | None = None
        self._console: socket.socket | None = None
        self._to_board = bytearray()
        self._to_host = bytearray()
        self._why: tuple[int, bool] | None = (
            None  # the reset under way: cause, and whether from the raw REPL
        )
        self._sleep_ms = -1
        self._crashes: list[float] = []
        self._wanted: set[int] = set()
        self._plugged = True
        self._uart_due = 0.0
        self._shown_status = -1
        self._led_due: float | None = None
        self._stop = False

    # ---- for other threads

    def call(self, command: Callable[[], None]) -> None:
        """Have `command` run in the chip's thread, and wait until it has."""
        if threading.current_thread() is self.thread or not self.thread.is_alive():
            command()
            return
        done = threading.Event()
        errors: list[BaseException] = []

        def run() -> None:
            try:
                command()
            except Exception as error:  # noqa: BLE001 - it is raised again in the caller's thread
                errors.append(error)
            finally:
                done.set()

        self._commands.put(run)
        os.write(self._wake_write, b"!")
        while not done.wait(0.5):
            if not self.thread.is_alive():
                raise RuntimeError("the virtual board has ended")
        if errors:
            raise errors[0]

    def stop(self) -> None:
        """Take the power and end the thread."""

        def end() -> None:
            self._stop = True

        self.call(end)
        self.thread.join()
        if self._wake_read >= 0:
            os.close(self._wake_read)
            os.close(self._wake_write)
            self._wake_read = -1
            self.registers.close()

    # ---- power

    @property
    def powered(self) -> bool:
        """Whether the board's process runs."""
        return self._process is not None

    def power_on(self, cause: int = PWRON, *, raw: bool = False) -> None:
        """Start the board's process."""
        if self._process is not None:
            return
        registers = self.registers
        registers[r.READY] = 0
        registers[r.KBD_CHAR] = -1
        registers[r.KBD_SIGINT] = 0
        registers[r.RESET_CAUSE] = cause
        registers[r.WAKE_REASON] = 4 if cause == DEEPSLEEP else 0
        registers[r.BOOT_RAW] = int(raw)
        if cause == PWRON:
            self._cold_start()
        if cause != SOFT:
            registers[r.WDT_MS] = 0
            self.wlan.power_on()
            self.lan.power_on()
            self._to_board.clear()
        self._wanted.clear()
        self._why = None
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        console, terminal = socket.socketpair()
        with far, terminal:
            self._process = self.launch.spawn(registers, far, terminal)
        near.setblocking(False)
        console.setblocking(False)
        self._bus, self._console = near, console

    def _cold_start(self) -> None:
        registers = self.registers
        registers[r.RTC_LENGTH_WORD] = 0
        registers.put(r.RTC_MEMORY, bytes(r.RTC_MEMORY_SIZE))
        seconds, rest = divmod(time.monotonic_ns() // 1000, 1_000_000)
        registers[r.RTC_SECONDS] = -seconds - 1
        registers[r.RTC_MICROSECONDS] = 1_000_000 - rest
        for word in (r.FLASH_PROGRAMS, r.FLASH_ERASES, r.FLASH_BYTES, r.UART_LOST):
            registers[word] = 0
        self.calls.nvs.power_cut()

    def power_off(self, why: str) -> None:
        """The power goes, now: what was not on the flash is lost."""
        if self._process is None:
            return
        self._end_process()
        self.registers[r.FLASH_FUSE] = 0
        self._dark()
        self.events.add("off", why=why)

    def _end_process(self) -> None:
        process, bus, console = self._process, self._bus, self._console
        if process is None or bus is None or console is None:
            return
        process.kill()
        process.wait()
        self._read_console()
        bus.close()
        console.close()
        self._process = self._bus = self._console = None
        self._wanted.clear()

    def _dark(self) -> None:
        self.watch.reset()
        self._show_led(LedState("off", "steady"))
        self._led_due = None

    # ---- the loop

    def _main(self) -> None:
        try:
            while not self._stop:
                self._turn()
        finally:
            self._end_process()
            self.line.close()
            self.events.add("off", why="stopped")

    def _turn(self) -> None:
        self._run_due()
        readers: list[int] = [self._wake_read]
        writers: list[int] = []
        if self._bus is not None:
            readers.append(self._bus.fileno())
        if self._console is not None:
            if len(self._to_host) < BACKLOG:
                readers.append(self._console.fileno())
            if self._to_board:
                writers.append(self._console.fileno())
        listening: list[int] = []
        if len(self._to_board) < BACKLOG:
            listening = self.line.readers()
            readers += listening
        if self._to_host:
            writers.append(self.line.writer())
        timeout = self._timeout(bool(listening))
        ready, _, _ = select.select(readers, writers, [], timeout)
        if self._wake_read in ready:
            os.read(self._wake_read, CHUNK)
        while not self._commands.empty():
            self._commands.get()()
        if any(fd in ready for fd in listening):
            self._from_host(self.line.read())
        if self._console is not None and self._to_board:
            with contextlib.suppress(BlockingIOError, BrokenPipeError, ConnectionResetError):
                del self._to_board[: self._console.send(self._to_board)]
        if len(self._to_host) < BACKLOG:
            self._read_console()
        self._read_bus()
        self._flush_host()

    def _timeout(self, listening: bool) -> float | None:
        times = [at - time.monotonic() for at, _ in self._due]
        times += [
            at - time.monotonic() for at in (self.wlan.when, self._led_due) if at is not None
        ]
        if not listening and self.line.check_seconds is not None:
            times.append(self.line.check_seconds)
        if self._wanted:
            times.append(UART_SECONDS)
        left = self._wdt_left()
        if left is not None:
            times.append(left)
        return max(min(times), 0) if times else None

    def _run_due(self) -> None:
        now = time.monotonic()
        for item in [item for item in self._due if item[0] <= now]:
            self._due.remove(item)
            item[1]()
        if self.wlan.when is not None and self.wlan.when <= now:
            self.wlan.step()
        if self._led_due is not None and self._led_due <= now:
            self._look_at_led()
        self._tell_wifi()
        self._watch_uarts()
        left = self._wdt_left()
        if left is not None and left <= 0:
            self._bite()

    def later(self, seconds: float, command: Callable[[], None]) -> None:
        """Run `command` in the chip's thread after `seconds`."""
        self._due.append((time.monotonic() + seconds, command))

    # ---- the serial line

    def _from_host(self, data: bytes) -> None:
        if self._process is None:
            return
        if CTRL_C in data and self.registers[r.KBD_CHAR] == 3:
            data = data.replace(CTRL_C, b"")
            self._interrupt(r.KBD_SEQ)
        self._to_board += data

    def _interrupt(self, word: int) -> None:
        if self._process is None or not self.registers[r.READY]:
            return
        self.registers[word] = self.registers[word] + 1
        sigint = word == r.KBD_SEQ and self.registers[r.KBD_SIGINT]
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGINT if sigint else signal.SIGUSR1)

    def _read_console(self) -> None:
        while self._console is not None:
            try:
                data = self._console.recv(PACKET)
            except (BlockingIOError, ConnectionResetError):
                return
            if not data:
                return
            self._to_host += data.replace(b"\n", b"\r\n")

    # Uncooked output; what was printed before it comes first.
    def _say(self, data: bytes) -> None:
        self._read_console()
        self._to_host += data

    def _flush_host(self) -> None:
        while self._to_host:
            taken = self.line.write(bytes(self._to_host[:PACKET]))
            if not taken:
                return
            del self._to_host[:taken]

    # ---- the bus

    def _read_bus(self) -> None:
        while self._bus is not None:
            try:
                message = self._bus.recv(PACKET)
            except BlockingIOError:
                return
            except ConnectionResetError:
                message = b""
            if not message:
                self._ended()
                return
            try:
                self._heed(message)
            except PowerGone:
                self.power_off("flash operation")

    def _heed(self, message: bytes) -> None:
        letter = chr(message[0])
        if letter == "Q":
            reply = self.calls.handle(message)
            if self._bus is not None:
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self._bus.send(reply)
            self._tell_wifi()
        elif letter == "N":
            self._pixels(message)
        else:
            _, a, b, c = _EVENT.unpack(message)
            self._heed_event(letter, a, b, c)

    def _heed_event(self, letter: str, a: int, b: int, c: int) -> None:
        if letter == "P":
            self._pin(a, b, c)
        elif letter == "B":
            cause = self.registers[r.RESET_CAUSE]
            self.events.add("boot", cause=CAUSES[cause], heap=self.registers[r.HEAP_FREE])
        elif letter == "R":
            self._why = (SOFT, bool(b)) if a else (HARD, False)
        elif letter == "D":
            self._why = (DEEPSLEEP, False)
            self._sleep_ms = a
        elif letter == "X":
            raise PowerGone
        elif letter in "Uu":
            attached = letter == "u"
            (self._wanted.discard if attached else self._wanted.add)(a)
            self.events.add("uart", id=a, attached=attached)

    # The process is gone; by its own wish, or by a fault of the interpreter.
    def _ended(self) -> None:
        process = self._process
        if process is None:
            return
        why = self._why
        self._end_process()
        if why is None:
            self._crashed(process.returncode)
            return
        cause, raw = why
        self.events.add("reset", cause=CAUSES[cause])
        if cause == DEEPSLEEP:
            self.wlan.power_on()
            self.lan.power_on()
            if self._sleep_ms >= 0:
                self.later(self._sleep_ms / 1000, lambda: self.power_on(DEEPSLEEP))
        else:
            self.power_on(cause, raw=raw)
        if cause != SOFT:
            self._dark()

    def _crashed(self, code: int) -> None:
        now = time.monotonic()
        self._crashes = [at for at in self._crashes if now - at < CRASH_SECONDS] + [now]
        said = bytes(self._to_host[-2000:]).decode(errors="replace")
        self.events.add("crash", code=code, text=said)
        self._to_host += (
            b"\r\nGuru Meditation Error: the interpreter ended with %d\r\nRebooting...\r\n" % code
        )
        if len(self._crashes) >= CRASHES:
            self._dark()
            self.events.add("off", why="crashes again and again")
        else:
            self.power_on(HARD)

    # ---- watchdog

    def _wdt_left(self) -> float | None:
        timeout = self.registers[r.WDT_MS]
        if not timeout or self._process is None:
            return None
        return (timeout - ((_ticks() - self.registers[r.WDT_FED]) & TICKS)) / 1000

    def _bite(self) -> None:
        self._read_bus()
        left = self._wdt_left()
        if left is None or left > 0:
            return
        self._end_process()
        self._to_host += (
            b"\r\nE (%d) task_wdt: Task watchdog got triggered.\r\nRebooting...\r\n"
            % (_ticks() & TICKS)
        )
        self._dark()
        self.events.add("reset", cause=CAUSES[WDT])
        self.power_on(WDT)

    # ---- pins and LED

    def set_pin(self, pin: int, level: int | None) -> None:
        """Drive an input pin from outside; None lets go of it."""
        before = self.registers.get(r.PINS + pin, 1)[0]
        after = 2 if level is None else level
        self.registers.put(r.PINS + pin, bytes([after]))
        # A pin that nobody drives has been pulled to the other level.
        was = before if before < 2 else 1 - after
        now = after if after < 2 else 1 - before
        if before != after and was != now:
            edges = (r.RISES if now else r.FALLS) + pin
            self.registers.put(edges, bytes([self.registers.get(edges, 1)[0] + 1 & 0xFF]))
        self._interrupt(r.PIN_SEQ)

    def _pin(self, pin: int, level: int, ticks: int) -> None:
        if pin == self.hardware.led_pin:
            lit = level == self.hardware.led_on
            self._led_change(self.hardware.led_colour if lit else OFF, ticks)
        self.events.add("pin", pin=pin, level=level)

    def _pixels(self, message: bytes) -> None:
        pin, _, ticks = struct.unpack_from("<BBI", message, 1)
        if pin == self.hardware.led_pin and len(message) >= 10:
            green, red, blue = message[7:10]
            self._led_change((red, green, blue), ticks)

    def _led_change(self, colour: Colour, ticks: int) -> None:
        now = _ticks()
        self.watch.change(now - ((now - ticks) & TICKS), colour)
        self._look_at_led()

    def _look_at_led(self) -> None:
        state, again = self.watch.look(_ticks())
        self._led_due = None if again is None else time.monotonic() + max(again, 1) / 1000
        self._show_led(state)

    def _show_led(self, state: LedState) -> None:
        if (state.colour, state.pattern) != (self.led.colour, self.led.pattern):
            self.led = state
            details = {"colour": state.colour, "pattern": state.pattern, "times": state.times}
            self.events.add("led", text=str(state), **details)
        self.led = state

    # ---- network and UART

    def _net_changed(self) -> None:
        dead = not self.lan_connected() and self.wlan.fault == "dead"
        self.registers[r.NET_ALIVE] = int(not dead)
        self._interrupt(r.NET_SEQ)

    def lan_connected(self) -> bool:
        return self.registers[r.LAN_CONNECTED] == 1

    def _tell_wifi(self) -> None:
        status = self.registers[r.WLAN_STATUS]
        if status != self._shown_status:
            self._shown_status = status
            self.events.add(
                "wifi", status=status, connected=self.wlan.connected, ssid=self.wlan.ssid
            )

    def _uart(self, number: int) -> Path | None:
        path = self.uarts.get(number) or self.uarts.get(0)
        if path is None or not self._plugged:
            return None
        return Path(os.path.realpath(path)) if path.exists() else None

    def plug_uart(self, plugged: bool) -> None:
        """Pull the module's cable, or put it back."""
        self._plugged = plugged
        self._interrupt(r.UART_SEQ)

    def _watch_uarts(self) -> None:
        now = time.monotonic()
        if self._wanted and now >= self._uart_due:
            self._uart_due = now + UART_SECONDS
            if any(self._uart(number) is not None for number in self._wanted):
                self._interrupt(r.UART_SEQ)
