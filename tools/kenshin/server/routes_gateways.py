"""The list of gateways, and one gateway's page: how it is, its gaps, and what can be changed."""

from typing import Annotated, Any, Literal
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from sqlalchemy import Connection, select
from starlette.concurrency import run_in_threadpool

from kenshin.server import detail, gateways, groups, meters, queries, rollup, tokens, web
from kenshin.server.gateways import GatewayError
from kenshin.server.people import Person
from kenshin.server.problems import Problem
from kenshin.server.schema import Gateway
from kenshin.server.service import Served, Service
from kenshin.server.status import MeterIdentity, Repair

router = APIRouter(include_in_schema=False)

_PAGE = 100  # gateways on a page
_ROWS = 50  # of each table on a gateway's page
# What a status tells in words of its own on the page; the rest is listed as it is.
_TOLD = frozenset(
    {"word", "code", "detail", "fw", "board", "uptime", "rssi", "rssi_age", "module", "reset"}
    | {"net_rssi", "queue", "quality", "events", "counters", "meter", "repair", "resets"}
)


@router.get("/gateways")
async def gateways_page(
    request: Request,
    service: Served,
    q: Annotated[str, Query(max_length=60)] = "",
    state: Annotated[Literal["all", "well", "trouble", "silent", "never"], Query()] = "all",
    group: Annotated[str, Query(max_length=60)] = "",
    after: Annotated[str, Query(max_length=60)] = "",
) -> Response:
    """All gateways, with search and filter; by name."""
    person = await web.visitor(request, service)
    if "\0" in q + group + after:
        raise Problem("invalid", "a zero byte is in no name")
    return await _list(request, service, person, {"q": q, "state": state, "group": group}, after)


async def _list(
    request: Request,
    service: Service,
    person: Person,
    asked: dict[str, str],
    after: str = "",
    refused: str = "",
) -> Response:
    now = service.now()

    def look() -> tuple[list[queries.Listed], list[str]]:
        with service.store.reading() as connection:
            rows = queries.search(connection, **asked, now=now, after=after, limit=_PAGE + 1)
            return rows, groups.names(connection)

    rows, names = await run_in_threadpool(look)
    following = ""
    if len(rows) > _PAGE:
        following = urlencode({**asked, "after": rows[_PAGE - 1].name})
    shown: list[dict[str, Any]] = []
    for row in rows[:_PAGE]:
        state, light = signs(row.last_seen, row.word, now)
        shown.append({**row._asdict(), "state": state, "light": light})
    values = {
        **{**asked, "states": queries.STATES, "groups": names, "here": "/gateways"},
        **{"rows": shown, "following": following, "first": not after, "refused": refused},
    }
    return web.render(request, "gateways.html", person, values, 422 if refused else 200)


def signs(last_seen: int | None, word: str | None, now: int) -> tuple[str, str]:
    """How a gateway is, as a word of the lists and as a light."""
    if last_seen is None:
        return "never", ""
    if now - last_seen > queries.SILENT:
        return "silent", "bad"
    return ("well", "good") if word is None else (word, "warn")


@router.post("/gateways")
async def add_gateway(request: Request, service: Served) -> Response:
    """A new gateway: its page, with its token this once."""
    made: list[gateways.Added] = []

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        added = gateways.add(connection, fields.get("name", ""), service.now())
        if fields.get("group"):
            known = gateways.find(connection, added.code)
            gateways.edit(connection, known, group=fields["group"])
        made.append(added)
        return ""

    async def again(person: Person, _fields: dict[str, str], why: str) -> Response:
        if why:
            asked = {"q": "", "state": "all", "group": ""}
            return await _list(request, service, person, asked, refused=why)
        return await _one(request, service, person, made[0].code, token=made[0].token)

    return await web.change(request, service, "operator", work, again)


# ---- one gateway ----


@router.get("/gateways/{code}")
async def gateway_page(request: Request, service: Served, code: str) -> Response:
    """How it is, and was."""
    person = await web.visitor(request, service)
    return await _one(request, service, person, code)


async def _one(
    request: Request, service: Service, person: Person, code: str, **more: str
) -> Response:
    now = service.now()

    def look() -> dict[str, Any] | None:
        with service.store.reading() as connection:
            row = queries.gateway(connection, code)
            return None if row is None else _facts(connection, row, now)

    found = await run_in_threadpool(look)
    if found is None:
        raise Problem("not-found")
    values = {**found, "here": "/gateways", "token": "", **more}
    return web.render(request, "gateway.html", person, values, 422 if more.get("refused") else 200)


def _facts(connection: Connection, row: queries.GatewayRow, now: int) -> dict[str, Any]:
    # The page may ask for any field that is known, whatever this gateway tells.
    status = {**dict.fromkeys(_TOLD), **(row.status or {})}
    if status["repair"]:
        status["repair"] = {**dict.fromkeys(Repair.model_fields), **status["repair"]}
    meter = {**dict.fromkeys(MeterIdentity.model_fields), **(row.meter or {})}
    state, light = signs(row.last_seen, row.word, now)
    return {
        **{"gateway": row, "state": state, "light": light, "status": status, "zone": row.zone},
        "other": {name: value for name, value in status.items() if name not in _TOLD},
        "groups": groups.names(connection),
        "meter": meter if row.meter else None,
        "unit": meters.unit(meter["unit"]),
        "changes": meters.shown(connection, row.id)[::-1][:_ROWS],
        "health": detail.health(connection, row.id, now - 86_400, now + 1, 24)[::-1],
        "events": detail.events(connection, row.id, _ROWS),
        "gaps": detail.gaps(connection, row.id, now, _ROWS),
        "conflicts": detail.conflicts(connection, row.id, _ROWS),
        "rejections": queries.rejections(connection, row.id, _ROWS),
        "links": detail.link_events(status, row.status_t),
        "now": now,
    }


def _known(connection: Connection, code: str) -> gateways.Known:
    # By its code only: a name may be somebody's code.
    if not tokens.is_code(code):
        raise Problem("not-found")
    try:
        return gateways.find(connection, code)
    except GatewayError:
        raise Problem("not-found") from None


@router.post("/gateways/{code}")
async def edit_gateway(request: Request, service: Served, code: str) -> Response:
    """Change its name, group, time zone, contract."""

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        known = _known(connection, code)
        before = connection.scalar(select(Gateway.zone).where(Gateway.id == known.id))
        try:
            contract = int(fields.get("contract") or 0)
        except ValueError:
            contract = -1
        gateways.edit(
            connection,
            known,
            name=fields.get("name", ""),
            group=fields.get("group", ""),
            zone=fields.get("zone", ""),
            contract=contract,
        )
        if fields.get("zone") != before:
            rollup.rezone(connection, known.id)
        return f"/gateways/{code}?done=saved"

    async def again(person: Person, _fields: dict[str, str], why: str) -> Response:
        return await _one(request, service, person, code, refused=why)

    return await web.change(request, service, "operator", work, again)


@router.post("/gateways/{code}/token")
async def new_token(request: Request, service: Served, code: str) -> Response:
    """A new upload token, shown this once; the old one works for a week more."""
    made: list[str] = []

    def work(connection: Connection, _person: Person, _fields: dict[str, str]) -> str:
        made.append(gateways.rotate(connection, _known(connection, code), service.now()))
        return ""

    async def again(person: Person, _fields: dict[str, str], _why: str) -> Response:
        return await _one(request, service, person, code, token=made[0])

    return await web.change(request, service, "operator", work, again)


@router.post("/gateways/{code}/remove")
async def remove_gateway(request: Request, service: Served, code: str) -> Response:
    """Delete it and all its readings; its name must be typed."""

    def work(connection: Connection, _person: Person, fields: dict[str, str]) -> str:
        known = _known(connection, code)
        if fields.get("name", "").strip() != known.name:
            raise GatewayError("type the name of the gateway to delete it")
        gateways.remove(connection, known)
        return "/gateways?done=removed"

    async def again(person: Person, _fields: dict[str, str], why: str) -> Response:
        return await _one(request, service, person, code, refused=why)

    return await web.change(request, service, "owner", work, again)
