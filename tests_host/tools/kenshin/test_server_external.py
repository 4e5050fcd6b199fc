"""The API for other programs: who may, what it answers, and downloads."""

import base64
import csv
import io
import json
import tracemalloc
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from kenshin.server import export, gateways, keys, rollup, settings
from kenshin.server.schema import Day
from kenshin.server.upserts import upsert
from kenshin.server.values import Kind

T0 = 1_795_392_000  # 2026-11-23 09:00 in Japan
DAY0 = T0 - 9 * 3600


def basic(key):
    pair = f"{key.access_key}:{key.secret}".encode()
    return {"Authorization": "Basic " + base64.b64encode(pair).decode()}


@pytest.fixture
def key(lab):
    def make(**scope):
        with lab.store.writing() as connection:
            return keys.add(connection, "program", lab.now, **scope)

    return make


def get(lab, path, key=None, **parameters):
    headers = {} if key is None else basic(key)
    return lab.visitor().get(f"/external_api/v1/{path}", params=parameters, headers=headers)


def roll(lab, board):
    with lab.store.writing() as connection:
        rollup.roll(connection, gateways.find(connection, board.code).id, lab.now)


# ---- what it answers ----


def test_values_are_an_array_in_time_order_with_exact_decimals(lab, board, slot, key):
    board.upload(slot(1, T0 - 1800, 123_456_789), slot(2, T0 - 3600, 123_450_000, 2**62))
    answer = get(lab, f"fwd_int_power/{board.code}", key())
    assert answer.text == (
        '[{"timestamp":"2026-11-23T08:00:00+09:00","value":12345},'
        '{"timestamp":"2026-11-23T08:30:00+09:00","value":12345.6789}]'
    )
    answer = get(lab, f"bwd_int_power/{board.code}", key())
    assert '"value":461168601842738.7904}' in answer.text  # beyond what a float holds
    assert len(answer.json()) == 1
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"


def test_every_kind_is_answered(lab, board, instant, slot, row, key):
    board.upload(
        instant(1, T0 - 60, -512, current_r=-43, current_t=9, normal=1000, reverse=20),
        row(2, "minute", T0 - 120, normal=30, reverse=40, origin="D0"),
        slot(3, DAY0 - 86_400, 100, 7),
        slot(4, DAY0, 350, 8),
    )
    roll(lab, board)
    expected = {
        "fwd_int_power": [0.01, 0.035],
        "bwd_int_power": [0.0007, 0.0008],
        "active_power": [-512],
        "fwd_int_power_now": [0.1],
        "bwd_int_power_now": [0.002],
        "fwd_int_power_minute": [0.003],
        "bwd_int_power_minute": [0.004],
        "current_r": [-4.3],
        "current_t": [0.9],
        # Today is no whole day yet.
        "fwd_power_day": [0.025],
        "bwd_power_day": [0.0001],
    }
    assert set(expected) == {kind.value for kind in Kind}
    found = {}
    for kind in expected:
        answer = get(lab, f"{kind}/{board.code}", key(), **{"from": "2026-11-22"})
        found[kind] = [item["value"] for item in answer.json()]
    assert found == expected


def test_pages_lead_to_the_following_ones(lab, board, instant, key):
    board.upload(*[instant(n, T0 - 1000 + n, n) for n in range(25)])
    mine = key()
    path, found = f"/external_api/v1/active_power/{board.code}?limit=10", []
    sizes = []
    while path:
        answer = lab.visitor().get(path, headers=basic(mine))
        sizes.append(len(answer.json()))
        found += answer.json()
        link = answer.headers.get("link", "")
        path = link.partition("<")[2].partition(">")[0]
        assert not link or link.endswith('>; rel="next"')
    assert sizes == [10, 10, 5]
    assert [item["value"] for item in found] == list(range(25))


@pytest.mark.parametrize(
    ("parameters", "values"),
    [
        ({}, [2, 3, 4]),  # the day up to now
        ({"from": "2026-11-20", "to": "2026-11-22"}, [1]),
        ({"from": "2026-11-20T03:00:00Z", "to": "2026-11-20T12:00:01+09:00"}, [1]),
        ({"from": str(T0 - 600), "to": str(T0)}, [3]),
        ({"from": "2026-11-23T00:00:00 09:00"}, [3, 4]),  # an unescaped plus sign
        ({"to": "2026-11-23"}, [2]),
        ({"from": "2027-01-01"}, []),
        ({"from": "2026-11-24", "to": "2026-11-20"}, []),
    ],
)
def test_a_span_holds_its_beginning_and_not_its_end(lab, board, instant, key, parameters, values):
    times = (T0 - 69 * 3600, DAY0 - 60, T0 - 600, T0)
    board.upload(*[instant(n, t, n) for n, t in enumerate(times, 1)])
    answer = get(lab, f"active_power/{board.code}", key(), **parameters)
    assert [item["value"] for item in answer.json()] == values


@pytest.mark.parametrize(
    ("path", "parameters", "where"),
    [
        ("nonsense/{}", {}, "path.kind"),
        ("active_power/{}", {"from": "yesterday"}, "query.from"),
        ("active_power/{}", {"to": "2026-13-01"}, "query.to"),
        ("active_power/{}", {"from": "2026-11-20T00:00:00"}, "query.from"),
        ("active_power/{}", {"limit": "0"}, "query.limit"),
        ("active_power/{}", {"limit": "10001"}, "query.limit"),
        ("export", {"month": "2026-00"}, "query.month"),
        ("export", {"month": "26-1"}, "query.month"),
        ("export", {"month": "2026-11", "from": "2026-11-01"}, "query.month"),
        ("export", {"gateway": "{}", "group": "x"}, "query.group"),
        ("export", {"kind": "hour"}, "query.kind"),
        ("export", {"format": "xls"}, "query.format"),
    ],
)
def test_what_is_wrong_is_named(lab, board, key, path, parameters, where):
    parameters = {name: text.format(board.code) for name, text in parameters.items()}
    answer = get(lab, path.format(board.code), key(), **parameters)
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/invalid")
    assert answer.json()["errors"][0]["where"] == where


# ---- who may ----


def test_without_a_key_nothing_is_told(lab, board):
    answer = get(lab, f"active_power/{board.code}")
    assert (answer.status_code, answer.json()["type"]) == (401, "/problems/no-key")
    assert answer.headers["www-authenticate"].startswith("Basic")
    assert get(lab, "export").status_code == 401
    for path in ("gateways", f"gateways/{board.code}", f"gateways/{board.code}/plot"):
        assert lab.visitor().get("/api/v1/" + path).status_code == 401


def test_a_wrong_secret_opens_nothing_and_is_not_told_from_a_wrong_key(lab, board, key):
    mine = key()
    for wrong in (
        mine._replace(secret=mine.secret[:-1]),
        mine._replace(access_key="0" * 20),
        mine._replace(secret=""),
    ):
        answer = get(lab, f"active_power/{board.code}", wrong)
        assert (answer.status_code, answer.json()["type"]) == (401, "/problems/wrong-key")
    for header in ("Basic", "Basic !!!", "Basic " + "A" * 500, "Basic w7w6w7w=", "Nonsense x"):
        answer = lab.visitor().get("/api/v1/gateways", headers={"Authorization": header})
        assert answer.status_code == 401


def test_guessing_is_slowed_down(lab, board, key):
    mine = key()
    wrong = mine._replace(secret="x")
    codes = [get(lab, f"active_power/{board.code}", wrong).status_code for _ in range(32)]
    assert codes == [401] * 30 + [429] * 2
    # From that address not even the right secret is looked at, until the minute is over.
    answer = get(lab, f"active_power/{board.code}", mine)
    assert answer.status_code == 429
    lab.now += int(answer.headers["retry-after"])
    assert get(lab, f"active_power/{board.code}", mine).status_code == 200


def test_a_key_sees_its_gateway_or_group_only(lab, key, slot):
    boards = {name: lab.board(name) for name in ("one", "two", "three")}
    for n, board in enumerate(boards.values()):
        board.upload(slot(1, T0 - 1800, n))
    with lab.store.writing() as connection:
        for name in ("one", "two"):
            found = gateways.find(connection, name)
            gateways.edit(connection, found, group="house")
    scopes = {
        "all": (key(), {"one", "two", "three"}),
        "gateway": (key(gateway="three"), {"three"}),
        "group": (key(group="house"), {"one", "two"}),
    }
    for mine, seen in scopes.values():
        for name, board in boards.items():
            expected = 200 if name in seen else 404
            for path in (
                f"external_api/v1/fwd_int_power/{board.code}",
                f"external_api/v1/export?gateway={board.code}",
                f"api/v1/gateways/{board.code}",
                f"api/v1/gateways/{board.code}/readings",
            ):
                answer = lab.visitor().get("/" + path, headers=basic(mine))
                assert answer.status_code == expected, (path, seen)
        answer = lab.visitor().get("/api/v1/gateways", headers=basic(mine))
        assert {row["name"] for row in answer.json()["gateways"]} == seen
        answer = get(lab, "export", mine)
        assert {row["name"] for row in csv.DictReader(io.StringIO(answer.text))} == seen
    group = {"all": 200, "gateway": 404, "group": 200}
    for name, (mine, _) in scopes.items():
        assert get(lab, "export", mine, group="house").status_code == group[name]


def test_a_gateway_reads_itself_and_no_other(lab, slot):
    ours, theirs = lab.board("ours"), lab.board("theirs")
    theirs.upload(slot(1, T0, 5))
    header = {"Authorization": f"Bearer {ours.token}"}
    for path in ("", "/readings", "/plot"):
        mine = lab.visitor().get(f"/api/v1/gateways/{ours.code}{path}", headers=header)
        other = lab.visitor().get(f"/api/v1/gateways/{theirs.code}{path}", headers=header)
        assert (mine.status_code, other.status_code) == (200, 404)
    listed = lab.visitor().get("/api/v1/gateways", headers=header).json()["gateways"]
    assert [row["code"] for row in listed] == [ours.code]


def test_a_key_can_be_revoked_and_ends_by_itself(lab, board, key):
    short, other = key(days=1), key()
    path = f"active_power/{board.code}"
    assert get(lab, path, short).status_code == 200
    lab.now += 86_400
    assert get(lab, path, short).status_code == 401
    assert get(lab, path, other).status_code == 200
    with lab.store.writing() as connection:
        assert keys.revoke(connection, other.access_key)
        assert not keys.revoke(connection, other.access_key)
    assert get(lab, path, other).status_code == 401


def test_a_secret_is_kept_as_its_hash_and_its_use_is_known(sqlite_lab):
    lab = sqlite_lab
    with lab.store.writing() as connection:
        made = keys.add(connection, "program", lab.now)
    assert get(lab, "export", made).status_code == 200
    with lab.store.reading() as connection:
        (row,) = keys.listed(connection)
    assert (row.access_key, row.used) == (made.access_key, T0)
    for path in (lab.path, lab.path.with_name(lab.path.name + "-wal")):
        assert made.secret.encode() not in path.read_bytes()


# ---- how often ----


def test_requests_of_a_key_are_limited_and_the_answer_says_how_many_are_left(lab, board, key):
    with lab.store.writing() as connection:
        settings.write(connection, {"api.rate": 3})
    mine, other = key(), key()
    path = f"active_power/{board.code}"
    answers = [get(lab, path, mine) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit-remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert {answer.headers["ratelimit-limit"] for answer in answers} == {"3"}
    assert answers[3].json()["type"] == "/problems/too-many"
    assert get(lab, path, other).status_code == 200
    lab.now += int(answers[3].headers["retry-after"])
    assert get(lab, path, mine).status_code == 200


# ---- downloads ----


def test_a_month_of_both_directions(lab, board, slot, key):
    times = [DAY0 - 22 * 86_400 + 1800 * n for n in range(-1, 3)]  # around 1 November
    board.upload(*[slot(n, t, 1000 + 10 * n, 5 * n) for n, t in enumerate(times)])
    answer = get(lab, "export", key(), month="2026-11", bom="true")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    name = "kenshin-" + board.code + "-half-hour-2026-11-01-2026-11-30.csv"
    assert name in answer.headers["content-disposition"]
    assert answer.content.startswith(b"\xef\xbb\xbfservice_code,")
    rows = list(csv.DictReader(io.StringIO(answer.text.removeprefix("\ufeff"))))
    assert tuple(rows[0]) == export.COLUMNS["half-hour"]
    assert [row["time"] for row in rows] == [
        f"2026-11-01T0{n // 2}:{n % 2 * 30:02}:00+09:00" for n in range(3)
    ]
    assert [row["fwd_int_power_kwh"] for row in rows] == ["0.101", "0.102", "0.103"]
    assert [row["fwd_kwh"] for row in rows] == ["0.001", "0.001", ""]
    assert [row["bwd_kwh"] for row in rows] == ["0.0005", "0.0005", ""]


@pytest.mark.parametrize("piece", [2, 3, 5000])
def test_a_single_wrong_value_makes_no_energy(lab, board, slot, key, monkeypatch, piece):
    monkeypatch.setattr(export, "_PIECE", piece)
    times = [DAY0 + 1800 * n for n in range(9)]
    values = [1000, 1001, 1003, 500, 1010, 1011, 9000, 1020, 1021]
    board.upload(*[slot(n, t, v) for n, (t, v) in enumerate(zip(times, values, strict=True))])
    text = get(lab, "export", key(), **{"from": str(DAY0), "to": str(T0)}).text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["fwd_kwh"] for row in rows] == [
        *("0.0001", "0.0002", "", "", "0.0001", "", "", "0.0001", "")
    ]
    # What was read is there as it was read.
    assert [float(row["fwd_int_power_kwh"]) for row in rows] == [v / 10_000 for v in values]


@pytest.mark.parametrize("kind", sorted(export.COLUMNS))
def test_csv_and_json_say_the_same(lab, board, instant, slot, row, key, kind):
    board.upload(
        instant(1, T0 - 60, -512, current_r=-43, normal=2**62),
        row(2, "minute", T0 - 120, normal=30, origin="D0"),
        slot(3, DAY0 - 86_400, 100),
        slot(4, DAY0, 350),
    )
    roll(lab, board)
    span = {"from": "2026-11-01", "kind": kind}
    lines = list(csv.DictReader(io.StringIO(get(lab, "export", key(), **span).text)))
    items = json.loads(get(lab, "export", key(), format="json", **span).text, parse_float=str)
    assert len(lines) == len(items) > 0
    for line, item in zip(lines, items, strict=True):
        assert tuple(item) == export.COLUMNS[kind]
        assert line == {name: "" if value is None else str(value) for name, value in item.items()}


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "Australia/Sydney", "America/New_York", "UTC"])
def test_the_days_of_a_month_are_those_of_the_gateways_calendar(lab, key, zone):
    board = lab.board()
    begin, end = (
        int(datetime(2026, month, 25, tzinfo=ZoneInfo(zone)).timestamp()) for month in (10, 12)
    )
    with lab.store.writing() as connection:
        known = gateways.find(connection, board.code)
        gateways.edit(connection, known, zone=zone)
        for start in rollup.days(begin, end, zone):
            row = rollup.day(connection, known.id, 0, start, rollup.next_day(start, zone))
            upsert(connection, Day, [row])
    text = get(lab, "export", key(), kind="day", month="2026-11").text
    dates = [row["date"] for row in csv.DictReader(io.StringIO(text))]
    assert dates == [f"2026-11-{n:02}" for n in range(1, 31)]


def test_an_empty_download_is_still_a_file(lab, board, key):
    assert get(lab, "export", key(), format="json").json() == []
    assert get(lab, "export", key()).text.splitlines() == [",".join(export.COLUMNS["half-hour"])]


def test_a_name_is_no_formula(lab, key, slot):
    # Japanese spreadsheets may take the wide signs, too.
    for sign in "=+-@＝＋－＠":
        lab.board(f"{sign}HYPERLINK(1)").upload(slot(1, T0 - 1800, 1))
    lab.board("a=1").upload(slot(1, T0 - 1800, 1))
    lines = csv.DictReader(io.StringIO(get(lab, "export", key()).text))
    names = {line["name"] for line in lines}
    assert names == {"a=1", *(f"'{sign}HYPERLINK(1)" for sign in "=+-@＝＋－＠")}


def test_a_long_download_is_never_held_as_a_whole(sqlite_lab, instant, monkeypatch):
    monkeypatch.setattr(export, "_PIECE", 200)
    board = sqlite_lab.board()
    for k in range(0, 20_000, 2000):
        board.upload(*[instant(n, T0 - 20_000 + n, n) for n in range(k, k + 2000)])
    with sqlite_lab.store.reading() as connection:
        known = gateways.find(connection, board.code)
    source = export.Source(*known, "Asia/Tokyo")
    what = export.What((source,), "instant", 0, T0, "csv", False)
    tracemalloc.start()
    size = sum(len(piece) for piece in export.stream(sqlite_lab.store, what))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size > 1_000_000
    assert peak < size / 2
