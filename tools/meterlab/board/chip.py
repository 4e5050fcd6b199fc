"""The virtual chip: one thread that runs the board's process and everything around it until the
power goes.
"""

from __future__ import annotations

import contextlib
import os
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
from meterlab.board.front import TICKS, UART_SECONDS, Front, Plugs, ticks
from meterlab.board.hardware import Hardware
from meterlab.board.mailbox import Mailbox
from meterlab.board.memory import Registers
from meterlab.board.network import Lan, Wlan
from meterlab.board.nvs import Nvs
from meterlab.board.process import Launch
from meterlab.board.relay import Relay
from meterlab.board.serialline import SerialLine

PWRON, HARD, WDT, DEEPSLEEP, SOFT = 1, 2, 3, 4, 5
CAUSES = {PWRON: "power-on", HARD: "hard", WDT: "watchdog", DEEPSLEEP: "deep-sleep", SOFT: "soft"}
PACKET = 65536
MESSAGES = 64  # from the board in a turn, before something else gets its turn
CRASHES = 5
CRASH_SECONDS = 10.0
_EVENT = struct.Struct("<Biii")


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
        self.relay = Relay(line, self._ctrl_c)
        self.events = events
        self.registers = registers = Registers()
        self.wlan = Wlan(registers, self._net_changed, time.monotonic)
        self.lan = Lan(registers, self._net_changed)
        self.front = Front(registers, hardware, events, self._interrupt)
        self.plugs = Plugs(uarts, events, self._interrupt)
        self.calls = Calls(
            registers, nvs, self.wlan, self.lan, outside, self.relay.say, self.plugs.path
        )
        registers[r.PIN_COUNT] = hardware.pins
        registers[r.INPUT_ONLY] = hardware.input_only
        registers[r.ONLINE] = int(outside.online)
        registers[r.NET_ALIVE] = 1
        registers.put(r.UNIQUE_ID, unique_id)
        for word, value in ((r.IDF_TOTAL, 180_000), (r.IDF_FREE, 94_000), (r.IDF_LARGEST, 53_000)):
            registers[word] = value
        registers[r.IDF_MINIMUM] = 88_000
        self.thread = threading.Thread(target=self._main, name="virtual board", daemon=True)
        self._mailbox = Mailbox(self.thread)
        self._due: list[tuple[float, Callable[[], None]]] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._bus: socket.socket | None = None
        # The reset under way: cause, and whether from the raw REPL.
        self._why: tuple[int, bool] | None = None
        self._sleep_ms = -1
        self._waking = False  # in deep sleep
        self._crashes: list[float] = []
        self._shown_status = -1
        self._stop = False

    # ---- for other threads

    def call(self, command: Callable[[], None]) -> None:
        """Have `command` run in the chip's thread, and wait until it has."""
        self._mailbox.call(command)

    def stop(self) -> None:
        """Take the power and end the thread."""

        def end() -> None:
            self._stop = True

        with contextlib.suppress(RuntimeError):  # it has ended by itself
            self.call(end)
        self.thread.join()
        self._mailbox.close()
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
            self.relay.forget_input()
        self.plugs.wanted.clear()
        self._why = None
        self._waking = False
        near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        console, terminal = socket.socketpair()
        with far, terminal:
            self._process = self.launch.spawn(registers, far, terminal)
        near.setblocking(False)
        self.relay.attach(console)
        self._bus = near

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
        if self._process is None and not self._waking:
            return
        self._end_process()
        self._waking = False
        self.registers[r.FLASH_FUSE] = 0
        self.front.dark()
        self.events.add("off", why=why)

    def _end_process(self) -> None:
        process, bus = self._process, self._bus
        if process is None or bus is None:
            return
        process.kill()
        process.wait()
        self.relay.detach()
        bus.close()
        self._process = self._bus = None
        self.plugs.wanted.clear()

    # ---- the loop

    def _main(self) -> None:
        try:
            while not self._stop and not self.relay.line.left:
                self._turn()
        finally:
            self._end_process()
            self.relay.flush()
            self.relay.line.close()
            self.events.add("off", why="stopped")

    def _turn(self) -> None:
        self._run_due()
        readers, writers, listening = self.relay.waits_for()
        readers.append(self._mailbox.fd)
        if self._bus is not None:
            readers.append(self._bus.fileno())
        ready, _, _ = select.select(readers, writers, [], self._timeout(listening))
        self._mailbox.run_all(ready)
        self.relay.pump(ready)
        self._read_bus()

    def _timeout(self, listening: bool) -> float | None:
        times = [at - time.monotonic() for at, _ in self._due]
        times += [
            at - time.monotonic() for at in (self.wlan.when, self.front.due) if at is not None
        ]
        if not listening and self.relay.line.check_seconds is not None:
            times.append(self.relay.line.check_seconds)
        if self.plugs.wanted:
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
        if self.front.due is not None and self.front.due <= now:
            self.front.look()
        self._tell_wifi()
        self.plugs.watch()
        left = self._wdt_left()
        if left is not None and left <= 0:
            self._bite()

    def later(self, seconds: float, command: Callable[[], None]) -> None:
        """Run `command` in the chip's thread after `seconds`."""
        self._due.append((time.monotonic() + seconds, command))

    def _ctrl_c(self) -> bool:
        if self.registers[r.KBD_CHAR] != 3:
            return False
        self._interrupt(r.KBD_SEQ)
        return True

    def _interrupt(self, word: int) -> None:
        if self._process is None or not self.registers[r.READY]:
            return
        self.registers[word] = self.registers[word] + 1
        sigint = word == r.KBD_SEQ and self.registers[r.KBD_SIGINT]
        if self._process.poll() is None:
            os.kill(self._process.pid, signal.SIGINT if sigint else signal.SIGUSR1)

    # ---- the bus

    def _read_bus(self) -> None:
        for _ in range(MESSAGES):
            if self._bus is None:
                return
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
            self.front.pixels(message)
        else:
            _, a, b, c = _EVENT.unpack(message)
            self._heed_event(letter, a, b, c)

    def _heed_event(self, letter: str, a: int, b: int, c: int) -> None:
        if letter == "P":
            self.front.output(a, b, c)
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
            self.plugs.heed(a, letter == "u")

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
            self._waking = True
            if self._sleep_ms >= 0:
                self.later(self._sleep_ms / 1000, self._wake)
        else:
            self.power_on(cause, raw=raw)
        if cause != SOFT:
            self.front.dark()

    def _wake(self) -> None:
        if self._waking:
            self.power_on(DEEPSLEEP)

    def _crashed(self, code: int) -> None:
        now = time.monotonic()
        self._crashes = [at for at in self._crashes if now - at < CRASH_SECONDS] + [now]
        self.events.add("crash", code=code, text=self.relay.newest(2000))
        self.relay.say(
            b"\r\nGuru Meditation Error: the interpreter ended with %d\r\nRebooting...\r\n" % code
        )
        if len(self._crashes) >= CRASHES:
            self.front.dark()
            self.events.add("off", why="crashes again and again")
        else:
            self.power_on(HARD)

    # ---- watchdog

    def _wdt_left(self) -> float | None:
        timeout = self.registers[r.WDT_MS]
        if not timeout or self._process is None:
            return None
        return (timeout - ((ticks() - self.registers[r.WDT_FED]) & TICKS)) / 1000

    def _bite(self) -> None:
        self._read_bus()
        left = self._wdt_left()
        if left is None or left > 0:
            return
        self._end_process()
        self.relay.say(
            b"\r\nE (%d) task_wdt: Task watchdog got triggered.\r\nRebooting...\r\n"
            % (ticks() & TICKS)
        )
        self.front.dark()
        self.events.add("reset", cause=CAUSES[WDT])
        self.power_on(WDT)

    # ---- network

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
