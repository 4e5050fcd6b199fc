"""The codec against mutated frames and property data: only its own EchonetError may escape.

    make fuzz
    KENSHIN_FUZZ=1000000 python -m pytest tests_host/firmware/echonet/host_fuzz.py

KENSHIN_FUZZ is the number of inputs of each test (few without it), KENSHIN_SEED another beginning.
A failure prints the input in hexadecimal.
"""

from __future__ import annotations

import os

import pytest

from echonet_fuzz import fuzz_frames, fuzz_values

SEED = int(os.environ.get("KENSHIN_SEED", "648"))


@pytest.fixture
def count(fuzz_count: int) -> int:
    return int(os.environ.get("KENSHIN_FUZZ", "0")) or fuzz_count


# Were next to none of the inputs good, or all of them, the fuzzer would be testing nothing.
@pytest.mark.timeout(1800)
def test_fuzz_frames(count: int) -> None:
    good = fuzz_frames(count, SEED)
    assert count * 0.1 < good < count * 0.9


@pytest.mark.timeout(1800)
def test_fuzz_values(count: int) -> None:
    good = fuzz_values(count, SEED)
    assert count * 0.1 < good < count * 0.9
