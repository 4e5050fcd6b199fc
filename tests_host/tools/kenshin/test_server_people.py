"""Logging in: no default password, roles, sessions that end, forms that cannot be forged."""

import re
import threading
import time

import pytest
from sqlalchemy import delete, func, select, text
from tests_host.tools.kenshin.conftest import LIMIT

from kenshin.server import people, rates, settings, web
from kenshin.server.routes_people import WINDOW, WRONG_ADDRESS, WRONG_NAME
from kenshin.server.schema import Invitation, Session, User

T0 = 1_795_392_000
PASSWORD = "correct horse battery"


@pytest.fixture
def anna(lab):
    with lab.store.writing() as connection:
        return people.add(connection, "Anna", "owner", T0, PASSWORD)


def token(page):
    found = re.search(r'name="csrf" value="([^"]*)"', page.text)
    assert found is not None, page.text
    return found[1]


def log_in(client, name="Anna", password=PASSWORD, to="/", **headers):
    page = client.get("/login", params={"to": to})
    fields = {"csrf": token(page), "name": name, "password": password, "to": to}
    return client.post("/login", data=fields, headers=headers)


def test_pages_are_for_those_who_are_logged_in(lab, anna):
    client = lab.visitor()
    answer = client.get("/?gateway=x")
    assert (answer.status_code, answer.headers["location"]) == (
        303,
        "/login?to=%2F%3Fgateway%3Dx",
    )
    answer = log_in(client, to="/?gateway=x")
    assert (answer.status_code, answer.headers["location"]) == (303, "/?gateway=x")
    page = client.get("/")
    assert page.status_code == 200 and "Anna" in page.text
    assert client.get("/login").headers["location"] == "/"


def test_a_session_is_out_of_reach_of_scripts_and_of_other_sites(lab, anna):
    client = lab.visitor()
    cookie = log_in(client).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie and "Path=/" in cookie
    assert "Secure" not in cookie
    safe = lab.visitor()
    safe.base_url = "https://testserver"
    assert "Secure" in log_in(safe).headers["set-cookie"]


@pytest.mark.parametrize(
    ("name", "password"),
    [("Anna", "wrong password"), ("Bert", PASSWORD), ("", ""), ("Anna", "x" * 5000), ("a\0", "b")],
)
def test_a_wrong_name_or_password_is_one_and_the_same(lab, anna, name, password):
    client = lab.visitor()
    answer = log_in(client, name, password)
    assert answer.status_code in (401, 422)
    assert "kenshin=" not in answer.headers.get("set-cookie", "")
    if "\0" not in name:
        assert "Name or password is wrong" in answer.text
    assert client.get("/").status_code == 303


def test_a_name_that_is_guessed_at_is_locked_for_a_while(lab, anna):
    client = lab.visitor()
    codes = [log_in(client, "ANNA ", "wrong password").status_code for _ in range(WRONG_NAME + 1)]
    assert codes == [401] * WRONG_NAME + [429]
    assert log_in(client).status_code == 429  # the right one is not even looked at
    lab.now += WINDOW
    assert log_in(client).status_code == 303


def test_an_address_that_guesses_is_locked_out_and_leaves_no_more_names(lab, anna):
    client, here = lab.visitor(), "login-from:testclient"
    with lab.store.writing() as connection:
        rates.take(connection, here, WRONG_ADDRESS, lab.now, WINDOW, WRONG_ADDRESS)
    assert log_in(client, "somebody else").status_code == 429
    with lab.store.reading() as connection:
        assert rates.look(connection, here, WRONG_ADDRESS, lab.now, WINDOW).exceeded
        assert rates.look(connection, "login:somebody else", 9, lab.now, WINDOW).used == 1
    assert log_in(client).status_code == 429
    lab.now += WINDOW
    assert log_in(client).status_code == 303


def test_logging_in_rightly_does_not_use_up_attempts(lab, anna):
    for _ in range(WRONG_NAME + 2):
        assert log_in(lab.visitor()).status_code == 303
    with lab.store.reading() as connection:
        assert rates.look(connection, "login:anna", WRONG_NAME, lab.now, WINDOW).used == 1


def test_logging_out_ends_the_session_in_the_database_too(lab, anna):
    client = lab.visitor()
    log_in(client)
    stolen = client.cookies["kenshin"]
    answer = client.post("/logout", data={"csrf": token(client.get("/"))})
    assert (answer.status_code, answer.headers["location"]) == (303, "/login")
    thief = lab.visitor()
    thief.cookies.set("kenshin", stolen)
    assert thief.get("/").status_code == 303


def test_sessions_end_when_not_used_and_in_any_case(lab, anna):
    with lab.store.writing() as connection:
        settings.write(connection, {"session.idle_hours": 2, "session.longest_hours": 5})
    client = lab.visitor()
    log_in(client)
    for _ in range(3):
        lab.now += 90 * 60
        assert client.get("/").status_code == 200
    lab.now += 30 * 60
    assert client.get("/").status_code == 303  # five hours
    log_in(client)
    lab.now += 2 * 3600
    assert client.get("/").status_code == 303


def test_logging_in_makes_a_new_session_and_ends_the_old_one(lab, anna):
    client = lab.visitor()
    planted = {"Cookie": "kenshin=planted"}
    page = client.get("/login", headers=planted)
    fields = {"csrf": token(page), "name": "Anna", "password": PASSWORD}
    client.post("/login", data=fields)
    first = client.cookies["kenshin"]
    assert first != "planted"
    assert client.get("/").status_code == 200
    fields["csrf"] = token(client.get("/login?again=1", headers={"Cookie": ""}))
    fields = {"csrf": fields["csrf"], "name": "Anna", "password": PASSWORD}
    cookies = f"kenshin={first}; kenshin-form={fields['csrf']}"
    client.post("/login", data=fields, headers={"Cookie": cookies})
    thief = lab.visitor()
    thief.cookies.set("kenshin", first)
    assert thief.get("/").status_code == 303


# ---- forms that cannot be forged ----


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"csrf": ""}, {}),
        ({"csrf": "x" * 43}, {}),
        ({"csrf": None}, {"Origin": "http://evil.example"}),
        ({"csrf": None}, {"Sec-Fetch-Site": "cross-site"}),
        ({"csrf": None}, {"Origin": "null"}),
    ],
)
def test_a_form_of_another_site_does_nothing(lab, anna, fields, headers):
    client = lab.visitor()
    log_in(client)
    right = token(client.get("/"))
    fields = {name: right if value is None else value for name, value in fields.items()}
    answer = client.post("/logout", data=fields, headers=headers)
    assert (answer.status_code, answer.json()["type"]) == (403, "/problems/forged")
    assert client.get("/").status_code == 200


def test_a_login_cannot_be_forged_either(lab, anna):
    client = lab.visitor()
    fields = {"name": "Anna", "password": PASSWORD, "csrf": "x" * 43}
    assert client.post("/login", data=fields).status_code == 403
    client.get("/login")
    assert client.post("/login", data=fields).status_code == 403


def test_the_token_of_one_session_does_not_open_another(lab, anna):
    one, two = lab.visitor(), lab.visitor()
    log_in(one)
    log_in(two)
    assert two.post("/logout", data={"csrf": token(one.get("/"))}).status_code == 403


@pytest.mark.parametrize(
    ("content", "status"),
    [(b"csrf=\xff", 422), (b"a", 422), (b"&".join([b"a=b"] * 300), 422), (b"a=" * 40_000, 413)],
)
def test_a_form_is_bounded_and_checked(lab, anna, content, status):
    client = lab.visitor()
    assert client.post("/login", content=content).status_code == status


@pytest.mark.parametrize(
    ("path", "safe"),
    [
        ("/", "/"),
        ("/day?x=1", "/day?x=1"),
        ("//evil.example", "/"),
        ("/\\evil.example", "/"),
        ("https://evil.example/", "/"),
        ("javascript:alert(1)", "/"),
        ("", "/"),
        ("/\r\nX: y", "/"),
    ],
)
def test_after_the_login_nobody_is_sent_elsewhere(path, safe):
    assert web.local(path) == safe


# ---- the first owner, and those who are invited ----


@pytest.fixture
def fresh(lab):
    with lab.store.writing() as connection:
        connection.execute(delete(Session))
        connection.execute(delete(User))
        return people.invite(connection, None, T0)


def accept(client, secret, name="Anna", password=PASSWORD, again=None):
    page = client.get(f"/welcome/{secret}")
    found = re.search(r'name="csrf" value="([^"]*)"', page.text)
    fields = {"csrf": found[1] if found else "", "name": name, "password": password}
    fields["again"] = password if again is None else again
    return client.post(f"/welcome/{secret}", data=fields)


def test_the_first_owner_chooses_name_and_password_once(lab, fresh):
    client = lab.visitor()
    assert "you become the owner" in client.get(f"/welcome/{fresh}").text
    assert accept(client, fresh).status_code == 303
    assert client.get("/").status_code == 200
    other = lab.visitor()
    assert "does not work" in other.get(f"/welcome/{fresh}").text
    assert accept(other, fresh, "Eve").status_code in (403, 410)
    with lab.store.reading() as connection:
        assert [(row.name, row.role) for row in people.listed(connection)] == [("Anna", "owner")]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"password": "short"}, "10 to 200"),
        ({"again": "something else"}, "not the same"),
        ({"name": "   "}, "printable"),
    ],
)
def test_a_bad_choice_is_explained_and_the_link_stays(lab, fresh, change, words):
    client = lab.visitor()
    answer = accept(client, fresh, **change)
    assert answer.status_code == 422 and words in answer.text
    assert accept(client, fresh).status_code == 303


def test_the_first_link_is_void_once_there_is_an_owner_and_after_a_week(lab, fresh, anna):
    assert "does not work" in lab.visitor().get(f"/welcome/{fresh}").text
    with lab.store.writing() as connection:
        bert = people.add(connection, "Bert", "viewer", T0)
        link = people.invite(connection, bert, T0)
    lab.now += people.INVITED
    assert "does not work" in lab.visitor().get(f"/welcome/{link}").text


def test_a_link_and_the_last_owner_are_one_also_at_the_same_moment(postgres_lab):
    lab, refused = postgres_lab, []
    with lab.store.writing() as connection:
        connection.execute(delete(Session))
        connection.execute(delete(User))
        link = people.invite(connection, None, T0)

    def at_once(first, second):
        def late():
            try:
                with lab.store.writing() as connection:
                    second(connection)
            except people.PeopleError as error:
                refused.append(str(error))

        thread = threading.Thread(target=late)
        with lab.store.writing() as connection:
            first(connection)
            thread.start()
            until = time.monotonic() + LIMIT
            blocked = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while time.monotonic() < until and not connection.scalar(blocked):
                time.sleep(0.01)
        thread.join(LIMIT)

    at_once(
        lambda connection: people.accept(connection, link, "Anna", PASSWORD, T0),
        lambda connection: people.accept(connection, link, "Eve", PASSWORD, T0),
    )
    assert refused == ["this link does not work any more"]
    with lab.store.writing() as connection:
        anna, bert = people.find(connection, "Anna"), people.add(connection, "Bert", "owner", T0)
        people.set_password(connection, bert, PASSWORD)
    at_once(
        lambda connection: people.set_role(connection, anna, "viewer"),
        lambda connection: people.remove(connection, bert),
    )
    assert refused[1:] == ["this is the only owner: make somebody else owner first"]


def test_a_person_who_is_invited_keeps_name_and_role(lab, anna):
    with lab.store.writing() as connection:
        bert = people.add(connection, "Bert", "viewer", T0)
        old = people.invite(connection, bert, T0)
        link = people.invite(connection, bert, T0)
    assert "does not work" in lab.visitor().get(f"/welcome/{old}").text
    client = lab.visitor()
    assert accept(client, link, name="Root").status_code == 303
    with lab.store.reading() as connection:
        rows = {row.name: row.role for row in people.listed(connection)}
    assert rows["Bert"] == "viewer" and "Root" not in rows


def test_a_new_password_ends_the_sessions_of_the_old_one(lab, anna):
    client = lab.visitor()
    log_in(client)
    with lab.store.writing() as connection:
        link = people.invite(connection, anna, lab.now)
    assert client.get("/").status_code == 200
    assert accept(lab.visitor(), link, password="another long one").status_code == 303
    assert client.get("/").status_code == 303
    assert log_in(lab.visitor()).status_code == 401


def test_there_is_always_an_owner(lab, fresh, anna):
    with lab.store.writing() as connection:
        people.add(connection, "Bert", "owner", T0)  # who cannot log in yet
        for change in (
            lambda: people.remove(connection, anna),
            lambda: people.set_role(connection, anna, "viewer"),
        ):
            with pytest.raises(people.PeopleError, match="only owner"):
                change()
        people.set_role(connection, anna, "owner")


def test_a_password_is_kept_as_argon2_only(sqlite_lab):
    lab = sqlite_lab
    with lab.store.writing() as connection:
        people.add(connection, "Anna", "owner", T0, PASSWORD)
        link = people.invite(connection, None, T0)
    client = lab.visitor()
    log_in(client)
    with lab.store.reading() as connection:
        stored = connection.scalar(select(User.password).where(User.name == "Anna"))
        assert connection.scalar(select(func.count()).select_from(Invitation)) == 1
    assert stored.startswith("$argon2id$")
    kept = lab.path.read_bytes() + lab.path.with_name(lab.path.name + "-wal").read_bytes()
    for secret in (PASSWORD, client.cookies["kenshin"], link):
        assert secret.encode() not in kept


def test_the_language_that_a_person_chose_is_kept(lab, anna):
    client = lab.visitor()
    log_in(client)
    fields = {"csrf": token(client.get("/")), "language": "ja", "to": "/"}
    assert client.post("/language", data=fields).status_code == 303
    assert '<html lang="ja">' in client.get("/").text
    fields["language"] = "xx"
    assert client.post("/language", data=fields).status_code == 422
