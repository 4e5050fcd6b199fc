"""What groups draw together, today against yesterday, and how a gateway was."""

import base64
import csv
import io
import re
from pathlib import Path

import pytest

from kenshin.server import detail, gateways, groups, keys, rollup

T0 = 1_795_392_000  # 09:00 in Japan
DAY = 86_400
TODAY = T0 - 9 * 3600
ROOT = Path(__file__).parents[3]


def edit(lab, board, **changes):
    with lab.store.writing() as connection:
        gateways.edit(connection, gateways.find(connection, board.code), **changes)


def fold(lab):
    """What housekeeping does."""
    with lab.store.reading() as connection:
        due = rollup.due(connection, lab.now, 100)
    for gateway_id in due:
        more = True
        while more:
            with lab.store.writing() as connection:
                more = rollup.roll(connection, gateway_id, lab.now)


@pytest.fixture
def street(lab, instant, slot):
    """Two gateways of a group, one outside: 1 kWh a day and 3 kWh a day, sold 0.5 and nothing."""
    boards = {name: lab.board(name) for name in ("one", "two", "outside")}
    since = TODAY - 22 * DAY  # the first of the month
    for n, (name, daily, sold) in enumerate(
        [("one", 10_000, 5_000), ("two", 30_000, 0), ("outside", 990_000, 0)]
    ):
        rows = []
        for seq, t in enumerate(range(since, T0 + 1, 1800)):
            share = t - since
            rows.append(slot(seq, t, daily * share // DAY, sold * share // DAY))
        for begin in range(0, len(rows), 400):
            boards[name].upload(*rows[begin : begin + 400], stream=n)
        boards[name].upload(
            instant(5000, T0 - 30, 100 * (n + 1), normal=daily * 22 + daily * 9 // 24), stream=n
        )
    edit(lab, boards["one"], group="street")
    edit(lab, boards["two"], group="street")
    fold(lab)
    with lab.store.reading() as connection:
        boards["group"] = groups.listed(connection)[0].id
    return boards


def _bars(lab, path):
    found = lab.client.get(f"{path}?period=month&on=2026-11-23").json()
    assert len(found["t"]) == len(found["normal"]) == 30
    assert found["normal"][:22] == [40_000] * 22 and found["reverse"][:22] == [5_000] * 22
    assert found["partial"][:22] == [False] * 22 and found["partial"][22]
    assert found["normal"][23:] == [None] * 7
    found = lab.client.get(f"{path}?period=year").json()
    assert len(found["t"]) == len(found["normal"]) == 12
    assert found["normal"][10] == 22 * 40_000 + 15_000
    assert found["normal"][0] is None
    assert lab.client.get(f"{path}?period=week").status_code == 422


def _scoped(lab, street):
    """A key sees its group only."""
    with lab.store.writing() as connection:
        other = groups.add(connection, "other")
        one = keys.add(connection, "a", T0, group="street")
        two = keys.add(connection, "b", T0, gateway=street["one"].code)
    client = lab.visitor()
    path = f"/api/v1/groups/{street['group']}"
    listed = client.get("/api/v1/groups", auth=tuple(one)).json()["groups"]
    assert [each["name"] for each in listed] == ["street"]
    assert client.get(path, auth=tuple(one)).status_code == 200
    assert client.get(f"/api/v1/groups/{other}", auth=tuple(one)).status_code == 404
    assert client.get("/api/v1/groups", auth=tuple(two)).json()["groups"] == []
    for each in (path, path + "/energy"):
        assert client.get(each, auth=tuple(two)).status_code == 404


def test_a_group_is_the_sum_of_its_gateways(lab, street):
    (group,) = lab.client.get("/api/v1/groups").json()["groups"]
    assert (group["name"], group["gateways"]) == ("street", 2)
    found = lab.client.get(f"/api/v1/groups/{group['id']}").json()
    assert found == {
        **group,
        "power": 300,
        "power_n": 2,
        "today": "1.5",  # 9 of 24 hours of 4 kWh
        "today_sold": "0.1875",
        "today_n": 2,
        "month": "89.5",
        "month_sold": "11.1875",
        "month_partial": False,
    }
    page = lab.client.get(f"/groups/{group['id']}").text
    for words in ("<b>300</b>", "<b>1.5</b>", "<b>89.5</b>", "<b>11.2</b>"):
        assert words in page

    _bars(lab, f"/api/v1/groups/{group['id']}/energy")
    _scoped(lab, street)
    # What is not known of a gateway is no zero in the sum.
    edit(lab, lab.board("new"), group="street")
    lab.now += 1000  # the powers are no longer now
    found = lab.client.get(f"/api/v1/groups/{street['group']}").json()
    assert (found["power"], found["power_n"], found["gateways"]) == (None, 0, 3)
    assert (found["today"], found["today_n"], found["month_partial"]) == ("1.5", 2, True)
    assert "2 of 3 gateways" in lab.client.get(f"/groups/{street['group']}").text


def test_today_is_held_against_yesterday_at_the_same_time(lab, board, instant, slot):
    rows = [slot(n, TODAY - DAY + 1800 * n, 1000 * n, 10 * n) for n in range(48 + 19)]
    board.upload(*rows)
    # Between two half-hours the instants tell.
    lab.now = T0 + 600
    board.upload(
        instant(100, T0 + 600 - DAY, normal=18_400, reverse=181),
        instant(101, T0 + 600, normal=66_900, reverse=660),
    )
    found = lab.client.get(f"/api/v1/gateways/{board.code}/today").json()
    assert (found["now"], found["start"]) == (T0 + 600, TODAY)
    assert found["yesterday"] == {"normal": 18_400, "reverse": 181, "partial": False}
    assert found["today"] == {"normal": 18_900, "reverse": 180, "partial": False}
    fold(lab)
    assert lab.client.get(f"/api/v1/gateways/{board.code}/today").json() == found


@pytest.mark.parametrize(
    ("midnight", "hours"),
    [
        (1_774_738_800, 24),  # 2026-03-29 in Berlin: it has 23 hours
        (1_774_821_600, 23),  # the day after it
        (1_792_879_200, 24),  # 2026-10-25: 25 hours
        (1_792_969_200, 25),
    ],
)
def test_yesterday_ends_at_the_same_time_by_the_clock_on_the_wall(
    sqlite_lab, slot, midnight, hours
):
    lab, board = sqlite_lab, sqlite_lab.board()
    edit(lab, board, zone="Europe/Berlin")
    noon = {1_774_738_800: 11, 1_792_879_200: 13}.get(midnight, 12) * 3600
    lab.now = midnight + noon  # 12:00
    first = midnight - hours * 3600
    board.upload(*[slot(n, first + 1800 * n, 500 * n) for n in range((hours + 13) * 2 + 1)])
    found = lab.client.get(f"/api/v1/gateways/{board.code}/today").json()
    assert found["start"] == midnight
    assert found["today"]["normal"] == noon // 1800 * 500
    begun = {23: 11, 25: 13}.get(hours, 12)  # hours that yesterday had at 12:00
    assert found["yesterday"] == {"normal": begun * 1000, "reverse": None, "partial": False}


def test_today_is_unknown_when_nothing_was_measured(sqlite_lab, slot):
    lab, board = sqlite_lab, sqlite_lab.board()
    board.upload(slot(1, TODAY - DAY, 5))
    found = lab.client.get(f"/api/v1/gateways/{board.code}/today").json()
    assert found["today"] == {"normal": None, "reverse": None, "partial": True}
    lab.now = TODAY  # at midnight itself
    assert lab.client.get(f"/api/v1/gateways/{board.code}/today").status_code == 200


def test_the_history_of_the_radio_has_its_gaps(sqlite_lab, instant):
    lab, board = sqlite_lab, sqlite_lab.board()
    for n, rssi in enumerate((-70, -71, None, -72)):
        lab.now = T0 + 300 * n + (3000 if n == 3 else 0)
        board.upload(instant(n), status={"rssi": rssi, "queue": n, "uptime": 300 * n})
    found = lab.client.get(f"/api/v1/gateways/{board.code}/health?days=1").json()
    assert found["rssi"] == [-70, -71, None, None, -72]
    assert found["queue"] == [0, 1, 2, None, 3]
    assert found["t"] == [T0, T0 + 300, T0 + 600, T0 + 2250, T0 + 3900]
    assert lab.client.get(f"/api/v1/gateways/{board.code}/health?days=40").status_code == 422


def test_the_page_of_a_gateway_says_how_it_is(sqlite_lab, slot):
    lab, board = sqlite_lab, sqlite_lab.board()
    ring = b"".join(
        t.to_bytes(3, "big") + bytes((code, value))
        for t, code, value in ((60, 0x25, 0), (90, 0x22, 1))
    )
    status = {
        **{"word": "radio", "code": "too-far", "detail": "<i>far</i>", "rssi": -91, "uptime": 100},
        **{"fw": "0.9.1", "queue": 12, "reset": "watchdog", "resets": "power", "new": {"a": [1]}},
        "events": base64.b64encode(ring).decode(),
        "counters": {"uploaded": 12345, "event.joined": 3},
        "meter": {"maker": "000016", "serial": "AB12", "unit": 1, "coefficient": 1, "digits": 6},
    }
    times = [t for t in range(T0 - DAY, T0 - 600, 1800) if not T0 - 7200 <= t < T0 - 3600]
    board.upload(*[slot(n, t, n) for n, t in enumerate(times)], status=status)
    board.upload(slot(200, T0 - DAY, 77), status=status)
    page = lab.client.get(f"/gateways/{board.code}").text
    for words in (
        *("The meter is too far away", "&lt;i&gt;far&lt;/i&gt;", "\u221291", "0.9.1", "watchdog"),
        *("000016", "AB12", "0.1 <small>kWh</small>", "12,345", "event.joined"),
        *("0.0077 kWh", "Half-hours", "Joined", "Not acknowledged", '{"a": [1]}'),
    ):
        assert words in page, words
    gap = re.search(r"<tr><td><a [^>]*>([^<]+)</a></td><td>([^<]+)</td><td>(\d+)</td></tr>", page)
    assert gap is not None
    assert gap.groups() == ("2026-11-23 07:00", "2026-11-23 07:30", "2")
    assert page.count("2026-11-23 08:59") == 2  # 40 s and 10 s before the upload


def test_a_gap_lasts_until_now_and_is_not_told_too_early(sqlite_lab, slot):
    lab, board = sqlite_lab, sqlite_lab.board()
    board.upload(*[slot(n, T0 - 7200 + 1800 * n, n) for n in range(3)])
    with lab.store.reading() as connection:
        number = gateways.find(connection, board.code).id
        assert detail.gaps(connection, number, T0 - 1800 + 500, 9) == []
        assert detail.gaps(connection, number, T0 + 500, 9) == [
            detail.Gap(T0 - 1800, T0 - 1800, 1)
        ]
        assert detail.gaps(connection, number, T0 + 600, 9) == [detail.Gap(T0 - 1800, T0, 2)]


def test_a_gap_that_began_long_ago_is_one(sqlite_lab, slot):
    lab, board = sqlite_lab, sqlite_lab.board()
    board.upload(slot(1, T0 - 200 * DAY, 1))
    with lab.store.reading() as connection:
        number = gateways.find(connection, board.code).id
        found = detail.gaps(connection, number, T0 + 600, 9)
    assert found == [detail.Gap(T0 - 99 * DAY, T0, 99 * 48 + 1)]


def test_link_events_have_the_firmwares_names():
    source = (ROOT / "firmware/lib/gateway/track.py").read_text()
    names = re.search(r"NAMES = \((.*?)\)\.split", source, re.DOTALL)
    assert names is not None
    text = "".join(re.findall(r'"([^"]*)"', names[1]))
    assert tuple(text.split(",")) == detail.LINKS
    assert detail.link_events({"events": "AAAA", "uptime": 5}, T0) == []
    assert detail.link_events({"events": "?", "uptime": 5}, T0) == []
    # The board's count of seconds begins anew after 194 days.
    late = base64.b64encode((2**24 - 5).to_bytes(3, "big") + bytes((0x25, 0))).decode()
    found = detail.link_events({"events": late, "uptime": 2**24 + 5}, T0)
    assert found == [detail.LinkEvent(T0 - 10, "joined", 0)]


def test_an_export_of_whole_days_for_a_spreadsheet(sqlite_lab, slot):
    lab = sqlite_lab
    begin = TODAY - 22 * DAY
    for name in ("one", "two", "outside"):
        board = lab.board(name)
        board.upload(*[slot(n, begin + 1800 * n, 10_000 * n // 48) for n in range(4 * 48)])
        edit(lab, board, group="" if name == "outside" else "street")
    fold(lab)
    query = {"kind": "half-hour", "from": "2026-11-02", "to": "2026-11-03", "format": "csv"}
    answer = lab.client.get("/exports/file", params={**query, "group": "street", "bom": "1"})
    assert answer.status_code == 200 and answer.text.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert len(rows) == 2 * 96
    assert {row["name"] for row in rows} == {"one", "two"}
    one = [row["time"] for row in rows if row["name"] == "one"]
    assert (one[0], one[-1]) == ("2026-11-02T00:00:00+09:00", "2026-11-03T23:30:00+09:00")
    answer = lab.client.get(
        "/exports/file", params={**query, "gateway": "one", "kind": "day", "format": "json"}
    )
    assert [each["fwd_kwh"] for each in answer.json()] == [1, 1]
    assert 'filename="kenshin-psw' in answer.headers["content-disposition"]
    for change, words in (
        ({"from": ""}, "choose a first and a last day"),
        ({"to": "9999-12-31"}, "choose a first and a last day"),
        ({"to": "2026-11-01"}, "the last day lies before the first"),
        ({"gateway": "nobody"}, "no gateway has the service code or name"),
        ({"gateway": "one", "group": "street"}, "not both"),
        ({"group": "nothing"}, "there is no group"),
        ({"kind": "all"}, "choose a kind"),
    ):
        answer = lab.client.get("/exports/file", params={**query, **change})
        assert answer.status_code == 422, change
        assert words in answer.text and "<form" in answer.text
