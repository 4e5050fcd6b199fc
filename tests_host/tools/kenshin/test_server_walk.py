"""Every route there is, tried by those who may not: a new one is tried from its first day."""

import ast
import base64
import re
from pathlib import Path

import pytest

from kenshin import server
from kenshin.server import gateways, keys, people, rates
from kenshin.server.schema import Base

T0 = 1_795_392_000
# What a viewer changes is their own: language, password, sessions; and a gateway its readings.
OWN = {"/login", "/logout", "/welcome/{secret}", "/language"}
OWN |= {"/settings/me", "/settings/password", "/settings/sessions"}
UPLOAD = "/api/v1/readings"
# What may change while nobody may change anything.
BESIDE = {"sessions", "rates", "leases"}


def routes(app):
    """(method, path) of all routes."""
    found, pending = set(), list(app.routes)
    while pending:
        route = pending.pop()
        pending += getattr(route, "routes", None) or []
        original = getattr(route, "original_router", None)
        pending += original.routes if original is not None else []
        for method in getattr(route, "methods", None) or ():
            found.add((method, route.path))
    return sorted(found)


def changing(app):
    """Paths of routes that change something."""
    return [path for method, path in routes(app) if method not in ("GET", "HEAD")]


class House:
    """A server with something in every table that a route may touch."""

    def __init__(self, lab, slot):
        self.lab = lab
        self.boards = {name: lab.board(name) for name in ("one", "two")}
        for board in self.boards.values():
            board.upload(*[slot(n, T0 - 1800 * n, 1000 - n) for n in range(1, 60)])
        with lab.store.writing() as connection:
            for name in self.boards:
                known = gateways.find(connection, name)
                gateways.edit(connection, known, group=f"group {name}")
            people.add(connection, "Somebody", "viewer", T0, "correct horse battery")

    def real(self, path, name="one", **more):
        """A path with values that are there."""
        code = self.boards[name].code
        values = {"code": code, "service_code": code, "kind": "fwd_int_power", **more}
        return re.sub(r"\{(\w+)(:\w+)?\}", lambda found: values.get(found[1], "1"), path)

    def content(self):
        """All that is stored, but for what changes by itself."""
        with self.lab.store.reading() as connection:
            return {
                name: sorted(map(str, connection.execute(table.select())))
                for name, table in Base.metadata.tables.items()
                if name not in BESIDE
            }


@pytest.fixture
def house(sqlite_lab, slot):
    return House(sqlite_lab, slot)


def form_token(client):
    found = re.search(r'name="csrf" value="([^"]*)"', client.get("/settings").text)
    assert found is not None
    return found[1]


def test_a_viewer_changes_nothing_anywhere(house):
    client = house.lab.visitor("viewer")
    fields = {"csrf": form_token(client), "name": "two", "role": "owner", "kind": "silent"}
    before, tried = house.content(), 0
    for path in changing(house.lab.app):
        if path in OWN | {UPLOAD}:
            continue
        answer = client.post(house.real(path), data=fields)
        assert answer.status_code == 403, (path, answer.status_code)
        tried += 1
    assert tried >= 15
    assert house.content() == before


def test_without_the_sessions_token_not_even_an_owner_changes_anything(house):
    client = house.lab.visitor("owner")
    assert form_token(client)
    before, tried = house.content(), 0
    for path in changing(house.lab.app):
        if path == UPLOAD:
            continue
        for fields in ({}, {"csrf": "x" * 43}):
            answer = client.post(house.real(path), data=fields)
            assert answer.status_code == 403, (path, answer.status_code)
        tried += 1
    assert tried >= 20
    assert house.content() == before


def test_no_body_is_read_beyond_its_limit(house):
    """Not by its Content-Length, and not without one."""
    client = house.lab.visitor("owner")
    client.headers["Authorization"] = f"Bearer {house.boards['one'].token}"
    for path in changing(house.lab.app):
        for body in (b"x" * 400_000, iter([b"x" * 100_000] * 4)):
            answer = client.post(house.real(path), content=body)
            assert answer.status_code == 413, (path, answer.status_code)


def test_a_gateway_learns_nothing_of_another(house):
    one, two = house.boards["one"], house.boards["two"]
    client = house.lab.visitor()
    client.headers["Authorization"] = f"Bearer {one.token}"
    _nothing_of_the_other(house, client, two)


def test_a_key_of_a_gateway_or_a_group_opens_nothing_else(house):
    for gateway, group in (("one", None), (None, "group one")):
        with house.lab.store.writing() as connection:
            made = keys.add(connection, "k", T0, gateway=gateway, group=group)
        pair = base64.b64encode(f"{made.access_key}:{made.secret}".encode()).decode()
        client = house.lab.visitor()
        client.headers["Authorization"] = f"Basic {pair}"
        _nothing_of_the_other(house, client, house.boards["two"])
        with house.lab.store.writing() as connection:
            assert keys.revoke(connection, made.access_key)
        for path in _programs(house.lab.app):
            assert client.get(house.real(path)).status_code == 401, path
        with house.lab.store.writing() as connection:
            # The wrong keys of this test are not to be held against the next part of it.
            connection.execute(rates.Rate.__table__.delete())  # pyright: ignore


def _programs(app):
    """Paths that other programs may ask for."""
    return [
        path
        for method, path in routes(app)
        if method == "GET" and path.startswith(("/api/", "/external_api/"))
    ]


def _nothing_of_the_other(house, client, other):
    opened = 0
    with house.lab.store.reading() as connection:
        number = str(gateways.group_id(connection, "group two"))
    for path in _programs(house.lab.app):
        own = client.get(house.real(path))
        assert other.code not in own.text and "two" not in own.text, path
        opened += own.status_code == 200
        if "{" in path:
            answer = client.get(house.real(path, "two", number=number))
            assert answer.status_code == 404, (path, answer.status_code)
    assert opened >= 5
    for parameters in ({"gateway": other.code}, {"group": "group two"}):
        answer = client.get("/external_api/v1/export", params={"kind": "day", **parameters})
        assert answer.status_code == 404


def test_every_page_has_safe_headers_and_shows_no_secret(house):
    client = house.lab.visitor("owner")
    secrets = [board.token for board in house.boards.values()]
    with house.lab.store.reading() as connection:
        for table in ("users", "tokens", "sessions"):
            column = "password" if table == "users" else "sha256"
            rows = connection.exec_driver_sql(f"SELECT {column} FROM {table}")
            secrets += [row[0] for row in rows if row[0]]
    seen = 0
    for method, path in routes(house.lab.app):
        if method != "GET":
            continue
        answer = client.get(house.real(path))
        headers = answer.headers
        assert "default-src 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["x-frame-options"] == "DENY", path
        if "text/html" in headers.get("content-type", "") and answer.status_code == 200:
            assert headers["cache-control"] == "no-store", path
            seen += 1
        assert [secret for secret in secrets if secret in answer.text] == [], path
    assert seen >= 8


SECRET = re.compile(r"(^|_)(secret|token|csrf|sha256|hash|hashed|password|signature)$")
# Whether a form's two fields are the same, and what a column holds (a look-up by hash: see
# `gateways.holder_of`).
HARMLESS = {'password != fields.get("again", "")', 'new != fields.get("again", "")'}


def test_what_is_secret_is_compared_in_constant_time_only():
    """No == on a secret anywhere in the server, but for columns; `tokens.same` compares."""
    folder = Path(server.__file__).parent
    found, files = [], 0
    for path in folder.rglob("*.py"):
        files += 1
        source = path.read_text("utf-8")
        for node in ast.walk(ast.parse(source)):
            if not isinstance(node, ast.Compare):
                continue
            if not any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
                continue
            sides = (node.left, *node.comparators)
            names = [getattr(side, "attr", getattr(side, "id", "")) for side in sides]
            if any(map(SECRET.search, names)) and not any(map(_is_column, sides)):
                text = ast.get_source_segment(source, node)
                found += [f"{path.name}:{node.lineno}: {text}"] if text not in HARMLESS else []
    assert files > 50 and found == []


def _is_column(node):
    return (
        isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id[:1].isupper()
    )
