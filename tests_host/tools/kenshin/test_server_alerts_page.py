"""The page of alerts: who sees and changes what; secrets are shown once, or never."""

import re

import pytest

from kenshin.server import settings
from kenshin.server.alerts import rules

PASSWORD = "not-a-real-password"


@pytest.fixture
def lab(sqlite_lab):
    return sqlite_lab


class Browser:
    """Somebody who reads the page and fills in its forms."""

    def __init__(self, lab, role):
        self.client = lab.visitor(role)

    def page(self, path="/alerts", **headers):
        answer = self.client.get(path, headers=headers)
        assert answer.status_code == 200
        return answer.text

    def post(self, path, **fields):
        found = re.search(r'name="csrf" value="([^"]*)"', self.page())
        assert found is not None
        return self.client.post(path, data={"csrf": found[1], **fields})


@pytest.fixture
def viewer(lab):
    return Browser(lab, "viewer")


@pytest.fixture
def operator(lab):
    return Browser(lab, "operator")


@pytest.fixture
def owner(lab):
    return Browser(lab, "owner")


def test_the_page_shows_what_is_open_and_what_was(lab, viewer, instant):
    assert "nobody is told when a gateway falls silent" in viewer.page()
    board = lab.board("<b>home</b>")
    with lab.store.writing() as connection:
        rules.add(connection, {"kind": "silent"})
    lab.service.alarms.work()
    board.upload(instant(1))
    lab.now += 100
    lab.service.alarms.work()
    for _ in range(10):
        lab.now += 100
        lab.service.alarms.work()
    page = viewer.page()
    assert "Open now (1)" in page and "&lt;b&gt;home&lt;/b&gt;" in page and "<b>home" not in page
    assert "Nothing was received for 15 minutes." in page and "2026-11-23 09:00" in page
    assert "発生中 (1)" in viewer.page(**{"Accept-Language": "ja"})
    board.upload(instant(2, lab.now))
    lab.service.alarms.work()
    page = viewer.page()
    assert "Nothing is wrong" in page and "2026-11-23 09:18" in page
    assert 'href="/alerts" aria-current="page"' in page


def test_the_history_goes_on_page_by_page(lab, viewer, instant):
    lab.board().upload(instant(1))
    with lab.store.writing() as connection:
        number = rules.add(connection, {"kind": "silent"})
        (row,) = connection.exec_driver_sql("SELECT id FROM gateways").all()
        for n in range(120):
            connection.exec_driver_sql(
                "INSERT INTO alerts VALUES (?, ?, ?, ?, 'silent', 1, 15, 0)",
                (row[0], number, lab.now - 600 * n, lab.now - 600 * n + 60),
            )
    path, seen = "/alerts", []
    while path:
        page = viewer.page(path)
        seen += re.findall(
            r'data-label="Since">(2026-11-2\d \d\d:\d\d)</td><td data-label="Until"', page
        )
        following = re.search(r'rel="next" href="([^"]+)"', page)
        path = following[1] if following else ""
    assert len(seen) == len(set(seen)) == 120


def test_an_operator_makes_changes_and_removes_rules(lab, operator):
    answer = operator.post(
        "/alerts/rules", kind="rssi", threshold="-85", mail="1", hook="1",
        mail_to="a@home.example", quiet_from="22:00", quiet_to="7:00", quiet_drop="1",
    )  # fmt: skip
    assert answer.status_code == 303
    page = operator.page()
    for words in ("Below -85 dBm for 60 min", "a@home.example", "quiet 22:00–07:00"):
        assert words in page
    with lab.store.reading() as connection:
        (rule,) = rules.listed(connection)
    assert rule.ways == ("mail", "hook") and rule.quiet_drop
    edited = operator.page(f"/alerts?edit={rule.id}")
    assert 'value="-85"' in edited and 'value="22:00"' in edited
    assert operator.post(f"/alerts/rules/{rule.id}", kind="rssi", off="1").status_code == 303
    with lab.store.reading() as connection:
        (rule,) = rules.listed(connection)
    assert (rule.threshold, rule.active, rule.ways) == (-88, False, ())
    assert operator.post(f"/alerts/rules/{rule.id}/remove").status_code == 303
    with lab.store.reading() as connection:
        assert rules.listed(connection) == []


def test_what_is_wrong_in_a_form_is_said_above_the_page(operator, owner):
    answer = operator.post("/alerts/rules", kind="silent", threshold="2")
    assert answer.status_code == 422 and "between 5 and 10080" in answer.text
    assert operator.post("/alerts/rules/99/remove").status_code == 422
    assert operator.post("/alerts/rules/x/remove").status_code == 404
    answer = owner.post("/alerts/delivery", mail_port="0")
    assert answer.status_code == 422 and "mail.port is between 1 and 65535" in answer.text
    answer = owner.post("/alerts/delivery", hook_url="ftp://hook.example/")
    assert answer.status_code == 422 and "http:// or https://" in answer.text


def test_delivery_is_the_owners_and_its_secrets_are_not_shown(lab, operator, owner):
    fields = {
        "mail_host": "mail.example", "mail_port": "465", "mail_security": "ssl",
        "mail_user": "anna", "mail_password": PASSWORD, "mail_from": "anna@home.example",
        "mail_to": "anna@home.example", "language": "ja",
        "hook_url": "https://hook.example/path-with-a-key",
    }  # fmt: skip
    assert operator.post("/alerts/delivery", **fields).status_code == 403
    answer = owner.post("/alerts/delivery", **fields)
    secret = re.search(r"<code>([0-9a-f]{64})</code>", answer.text)
    assert answer.status_code == 200 and secret is not None
    for page in (answer.text.replace(secret[1], ""), owner.page(), operator.page()):
        for hidden in (PASSWORD, "path-with-a-key", secret[1]):
            assert hidden not in page
    assert "hook.example" in owner.page() and "hook.example" not in operator.page()
    # Left empty, what is secret stays; a new secret is made when it is asked for.
    kept = {**fields, "mail_password": "", "hook_url": ""}
    assert owner.post("/alerts/delivery", **kept).status_code == 303
    with lab.store.reading() as connection:
        wished = settings.read(connection)
    assert wished["mail.password"] == PASSWORD and wished["alerts.hook_secret"] == secret[1]
    again = owner.post("/alerts/delivery", **kept, hook_secret="1")
    assert secret[1] not in again.text and "<code>" in again.text
    assert owner.post("/alerts/delivery", **kept, hook_forget="1").status_code == 303
    with lab.store.reading() as connection:
        assert settings.read(connection)["alerts.hook_url"] == ""


def test_the_button_for_a_test_says_what_became_of_it(lab, operator):
    assert "Neither a mail server nor a web-hook is set." in operator.post("/alerts/test").text
    with lab.store.writing() as connection:
        settings.write(connection, {"mail.host": "mail.example"})
    assert "Not sent by E-mail: mail.host and mail.from" in operator.post("/alerts/test").text


def test_a_viewer_sees_no_form(viewer):
    page = viewer.page()
    assert 'action="/alerts' not in page
    assert viewer.post("/alerts/rules", kind="silent").status_code == 403


def test_another_program_reads_its_own_alerts_only(lab, instant):
    boards = [lab.board(name) for name in ("one", "two")]
    with lab.store.writing() as connection:
        rules.add(connection, {"kind": "silent"})
    lab.service.alarms.work()
    for board in boards:
        board.upload(instant(1))
    for _ in range(10):
        lab.now += 100
        lab.service.alarms.work()
    answer = lab.client.get("/api/v1/alerts").json()
    assert sorted(one["name"] for one in answer["alerts"]) == ["one", "two"]
    headers = {"Authorization": f"Bearer {boards[0].token}"}
    (mine,) = lab.visitor().get("/api/v1/alerts", headers=headers).json()["alerts"]
    assert (mine["code"], mine["kind"], mine["limit"]) == (boards[0].code, "silent", 15)
    assert mine["until"] is None and "15 minutes" in mine["text"]
    assert lab.client.get("/api/v1/alerts", params={"open": False}).json() == {"alerts": []}
