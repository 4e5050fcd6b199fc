"""Web-hooks, on a real local server: signed, tried again, and never where they may not be."""

import hashlib
import hmac
import json
import logging
import re
import socket
import threading

import pytest
from sqlalchemy import insert, update
from tests_host.tools.kenshin.alerts.conftest import SECRET, T0, let, rule, states

from kenshin.server.alerts import book, hook, outbox
from kenshin.server.alerts.ways import NotSent
from kenshin.server.schema import Alert, AlertMessage

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
