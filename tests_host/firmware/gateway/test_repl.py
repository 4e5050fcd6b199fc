# What the owner types at the Python prompt, and what comes back: help, settings, secrets. The
# question for a secret needs a terminal: see host_prompt.py.
import json

import gateway
from helpers import raises
from promptrig import ID, KEY, MORE_KEY, PASSWORD, at_prompt, fresh, settings

# -- help


def test_help_shows_every_function():
    fresh()
    out, result = at_prompt("help")
    assert result is None
    for name in "help show set run status log check reboot".split():
        assert "gateway.%s(" % name in out, name
    assert "[" not in out


def test_help_tells_about_a_setting_and_the_led():
    fresh()
    assert "poll.interval: Seconds between readings" in at_prompt("help", "poll.interval")[0]
    assert "double" in at_prompt("help", "led")[0] or "two flashes" in at_prompt("help", "led")[0]
    out, _ = at_prompt("help", "poll.intervall")
    assert "did you mean poll.interval?" in out


def test_every_led_pattern_is_explained():
    from gateway.led import PATTERNS

    fresh()
    lines = at_prompt("help", "led")[0].split("\n")
    said = {line.split()[0]: line for line in lines}
    assert sorted(said) == sorted(PATTERNS)
    counts = ("", "a ", "two ", "three ", "four ", "five ")
    for name, (_, times) in PATTERNS.items():
        flashes = len(times) // 2
        line = said[name][10:]
        if flashes > 1 and name != "config":
            assert line.startswith(counts[flashes] + "flashes"), line
        if not times:
            assert line.startswith("dark" if name == "off" else "steady"), line


def test_functions_without_brackets_say_what_to_type():
    fresh()
    for name in "help show set run status log check reboot".split():
        assert repr(getattr(gateway, name)) == "Type gateway.%s()" % name


def test_unknown_functions_say_what_was_meant():
    for wrong, right in (
        ("stats", "status"),
        ("sohw", "show"),
        ("restart", None),
        ("Help", "help"),
    ):
        text = str(raises(AttributeError, getattr, gateway, wrong))
        assert ("did you mean gateway.%s()?" % right if right else "gateway.help()") in text, text


def test_wrong_arguments_show_how_it_is_typed():
    fresh()
    for name, args in (
        ("set", ()),
        ("set", ("a", "b", "c")),
        ("set", ({}, 1)),
        ("set", (["wifi.ssid"], "home")),
        ("check", ()),
        ("run", (1,)),
        ("reboot", (1,)),
        ("walk", (1,)),
        ("log", ("x",)),
        ("status", ("xml",)),
    ):
        out, result = at_prompt(name, *args)
        assert result is None
        assert "Type it like this" in out and "gateway.%s(" % name in out, (name, args, out)


def test_names_of_arguments_show_how_it_is_typed():
    fresh()
    out, result = at_prompt("set", ssid="home")
    assert result is None and "Type it like this" in out and 'gateway.set("' in out, out


# -- settings


def test_show_masks_secrets_and_marks_what_is_missing():
    fresh()
    s = settings()
    s.set("wifi.key", KEY)
    s.set("broute.id", ID)
    out, _ = at_prompt("show")
    assert max(len(line) for line in out.split("\n")) < 80
    rows = {line.split()[0]: line for line in out.split("\n")}
    assert " set " in rows["wifi.key"] and " set " in rows["broute.id"]
    assert "not set" in rows["broute.password"] and "MISSING" in rows["broute.password"]
    assert "30" in rows["poll.interval"] and "default" in rows["poll.interval"]
    assert "The password that belongs to the ID" in out  # missing ones are explained
    assert "Seconds between readings" not in out
    assert "not set" in rows["net.ip"] and "MISSING" not in rows["net.ip"]
    assert KEY not in out and ID not in out
    assert "Missing: broute.password, " in out
    assert 'gateway.set("broute.password")    asks for it' in out


def test_show_some():
    fresh()
    out, _ = at_prompt("show", "poll")
    assert (
        "poll.interval" in out and "poll.timeout" in out and "wifi" not in out.split("Missing")[0]
    )
    out, _ = at_prompt("show", "pol.interval")
    assert "did you mean poll.interval?" in out


def test_show_json_is_an_export_without_secrets():
    fresh()
    s = settings()
    s.set("wifi.key", KEY)
    s.set("wifi.ssid", "home")
    out, _ = at_prompt("show", "json")
    assert json.loads(out) == {"wifi.ssid": "home"}


def test_set_says_what_it_did():
    fresh()
    out, result = at_prompt("set", "poll.interval", 60)
    assert (
        result is None and out.startswith("poll.interval = 60\n") and "Missing: broute.id" in out
    )
    assert settings()["poll.interval"] == 60
    out, _ = at_prompt("set", "poll.interval", None)
    assert out.startswith("poll.interval = 30\n")
    assert settings()["poll.interval"] == 30


def test_a_wrong_value_changes_nothing_and_says_what_to_type():
    fresh()
    for key, value, words in (
        ("poll.interval", 5, "from 10 to 3600"),
        ("poll.intervall", 60, "did you mean poll.interval?"),
        ("net.mode", "statik", "dhcp, static"),
        ("wifi.ssid", 5, "in quotes"),
    ):
        out, result = at_prompt("set", key, value)
        assert words in out and result is None, out
    assert settings().export(secrets=True) == {}


def test_set_with_a_key_alone_shows_how_to_change_it():
    fresh()
    out, _ = at_prompt("set", "poll.interval")
    assert "poll.interval is 30" in out and 'gateway.set("poll.interval", ' in out


def test_settings_that_contradict_each_other_are_told():
    fresh()
    at_prompt("set", "net.mode", "static")
    at_prompt("set", "net.ip", "192.168.1.20")
    at_prompt("set", "net.mask", "255.255.255.0")
    out, _ = at_prompt("set", "net.gateway", "192.168.2.1")
    assert "net.gateway" in out and "outside" in out


def test_flash_that_fails_is_told():
    board = fresh()
    board.nvs.full = True
    out, _ = at_prompt("set", "poll.interval", 60)
    assert "flash" in out and "gateway.reboot()" in out


# -- secrets in a command


def test_a_secret_is_accepted_where_nothing_shows_the_result():
    fresh()
    out, told = at_prompt("set", "wifi.key", KEY)
    assert settings()["wifi.key"] == KEY
    assert KEY not in out + str(told)


def test_a_secret_is_taken_back_where_the_result_is_shown():
    fresh()
    at_prompt("set", "wifi.key", KEY)
    out, told = at_prompt("set", "wifi.key", MORE_KEY)
    text = repr(told)
    assert 'gateway.set("wifi.key")' in text and "not changed" in text
    assert MORE_KEY not in out + text and KEY not in out + text
    assert settings()["wifi.key"] == KEY


def test_a_secret_that_was_not_set_is_unset_again():
    fresh()
    _, told = at_prompt("set", "broute.password", PASSWORD)
    repr(told)
    assert settings()["broute.password"] is None


# The prompt keeps the last result as `_`; showing that again must not undo what came later.
def test_taking_back_happens_once():
    fresh()
    _, told = at_prompt("set", "wifi.key", KEY)
    first = repr(told)
    at_prompt("set", "wifi.key", MORE_KEY)
    assert repr(told) == first
    assert settings()["wifi.key"] == MORE_KEY


def test_taking_back_leaves_other_settings_alone():
    fresh()
    _, told = at_prompt("set", "wifi.key", KEY)
    at_prompt("set", "poll.interval", 60)
    repr(told)
    assert settings()["poll.interval"] == 60 and settings()["wifi.key"] is None


def test_taking_back_leaves_what_was_set_since():
    fresh()
    _, told = at_prompt("set", "wifi.key", KEY)
    at_prompt("set", "wifi.key", MORE_KEY)
    repr(told)
    assert settings()["wifi.key"] == MORE_KEY


def test_wrong_secrets_are_told_without_showing_them():
    fresh()
    for key, value in (
        ("broute.password", "short"),
        ("wifi.key", "1234567"),
        ("broute.id", "xyzxyz"),
    ):
        out, result = at_prompt("set", key, value)
        assert out.startswith(key) and value not in out and result is None, out


def test_unsetting_a_secret_needs_no_secrecy():
    fresh()
    at_prompt("set", "wifi.key", KEY)
    out, result = at_prompt("set", "wifi.key", None)
    assert out.startswith("wifi.key = not set") and result is None
    assert settings()["wifi.key"] is None


def test_many_at_once_are_all_or_none():
    fresh()
    out, told = at_prompt("set", {"wifi.ssid": "home", "poll.interval": 5})
    assert "poll.interval" in out and told is None and settings()["wifi.ssid"] is None
    out, told = at_prompt("set", {"wifi.ssid": "home", "poll.interval": 20})
    assert "wifi.ssid = home" in out and "poll.interval = 20" in out and told is None
    _, told = at_prompt("set", {"wifi.ssid": "other", "wifi.key": KEY})
    assert settings()["wifi.key"] == KEY and settings()["wifi.ssid"] == "other"
    assert 'gateway.set("wifi.key")' in repr(told)
    assert settings()["wifi.key"] is None and settings()["wifi.ssid"] == "home"


# -- before the gateway ran


def test_status_and_log_before_a_run_say_how_to_start():
    fresh()
    assert "gateway.run()" in at_prompt("status")[0]
    assert json.loads(at_prompt("status", "json")[0])["phase"] == "off"
    assert "gateway.run()" in at_prompt("log")[0]


def test_unknown_checks():
    fresh()
    out, _ = at_prompt("check", "raido")
    assert 'gateway.check("radio")' in out
    assert 'gateway.check("' in at_prompt("check", 7)[0]
