"""How long pages and the API take with many readings stored. KENSHIN_ROWS: how many."""

from __future__ import annotations

import http.client
import os
import re
import time

from sqlalchemy import Connection, text

from bench.report import Table, number
from bench.serving import KINDS, NoPostgres, Served, database
from kenshin.server import gateways, groups, hot, newest, people, rollup, web
from kenshin.server.store import Store, database_url

ROWS = int(os.environ.get("KENSHIN_ROWS", "1000000"))
_GATEWAYS = 10
_CROWD = 5_000  # gateways of another group, with two days of half-hours
_STEP = 30  # seconds between two instants
_TIMES = 30
_SLOW_MS = 200  # what a page or an answer is to stay under


def _seed(connection: Connection, numbers: list[int], each: int, now: int) -> None:
    """Instants and half-hours, inserted directly: the same counter in both."""
    begin = now // 1800 * 1800 - each * _STEP
    series = (
        "generate_series(CAST(0 AS BIGINT), :most) AS s (n)"
        if connection.dialect.name == "postgresql"
        else "(WITH RECURSIVE s (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM s WHERE n < :most)"
        " SELECT n FROM s)"
    )
    columns = "gateway_id, kind, t, quality, power, current_r, current_t, normal, reverse"
    for gateway in numbers:
        for kind, step, power, most in (
            (0, _STEP, "300 + n % 900", each - 1),
            (1, 1800, "NULL", each * _STEP // 1800),
        ):
            current = "NULL" if kind else "40"
            connection.execute(
                text(
                    f"INSERT INTO readings ({columns}, origins, received)"
                    f" SELECT :gateway, {kind}, :begin + n * {step}, 0, {power}, {current}, NULL,"
                    f" 1000000 + n * {step // 10}, NULL, 1, :now FROM {series}"
                ),
                {"gateway": gateway, "begin": begin, "most": most, "now": now},
            )


def _crowd(store: Store, now: int) -> list[int]:
    """Thousands of gateways of one group; their numbers."""
    begin = rollup.day_start(now, "Asia/Tokyo") - 86_400
    with store.writing() as connection:
        town = groups.add(connection, "town")
        codes = [gateways.add(connection, f"flat {n}", now).code for n in range(_CROWD)]
        connection.execute(
            text("UPDATE gateways SET group_id = :town WHERE name LIKE 'flat %'"), {"town": town}
        )
        numbers = [gateways.find(connection, code).id for code in codes]
        rows = [
            {"gateway": number, "t": t, "e": 1_000_000 + (t - begin) // 10 * (1 + n % 7)}
            for n, number in enumerate(numbers)
            for t in range(begin, now + 1, 1800)
        ]
        connection.execute(
            text(
                "INSERT INTO readings (gateway_id, kind, t, quality, normal, reverse, origins,"
                " received) VALUES (:gateway, 1, :t, 0, :e, :e, 1, :t)"
            ),
            rows,
        )
        connection.execute(
            text(
                "INSERT INTO readings (gateway_id, kind, t, quality, power, normal, reverse,"
                " origins, received) SELECT gateway_id, 0, :now, 0, 500, normal + 90, reverse, 1,"
                " :now FROM readings WHERE kind = 1 AND t = :t AND gateway_id IN"
                " (SELECT id FROM gateways WHERE group_id = :town)"
            ),
            {"now": now - 20, "t": rows[-1]["t"], "town": town},
        )
    return numbers


def _fill(url: str, rows: int) -> tuple[str, int, str]:
    """(a service code, rows stored, the cookie of an owner)."""
    now = int(time.time())
    each = rows // _GATEWAYS
    store = Store(database_url(url))
    try:
        with store.writing() as connection:
            added = [gateways.add(connection, f"home {n}", now) for n in range(_GATEWAYS)]
            known = [gateways.find(connection, one.code) for one in added]
            for one in known:
                gateways.edit(connection, one, group="street", contract=40)
            numbers = [one.id for one in known]
            owner = people.add(connection, "bench", "owner", now)
            cookie = people.begin(connection, owner, now, "")
        if store.postgres:
            for t in range(now - each * _STEP - 86_400, now + 86_400, 20 * 86_400):
                with store.writing() as connection:
                    hot.make_partition(connection, t)
            with store.writing() as connection:
                hot.make_partition(connection, now)
        for number_ in numbers:
            with store.writing() as connection:
                _seed(connection, [number_], each, now)
        numbers += _crowd(store, now)
        with store.writing() as connection:
            connection.execute(text("UPDATE gateway_state SET last_seen = :t"), {"t": now})
            for number_ in numbers:
                newest.refresh(connection, number_)
        for number_ in numbers:
            more = True
            while more:
                with store.writing() as connection:
                    more = rollup.roll(connection, number_, now)
        if store.postgres:
            with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as plain:
                plain.execute(text("ANALYZE"))  # as autovacuum does after a while
        with store.reading() as connection:
            stored = connection.execute(text("SELECT count(*) FROM readings")).scalar()
    finally:
        store.close()
    return added[0].code, int(stored or 0), cookie


def _ask(port: int, path: str, cookie: str) -> list[float]:
    waits: list[float] = []
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        for _ in range(_TIMES):
            begun = time.monotonic()
            link.request("GET", path, headers={"Cookie": f"kenshin={cookie}"})
            reply = link.getresponse()
            content = reply.read()
            waits.append((time.monotonic() - begun) * 1000)
            if reply.status != 200:
                raise RuntimeError(f"{path}: {reply.status} {content[:200]!r}")
    finally:
        link.close()
    return sorted(waits)


def table() -> Table:
    """Starts servers of its own, with that many readings."""
    found = Table(
        "Server: answers",
        f"Real HTTP to one server process, {_TIMES} requests each, one after the other, with "
        f"{_GATEWAYS} gateways that were polled each {_STEP} s (a group), and {_CROWD:,} of a "
        f"group of their own with two days of half-hours. Aim: under {_SLOW_MS} ms.",
        ("request", "readings stored", "p50 ms", "p95 ms", "slowest ms"),
    )
    for kind in KINDS:
        try:
            with database(kind) as where:
                code, stored, cookie = _fill(where.url, ROWS)
                served = Served(where)
                try:
                    _table(found, kind, served.port, code, stored, cookie)
                    memory = served.memory() / 2**20
                    found.how += f" Memory of the server with {kind}: {memory:.0f} MB."
                finally:
                    served.stop()
        except NoPostgres as error:
            found.how += f" {kind}: not measured: {error}"
    return found


def _pages(port: int, cookie: str) -> list[str]:
    """All pages that the menu leads to, and what these lead to: one of each sort."""
    found: dict[str, str] = {}
    ahead = [path for path, _, _ in web.MENU]
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    while ahead:
        path = ahead.pop(0)
        sort = re.sub(r"=[^&]*", "", re.sub(r"/(?:p\w{10}|\d+)(?=$|[/?])", "/*", path))
        if sort in found or re.match(r"/(api|external_api|static|openapi|login|exports/)", path):
            continue
        link.request("GET", path, headers={"Cookie": f"kenshin={cookie}"})
        reply = link.getresponse()
        content = reply.read().decode()
        target = reply.getheader("location")
        if reply.status == 303 and target:
            ahead.append(target)
            continue
        if reply.status != 200:
            raise RuntimeError(f"{path}: {reply.status}")
        found[sort] = path
        hrefs = re.findall(r'href="(/[^"#]*)', content)
        # Each period of a chart is a page of its own.
        ahead += [path.replace("&amp;", "&") for path in hrefs]
        for path in hrefs:
            if "period=" in path:
                found[path.replace("&amp;", "&")] = path.replace("&amp;", "&")
    link.close()
    return list(dict.fromkeys(found.values()))


def _table(found: Table, kind: str, port: int, code: str, stored: int, cookie: str) -> None:
    api, external = f"/api/v1/gateways/{code}", "/external_api/v1"
    day = time.strftime("%Y-%m-%d", time.gmtime(time.time() - 86_400))
    pages = [(f"page {path.replace(code, 'CODE')}", path) for path in _pages(port, cookie)]
    for words, path in (
        *pages,
        ("gateways", "/api/v1/gateways"),
        ("newest values", api),
        ("alerts", "/api/v1/alerts"),
        ("energy of a day", f"{api}/energy?period=day"),
        ("energy of a month", f"{api}/energy?period=month"),
        ("energy of a year", f"{api}/energy?period=year"),
        ("groups", "/api/v1/groups"),
        ("sums of a group", "/api/v1/groups/1"),
        ("year of a group", "/api/v1/groups/1/energy?period=year"),
        (f"page of a group of {_CROWD:,}", "/groups/2"),
        (f"sums of a group of {_CROWD:,}", "/api/v1/groups/2"),
        *[
            (f"{each} of a group of {_CROWD:,}", f"/api/v1/groups/2/energy?period={each}")
            for each in ("day", "month", "year")
        ],
        ("metrics", "/metrics"),
        ("plot of 6 hours", f"{api}/plot"),
        ("plot of 48 hours", f"{api}/plot?hours=48"),
        ("1,000 powers", f"{external}/active_power/{code}?from={day}&limit=1000"),
        ("half-hours of a month", f"{external}/fwd_int_power/{code}?from=2020-01-01&limit=1488"),
        ("days of a year", f"{external}/fwd_power_day/{code}?from=2020-01-01&limit=366"),
        ("CSV of a day of instants", f"{external}/export?kind=instant&gateway={code}"),
    ):
        waits = _ask(port, path, cookie)
        found.add(
            f"{kind}, {words}",
            number(stored),
            number(waits[len(waits) // 2], 1),
            number(waits[int(len(waits) * 0.95)], 1),
            number(waits[-1], 1),
        )
