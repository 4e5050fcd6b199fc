"""Integers as people read them."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kenshin.server import units


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (0, 4, "0"),
        (1, 4, "0.0001"),
        (10_000, 4, "1"),
        (47_575_000, 4, "4757.5"),
        (157_563_100, 4, "15756.31"),
        (-15, 1, "-1.5"),
        (-5, 1, "-0.5"),
        (-20, 1, "-2"),
        (632, 0, "632"),
        (-1, 0, "-1"),
    ],
)
def test_a_decimal_has_no_needless_zeros(value, places, text):
    assert units.decimal(value, places) == text


@given(st.integers(-(2**63), 2**63), st.integers(0, 6))
def test_a_decimal_is_exact_beyond_what_a_float_holds(value, places):
    text = units.decimal(value, places)
    assert Decimal(text).scaleb(places) == value
    assert "." not in text or not text.endswith("0")


def test_not_measured_is_not_zero_kwh():
    assert units.kwh(None) is None
    assert units.kwh(0) == "0"


def test_times_are_shown_in_japanese_time():
    assert units.rfc3339(1_795_392_000) == "2026-11-23T09:00:00+09:00"


@pytest.mark.parametrize(
    ("text", "t"),
    [
        ("0", 0),
        ("-1", -1),
        ("1795392000", 1_795_392_000),
        (" 1795392000 ", 1_795_392_000),
        ("2026-11-23T09:00:00+09:00", 1_795_392_000),
        ("2026-11-23T09:00:00 09:00", 1_795_392_000),  # an unescaped + in a query
        ("2026-11-23T00:00:00Z", 1_795_392_000),
        ("2026-11-23T00:00:00.999Z", 1_795_392_000),
        ("2026-11-22T19:00:00-05:00", 1_795_392_000),
    ],
)
def test_times_are_understood(text, t):
    assert units.parse_time(text) == t


@pytest.mark.parametrize(
    ("text", "begin", "days"),
    [
        ("2026-11", 1_793_458_800, 30),
        ("2024-02", 1_706_713_200, 29),
        ("2026-12", 1_796_050_800, 31),
    ],
)
def test_a_month_is_the_meters_month(text, begin, days):
    assert units.month(text) == (begin, begin + days * 86_400)
    assert units.parse_time(text + "-01") == begin


@pytest.mark.parametrize(
    "text", ["", "2026", "2026-13", "2026-1", "26-01", "2026-１１", "0001-01"]
)
def test_what_is_no_month_is_refused(text):
    with pytest.raises(ValueError):
        units.month(text)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("", "RFC 3339"),
        ("yesterday", "RFC 3339"),
        ("2026-11-23T09:00:00", "offset"),
        ("2026-11-31", "RFC 3339"),
        ("9" * 12, "1 to 9999"),
        ("9" * 30, "1 to 9999"),
        ("1e5", "RFC 3339"),
        ("٣", "RFC 3339"),
        ("9999-12-31T23:59:59-23:00", "1 to 9999"),
    ],
)
def test_other_times_are_refused_with_what_to_write(text, hint):
    with pytest.raises(ValueError, match=hint):
        units.parse_time(text)


@given(st.text(max_size=40))
def test_no_text_leads_to_a_time_that_cannot_be_shown(text):
    try:
        t = units.parse_time(text)
    except ValueError:
        return
    assert units.parse_time(units.rfc3339(t)) == t
