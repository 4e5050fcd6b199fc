"""The rules of a slot: what merges, what is nothing, what is a conflict."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kenshin.server import wire
from kenshin.server.slots import FIELDS, KINDS, ORIGINS, QUALITIES, Different, Slot, Values, merge

NOTHING = Values(None, None, None, None, None)


def half_hour(normal=None, reverse=None, origin="inf", quality="meter"):
    return Slot(NOTHING._replace(normal=normal, reverse=reverse), quality, (origin,))


def test_the_first_report_is_the_slot():
    slot = half_hour(normal=5)
    assert merge(None, slot) == (slot, [])


def test_normal_and_reverse_merge_and_tell_where_they_came_from():
    merged, different = merge(half_hour(normal=5, origin="E2"), half_hour(reverse=7, origin="E4"))
    assert merged == Slot(NOTHING._replace(normal=5, reverse=7), "meter", ("E2", "E4"))
    assert different == []


def test_none_never_overwrites_and_zero_does_not_count_as_none():
    slot = half_hour(normal=5, reverse=0)
    assert merge(slot, half_hour(origin="EC")) == (slot, [])
    _, different = merge(slot, half_hour(reverse=3))
    assert different == [Different("reverse", 3)]


def test_the_same_again_is_nothing():
    slot = half_hour(normal=5)
    merged, different = merge(slot, half_hour(normal=5, origin="E2", quality="server"))
    assert merged is slot
    assert different == []


def test_a_different_value_is_kept_beside_and_the_first_stands():
    slot = half_hour(normal=5)
    merged, different = merge(slot, half_hour(normal=6, reverse=1, origin="EC"))
    assert merged.values == NOTHING._replace(normal=5, reverse=1)
    assert different == [Different("normal", 6)]


def test_a_merged_row_is_as_good_as_the_worst_clock_that_made_it():
    merged, _ = merge(half_hour(normal=5, quality="server"), half_hour(reverse=1, quality="ntp"))
    assert merged.quality == "server"


values = st.builds(Values, *[st.none() | st.integers(0, 2)] * len(FIELDS))
slots = st.builds(
    Slot, values, st.sampled_from(QUALITIES), st.sampled_from(ORIGINS).map(lambda o: (o,))
)


@given(st.lists(slots, min_size=1), st.randoms())
def test_in_any_order_the_same_values_are_known(reports, random):
    def known(ordered):
        slot, beside = None, set()
        for report in ordered:
            slot, different = merge(slot, report)
            beside.update(different)
        assert slot is not None
        pairs = zip(FIELDS, slot.values, strict=True)
        stands = {Different(field, value) for field, value in pairs if value is not None}
        assert not stands & beside
        return stands | beside

    shuffled = list(reports)
    random.shuffle(shuffled)
    expected = {
        Different(field, value)
        for report in reports
        for field, value in zip(FIELDS, report.values, strict=True)
        if value is not None
    }
    assert known(reports) == known(shuffled) == expected


@pytest.mark.parametrize(
    ("column", "words"), [("kind", KINDS), ("quality", QUALITIES), ("origin", ORIGINS)]
)
def test_the_wire_and_the_tables_use_the_same_words(column, words):
    items = wire.Upload.model_json_schema()["properties"]["readings"]["items"]["prefixItems"]
    assert tuple(items[wire.COLUMNS.index(column)]["enum"]) == words
