# Addresses are kept, because asking for one may stop everything for many seconds.
from gateway import names
from helpers import raises


class Resolver:
    """What stands in for the chip's resolver, the only part that is not real here."""

    AF_INET = 2
    SOCK_STREAM = 1

    def __init__(self, known):
        self.known = known
        self.asked = []

    def getaddrinfo(self, host, port, *rest):
        self.asked.append(host)
        if host not in self.known:
            raise OSError(-202)
        return [(2, 1, 0, "", (self.known[host], port))]


def with_resolver(known, fn):
    real = names.socket
    names.known.clear()
    names.socket = r = Resolver(known)
    try:
        return fn(r)
    finally:
        names.socket = real
        names.known.clear()


def test_an_address_is_not_looked_up():
    def go(r):
        assert names.resolve("192.0.2.1", 0) == "192.0.2.1"
        assert r.asked == []

    with_resolver({}, go)


def test_what_is_known_is_kept_for_ten_minutes():
    def go(r):
        assert names.resolve("a.example", 1000) == "192.0.2.1"
        r.known["a.example"] = "192.0.2.2"
        assert names.resolve("a.example", 600_999) == "192.0.2.1" and len(r.asked) == 1
        assert names.resolve("a.example", 601_000) == "192.0.2.2" and len(r.asked) == 2

    with_resolver({"a.example": "192.0.2.1"}, go)


def test_an_old_address_is_better_than_none():
    def go(r):
        names.resolve("a.example", 0)
        r.known.clear()
        assert names.resolve("a.example", 9_000_000) == "192.0.2.1"
        names.forget("a.example")
        assert names.resolve("a.example", 9_000_001) == "192.0.2.1"
        raises(OSError, names.resolve, "b.example", 0)
        assert len(r.asked) == 4

    with_resolver({"a.example": "192.0.2.1"}, go)


def test_forgetting_asks_anew():
    def go(r):
        names.resolve("a.example", 0)
        r.known["a.example"] = "192.0.2.9"
        names.forget("a.example")
        names.forget("never.heard.of")
        assert names.resolve("a.example", 1) == "192.0.2.9"

    with_resolver({"a.example": "192.0.2.1"}, go)


# The real resolver of this machine, in the shape that this Python gives.
def test_the_real_resolver():
    names.known.clear()
    assert names.resolve("localhost", 0) == "127.0.0.1"
    names.known.clear()
