# When to upload again, for every last random bit.
from gateway import pace

ALL = range(256)


def test_the_first_uploads_of_a_region_are_spread_over_a_minute():
    due = [pace.first(bits) for bits in ALL]
    assert due[0] == 0 and due == sorted(set(due)) and 59_000 < due[-1] < 60_000


def test_pauses_double_up_to_ten_minutes():
    found = []
    last = 0
    for _ in range(9):
        last = pace.pause(last, False)
        found.append(last // 1000)
    assert found == [5, 10, 20, 40, 80, 160, 320, 600, 600]
    assert pace.pause(0, True) == 60_000, "a wrong token is no reason to hurry"
    assert pace.pause(5_000, True) == 60_000 and pace.pause(60_000, False) == 120_000


def test_a_pause_is_half_of_it_to_all_of_it():
    due = [pace.spread(600_000, 0, bits) for bits in ALL]
    assert max(due) == 600_000 and 300_000 < min(due) < 302_000 and len(set(due)) == 256


def test_what_the_server_asks_for_is_the_least():
    due = [pace.spread(5_000, 60, bits) for bits in ALL]
    assert min(due) == 60_000 and 79_000 < max(due) < 80_000
    due = [pace.spread(600_000, 1, bits) for bits in ALL]
    assert min(due) > 300_000


def test_a_backlog_gives_way_to_a_slow_server():
    assert [pace.backlog(took, 0) for took in (0, 125, 300, 2500)] == [1000, 1000, 2400, 20_000]
    assert pace.backlog(2500, 255) == 24_980


def test_dates_in_the_three_forms_of_the_standard():
    for text, t in (
        ("Sun, 06 Nov 2033 08:49:37 GMT", 2014879777),
        ("Sunday, 06-Nov-33 08:49:37 GMT", 2014879777),
        ("Sun Nov  6 08:49:37 2033", 2014879777),
        ("Sat, 01 Jan 2000 00:00:00 GMT", 946684800),
        ("Tue, 29 Feb 2028 23:59:59 GMT", 1835481599),
        ("Wed, 01 Mar 2028 00:00:00 GMT", 1835481600),
        ("Thu, 31 Dec 2026 23:59:59 GMT", 1798761599),
    ):
        assert pace.http_date(text) == t, text
    for text in (
        "",
        "soon",
        "Sun, 06 Nov 2033",
        "06 2033 08:49:37",
        "Sun, 99 Nov 2033 08:49:37 GMT",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sun, 06 Nov 2033 08:49 GMT",
        "Sun, 06 Nov 2033 aa:bb:cc GMT",
    ):
        assert pace.http_date(text) is None, text


def test_retry_after():
    then = "Sun, 06 Nov 2033 08:50:37 GMT"
    now = "Sun, 06 Nov 2033 08:49:37 GMT"
    for value, date, utc, seconds in (
        ("120", "", None, 120),
        (" 7 ", "", None, 7),
        ("0", "", None, 0),
        ("9999999999999", "", None, 3600),
        (then, now, None, 60),  # by the server's own clock
        (then, now, 5, 60),
        (then, "", 2014879777, 60),
        (then, "", None, 0),
        (then, "", 5, 3600),
        (now, then, None, 0),
        ("-5", "", 2014879777, 0),
        ("", "", 2014879777, 0),
    ):
        assert pace.retry_after(value, date, utc) == seconds, (value, date, utc)
