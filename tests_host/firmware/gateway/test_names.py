# Our own question to the name server: over real sockets, against servers that lie, err, or are
# silent; and what is kept of the answers.
import asyncio

from datagrams import Server
from dns_packets import AAAA, ADDRESS, CNAME, GOOD, HOME, A, answer, fuzz, labels, record
from fakeclock import FakeClock
from gateway import names
from helpers import raises, run
from hostclock import HostClock

LONG = b"a" * 63


# -- what is asked


def test_the_question():
    packet = names.query(0x1234, b"ntp.nict.jp")
    assert packet == b"\x12\x34\1\0\0\1\0\0\0\0\0\0\3ntp\4nict\2jp\0\0\1\0\1"


def test_what_cannot_be_a_name_is_not_asked():
    for name in (b"", b"a..b", b".a", b"a.", LONG + b"a.example"):
        assert "cannot be a name" in str(raises(OSError, names.query, 1, name))
    names.query(1, LONG + b".example")


# -- what is answered


def test_an_address():
    assert names.read(GOOD[0], 7, HOME) == ("192.0.2.7", 300, None)
    assert names.read(GOOD[1], 7, HOME) == ("192.0.2.7", 0, None)


def test_upper_and_lower_case_are_the_same():
    packet = answer(7, b"SERVER.home", record(b"Server.HOME", A, ADDRESS))
    assert names.read(packet, 7, HOME)[0] == "192.0.2.7"


def test_aliases_are_followed_in_any_order():
    chain = [
        record(12, CNAME, labels(b"a.example"), ttl=100),
        record(b"a.example", CNAME, labels(b"b.example"), ttl=70),
        record(b"b.example", A, ADDRESS, ttl=900),
    ]
    for records in (chain, chain[::-1]):
        assert names.read(answer(7, HOME, *records), 7, HOME) == ("192.0.2.7", 70, None)
    assert names.read(answer(7, HOME, *chain[:2]), 7, HOME) == (None, 70, b"b.example")


def test_aliases_in_a_ring_end():
    ring = (
        record(12, CNAME, labels(b"a.example")),
        record(b"a.example", CNAME, labels(HOME)),
    )
    raises(OSError, names.read, answer(7, HOME, *ring), 7, HOME)
    itself = answer(7, HOME, record(12, CNAME, labels(HOME)))
    raises(OSError, names.read, itself, 7, HOME)


def test_other_records_are_passed_over():
    assert names.read(GOOD[4], 7, HOME)[0] == "192.0.2.7"
    other = record(b"other.example", A, b"\1\2\3\4")
    short = record(12, A, b"\1\2\3")
    chaos = record(12, A, b"\1\2\3\4", family=3)
    packet = answer(7, HOME, other, short, chaos, record(12, A, ADDRESS))
    assert names.read(packet, 7, HOME)[0] == "192.0.2.7"
    # Only IPv6 is as good as nothing to stock firmware.
    e = raises(OSError, names.read, answer(7, HOME, record(12, AAAA, bytes(16))), 7, HOME)
    assert str(e) == "server.home: has no IPv4 address"


def test_a_time_to_live_of_nonsense_counts_as_none():
    packet = answer(7, HOME, record(12, A, ADDRESS, ttl=0x8000_0001))
    assert names.read(packet, 7, HOME)[1] == 0


def test_no_such_name_and_a_server_that_fails():
    e = raises(OSError, names.read, answer(7, HOME, flags=0x8183), 7, HOME)
    assert str(e) == "server.home: there is no such name"
    for code in (1, 2, 4, 5):
        e = raises(OSError, names.read, answer(7, HOME, flags=0x8180 | code), 7, HOME)
        assert "code %d" % code in str(e)


def test_a_short_answer_gives_what_it_holds():
    assert names.read(GOOD[6], 7, HOME)[0] == "192.0.2.7"
    torn = GOOD[0][:-2]
    raises(ValueError, names.read, torn, 7, HOME)
    flagged = torn[:2] + b"\x83\x80" + torn[4:]
    raises(OSError, names.read, flagged, 7, HOME)


def test_what_is_no_answer_to_us_is_nothing():
    good = GOOD[0]
    for packet in (
        b"",
        good[:11],
        good[:20],
        answer(8, HOME, record(12, A, ADDRESS)),  # another number
        answer(7, b"other.home", record(12, A, ADDRESS)),
        answer(7, HOME, record(12, A, ADDRESS), flags=0x0100),  # a question
        answer(7, HOME, record(12, A, ADDRESS), flags=0xA980),  # another operation
        answer(7, HOME, flags=0x8180, questions=0),
        answer(7, HOME, record(12, A, ADDRESS), count=2),
        answer(7, HOME, record(12, CNAME, b"\xc0\xff")),  # forward
        answer(7, HOME, record(12, CNAME, b"\xc0")),
        answer(7, HOME, record(12, CNAME, b"\x41" + bytes(65))),  # a label of 65
        answer(7, HOME, record(12, CNAME, (b"\x3f" + LONG) * 4 + b"\0")),  # 256 in all
        b"\0\7\x81\x80\0\1\0\0\0\0\0\0\xc0\x0c\0\1\0\1",  # a name that points at itself
    ):
        raises(ValueError, names.read, packet, 7, HOME)


def test_mutated_answers():
    good = fuzz(1000, seed=1)
    assert 100 < good < 900


# -- over the wire


# The waits are real, and ten times as short; a machine that is busy in between is not counted.
class Quick(HostClock):
    def __init__(self):
        HostClock.__init__(self)
        self.t = 0

    def ms(self):
        return self.t

    async def sleep_ms(self, n):
        await HostClock.sleep_ms(self, n // 10)
        self.t += n


def ask(reply, name=HOME):
    """-> (what names.ask said or raised, requests)"""

    async def go():
        server = Server(reply)
        task = asyncio.create_task(server.serve())
        try:
            result = await names.ask("127.0.0.1", name, Quick(), server.port)
        except OSError as e:
            result = e
        finally:
            task.cancel()
            server.sock.close()
        return result, server.requests

    return run(go())


def right(request, *records):
    ident = request[0] << 8 | request[1]
    return answer(ident, HOME, *(records or (record(12, A, ADDRESS),)))


def test_a_good_server():
    result, requests = ask(lambda n, request: [right(request)])
    assert result == ("192.0.2.7", 300, None) and len(requests) == 1


def test_lost_once_it_is_asked_again():
    result, requests = ask(lambda n, request: [right(request)] if n == 2 else [])
    assert result == ("192.0.2.7", 300, None)
    assert len(requests) == 2 and requests[0] == requests[1]


def test_a_silent_server_is_given_three_tries():
    result, requests = ask(lambda n, request: [])
    assert str(result) == "server.home: no answer from the name server 127.0.0.1"
    assert len(requests) == 3


def test_wrong_answers_are_waited_out():
    def reply(n, request):
        wrong = (request[0] << 8 | request[1]) ^ 1
        return [b"", b"nonsense", answer(wrong, HOME, record(12, A, b"\6\6\6\6")), right(request)]

    assert ask(reply)[0] == ("192.0.2.7", 300, None)


def test_only_wrong_answers_are_no_answer():
    def reply(n, request):
        return [answer(0, b"x" + HOME, record(12, A, b"\6\6\6\6"))] * 5

    assert "no answer" in str(ask(reply)[0])


def test_nobody_at_the_name_servers_address():
    async def go():
        server = Server(None)
        server.sock.close()
        try:
            return await names.ask("127.0.0.1", HOME, Quick(), server.port)
        except OSError as e:
            return e

    assert "cannot be reached" in str(run(go()))


# -- what is kept


class Net:
    def __init__(self, dns="192.0.2.1"):
        self.dns = dns

    def address(self):
        return ("192.0.2.9", "255.255.255.0", "192.0.2.1", self.dns)


class Rig:
    """names.resolve with a scripted names.ask; `say`: name -> what it returns, or raises."""

    def __init__(self, **say):
        self.say = {name.replace("_", "."): value for name, value in say.items()}
        self.asked = []
        self.clock = FakeClock()
        self.net = Net()

    async def ask(self, server, name, clock):
        self.asked.append((server, name.decode()))
        found = self.say.get(name.decode())
        if found is None:
            raise OSError("%s: there is no such name" % name.decode())
        return found

    def resolve(self, host):
        real = names.ask
        names.ask = self.ask
        try:
            return run(names.resolve(self.net, host, self.clock))
        finally:
            names.ask = real


def rig(**say):
    names.known.clear()
    return Rig(**say)


def test_an_address_is_not_looked_up():
    r = rig()
    assert r.resolve("192.0.2.1") == "192.0.2.1" and r.asked == []


def test_the_interfaces_name_server_is_asked():
    r = rig(a_example=("192.0.2.5", 300, None))
    r.resolve("A.Example")
    assert r.asked == [("192.0.2.1", "a.example")]


def test_a_house_name_is_asked_of_the_house():
    r = rig(pi_local=("192.0.2.5", 10, None))
    assert r.resolve("pi.local") == "192.0.2.5" and r.asked[0][0] == "224.0.0.251"


def test_kept_as_long_as_it_holds_but_within_bounds():
    for seconds, kept in ((0, 60), (300, 300), (86_400, 3600)):
        r = rig(a_example=("192.0.2.1", seconds, None))
        r.resolve("a.example")
        r.clock.t += kept * 1000 - 1
        r.resolve("a.example")
        assert len(r.asked) == 1, seconds
        r.clock.t += 1
        r.resolve("a.example")
        assert len(r.asked) == 2, seconds


def test_an_alias_that_leads_elsewhere_is_asked_for():
    r = rig(a_example=(None, 90, b"b.example"), b_example=("192.0.2.2", 300, None))
    assert r.resolve("a.example") == "192.0.2.2"
    assert [name for _, name in r.asked] == ["a.example", "b.example"]
    assert names.known["a.example"][1] == r.clock.ms() + 90_000, "the shorter of both counts"


def test_aliases_without_an_end():
    r = rig(a_example=(None, 90, b"b.example"), b_example=(None, 300, b"a.example"))
    assert "without an end" in str(raises(OSError, r.resolve, "a.example"))
    assert len(r.asked) == 3


def test_an_old_address_is_better_than_none():
    r = rig(a_example=("192.0.2.1", 300, None))
    r.resolve("a.example")
    r.say.clear()
    r.clock.t += 9_000_000
    assert r.resolve("a.example") == "192.0.2.1"
    assert "no such name" in str(raises(OSError, r.resolve, "b.example"))
    assert len(r.asked) == 3


def test_a_router_that_names_no_name_server():
    r = rig()
    r.net.dns = "0.0.0.0"
    assert "net.dns" in str(raises(OSError, r.resolve, "a.example"))
    names.known.clear()
