"""Real local servers for mail and web-hooks, and alarms that use them."""

import email
import email.policy
import json
import socket
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import trustme
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult

from kenshin.server import settings
from kenshin.server.alerts import outbox, rules
from kenshin.server.alerts.worker import Alarms

T0 = 1_795_392_000
PASSWORD = "not-a-real-password"
SECRET = "not-a-real-secret"


class Postbox:
    """What a mail server got; `refuse` = what it answers instead; `unknown`, `busy` = to whom not.

    `asked` = how often somebody wanted to write to the one who is `busy`.
    """

    def __init__(self):
        self.mails = []
        self.refuse = ""
        self.unknown = ""
        self.busy = ""
        self.asked = 0

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        if address == self.unknown:
            return "550 nobody here has this name"
        if address == self.busy:
            self.asked += 1
            return "450 come back later"
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
