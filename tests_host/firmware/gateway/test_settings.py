# The one table, and answers that say what to type instead.
from fakeboard import FakeNvs, PowerCut
from fakeclock import Lines
from gateway import settings_check
from gateway.settings import LIMIT, Settings
from gateway.settings_check import SettingError
from gateway.settings_table import TABLE
from helpers import raises

ID = "00112233445566778899AABBCCDDEEFF"
PASSWORD = "0123456789AB"
FULL = {
    "broute.id": ID,
    "broute.password": PASSWORD,
    "wifi.ssid": "house",
    "wifi.key": "wifi key of this test",
    "server.url": "http://192.0.2.1:8000",
    "server.token": "token-of-this-test",
}
STATIC = {
    "net.mode": "static",
    "net.ip": "192.168.1.50",
    "net.mask": "255.255.255.0",
    "net.gateway": "192.168.1.1",
    "net.dns": "192.168.1.1",
}


def fresh(values=None, nvs=None):
    s = Settings(nvs or FakeNvs())
    s.load(values or {})
    return s


def error(key, value):
    s = fresh()
    text = str(raises(SettingError, s.set, key, value))
    assert text.startswith(key + ":"), text
    assert s.own == {}
    return text


def test_defaults():
    s = fresh()
    for key, value in (
        ("radio.module", "auto"),
        ("radio.baud", None),
        ("wifi.country", "JP"),
        ("net.mode", "dhcp"),
        ("server.interval", 60),
        ("poll.interval", 30),
        ("poll.energy", 300),
        ("poll.timeout", 10),
        ("time.ntp", "ntp.nict.jp"),
        ("board.type", "generic"),
        ("broute.id", None),
        ("net.hostname", None),
    ):
        assert s[key] == value, key
    raises(KeyError, lambda: s["no.such"])


def test_every_default_passes_its_own_check():
    for key, default, _, _ in TABLE:
        if default is not None:
            assert settings_check.value(key, default) == default


def test_every_key_has_a_help_text():
    for key, _, _, _ in TABLE:
        assert len(settings_check.help_text(key)) > 15, key
    assert settings_check.help_text("no.such") == ""


def test_kept_over_a_restart():
    nvs = FakeNvs()
    fresh(FULL, nvs)
    s = Settings(nvs)
    for key in FULL:
        assert s[key] == FULL[key]
    s.unset("wifi.ssid")
    assert s["wifi.ssid"] is None and Settings(nvs)["wifi.ssid"] is None


def test_normal_forms():
    for key, given, kept in (
        ("broute.id", "0011 2233 4455 6677 8899 aabb ccdd eeff", ID),
        ("broute.id", " 0011-2233-4455-6677-8899-aabb-ccdd-eeff ", ID),
        ("broute.password", "0123 4567 89ab", PASSWORD),
        ("poll.interval", "45", 45),
        ("poll.interval", 45, 45),
        ("radio.baud", "57600", 57600),
        ("radio.module", "BP35C2", "bp35c2"),
        ("wifi.country", "jp", "JP"),
        ("server.url", "http://Example.ORG/", "http://example.org"),
        ("server.url", "HTTP://192.168.1.10:8000", "http://192.168.1.10:8000"),
        ("server.url", "HTTPS://Home.Example/x/", "https://home.example/x"),
        ("server.url", "http://host:80/kenshin/", "http://host:80/kenshin"),
        ("net.hostname", "Meter-1", "meter-1"),
        ("time.ntp", "NTP.nict.jp", "ntp.nict.jp"),
        ("wifi.ssid", "\u81ea\u5b85", "\u81ea\u5b85"),
    ):
        s = fresh({key: given})
        assert s[key] == kept, (key, s[key])


def test_wrong_values_are_told_with_a_remedy():
    for key, value, words in (
        ("broute.id", ID[:-1], "has 31 characters; it must have 32"),
        ("broute.id", ID[:-1] + "G", "wrong character at place 32"),
        ("broute.password", "0123456789A", "has 11 characters; it must have 12"),
        ("broute.password", "0123456789A!", "letters A-Z and digits"),
        ("broute.id", 123, "as text"),
        ("radio.module", "bp35", "bp35a1"),
        ("radio.baud", 9601, "9600"),
        ("poll.interval", 9, "10 to 3600"),
        ("poll.interval", "soon", "10 to 3600"),
        ("poll.interval", True, "10 to 3600"),
        ("poll.timeout", 21, "8 to 20"),
        ("wifi.ssid", "", "0 bytes"),
        ("wifi.ssid", "\u81ea" * 11, "33 bytes"),
        ("wifi.key", "short", "8 to 63"),
        ("wifi.key", "g" * 64, "hexadecimal"),
        ("wifi.key", "\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18", "full-width"),
        ("wifi.country", "Japan", "JP"),
        ("net.mode", "fixed", "dhcp, static"),
        ("net.mode", "\uff53\uff54", "net.mode: '\uff53\uff54'"),
        ("net.ip", "192.168.1", "like 192.168.1.10"),
        ("net.ip", "192.168.1.256", "like 192.168.1.10"),
        ("net.ip", "192.168.01.2", "like 192.168.1.10"),
        ("net.ip", "127.0.0.1", "cannot be"),
        ("net.gateway", "224.0.0.1", "cannot be"),
        ("net.mask", "255.0.255.0", "one bits must come first"),
        ("net.mask", "255.255.255.254", "sensible"),
        ("net.mask", "24", "255.255.255.0"),
        ("net.hostname", "my meter", "place 3"),
        ("net.hostname", "-meter", "hyphen"),
        ("server.url", "ftp://example.org", "http://"),
        ("server.url", "https://", "characters"),
        ("server.ca", "my ca.der", "blank"),
        ("server.ca", "x" * 61, "61 characters"),
        ("server.client", "curl", "asyncio"),
        ("server.url", "example.org", "http://192.168.1.10:8000"),
        ("server.url", "http://user@example.org", "leave it out"),
        ("server.url", "http://example.org/?a", "leave it out"),
        ("server.url", "http://example.org:99999", "port"),
        ("server.url", "http://example.org:", "port"),
        ("server.url", "http://exa mple", "blank"),
        ("server.url", "http://300.1.1.1", "IPv4"),
        ("server.url", "http://", "characters"),
        ("server.token", "with a blank", "copy the token"),
        ("server.token", "short", "8 to 200"),
        ("time.ntp", "ntp..jp", "empty part"),
        ("board.type", "esp8266", "generic"),
    ):
        text = error(key, value)
        assert words in text, (key, text)


def test_a_secret_is_never_repeated():
    for key, value in (
        ("broute.id", ID + "0"),
        ("broute.password", "SECRET-WORD!"),
        ("wifi.key", "secret?"),
        ("server.token", "secret token"),
    ):
        e = raises(SettingError, fresh().set, key, value)
        for text in (str(e), repr(e), repr(e.args)):
            assert value not in text and value.upper() not in text, text
    assert "9999" in error("poll.interval", 9999), "others are"


def test_mistyped_keys_get_the_nearest():
    for typed, meant in (
        ("wifi.sid", "wifi.ssid"),
        ("wifi.password", "wifi.key"),
        ("broute.pasword", "broute.password"),
        ("poll.intervall", "poll.interval"),
        ("server.tokn", "server.token"),
        ("servr.url", "server.url"),
        ("net.gatway", "net.gateway"),
    ):
        text = str(raises(SettingError, fresh().set, typed, "x"))
        if typed != "wifi.password":
            assert "did you mean %s?" % meant in text, text
        assert text.startswith(typed + ": there is no such setting")
    text = str(raises(SettingError, fresh().unset, "zzzzzzzz"))
    assert "mean" not in text


def test_loading_is_all_or_nothing():
    nvs = FakeNvs()
    s = fresh(FULL, nvs)
    raises(SettingError, s.load, {"poll.interval": 60, "poll.timeout": 99})
    assert s["poll.interval"] == 30 and Settings(nvs)["poll.interval"] == 30
    s.load({"poll.interval": 60, "wifi.key": None})
    assert s["poll.interval"] == 60 and s["wifi.key"] is None and s["wifi.ssid"] == "house"


def test_export_leaves_secrets_out_unless_asked():
    s = fresh(FULL)
    out = s.export()
    assert sorted(out) == ["server.url", "wifi.ssid"]
    assert s.export(secrets=True) == FULL
    again = fresh(s.export(secrets=True))
    again.load(out)  # without secrets: those there stay
    assert again.export(secrets=True) == FULL


def test_secrets_for_the_log():
    s = fresh()
    assert s.secrets() == []
    s.load(FULL)
    assert sorted(s.secrets()) == sorted([ID, PASSWORD, FULL["wifi.key"], FULL["server.token"]])


def test_missing():
    s = fresh()
    assert s.missing() == [
        "broute.id",
        "broute.password",
        "server.url",
        "server.token",
        "wifi.ssid",
    ]
    s.load(FULL)
    assert s.missing() == []
    s.set("net.mode", "static")
    assert s.missing() == ["net.ip", "net.mask", "net.gateway", "net.dns"]
    s.load(STATIC)
    s.load({"board.type": "generic-w5500", "wifi.ssid": None})
    assert s.missing() == []


def test_https_needs_a_ca_and_a_client_that_looks_at_it():
    s = fresh(FULL)
    s.set("server.url", "https://home.example")
    assert s.missing() == ["server.ca"]
    s.set("server.ca", "ca.der")
    assert s.missing() == [] and s.problems() == []
    s.set("server.client", "requests")
    assert [key for key, _ in s.problems()] == ["server.client"]
    s.set("server.url", FULL["server.url"])
    assert s.problems() == []


def problems(**changes):
    values = dict(FULL)
    values.update(STATIC)
    for name in changes:
        values["net." + name] = changes[name]
    return [(key, text) for key, text in fresh(values).problems()]


def test_static_addresses_are_checked_against_each_other():
    assert problems() == []
    for changes, key, words in (
        ({"gateway": "192.168.2.1"}, "net.gateway", "192.168.2.1 is outside the network"),
        ({"ip": "192.168.1.0"}, "net.ip", "address of the network itself"),
        ({"ip": "192.168.1.255"}, "net.ip", "broadcast"),
        ({"gateway": "192.168.1.255"}, "net.gateway", "broadcast"),
        ({"gateway": "192.168.1.50"}, "net.gateway", "same as net.ip"),
        ({"dns": "192.168.1.50"}, "net.dns", "same as net.ip"),
        ({"dns": None}, "net.dns", "missing"),
        ({"gateway": None}, "net.gateway", "missing"),
        ({"mask": None}, "net.mask", "missing"),
        ({"ip": None}, "net.ip", "missing"),
        ({"mask": "255.255.255.252", "ip": "192.168.1.3"}, "net.ip", "broadcast"),
    ):
        found = problems(**changes)
        assert [k for k, _ in found if k == key], (changes, found)
        assert [t for _, t in found if words in t and t.startswith(key)], (changes, found)
    # every mistake by its name, not only the first
    assert len(problems(gateway="192.168.2.255", ip="192.168.1.0", dns=None)) == 4
    # a name server may be anywhere
    assert problems(dns="8.8.8.8") == []
    # with DHCP none of it matters
    values = dict(STATIC)
    values.update({"net.mode": "dhcp", "net.gateway": "10.0.0.1"})
    assert fresh(values).problems() == []


# A later version may be stricter than the one that stored the value.
def test_stored_values_are_checked_again():
    nvs = FakeNvs()
    s = fresh(FULL, nvs)
    s.save({"poll.interval": 5, "of.the.future": [1]})
    s = Settings(nvs)
    assert [key for key, _ in s.problems()] == ["poll.interval"]
    s.set("poll.interval", 10)
    assert s.own == {"poll.interval": 10, "of.the.future": [1]}
    assert s.export() == {"poll.interval": 10}


def test_damaged_copy_falls_back_and_says_so():
    nvs = FakeNvs()
    s = fresh({"poll.interval": 40}, nvs)
    s.set("poll.interval", 50)
    newest = [name for name in nvs.blobs if b"50" in nvs.blobs[name]][0]
    nvs.blobs[newest] = nvs.blobs[newest][:-1]
    log = Lines()
    s = Settings(nvs, log)
    assert s["poll.interval"] == 40
    assert s.damage and log.lines == [s.damage]
    s.set("poll.interval", 40)  # what heals is any setting, even to the same value
    assert s.damage is None and Settings(nvs).damage is None


def test_both_copies_damaged_leaves_the_defaults_and_says_so():
    s = Settings(FakeNvs({"settings.0": b"x", "settings.1": b"y"}))
    assert "no good copy" in s.damage and s["poll.interval"] == 30
    assert s.missing()


def test_power_cut_while_setting_keeps_all_or_nothing():
    for tear in ("old", "new", "half", "noise", "none"):
        nvs = FakeNvs()
        s = fresh(FULL, nvs)
        nvs.cut_after(0, tear)
        try:
            s.load({"poll.interval": 77, "wifi.ssid": "other"})
        except PowerCut:
            pass
        s = Settings(FakeNvs(nvs.blobs))
        assert (s["poll.interval"], s["wifi.ssid"]) in ((30, "house"), (77, "other")), tear
        assert s["broute.id"] == ID


def test_no_room_is_told_and_changes_nothing():
    nvs = FakeNvs()
    s = fresh(FULL, nvs)
    s.save({"of.the.future": "x" * (LIMIT - 100)})
    e = raises(SettingError, s.load, FULL)
    assert str(LIMIT) in str(e)
    assert Settings(nvs)["wifi.ssid"] is None


def test_the_largest_settings_fit():
    s = fresh(
        {
            "broute.id": ID,
            "broute.password": PASSWORD,
            "wifi.ssid": "\u81ea\u5b85" * 5,
            "wifi.key": "k" * 63,
            "server.url": "http://example.org/" + "p" * 180,
            "server.token": "t" * 200,
            "net.hostname": "h" * 32,
            "time.ntp": "n" * 100,
            "net.ip": "192.168.100.100",
            "net.mask": "255.255.255.128",
            "net.gateway": "192.168.100.101",
            "net.dns": "192.168.100.101",
        }
    )
    assert s["wifi.key"] == "k" * 63


# Stored by another version, or by hand: named, and not the end of the start.
def test_a_stored_value_of_the_wrong_kind_is_named():
    for key in ("server.url", "board.type", "net.mode", "net.ip", "wifi.ssid", "broute.id"):
        for value in (5, ["x"], {"a": 1}, True):
            s = Settings(FakeNvs())
            own = {"server.url": "http://192.0.2.1", "net.mode": "static", "net.ip": "192.0.2.9"}
            own[key] = value
            s.save(own)
            s.missing()
            assert key in [name for name, _ in s.problems()], (key, value)
