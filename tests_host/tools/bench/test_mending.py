"""The figures about mended holes are counted, not guessed."""

from __future__ import annotations

import pytest

from bench import mending
from meterlab.metering import Equipment


def test_a_day_is_mended_with_few_requests() -> None:
    done = mending.mend(2)
    assert done.slots == 2 * 48 - 1
    # Three days are touched: each is set, and read in both directions or by half-hours.
    assert 6 <= done.requests <= 11
    assert done.sets < done.requests
    assert 1 <= done.minutes <= 30


def test_a_meter_of_one_direction_needs_fewer() -> None:
    assert mending.mend(2, Equipment(reverse=False)).requests < mending.mend(2).requests


def test_what_cannot_be_mended_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mending, "_LIMIT_H", 1)
    with pytest.raises(RuntimeError, match="not mended"):
        mending.mend(3, Equipment(history_days=1))
