"""Answers of name servers, built and broken; for the tests of gateway.names, on both Pythons."""

import random
import struct

from gateway import names

A = 1
NS = 2
CNAME = 5
AAAA = 28


# b"a.example" -> its labels and the end.
def labels(name):
    return b"".join([bytes((len(p),)) + p for p in name.split(b".") if p]) + b"\0"


def record(owner, kind, data, ttl=300, family=1):
    """`owner`: a name, or the place of one as a pointer."""
    where = struct.pack(">H", 0xC000 | owner) if isinstance(owner, int) else labels(owner)
    return where + struct.pack(">HHIH", kind, family, ttl, len(data)) + data


def answer(ident, name, *records, flags=0x8180, questions=1, count=None):
    """An answer to names.query(ident, name)."""
    head = struct.pack(">HHHHHH", ident, flags, questions, count or len(records), 0, 0)
    question = labels(name) + b"\0\1\0\1" if questions else b""
    return head + question + b"".join(records)


HOME = b"server.home"
ADDRESS = b"\xc0\x00\x02\x07"
GOOD = (
    answer(7, HOME, record(12, A, ADDRESS)),
    answer(7, HOME, record(HOME, A, ADDRESS, ttl=0)),
    answer(7, HOME, record(12, CNAME, labels(b"a.example")), record(b"a.example", A, ADDRESS)),
    answer(7, HOME, record(12, CNAME, labels(b"elsewhere.example"), ttl=5)),
    answer(7, HOME, record(12, AAAA, bytes(16)), record(12, NS, b"\0"), record(12, A, ADDRESS)),
    answer(7, HOME, flags=0x8183),
    answer(7, HOME, record(12, A, ADDRESS), flags=0x8380, count=3),
)


def fuzz(count, seed):
    """Read `count` mutated answers: whatever they hold, one of three things comes out of it.

    -> how many of them gave an address or an alias.
    """
    rng = random
    rng.seed(seed)
    good = 0
    for _ in range(count):
        packet = bytearray(GOOD[rng.getrandbits(10) % len(GOOD)])
        for _ in range(rng.getrandbits(2) + 1):
            at = rng.getrandbits(16) % len(packet)
            how = rng.getrandbits(3)
            if how < 4:
                packet[at] = rng.getrandbits(8)
            elif how == 4:
                packet[at] = 0xC0 | packet[at] & 1
            elif how == 5 and at > 12:
                packet = packet[:at]
            elif how == 6:
                packet = packet[:at] + packet[at // 2 : at] + packet[at:]
            else:
                packet[at] ^= 1 << rng.getrandbits(3) % 8
        packet = bytes(packet[:512])
        try:
            address, seconds, alias = names.read(packet, 7, HOME)
        except (ValueError, OSError):
            continue
        good += 1
        assert (address is None) != (alias is None), packet
        assert 0 <= seconds <= 3600, packet
        if address:
            assert len(address.split(".")) == 4 and max(map(int, address.split("."))) < 256, packet
        else:
            assert len(alias) < 256, packet
    return good
