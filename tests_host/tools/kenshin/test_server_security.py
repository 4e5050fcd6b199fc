"""The lines of docs/security.md about the server that are not tested elsewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
T0 = 1_795_392_000

# Everything a program or a browser can ask for without being known.
OPEN = {"/healthz", "/openapi.json", "/login", "/welcome/{secret}", "/problems/{name}"}


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/login",
        "/healthz",
        "/openapi.json",
        "/static/page.css",
        "/nothing",
        "/api/v1/gateways",
    ],
)
def test_every_answer_has_safe_headers(lab, path):
    headers = lab.client.get(path).headers
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert headers["referrer-policy"] == "same-origin"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "access-control-allow-origin" not in headers
    assert "server" not in headers
    assert "strict-transport-security" not in headers
    lab.client.base_url = "https://testserver"
    assert "max-age" in lab.client.get(path).headers["strict-transport-security"]


def routes(app):
    """(method, path) of all routes, those of included routers too."""
    found = []
    pending = list(app.routes)
    while pending:
        route = pending.pop()
        pending += getattr(route, "routes", None) or []
        original = getattr(route, "original_router", None)
        pending += original.routes if original is not None else []
        for method in getattr(route, "methods", None) or ():
            found.append((method, route.path))
    return set(found)


def test_nothing_else_is_open_to_everybody(sqlite_lab):
    lab = sqlite_lab
    board = lab.board()
    values = {"code": board.code, "service_code": board.code, "kind": "active_power"}
    asked = 0
    for method, path in routes(lab.app):
        if method == "HEAD" or path in OPEN:
            continue
        real = re.sub(r"\{(\w+)(:\w+)?\}", lambda found: values.get(found[1], "1"), path)
        answer = lab.visitor().request(method, real)
        to_login = answer.status_code == 303 and "/login" in answer.headers["location"]
        assert to_login or answer.status_code in (401, 403), (method, path, answer.status_code)
        asked += 1
    assert asked >= 10


def test_each_line_of_the_threat_model_names_tests_that_are_there():
    text = (ROOT / "docs" / "security.md").read_text("utf-8")
    part = text.partition("## The server")[2].partition("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    assert len(lines) >= 15
    for line in lines:
        named = re.findall(r"`(test_server_\w+)::(test_\w+)`", line)
        assert named, line
        for file, name in named:
            found = list(Path(__file__).parent.rglob(f"{file}.py"))
            assert found and f"def {name}(" in found[0].read_text("utf-8"), (file, name)
