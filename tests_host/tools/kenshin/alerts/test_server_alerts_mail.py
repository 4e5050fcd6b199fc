"""Mails, on a real local server: tried again, held back; and the words of all messages."""

import logging
import re

import pytest
from tests_host.tools.kenshin.alerts.conftest import PASSWORD, let, rule, states

from kenshin.server import settings
from kenshin.server.alerts import outbox, rules, texts

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


def test_who_is_refused_for_now_gets_it_later_and_the_others_once(
    sqlite_lab, post, alarms, instant
):
    lab = sqlite_lab
    rule(lab, mail="1")
    board = lab.board()
    board.upload(instant(1))
    post.busy = "bert@home.example"
    let(lab, alarms, 60)
    ((to, _),) = post.mails
    assert to == ["anna@home.example"]
    # The waits grow: in three quarters of an hour some tries, not one a minute.
    assert 4 <= post.asked <= 7
    (trouble,) = states(lab)
    assert (trouble.number, trouble.given_up) == (1, False)
    assert "the mail server refuses bert@home.example" in lab.client.get("/alerts").text
    # What comes meanwhile goes to both, and is not mixed with what only one of them lacks.
    board.upload(instant(2, lab.now))
    let(lab, alarms, 5)
    assert [to for to, _ in post.mails[1:]] == [["anna@home.example"]]
    post.busy = ""
    for n in range(6):
        board.upload(instant(3 + n, lab.now))
        let(lab, alarms, 10)
    assert [to for to, _ in post.mails[2:]] == [["bert@home.example"]] * 2
    for part in (post.mails[:2], post.mails[2:]):
        assert sorted("over" in mail["subject"] for _, mail in part) == [False, True]
    assert states(lab) == []


def test_who_is_refused_for_days_is_given_up_and_shown(sqlite_lab, post, alarms, instant):
    lab = sqlite_lab
    rule(lab, mail="1")
    lab.board().upload(instant(1))
    post.busy = "bert@home.example"
    let(lab, alarms, 20)
    for _ in range(3):
        lab.now += outbox.GIVE_UP // 2
        alarms.work()
    (trouble,) = states(lab)
    assert trouble.given_up and "bert@home.example" in str(trouble.why)
    asked = post.asked
    let(lab, alarms, 120)
    assert post.asked == asked and len(post.mails) == 1


def test_who_was_taken_off_the_list_is_not_written_to_any_more(sqlite_lab, post, alarms, instant):
    lab = sqlite_lab
    rule(lab, mail="1")
    lab.board().upload(instant(1))
    post.busy = "bert@home.example"
    let(lab, alarms, 20)
    with lab.store.writing() as connection:
        settings.write(connection, {"alerts.mail_to": "anna@home.example"})
    post.busy = ""
    let(lab, alarms, 120)
    assert len(post.mails) == 1 and states(lab) == []


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
