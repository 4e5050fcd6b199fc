# A real UDP server on loopback, which tells the truth, lies, or says nothing.
import asyncio
import struct
import sys

import gateway
from datagrams import Server
from fakeboard import FakeNvs
from fakeclock import Lines, Recorder
from gateway import ntp
from gateway.network import TimeKeeper
from gateway.settings import Settings
from helpers import run
from hostclock import HostClock

T = 1_800_000_000
OFFSET = 2_208_988_800


def answer(
    request, utc=T, ms=500, mode=4, leap=0, stratum=2, cookie=None, code=b"GPS\0", took=0, size=48
):
    sent = utc + OFFSET & 0xFFFFFFFF
    fraction = (ms << 32) // 1000
    back = sent * 1000 + ms - took
    packet = bytearray(max(size, 48))
    packet[0] = leap << 6 | 4 << 3 | mode
    packet[1] = stratum
    packet[12:16] = code
    packet[24:32] = request[40:48] if cookie is None else cookie
    struct.pack_into(">II", packet, 32, back // 1000, ((back % 1000 << 32) // 1000))
    struct.pack_into(">II", packet, 40, sent, fraction)
    return bytes(packet[:size])


def ask(reply, timeout_ms=60_000, host="127.0.0.1"):
    """-> (result or NtpError, clock, requests)"""

    async def go():
        clock = HostClock()
        server = Server(lambda n, request: reply(request))
        clock.began = clock.ms()
        task = asyncio.create_task(server.serve())
        try:
            result = await ntp.query(host, clock, timeout_ms, server.port)
        except ntp.NtpError as e:
            result = e
        finally:
            task.cancel()
            server.sock.close()
        clock.ended = clock.ms()
        return result, clock, server.requests

    return run(go())


def refusal(reply, timeout_ms=60_000):
    result, _, _ = ask(reply, timeout_ms)
    assert isinstance(result, ntp.NtpError), result
    return str(result)


def test_the_time_is_told_to_the_millisecond():
    for ms in (0, 250, 999):
        (utc, at), clock, requests = ask(lambda q, ms=ms: [answer(q, ms=ms)])
        assert utc == T
        assert clock.began <= at + ms <= clock.ended + 1, "it was T and ms on the way here"
        request = requests[0]
        assert len(request) == 48 and request[0] == 0x23 and request[40:48] != bytes(8)


def test_every_question_has_its_own_cookie():
    asked = set()
    for _ in range(3):
        asked.add(ask(lambda q: [answer(q)])[2][0][40:48])
    assert len(asked) == 3


def test_the_servers_own_time_is_not_counted_as_way():
    (_, at), clock, _ = ask(lambda q: [answer(q, ms=0, took=60_000)])
    assert clock.began <= at <= clock.ended


def test_after_2036_the_seconds_begin_anew():
    (utc, _), _, _ = ask(lambda q: [answer(q, utc=2_085_978_496 + 1000)])
    assert utc == 2_085_978_496 + 1000


def test_what_must_not_be_believed():
    for change, words in (
        ({"mode": 3}, "mode 3"),
        ({"mode": 5}, "mode 5"),
        ({"stratum": 16}, "not synchronised"),
        ({"leap": 3}, "not synchronised"),
        ({"stratum": 0, "code": b"RATE"}, "refuses to serve (RATE)"),
        ({"stratum": 0, "code": b"\xff\n D"}, "refuses to serve (???D)"),
        ({"utc": 1_600_000_000}, "impossible"),
        ({"utc": -OFFSET}, "impossible"),
    ):
        text = refusal(lambda q, change=change: [answer(q, **change)])
        assert words in text and text.startswith("127.0.0.1: "), (change, text)


def test_silence_ends_in_time():
    assert "no answer in 60 ms" in refusal(lambda q: [], 60)


def test_foreign_and_short_packets_are_passed_over():
    def noisy(q):
        return [b"", b"x" * 20, answer(q, cookie=bytes(8)), answer(q, size=47), answer(q)]

    assert ask(noisy)[0][0] == T
    assert "no answer" in refusal(lambda q: [answer(q, cookie=bytes(8))], 60)


def test_nobody_there():
    async def go():
        server = Server(None)
        server.sock.close()
        try:
            await ntp.query("127.0.0.1", HostClock(), 200, server.port)
        except ntp.NtpError as e:
            return str(e)

    text = run(go())
    assert text and text.startswith("127.0.0.1: ")


# -- the task that asks


class Net:
    def __init__(self):
        self.up = True
        self.net = self

    def address(self):
        return ("192.0.2.9", "255.255.255.0", "192.0.2.1", "0.0.0.0")

    async def wait_up(self, ms):
        return self.up


def keeper(host="192.0.2.5"):
    settings = Settings(FakeNvs())
    settings.set("time.ntp", host)
    clock = HostClock()
    net = Net()
    log = Lines()
    return TimeKeeper(settings, clock, net, asyncio.Lock(), log), clock, net, log


def with_query(query, fn):
    gateway.drop("ntp")
    __import__("gateway.ntp")
    sys.modules["gateway.ntp"].query = query
    return fn()  # which drops it


def test_sync_sets_the_clock_and_says_what_changed():
    async def query(host, clock):
        assert host == "192.0.2.5"
        return T, clock.ms()

    async def go():
        task, clock, net, log = keeper()
        clock.set(T - 100, "server")
        assert await task.sync()
        assert clock.quality == "ntp" and T <= clock.utc() <= T + 1
        assert log.lines == ["time: corrected by 100 s from 192.0.2.5"]

    with_query(query, lambda: run(go()))


def test_failure_is_told_and_no_time_is_set():
    async def query(host, clock):
        raise sys.modules["gateway.ntp"].NtpError("192.0.2.5: no answer in 3000 ms")

    async def go():
        task, clock, net, log = keeper()
        assert not await task.sync()
        assert clock.utc() is None and log.lines == ["time: 192.0.2.5: no answer in 3000 ms"]
        assert not task.air.locked()

    with_query(query, lambda: run(go()))


# Not patched: what the task really calls is loaded, used, and gone again.
def test_the_question_is_loaded_for_its_own_time():
    async def go():
        task, clock, net, log = keeper("127.0.0.1")
        assert not await task.sync()  # nobody serves time on port 123 here
        assert len(log.lines) == 1 and log.lines[0].startswith("time: 127.0.0.1: ")

    run(go())
    assert "gateway.ntp" not in sys.modules


def test_a_name_without_address_is_the_networks_problem():
    async def go():
        task, clock, net, log = keeper("time.invalid")
        assert not await task.sync()
        assert log.lines == ["time: time.invalid: the router names no name server; set net.dns"]
        assert not task.air.locked()

    run(go())


class Done(Exception):
    pass


def test_pauses_grow_and_a_good_clock_is_left_alone():
    from fakeclock import FakeClock

    results = [False] * 8 + [True, True, False, True]
    waits = []

    async def go():
        clock = FakeClock()
        settings = Settings(FakeNvs())
        task = TimeKeeper(settings, clock, Net(), asyncio.Lock(), Recorder())

        async def sync():
            if not results:
                raise Done
            return results.pop(0)

        task.sync = sync
        promises = []
        try:
            await task.run(promises.append)
        except Done:
            pass
        waits.extend(clock.slept)
        # each promise holds: the wait it covers is shorter
        assert all(p > w for p, w in zip(promises[1::2], clock.slept))

    run(go())
    s = [w // 1000 for w in waits]
    assert s == [15, 30, 60, 120, 240, 480, 900, 900, 21600, 21600, 15, 21600]
