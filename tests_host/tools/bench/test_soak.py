"""What `make soak` says of a run."""

from __future__ import annotations

from bench.board_run import Sample
from bench.soak import STEP, WARM_UP, verdict


def samples(free: list[int]) -> list[Sample]:
    return [Sample(STEP * (i + 1), n, n // 2, n - 5000) for i, n in enumerate(free)]


def test_flat_is_flat_whatever_the_warm_up_takes():
    assert verdict(samples([60_000] * WARM_UP + [40_000, 39_000, 40_000] * 10), None) is None


def test_a_leak_is_named():
    text = verdict(samples([40_000 - 20 * i for i in range(WARM_UP + 30)]), None)
    assert text is not None and "grows by 1,000 bytes per 1,000 polls" in text


def test_a_run_that_stopped_or_was_too_short_is_no_good_one():
    good = samples([40_000] * 60)
    assert verdict(good, "stopped after 3 polls: dead") == "stopped after 3 polls: dead"
    text = verdict(good[: WARM_UP + 3], None)
    assert text is not None and "only 3 samples" in text
