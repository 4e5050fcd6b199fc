"""Commands from other threads for a thread that waits on descriptors."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Callable


class Mailbox:
    """`fd` becomes readable when there is something to `run_all`."""

    def __init__(self, thread: threading.Thread) -> None:
        self._thread = thread
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self.fd, self._write = os.pipe()
        os.set_blocking(self.fd, False)

    def call(self, command: Callable[[], None]) -> None:
        """Have `command` run in the thread, and wait until it has; its exception comes here."""
        if threading.current_thread() is self._thread or not self._thread.is_alive():
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
        os.write(self._write, b"!")
        while not done.wait(0.5):
            if not self._thread.is_alive():
                raise RuntimeError("the thread has ended")
        if errors:
            raise errors[0]

    def run_all(self, ready: list[int]) -> None:
        """In the thread: run what was asked for."""
        if self.fd in ready:
            os.read(self.fd, 4096)
        while not self._commands.empty():
            self._commands.get()()

    def close(self) -> None:
        """When the thread has ended."""
        if self.fd >= 0:
            os.close(self.fd)
            os.close(self._write)
            self.fd = -1
