"""GET /api/v1/...: readings in time order, page by page; gateways; the plot."""

from types import UnionType
from typing import get_args

import pytest
from fastapi.routing import APIRoute
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter

from kenshin.server import export, gateways, openapi, plot, problems
from kenshin.server.service import Limits
from kenshin.server.status import GatewayStatus, Repair

T0 = 1_795_392_000


@pytest.fixture
def path(board):
    return f"/api/v1/gateways/{board.code}"


# ---- readings ----


@pytest.fixture
def history(board, instant, slot, row):
    """Three kinds, interleaved; two of them share moments."""
    rows = [instant(n, t=T0 - 600 * n, power=n) for n in range(12)]
    rows += [slot(20 + n, t=T0 - 1800 * n, normal=n) for n in range(4)]
    rows += [row(30 + n, "minute", T0 - 60 * n, normal=n) for n in range(3)]
    board.upload(*rows)
    return sorted((r[2], r[1]) for r in rows)


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 18, 19, 20, 1000])
def test_pages_together_are_the_whole_in_time_order(board, history, limit):
    found = board.readings(limit=str(limit))
    assert [(r["t"], r["kind"]) for r in found] == history


def test_a_span_holds_its_beginning_and_not_its_end(board, history):
    bounds = {"from": str(T0 - 3600), "to": str(T0 - 600)}
    found = [(r["t"], r["kind"]) for r in board.readings(**bounds)]
    assert found == [item for item in history if T0 - 3600 <= item[0] < T0 - 600]
    assert (T0 - 3600, "instant") in found


def test_times_may_be_rfc_3339(client_get, path, board, history):
    seconds = client_get(f"{path}/readings", {"from": str(T0 - 1800), "to": str(T0)})
    text = {"from": "2026-11-23T08:30:00+09:00", "to": "2026-11-23T00:00:00Z"}
    assert client_get(f"{path}/readings", text) == seconds
    # As typed by hand into an address, with a bare plus sign.
    typed = f"{path}/readings?from=2026-11-23T08:30:00+09:00&to=2026-11-23T09:00:00+09:00"
    assert client_get(typed, None) == seconds
    assert len(seconds["readings"]) == 6


def test_kinds_can_be_chosen_and_the_choice_survives_paging(board, history):
    assert len(board.readings(kind="half-hour", limit="1")) == 4
    both = board.readings(kind=["half-hour", "minute"], limit="1")
    assert [(r["t"], r["kind"]) for r in both] == [i for i in history if i[1] != "instant"]


def test_without_bounds_the_last_day_up_to_the_newest_is_given(client_get, path, board, instant):
    for seq, t in enumerate((T0 - 86_401, T0 - 86_400, T0 - 5, T0 + 50)):
        board.upload(instant(seq, t=t))
    found = client_get(f"{path}/readings", {})["readings"]
    assert [r["t"] for r in found] == [T0 - 86_400, T0 - 5, T0 + 50]
    found = client_get(f"{path}/readings", {"to": str(T0 - 86_400)})["readings"]
    assert [r["t"] for r in found] == [T0 - 86_401]


def test_one_page_is_bounded_and_its_next_is_also_a_header(lab, board, row):
    count = Limits().readings + 1
    for start in range(0, count, 2000):
        board.upload(*[row(n, t=T0 - n) for n in range(start, min(count, start + 2000))])
    answer = board.client.get(
        f"/api/v1/gateways/{board.code}/readings", params={"from": "0", "limit": "99999999"}
    )
    page = answer.json()
    assert len(page["readings"]) == count - 1
    assert answer.headers["link"] == f'<{page["next"]}>; rel="next"'
    assert len(board.client.get(page["next"]).json()["readings"]) == 1


def test_conflicts_stand_beside_the_reading_they_belong_to(board, slot):
    board.upload(*[slot(n, t=T0 - 1800 * n, normal=n) for n in range(5)])
    board.upload(slot(10, t=T0 - 1800, normal=77), slot(11, t=T0 - 3600, reverse=3))
    found = {r["t"]: [c["value"] for c in r["conflicts"]] for r in board.readings(limit="2")}
    assert found == {T0 - 1800 * n: ([77] if n == 1 else []) for n in range(5)}


@pytest.mark.parametrize(
    ("parameters", "where"),
    [
        ({"from": "yesterday"}, "query.from"),
        ({"to": "2026-11-23T00:00:00"}, "query.to"),
        ({"kind": "hour"}, "query.kind.0"),
        ({"limit": "0"}, "query.limit"),
        ({"limit": "x"}, "query.limit"),
        ({"from": "1" * 41}, "query.from"),
    ],
)
def test_wrong_parameters_are_problems_that_name_them(board, path, parameters, where):
    answer = board.client.get(f"{path}/readings", params=parameters)
    assert answer.status_code == 422, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["where"] == where


@pytest.mark.parametrize("tail", ["", "/readings", "/plot"])
def test_an_unknown_gateway_is_a_problem(board, tail):
    for code in ("psw00000000", "x" * 500, "%00", "'; DROP TABLE readings"):
        answer = board.client.get(f"/api/v1/gateways/{code}{tail}")
        assert (answer.status_code, answer.json()["type"]) == (404, "/problems/not-found")


# ---- gateways ----


def test_gateways_are_listed_page_by_page(lab, client_get):
    codes = sorted(lab.board(f"home {n}").code for n in range(7))
    for limit in (1, 3, 7, 8):
        page = client_get("/api/v1/gateways", {"limit": str(limit)})
        found = [g["code"] for g in page["gateways"]]
        while page["next"] is not None:
            page = client_get(page["next"], None)
            assert page["gateways"]
            found += [g["code"] for g in page["gateways"]]
        assert found == codes
    for wrong in ("\0", "PSW", "psw00000000x"):
        answer = lab.client.get("/api/v1/gateways", params={"after": wrong})
        assert (answer.status_code, answer.json()["errors"][0]["where"]) == (422, "query.after")


def test_a_new_gateway_has_nothing_and_says_so(board):
    detail = board.detail()
    assert (detail["name"], detail["created"], detail["now"]) == ("home", T0, T0)
    assert detail["last_seen"] is None and detail["status"] is None
    assert (detail["stored"], detail["conflicts"], detail["rejected"]) == (0, 0, 0)
    assert detail["newest"] == {} and detail["streams"] == [] and detail["rejections"] == []


def test_the_newest_value_of_each_field_is_the_newest_that_was_measured(board, instant, slot, row):
    board.upload(
        instant(1, t=T0 - 60, power=-20, current_r=-15, current_t=0),
        instant(2, t=T0, power=None, current_r=7),
        slot(3, t=T0 - 1800, normal=47_575_000),
        row(4, "minute", T0 - 120, normal=47_580_000),
        instant(5, t=T0 - 30, power=None, normal=None, reverse=1),
    )
    assert board.detail()["newest"] == {
        "power": {"t": T0 - 60, "value": -20, "text": "-20"},
        "current_r": {"t": T0, "value": 7, "text": "0.7"},
        "current_t": {"t": T0 - 60, "value": 0, "text": "0"},
        "normal": {"t": T0 - 120, "value": 47_580_000, "text": "4758"},
        "reverse": {"t": T0 - 30, "value": 1, "text": "0.0001"},
    }


# ---- the plot ----


def test_a_gap_is_a_break_in_the_line(board, client_get, path, instant):
    times = [T0 - 300 + 30 * n for n in range(4)] + [T0 - 60, T0 - 30, T0]
    board.upload(*[instant(n, t=t, power=100 + n) for n, t in enumerate(times)])
    found = client_get(f"{path}/plot", {"hours": "1"})
    assert (found["start"], found["end"], found["gap"]) == (T0 + 1 - 3600, T0 + 1, 90)
    middle = T0 - 135
    assert found["t"] == [*times[:4], middle, *times[4:]]
    assert found["power"] == [100, 101, 102, 103, None, 104, 105, 106]


def test_energy_readings_between_do_not_break_the_line(board, client_get, path, instant):
    board.upload(*[instant(n, t=T0 - 30 * n) for n in range(10)])
    board.upload(*[instant(20 + n, t=T0 - 30 * n - 1, power=None, normal=n) for n in range(10)])
    assert client_get(f"{path}/plot", {})["power"] == [500] * 10


@pytest.mark.parametrize("hours", ["0", "49", "x"])
def test_the_hours_of_a_plot_are_bounded(board, path, hours):
    assert board.client.get(f"{path}/plot", params={"hours": hours}).status_code == 422


@pytest.mark.parametrize(
    ("times", "longest"),
    [
        ([], 90),
        ([5], 90),
        (range(0, 300, 10), 90),  # fast polling: a late answer is no gap
        (range(0, 3000, 30), 90),
        (range(0, 30_000, 300), 900),  # slow polling has longer usual steps
        ([0, 30, 60, 90, 5000, 5030, 5060], 90),  # a gap does not change what is usual
    ],
)
def test_the_usual_step_decides_what_a_gap_is(times, longest):
    assert plot.longest_step(list(times)) == longest


@given(st.sets(st.integers(0, 2000)), st.integers(1, 300))
def test_a_none_stands_exactly_where_points_are_too_far_apart(moments, longest):
    points = [(t, t + 7) for t in sorted(moments)]
    times, values = plot.with_gaps(points, longest)
    drawn = list(zip(times, values, strict=True))
    assert [item for item in drawn if item[1] is not None] == points
    assert times == sorted(times)
    for (t, value), (following, after) in zip(drawn, drawn[1:], strict=False):
        assert value is not None or after is not None
        if value is not None and after is not None:
            assert following - t <= longest
    breaks = sum(b[0] - a[0] > longest for a, b in zip(points, points[1:], strict=False))
    assert values.count(None) == breaks


# ---- the document ----


def test_openapi_describes_the_upload_and_the_problems(client_get):
    document = client_get("/openapi.json", None)
    post = document["paths"]["/api/v1/readings"]["post"]
    assert set(post["responses"]) >= {
        "200",
        "400",
        "401",
        "403",
        "408",
        "413",
        "415",
        "422",
        "503",
    }
    body = post["requestBody"]["content"]["application/json"]["schema"]
    assert body == {"$ref": "#/components/schemas/Upload"}
    schemas = document["components"]["schemas"]
    rows = schemas["Upload"]["properties"]["readings"]["items"]
    titles = [item.get("title") for item in rows["prefixItems"]]
    assert titles[:4] == ["seq", "kind", "t", "quality"] and titles[-1] == "origin"
    assert (rows["minItems"], rows["maxItems"]) == (10, 10)

    def references(value):
        if isinstance(value, dict):
            yield from (v for k, v in value.items() if k == "$ref")
            value = list(value.values())
        if isinstance(value, list):
            for item in value:
                yield from references(item)

    for reference in references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def exactly(value, model, where):
    """The example has each field of the model, and no other."""
    if isinstance(model, UnionType):
        model = get_args(model)[0]
    if isinstance(model, type) and issubclass(model, BaseModel):
        names = set(model.model_fields)
        if model not in (GatewayStatus, Repair):  # of a status each field may be left out
            assert set(value) == names, where
        assert set(value) <= names, where
        for name, field in model.model_fields.items():
            if value.get(name) is not None:
                exactly(value[name], field.annotation, f"{where}.{name}")
    elif isinstance(value, list):
        for item in value:
            for each in get_args(model)[:1]:
                exactly(item, each, where)
    elif isinstance(value, dict) and get_args(model):
        for item in value.values():
            exactly(item, get_args(model)[-1], where)


def test_each_answer_has_an_example_that_is_one(sqlite_lab):
    lab = sqlite_lab
    document = lab.app.openapi()
    assert "/healthz" in document["paths"]
    pending, models = list(lab.app.routes), {}
    for route in pending:  # which grows: routers are among them
        original = getattr(route, "original_router", None)
        pending += original.routes if original is not None else []
        if isinstance(route, APIRoute) and route.path in document["paths"]:
            models[route.path] = route.response_model
    assert len(models) > 10
    for path, operations in document["paths"].items():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                for media, content in answer["content"].items():
                    where = f"{path} {status} {media}"
                    assert content.get("example") or content.get("examples"), where
                    if status != "200":
                        assert media == problems.MEDIA_TYPE, where
                        for name, example in content["examples"].items():
                            found = problems.ProblemDetails.model_validate(example["value"])
                            assert (found.type, found.status) == (f"/problems/{name}", int(status))
                    elif media == "application/json" and models[path] is not None:
                        example = content["example"]
                        TypeAdapter(models[path]).validate_python(example)
                        exactly(example, models[path], path)
    # The download has no model: its columns are those of the file.
    (row,) = openapi.EXAMPLES["/external_api/v1/export"]
    assert tuple(row) == export.COLUMNS["half-hour"]


@pytest.mark.parametrize("path", ["/api/v1/gateways/{}", "/external_api/v1/active_power/{}"])
def test_a_token_that_has_expired_reads_nothing_as_the_document_says(lab, board, path):
    with lab.store.writing() as connection:
        known = gateways.find(connection, board.code)
        gateways.rotate(connection, known, lab.now, 0)
    token = {"Authorization": f"Bearer {board.token}"}
    answer = lab.visitor().get(path.format(board.code), headers=token)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/token-expired")
    documented = lab.app.openapi()["paths"]
    for each in (path.format("{code}"), "/external_api/v1/{kind}/{service_code}"):
        if each in documented:
            assert "403" in documented[each]["get"]["responses"]


@pytest.fixture
def client_get(lab):
    def get(path, parameters):
        answer = lab.client.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        return answer.json()

    return get
