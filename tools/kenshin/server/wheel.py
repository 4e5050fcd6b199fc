"""Work that is done again and again beside answering, on a thread of its own."""

import logging
import threading
from collections.abc import Callable

from kenshin.server.store import Unavailable

log = logging.getLogger("kenshin.server")


class Wheel:
    """Calls `work` every so many seconds until it is stopped; a fault of one turn is logged."""

    def __init__(self, name: str, every: float, work: Callable[[], object]) -> None:
        self._name = name
        self._every = every
        self._work = work
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin; the first turn comes after one wait."""
        self._thread.start()

    @property
    def stopping(self) -> bool:
        """Whether `work` is to come to its end."""
        return self._stop.is_set()

    def close(self) -> bool:
        """Finish the turn under way; whether it ran at all."""
        self._stop.set()
        ran = self._thread.is_alive()
        if ran:
            self._thread.join()
        return ran

    def _run(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._work()
            except Unavailable as error:
                log.warning("%s: not now: %s", self._name, error.why)
            except Exception:  # the log has it in full; uploads go on without it
                log.exception("%s failed; it is tried again", self._name)
