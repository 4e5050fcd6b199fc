from echonet import EchonetError
from echonet.dates import jst, midnight, utc
from helpers import raises


def test_known_moments():
    assert utc(1970, 1, 1, 9) == 0
    assert utc(2000, 1, 1) == 946_652_400
    assert utc(2018, 10, 2, 14, 30) == 1_538_458_200
    assert utc(2026, 5, 20, 14, 26) == 1_779_254_760
    assert utc(2038, 1, 19, 12, 14, 8) == 1 << 31
    assert utc(2106, 2, 7, 15, 28, 16) == 1 << 32


def test_back_to_the_civil_time():
    assert jst(0) == (1970, 1, 1, 9, 0, 0)
    assert jst(-1) == (1970, 1, 1, 8, 59, 59)
    assert jst(1_538_458_200) == (2018, 10, 2, 14, 30, 0)
    assert jst(1 << 32) == (2106, 2, 7, 15, 28, 16)


def test_every_day_of_some_years():
    lengths = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    for year in range(1900, 2301, 50):
        t = utc(year, 1, 1)
        leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
        for month in range(1, 13):
            for day in range(1, lengths[month - 1] + (month == 2 and leap) + 1):
                assert utc(year, month, day) == t
                assert jst(t + 86399) == (year, month, day, 23, 59, 59)
                t += 86400
        assert utc(year + 1, 1, 1) == t


def test_leap_years():
    for year in (1972, 2000, 2024, 2400):
        assert jst(utc(year, 2, 28) + 86400)[:3] == (year, 2, 29)
    for year in (1900, 2023, 2100, 2300):
        assert jst(utc(year, 2, 28) + 86400)[:3] == (year, 3, 1)


def test_first_and_last_years():
    for year in (0, 1, 4, 100, 400, 1600, 9999, 65535):
        for month, day in ((1, 1), (2, 28), (3, 1), (12, 31)):
            assert jst(utc(year, month, day, 23, 59, 59)) == (year, month, day, 23, 59, 59)


def test_times_that_do_not_exist():
    for when in (
        (2026, 0, 1),
        (2026, 13, 1),
        (2026, 1, 0),
        (2026, 1, 32),
        (2026, 4, 31),
        (2026, 2, 29),
        (2100, 2, 29),
        (2026, 1, 1, 24),
        (2026, 1, 1, -1),
        (2026, 1, 1, 0, 60),
        (2026, 1, 1, 0, 0, 60),
        (2026, 255, 255, 255, 255, 255),
    ):
        assert "no such time: (%d, " % when[0] in str(raises(EchonetError, utc, *when))


def test_midnight_is_in_japan():
    start = utc(2026, 5, 20)
    for t in (start, start + 1, start + 32400, start + 86399):
        assert midnight(t) == start
    assert midnight(start - 1) == start - 86400
    assert midnight(start + 86400) == start + 86400
    assert start % 86400 == 15 * 3600
