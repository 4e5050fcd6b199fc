"""Answers of name servers, mutated: `make fuzz` tries a million."""

from __future__ import annotations

import pytest

from dns_packets import fuzz


@pytest.mark.timeout(1800)
def test_fuzz_answers(fuzz_count: int) -> None:
    good = fuzz(fuzz_count, seed=53)
    assert fuzz_count * 0.1 < good < fuzz_count * 0.9
