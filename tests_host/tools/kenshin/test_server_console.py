"""What people change on the pages, and who may."""

import ast
import re
from pathlib import Path

import pytest

from kenshin.server import gateways, groups, keys, people, queries, rates, settings, web
from kenshin.server import store as store_module
from kenshin.server.routes_people import WINDOW, WRONG_NAME

T0 = 1_795_392_000
DAY = 86_400
SERVER = Path(store_module.__file__).parent


def token(page):
    found = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert found is not None, page.text
    return found[1]


def post(client, path, page="/settings", **fields):
    """Send a form as the browser would, with the session's own token."""
    return client.post(path, data={"csrf": token(client.get(page)), **fields})


@pytest.fixture
def people_of(sqlite_lab):
    """A browser for each role, and a gateway, a group, a key, and somebody to be changed."""
    lab = sqlite_lab
    board = lab.board("home")
    with lab.store.writing() as connection:
        group = groups.add(connection, "house")
        key = keys.add(connection, "script", T0).access_key
        user = people.add(connection, "Bert", "viewer", T0)
    values = {"code": board.code, "number": group, "access_key": key, "user": user}
    return lab, {role: lab.visitor(role) for role in people.ROLES}, values


# Every form of the pages: who may send it, and what it holds.
FORMS = {
    "/gateways": ("operator", {"name": "new"}),
    "/gateways/{code}": ("operator", {"name": "other", "zone": "Asia/Tokyo"}),
    "/gateways/{code}/token": ("operator", {}),
    "/gateways/{code}/remove": ("owner", {"name": "home"}),
    "/groups": ("operator", {"name": "new"}),
    "/groups/{number}": ("operator", {"name": "other"}),
    "/groups/{number}/add": ("operator", {"gateway": "home"}),
    "/groups/{number}/take": ("operator", {"gateway": "home"}),
    "/groups/{number}/remove": ("operator", {}),
    "/keys": ("owner", {"name": "new"}),
    "/keys/{access_key}/revoke": ("owner", {}),
    "/people": ("owner", {"name": "Cleo", "role": "viewer"}),
    "/people/{user}/link": ("owner", {}),
    "/people/{user}/role": ("owner", {"role": "operator"}),
    "/people/{user}/remove": ("owner", {}),
    "/settings": ("owner", {"api.rate": "60"}),
    "/settings/me": ("viewer", {"language": "ja", "theme": "dark"}),
    "/settings/password": ("viewer", {"old": "x", "new": "y" * 10, "again": "y" * 10}),
    "/settings/sessions": ("viewer", {}),
    "/language": ("viewer", {"language": "ja"}),
    "/logout": ("viewer", {}),
}
# These are there before anybody is known; test_server_people has them.
BEFORE = {"/login", "/welcome/{secret}"}


def test_every_form_is_known_here(sqlite_lab):
    pending, found = list(sqlite_lab.app.routes), set()
    while pending:
        route = pending.pop()
        original = getattr(route, "original_router", None)
        pending += [
            *(getattr(route, "routes", None) or []),
            *(original.routes if original else []),
        ]
        if "POST" in (getattr(route, "methods", None) or ()):
            found.add(route.path)
    # What another page brings is tested with it.
    found = {path for path in found if not path.startswith(("/api/", "/alerts"))}
    assert found - BEFORE == set(FORMS)


def test_a_form_is_for_those_who_may(people_of):
    """test_server_walk tries viewers and forged forms; here is who may do what among the rest."""
    lab, browsers, values = people_of
    tokens = {role: token(browser.get("/settings")) for role, browser in browsers.items()}
    for form, (role, fields) in FORMS.items():
        for each in people.ROLES[: people.ROLES.index(role)]:
            data = {"csrf": tokens[each], **fields}
            answer = browsers[each].post(form.format(**values), data=data)
            assert answer.status_code == 403, (form, each)
            assert answer.json()["type"] == "/problems/not-allowed"
    operator = {form for form, (role, _) in FORMS.items() if role == "operator"}
    assert {"/gateways/{code}", "/groups/{number}/remove"} <= operator
    for form in sorted(operator - {"/groups/{number}/remove"}):
        data = {"csrf": tokens["operator"], **FORMS[form][1]}
        answer = browsers["operator"].post(form.format(**values), data=data)
        assert answer.status_code in (200, 303, 422), form


PAGES = ["/", "/gateways", "/gateways/{code}", "/groups", "/groups/{number}", "/exports"]
PAGES += ["/settings", "/energy/{code}", "/groups/{number}?period=year"]
OWNERS = ["/keys", "/people"]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_who_sees_which_page(people_of, language):
    lab, browsers, values = people_of
    for role, browser in browsers.items():
        for path in [*PAGES, *OWNERS]:
            page = browser.get(path.format(**values), headers={"Accept-Language": language})
            allowed = role == "owner" or path not in OWNERS
            assert page.status_code == (200 if allowed else 403), (role, path)
            if allowed:
                assert f'<html lang="{language}"' in page.text
                assert ('href="/keys"' in page.text) == (role == "owner")
                # A viewer's pages have no button that would be refused.
                forms = set(re.findall(r'method="post" action="([^"]+)"', page.text))
                mine = {"/logout", "/settings/me", "/settings/password", "/settings/sessions"}
                assert role != "viewer" or forms <= mine


@pytest.mark.parametrize("path", ["/gateways/pswnothere1", "/gateways/x", "/groups/999"])
def test_what_is_not_there_is_not_found(people_of, path):
    _, browsers, _ = people_of
    assert browsers["owner"].get(path).status_code == 404
    assert post(browsers["owner"], path, name="x", zone="Asia/Tokyo").status_code == 404
    assert browsers["owner"].get("/groups/99999999999999999999").status_code == 422


def test_a_gateway_is_added_changed_and_deleted(people_of):
    lab, browsers, _ = people_of
    operator, owner = browsers["operator"], browsers["owner"]
    page = post(operator, "/gateways", name="cabin", group="hills")
    shown = re.search(r"<code>([\w-]{43})</code>", page.text)
    assert shown is not None
    with lab.store.reading() as connection:
        code = gateways.find(connection, "cabin").code
        holder = gateways.holder(connection, shown[1], lab.now)
        assert holder is not None and holder.code == code
    assert shown[1] not in operator.get(f"/gateways/{code}").text
    fields = {"name": "hut", "group": "", "zone": "Europe/Berlin", "contract": "40"}
    answer = post(operator, f"/gateways/{code}", **fields)
    assert answer.headers["location"] == f"/gateways/{code}?done=saved"
    assert "Saved." in operator.get(answer.headers["location"]).text
    with lab.store.reading() as connection:
        row = queries.gateway(connection, code)
    assert row is not None
    assert (row.name, row.group, row.zone, row.contract) == ("hut", None, "Europe/Berlin", 40)
    for wrong in ({"contract": "many"}, {"zone": "Asia/Kolkata"}, {"name": "home"}):
        answer = post(operator, f"/gateways/{code}", **{**fields, **wrong})
        assert answer.status_code == 422 and 'role="alert"' in answer.text
    with lab.store.reading() as connection:
        assert queries.gateway(connection, code) == row
    assert post(owner, f"/gateways/{code}/remove", name="home").status_code == 422
    assert post(owner, f"/gateways/{code}/remove", name="hut").status_code == 303
    with lab.store.reading() as connection:
        assert queries.gateway(connection, code) is None


def test_a_refusal_is_told_in_the_readers_language(people_of):
    _, browsers, _ = people_of
    operator = browsers["operator"]
    post(operator, "/settings/me", language="ja")
    page = post(operator, "/gateways", name="home")
    assert page.status_code == 422
    assert "「home」という名前のゲートウェイはすでにあります" in page.text


def test_every_refusal_has_japanese_words():
    """Texts of refusals as they stand in the code, with {} for what they name."""
    found = set()
    for name in (
        "gateways",
        "groups",
        "people",
        "keys",
        "settings",
        "routes_settings",
        "routes_exports",
        *("alerts/rules", "alerts/mail", "alerts/hook", "alerts/worker"),
    ):
        for node in ast.walk(ast.parse((SERVER / f"{name}.py").read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if not called.endswith(("Error", "NotSent")):
                continue
            if isinstance(node.args[0], ast.Constant | ast.JoinedStr):
                parts = node.args[0]
                values = parts.values if isinstance(parts, ast.JoinedStr) else [parts]
                found.add(
                    "".join(str(v.value) if isinstance(v, ast.Constant) else "X" for v in values)
                )
    assert len(found) > 15
    assert [text for text in found if web.say("ja", text) == text] == []
    assert web.say("en", "anything") == "anything"


def test_a_group_is_made_filled_renamed_and_removed(people_of):
    lab, browsers, values = people_of
    operator = browsers["operator"]
    path = post(operator, "/groups", name="street").headers["location"].partition("?")[0]
    assert post(operator, "/groups", name="street").status_code == 422
    assert post(operator, path + "/add", gateway="nobody").status_code == 422
    post(operator, path + "/add", gateway="home")
    assert f'href="/gateways/{values["code"]}"' in operator.get(path).text
    post(operator, path, name="road")
    assert ">road<" in operator.get("/groups").text
    with lab.store.writing() as connection:
        key = keys.add(connection, "k", T0, group="road").access_key
    # Without its group the key would open everything.
    assert "revoke them first" in post(operator, path + "/remove").text
    with lab.store.writing() as connection:
        keys.revoke(connection, key)
    post(operator, path + "/take", gateway=values["code"])
    assert "No gateway is in this group" in operator.get(path).text
    assert post(operator, path + "/remove").headers["location"] == "/groups?done=removed"
    assert operator.get(path).status_code == 404


def test_a_key_is_shown_once_used_and_revoked(people_of):
    lab, browsers, _ = people_of
    owner = browsers["owner"]
    page = post(owner, "/keys", name="sheet", group="house", days="30")
    access, secret = re.findall(r"<dd><code>(\w+[\w-]*)</code>", page.text)
    client = lab.visitor()
    assert client.get("/api/v1/groups", auth=(access, secret)).json()["groups"] == [
        {"id": 1, "name": "house", "gateways": 0}
    ]
    page = owner.get("/keys")
    assert secret not in page.text and "house" in page.text and "2026-12-23" in page.text
    assert post(owner, f"/keys/{access}/revoke").status_code == 303
    assert client.get("/api/v1/groups", auth=(access, secret)).status_code == 401
    assert post(owner, "/keys", name="x", gateway="home", group="house").status_code == 422
    assert post(owner, "/keys", name="x", days="-1").status_code == 422


def test_somebody_is_invited_promoted_and_removed(people_of):
    lab, browsers, values = people_of
    owner = browsers["owner"]
    page = post(owner, "/people", name="Cleo", role="viewer")
    link = re.search(r"<code>https?://\w+(/welcome/[\w-]+)</code>", page.text)
    assert link is not None and "Cleo" in page.text
    assert link[1] not in owner.get("/people").text
    guest = lab.visitor()
    secret = "correct horse battery"
    fields = {"csrf": token(guest.get(link[1])), "name": "Cleo", "password": secret}
    assert guest.post(link[1], data={**fields, "again": secret}).status_code == 303
    assert "Cleo" in guest.get("/settings").text
    with lab.store.reading() as connection:
        user = people.find(connection, "Cleo")
    post(owner, f"/people/{user}/role", role="operator")
    assert post(guest, "/groups", name="mine").status_code == 303
    assert post(owner, f"/people/{user}/role", role="king").status_code == 422
    post(owner, f"/people/{user}/remove")
    assert guest.get("/").status_code == 303  # and the session has ended
    assert post(owner, f"/people/{user}/remove").status_code == 404


def test_ones_own_settings(people_of):
    lab, browsers, _ = people_of
    viewer = browsers["viewer"]
    post(viewer, "/settings/me", language="ja", theme="dark")
    page = viewer.get("/settings", headers={"Accept-Language": "en"})
    assert '<html lang="ja" data-theme="dark">' in page.text
    assert post(viewer, "/settings/me", theme="pink").status_code == 422
    post(viewer, "/settings/me", language="", theme="")
    assert '<html lang="en">' in viewer.get("/", headers={"Accept-Language": "en"}).text


def test_a_new_password_needs_the_old_one_and_ends_other_sessions(people_of):
    lab, _, _ = people_of
    old, new = "correct horse battery", "another horse battery"
    with lab.store.writing() as connection:
        user = people.add(connection, "Dora", "viewer", T0, old)
        cookies = [people.begin(connection, user, T0, "") for _ in range(3)]
    one, two, three = (lab.visitor() for _ in range(3))
    for browser, cookie in zip((one, two, three), cookies, strict=True):
        browser.cookies.set("kenshin", cookie)
    assert "in 3 browser" in one.get("/settings").text
    for wrong in (
        {"old": "wrong", "new": new, "again": new},
        {"old": old, "new": new, "again": old},
        {"old": old, "new": "short", "again": "short"},
    ):
        assert post(one, "/settings/password", **wrong).status_code == 422
    answer = post(one, "/settings/password", old=old, new=new, again=new)
    assert answer.status_code == 303
    assert one.get("/settings").status_code == 200  # a new session of its own
    assert two.get("/settings").status_code == three.get("/settings").status_code == 303
    with lab.store.writing() as connection:
        assert people.verify(connection, "Dora", new) == user
        two.cookies.set("kenshin", people.begin(connection, user, T0, ""))
    assert two.get("/settings").status_code == 200
    post(one, "/settings/sessions")
    assert (one.get("/settings").status_code, two.get("/settings").status_code) == (200, 303)


def test_the_old_password_is_guessed_at_as_slowly_as_at_the_login(people_of):
    lab, _, _ = people_of
    right = "correct horse battery"
    with lab.store.writing() as connection:
        user = people.add(connection, "Dora", "viewer", T0, right)
        cookie = people.begin(connection, user, T0, "")
        for _ in range(WRONG_NAME - 1):
            rates.take(connection, "login:dora", WRONG_NAME, T0, WINDOW)
    browser = lab.visitor()
    browser.cookies.set("kenshin", cookie)
    for old, words in (("x", "the password is wrong"), (right, "too many attempts")):
        page = post(browser, "/settings/password", old=old, new="y" * 10, again="y" * 10)
        assert page.status_code == 422 and words in page.text


def test_the_servers_settings(people_of):
    lab, browsers, _ = people_of
    owner = browsers["owner"]
    named = [key for key in settings.DEFINITIONS if key in web.WORDS["en"]["setting"]]
    page = owner.get("/settings").text
    shown = re.findall(r'<(?:input|select) name="(\w+\.\w+)"', page)
    assert sorted(shown) == sorted(named)
    others = {key.partition(".")[0] for key in settings.DEFINITIONS if key not in named}
    assert others == {"alerts", "mail"}  # these are on the page of alerts
    changed = {"api.rate": "60", "display.zone": "Europe/Berlin", "display.language": "ja"}
    assert post(owner, "/settings", **changed, nothing="x").status_code == 303
    with lab.store.reading() as connection:
        found = settings.read(connection)
    assert {key: found[key] for key in changed} == {**changed, "api.rate": 60}
    page = lab.visitor().get("/login", headers={"Accept-Language": "en"})
    assert '<html lang="ja">' in page.text
    board = lab.board("far")
    with lab.store.reading() as connection:
        row = queries.gateway(connection, board.code)
    assert row is not None and row.zone == "Europe/Berlin"
    for wrong in ({"api.rate": "0"}, {"display.zone": "Nowhere"}, {"display.language": "xx"}):
        page = post(owner, "/settings", **wrong)
        assert page.status_code == 422 and 'role="alert"' in page.text


def test_a_problem_is_a_page_for_people_and_json_for_programs(people_of):
    lab, browsers, _ = people_of
    html = {"Accept": "text/html,application/xhtml+xml", "Accept-Language": "en"}
    for path, status, words in (
        ("/gateways/pswnothere1", 404, "There is no such page here."),
        ("/groups/999", 404, "There is no such page here."),
        ("/nothing", 404, "There is no such page here."),
        ("/people", 403, "Your role does not suffice"),
    ):
        page = browsers["viewer"].get(path, headers=html)
        assert (page.status_code, page.headers["content-type"]) == (
            status,
            "text/html; charset=utf-8",
        )
        assert words in page.text and 'class="menu"' in page.text
        assert browsers["viewer"].get(path).json()["status"] == status
    page = browsers["viewer"].post("/settings/me", data={"csrf": "x" * 43}, headers=html)
    assert page.status_code == 403 and "too old" in page.text
    page = lab.visitor().post("/login", data={"csrf": "x"}, headers=html)
    assert page.status_code == 403 and 'class="menu"' not in page.text
    answer = browsers["viewer"].get("/api/v1/gateways/pswnothere1", headers=html)
    assert answer.headers["content-type"] == "application/problem+json"
