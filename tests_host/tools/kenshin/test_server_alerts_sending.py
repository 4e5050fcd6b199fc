"""Messages, on real local servers: mail, web-hooks; tried again, held back, signed."""

import email
import email.policy
import hashlib
import hmac
import json
import logging
import re
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult
from sqlalchemy import insert, update

from kenshin.server import settings
from kenshin.server.alerts import book, hook, outbox, rules, texts
from kenshin.server.alerts.ways import NotSent
from kenshin.server.alerts.worker import Alarms
from kenshin.server.schema import Alert, AlertMessage

T0 = 1_795_392_000
PASSWORD = "not-a-real-password"
SECRET = "not-a-real-secret"


class Postbox:
    """What a mail server got; `refuse` = what it answers instead; `unknown` = to whom not."""

    def __init__(self):
        self.mails = []
        self.refuse = ""
        self.unknown = ""

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address == self.unknown:
            return "550 nobody here has this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        if self.refuse:
            return self.refuse
        message = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((envelope.rcpt_tos, message))
        return "250 OK"

    def texts(self):
        return [message.get_content().replace("\r\n", "\n") for _, message in self.mails]


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def _server(authority, box, **options):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)

    def authenticate(_server, _session, _envelope, mechanism, data):
        given = (data.login, data.password) if mechanism in ("LOGIN", "PLAIN") else None
        right = given == (b"anna@home.example", PASSWORD.encode())
        return AuthResult(success=right, handled=False)

    return Controller(
        box, hostname="127.0.0.1", port=port, tls_context=context, require_starttls=True,
        auth_required=True, authenticator=authenticate, **options,
    )  # fmt: skip


@pytest.fixture
def post(sqlite_lab, authority, tmp_path):
    """A mail server with STARTTLS and a login, and the settings for it."""
    box = Postbox()
    server = _server(authority, box)
    server.start()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    with sqlite_lab.store.writing() as connection:
        settings.write(
            connection,
            {
                "mail.host": "localhost",
                "mail.port": server.port,
                "mail.user": "anna@home.example",
                "mail.password": PASSWORD,
                "mail.ca": str(tmp_path / "ca.pem"),
                "alerts.mail_to": "anna@home.example, bert@home.example",
            },
        )
    yield box
    server.stop()


class Hook:
    """A web server that notes what is posted to it; `answers` = the next statuses."""

    def __init__(self):
        self.posts = []
        self.answers = []
        self.headers = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posts.append((self.path, dict(self.headers), body))
                self.send_response(outer.answers.pop(0) if outer.answers else 204)
                for name, value in outer.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, format, *args):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/path-with-a-key?x=1"
        self.thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        self.thread.start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def told(self):
        return [
            (alert["gateway"]["name"], alert["state"])
            for _, _, body in self.posts
            for alert in json.loads(body)["alerts"]
        ]


@pytest.fixture
def hooked(sqlite_lab):
    """A web-hook, and the settings for it."""
    made = Hook()
    with sqlite_lab.store.writing() as connection:
        settings.write(connection, {"alerts.hook_url": made.url, "alerts.hook_secret": SECRET})
    yield made
    made.close()


@pytest.fixture
def alarms(sqlite_lab):
    """The server's alarms, as with --private-hooks."""
    lab = sqlite_lab
    made = Alarms(lab.store, lambda: lab.now, private_hooks=True)
    made.work()
    return made


def rule(lab, **fields):
    with lab.store.writing() as connection:
        return rules.add(connection, {"kind": "silent", **fields})


def let(lab, alarms, minutes):
    for _ in range(minutes):
        lab.now += 60
        alarms.work()


def states(lab):
    with lab.store.reading() as connection:
        return outbox.troubles(connection, 0)


# ---- mail ----


def test_a_mail_tells_of_the_beginning_and_of_the_end(sqlite_lab, post, alarms, instant, caplog):
    lab = sqlite_lab
    caplog.set_level(logging.DEBUG)
    board = lab.board("家 <b>")
    rule(lab, mail="1")
    board.upload(instant(1))
    let(lab, alarms, 40)
    ((to, mail),) = post.mails
    assert to == ["anna@home.example", "bert@home.example"]
    assert mail["subject"] == "[Kenshin] 家 <b>: Silent gateway"
    assert mail["auto-submitted"] == "auto-generated" and mail["message-id"]
    assert board.code in post.texts()[0] and "Since 2026-11-23 09:00." in post.texts()[0]
    board.upload(instant(2, lab.now))
    let(lab, alarms, 5)
    assert len(post.mails) == 2
    assert post.mails[1][1]["subject"] == "[Kenshin] 家 <b>: over: Silent gateway"
    assert "It is over." in post.texts()[1] and "to 2026-11-23 09:41." in post.texts()[1]
    assert PASSWORD not in caplog.text


def test_many_at_once_are_one_mail_in_the_language_of_the_settings(
    sqlite_lab, post, alarms, instant
):
    lab = sqlite_lab
    with lab.store.writing() as connection:
        settings.write(connection, {"alerts.language": "ja"})
    rule(lab, mail="1", mail_to="carla@home.example")
    for n in range(30):
        lab.board(f"site {n}").upload(instant(1))
    let(lab, alarms, 20)
    ((to, mail),) = post.mails
    assert to == ["carla@home.example"]
    assert mail["subject"] == "[Kenshin] 30 台のゲートウェイ: 通信途絶"
    assert post.texts()[0].count("15分間、受信がありません。") == 30


def test_a_mail_server_that_is_busy_is_tried_again(sqlite_lab, post, alarms, instant, caplog):
    lab = sqlite_lab
    rule(lab, mail="1")
    board = lab.board()
    board.upload(instant(1))
    post.refuse = "451 later"
    let(lab, alarms, 30)
    assert post.mails == []
    (trouble,) = states(lab)
    assert (trouble.number, trouble.given_up) == (1, False)
    assert trouble.why == "the mail server says 451"
    # The waits grow: in a quarter of an hour there are few tries, not fifteen.
    assert 3 <= caplog.text.count("the mail server says 451") <= 6
    post.refuse = ""
    board.upload(instant(2, lab.now))
    let(lab, alarms, 30)
    assert "".join(post.texts()).count("Nothing was received") == 2
    assert states(lab) == []


def test_who_is_refused_makes_no_repeats_for_the_others(sqlite_lab, post, alarms, instant):
    lab = sqlite_lab
    rule(lab, mail="1")
    lab.board().upload(instant(1))
    post.unknown = "bert@home.example"
    let(lab, alarms, 60)
    ((to, _),) = post.mails
    assert to == ["anna@home.example"]
    page = lab.client.get("/alerts").text
    assert "the mail server refuses bert@home.example; the others got it" in page
    ja = lab.client.get("/alerts", headers={"Accept-Language": "ja"}).text
    assert "bert@home.example を受け付けません。ほかの宛先には届いています" in ja
    assert "refuses bert" in alarms.test()["mail"]
    post.unknown = ""
    assert alarms.test()["mail"] == ""


def test_what_never_arrives_is_given_up_and_shown(sqlite_lab, post, alarms, instant):
    lab = sqlite_lab
    rule(lab, mail="1")
    lab.board().upload(instant(1))
    post.refuse = "554 never"
    let(lab, alarms, 16)
    for _ in range(3):
        lab.now += outbox.GIVE_UP // 2
        alarms.work()
    (trouble,) = states(lab)
    assert trouble.given_up
    page = lab.client.get("/alerts").text
    assert "1 messages by E-mail were given up: the mail server says 554." in page


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"mail.password": "wrong"}, "refuses mail.user or mail.password"),
        ({"mail.ca": ""}, "the mail server's certificate"),
        ({"mail.ca": "/nothing"}, "mail.ca is no file of certificates"),
        ({"mail.port": 1}, "cannot be reached"),
        ({"mail.user": "", "mail.from": "a@home.example"}, "the mail server says 530"),
        ({"mail.user": "anna"}, "mail.host and mail.from are not set"),
        ({"mail.host": "mail.example", "mail.security": "none"}, "starttls or ssl only"),
        ({"alerts.mail_to": ""}, "nobody to send it to"),
    ],
)
def test_why_a_mail_was_not_sent_is_told_in_words(sqlite_lab, post, changes, why):
    with sqlite_lab.store.writing() as connection:
        settings.write(connection, changes)
    result = sqlite_lab.service.alarms.test()["mail"]
    assert why in result and PASSWORD not in result
    assert post.mails == []


def test_a_test_mail_arrives(sqlite_lab, post):
    assert sqlite_lab.service.alarms.test() == {"mail": ""}
    assert post.mails[0][1]["subject"] == "[Kenshin] A test"


# ---- web-hook ----


def verified(headers, body, secret=SECRET):
    """As docs/api.md tells the other side to do it."""
    parts = dict(part.split("=", 1) for part in headers["Kenshin-Signature"].split(","))
    text = parts["t"].encode() + b"." + body
    expected = hmac.new(secret.encode(), text, hashlib.sha256).hexdigest()
    return hmac.compare_digest(expected, parts["v1"])


def test_a_hook_is_told_signed_and_once(sqlite_lab, hooked, alarms, instant, caplog):
    lab = sqlite_lab
    caplog.set_level(logging.DEBUG)
    board = lab.board("家")
    number = rule(lab, hook="1")
    board.upload(instant(1))
    let(lab, alarms, 30)
    ((path, headers, body),) = hooked.posts
    assert path == "/path-with-a-key?x=1" and headers["Content-Type"] == "application/json"
    assert verified(headers, body) and not verified(headers, body, "another")
    assert not verified(headers, body + b" ")
    told = json.loads(body)
    assert (told["v"], told["test"]) == (1, False)
    (alert,) = told["alerts"]
    assert alert["gateway"] == {"code": board.code, "name": "家", "group": None}
    assert (alert["rule"], alert["kind"], alert["state"]) == (number, "silent", "begin")
    assert (alert["since"], alert["until"], alert["limit"]) == (T0, None, 15)
    board.upload(instant(2, lab.now))
    let(lab, alarms, 2)
    assert hooked.told() == [("家", "begin"), ("家", "end")]
    first, second = (headers["Kenshin-Delivery"] for _, headers, _ in hooked.posts)
    assert first != second
    assert SECRET not in caplog.text and "path-with-a-key" not in caplog.text


def test_a_hook_that_fails_is_tried_again_and_told_each_thing_once(
    sqlite_lab, hooked, alarms, instant, caplog
):
    lab = sqlite_lab
    rule(lab, hook="1")
    hooked.answers = [500, 503, 404]
    lab.board().upload(instant(1))
    let(lab, alarms, 60)
    assert len(hooked.posts) == 4 and states(lab) == []
    assert "127.0.0.1 answers 503" in caplog.text and "path-with-a-key" not in caplog.text


def test_a_hook_for_ten_thousand_is_posted_in_pieces(sqlite_lab, hooked, alarms, instant):
    lab = sqlite_lab
    number = rule(lab, hook="1")
    lab.board().upload(instant(1))
    with lab.store.writing() as connection:
        (row,) = connection.exec_driver_sql("SELECT id FROM gateways").all()
        shared = {"rule_id": number, "kind": "silent", "value": 1, "threshold": 15, "minutes": 0}
        keys = [{"gateway_id": row[0], "since": T0 - 2000 - n} for n in range(1200)]
        connection.execute(insert(Alert), [{**key, **shared, "until": T0 - 1900} for key in keys])
        about = {"rule_id": number, "what": "begin", "way": "hook", "state": book.WAITING}
        about |= {"due": T0, "tries": 0, "created": T0}
        connection.execute(insert(AlertMessage), [{**key, **about} for key in keys])
    alarms.work()
    sizes = [len(json.loads(body)["alerts"]) for _, _, body in hooked.posts]
    assert sizes == [500, 500, 200]


def test_two_processes_send_what_is_due_once(sqlite_lab, hooked, alarms, instant):
    lab = sqlite_lab
    rule(lab, hook="1")
    lab.board().upload(instant(1))
    let(lab, alarms, 14)
    lab.now += 60
    with lab.store.writing() as connection:
        first = outbox.due(connection, lab.now)
    assert first == []
    alarms.work()
    assert len(hooked.posts) == 1
    # One whose lease ran out while it sent, and one that took over: the claim decides.
    with lab.store.writing() as connection:
        connection.execute(update(AlertMessage).values(state=book.WAITING, due=lab.now))
    with lab.store.writing() as connection:
        ((number, way),) = outbox.due(connection, lab.now)
        assert outbox.claim(connection, number, way, lab.now) is not None
    with lab.store.writing() as connection:
        assert outbox.claim(connection, number, way, lab.now) is None
    # The one who claimed it died: after a while it is sent all the same.
    let(lab, alarms, outbox.CLAIM // 60 + 1)
    assert len(hooked.posts) == 2


# ---- what a web-hook may not be ----


@pytest.mark.parametrize(
    ("address", "public", "private"),
    [
        ("93.184.216.34", True, True),
        ("2606:4700::1111", True, True),
        ("10.0.0.1", False, True),
        ("192.168.1.20", False, True),
        ("172.16.0.1", False, True),
        ("127.0.0.1", False, True),
        ("::1", False, True),
        ("fd00::1", False, True),
        ("::ffff:127.0.0.1", False, True),
        ("::ffff:169.254.169.254", False, False),
        ("2002:7f00:1::", False, True),
        ("100.64.0.1", False, False),
        ("169.254.169.254", False, False),
        ("fe80::1%eth0", False, False),
        ("0.0.0.0", False, False),
        ("::", False, False),
        ("224.0.0.1", False, False),
        ("ff02::1", False, False),
    ],
)
def test_where_a_hook_may_be(address, public, private):
    assert hook.allowed(address, False) is public
    assert hook.allowed(address, True) is private


def test_a_hook_in_a_private_network_needs_the_word_of_who_starts_the_server(sqlite_lab, hooked):
    assert "--private-hooks" in sqlite_lab.service.alarms.test()["hook"]
    assert hooked.posts == []


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://hook.example/", "http:// or https://"),
        ("file:///etc/passwd", "http:// or https://"),
        ("http://", "http:// or https://"),
        ("http://anna:secret@hook.example/", "no user"),
        ("http://hook.example:99999/", "not valid"),
        ("http://hook.example/a b", "must be escaped"),
        ("http://hook.example/\u00e9", "must be escaped"),
        ("http://[::1", "not valid"),
    ],
)
def test_an_address_that_is_none_is_refused(url, why):
    with pytest.raises(NotSent, match=re.escape(why)) as error:
        hook.parse(url)
    assert "secret" not in str(error.value)


def test_a_redirect_is_not_followed(sqlite_lab, hooked, alarms):
    hooked.answers = [302]
    hooked.headers = {"Location": "http://127.0.0.1:1/elsewhere"}
    assert alarms.test()["hook"] == "127.0.0.1 answers 302: redirects are not followed"
    assert len(hooked.posts) == 1


def test_the_address_that_was_looked_at_is_the_one_connected_to(hooked, monkeypatch):
    """A name that means something else a moment later gains nothing."""
    asked = []
    real = socket.getaddrinfo

    def lookup(host, *rest, **more):
        asked.append(host)
        there = "127.0.0.1" if asked.count(host) == 1 else "192.0.2.1"
        return real(there, *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", lookup)
    port = hooked.server.server_port
    hook.post(f"http://hook.example:{port}/", SECRET, b"{}", "1", T0, private=True)
    assert asked.count("hook.example") == 1 and len(hooked.posts) == 1


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 2"])
def test_a_hook_that_never_comes_to_its_end_is_given_up(monkeypatch, begin):
    monkeypatch.setattr(hook, "SECONDS", 30.0)
    monkeypatch.setattr(hook, "LONGEST", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        held = []

        def serve():
            peer, _ = listener.accept()
            held.append(peer)
            peer.sendall(begin)

        thread = threading.Thread(target=serve)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with pytest.raises(NotSent, match="127.0.0.1 cannot be reached"):
            hook.post(url, SECRET, b"{}", "1", T0, private=True)
        thread.join()
        held[0].close()


# ---- words ----


def shape(value):
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return sorted(re.findall(r"\{\w+\}", value))


def test_both_languages_say_the_same_of_every_kind():
    assert shape(texts.WORDS["en"]) == shape(texts.WORDS["ja"])
    assert set(texts.WORDS["en"]["kinds"]) == set(rules.KINDS)
    for kind, about in rules.KINDS.items():
        for language in texts.LANGUAGES:
            said = texts.Words(kind, 123_456, about.threshold, about.minutes)
            for part in ("so", "rule"):
                text = texts.sentence(language, said, part)
                assert "{" not in text and "None" not in text
