"""What an SKSTACK module keeps without power, and how often it was written."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Flash:
    """`saved`: registers of the last SKSAVE, None before the first or after SKERASE.
    `hex_data` (WOPT) and `uart` (WUART) lie apart and survive everything.
    `writes`: the real one endures 10,000.
    """

    hex_data: bool = False
    uart: int = 0
    saved: dict[int, int] | None = None
    ports: list[int] = field(default_factory=list[int])
    writes: int = 0
