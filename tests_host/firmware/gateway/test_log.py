# The last lines, in fixed memory, without secrets.
from fakeclock import FakeClock
from gateway.log import DEBUG, WARN, Log
from gateway.ring import lines

T = 1_794_000_000  # 2026-11-07 06:20 in Japan
SECRETS = ["00112233445566778899AABBCCDDEEFF", "0123456789AB", "wifi key", "t0ken.x"]


def log(size=1024, utc=None):
    clock = FakeClock(utc)
    log = Log(clock, size)
    return log, clock


def test_lines_in_order_with_their_level():
    it, clock = log()
    it.info("one %d", 1)
    it.warn("two %s %s", "a", "b")
    it.error("100%")
    assert list(lines(it)) == ["+5s I one 1", "+5s W two a b", "+5s E 100%"]


def test_debug_only_when_wanted():
    it, clock = log()
    it.debug("no")
    it.level = DEBUG
    it.debug("yes")
    it.level = WARN
    it.info("no")
    assert list(lines(it)) == ["+5s D yes"]


def test_time_in_japan_even_for_lines_from_before_it_was_known():
    it, clock = log()
    it.info("early")
    clock.t += 10_000
    clock.set(T, "ntp")
    it.info("late")
    assert list(lines(it)) == ["11-07 06:19:50 I early", "11-07 06:20:00 I late"]


def test_the_oldest_go_when_it_is_full():
    it, clock = log(300)
    for i in range(1000):
        it.info("line %d %s", i, "x" * (i % 23))
        kept = list(lines(it))
        assert kept[-1] == "+5s I line %d %s" % (i, "x" * (i % 23))
        first = int(kept[0].split()[3])
        assert [int(line.split()[3]) for line in kept] == list(range(first, i + 1))
        assert sum(len(line) for line in kept) <= 300
    assert len(it.ring) == 300


def test_long_lines_are_cut_between_characters():
    it, clock = log()
    it.info("%s", "x" * 500)
    assert len(list(lines(it))[-1]) == len("+5s I ") + 200
    for pad in range(4):
        it.info("x" * pad + "\u691c\u91dd" * 100)
        text = list(lines(it))[-1]
        assert text.startswith("+5s I " + "x" * pad + "\u691c") and text[-1] in "\u691c\u91dd"


def test_secrets_are_masked_in_every_form():
    it, clock = log()
    it.secrets = lambda: SECRETS
    seen = []
    it.on_line = seen.append
    for text in (
        "SKSETRBID 00112233445566778899AABBCCDDEEFF",
        "id 00112233445566778899aabbccddeeff twice 00112233445566778899AABBCCDDEEFF",
        "pwd 0123456789ab",
        "key wifi key and WIFI KEY",
        "hex %s" % SECRETS[0].encode().hex(),
        "HEX %s" % SECRETS[3].encode().hex().upper(),
        "Bearer t0ken.x",
    ):
        it.error("%s", text)
    for text in seen + list(lines(it)):
        for secret in SECRETS:
            for form in (secret, secret.encode().hex()):
                assert form.lower() not in text.lower(), text
        assert "***" in text
    assert len(seen) == 7


def test_mask_covers_the_arguments_and_a_cut():
    it, clock = log()
    it.secrets = lambda: SECRETS
    it.info("%s%s", "x" * 190, SECRETS[0])  # the cut must not leave the first half of a secret
    assert "0011" not in list(lines(it))[0]


def test_on_line_hears_what_is_kept():
    it, clock = log()
    seen = []
    it.on_line = seen.append
    it.debug("no")
    it.info("yes")
    assert seen == ["+5s I yes"]
