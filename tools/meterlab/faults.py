"""The wire between host and module, and what it does to the bytes on it.

A `Line` stands between a module and whatever carries its bytes (memory or pty). Without faults it
passes them on untouched; with `LineFaults` it loses, doubles, splits, cuts and soils them, drawn
from its own seed. Shares may be changed while it runs.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from meterlab.modules.base import Module
from meterlab.scheduler import Scheduler


@dataclass(slots=True)
class LineFaults:
    """Shares between 0 and 1.

    `lose`, `lose_in`: of the bytes lost towards the host, towards the module. `noise`, `noise_in`:
    of the outputs, and of what the host writes, with junk before them. `double`: of the outputs
    that come twice. `split`: of the outputs that arrive in two parts, up to `split_ms` apart.
    `cut`: of the outputs that stop somewhere in the middle. `glue`: of the replies `OK` whose line
    feed is lost.
    """

    lose: float = 0.0
    lose_in: float = 0.0
    noise: float = 0.0
    noise_in: float = 0.0
    double: float = 0.0
    split: float = 0.0
    split_ms: int = 200
    cut: float = 0.0
    glue: float = 0.0

    def any(self) -> bool:
        # Spelt out: it is asked for every output, and is nearly always false.
        return bool(self.lose or self.noise or self.double or self.split or self.cut or self.glue)


class Line:
    """`to_host` receives what arrives at the host's end; `write` takes what the host sends."""

    def __init__(
        self,
        scheduler: Scheduler,
        module: Module,
        to_host: Callable[[bytes], None],
        *,
        faults: LineFaults | None = None,
        seed: int = 0,
    ) -> None:
        self.scheduler = scheduler
        self.module = module
        self.faults = faults or LineFaults()
        self.baud = 115_200  # the host's
        self.counters: Counter[str] = Counter()
        self._to_host = to_host
        self._rng = Random(f"line {seed}")
        self._held: deque[bytes] = deque()  # behind a part that is still to come
        module.output = self._from_module

    def write(self, data: bytes) -> None:
        """From the host to the module."""
        if self.module.baud != self.baud:
            data = self._rng.randbytes(len(data) // 2 + 1)
        if self.faults.noise_in and self._rng.random() < self.faults.noise_in:
            data = self._rng.randbytes(self._rng.randrange(1, 12)) + data
            self.counters["noise in"] += 1
        if self.faults.lose_in:
            data = self._thin(data, self.faults.lose_in)
        self.module.feed(data)

    def _from_module(self, data: bytes) -> None:
        if self._held:
            self._held.append(data)
        elif self.module.baud != self.baud:
            self._to_host(self._rng.randbytes(len(data) // 2 + 1))
        elif self.faults.any():
            self._suffer(data)
        else:
            self._to_host(data)

    def _suffer(self, data: bytes) -> None:
        faults, rng, count = self.faults, self._rng, self.counters
        if data.endswith(b"OK\r\n") and rng.random() < faults.glue:
            data = data[:-1]
            count["glued"] += 1
        if rng.random() < faults.double:
            data += data
            count["doubled"] += 1
        if rng.random() < faults.noise:
            data = rng.randbytes(rng.randrange(1, 12)) + data
            count["noise"] += 1
        if rng.random() < faults.cut:
            data = data[: rng.randrange(len(data))]
            count["cut"] += 1
        if faults.lose:
            data = self._thin(data, faults.lose)
        if len(data) > 1 and rng.random() < faults.split:
            at = rng.randrange(1, len(data))
            data, rest = data[:at], data[at:]
            self._held.append(rest)
            self.scheduler.call_later(rng.random() * faults.split_ms, self._release)
            count["split"] += 1
        if data:
            self._to_host(data)

    def _release(self) -> None:
        self._to_host(self._held.popleft())
        held = list(self._held)
        self._held.clear()
        for data in held:
            self._from_module(data)

    def _thin(self, data: bytes, share: float) -> bytes:
        random = self._rng.random
        kept = bytes([byte for byte in data if random() >= share])
        self.counters["lost"] += len(data) - len(kept)
        return kept
