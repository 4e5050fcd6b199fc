# Whatever a server says or does not say: nothing is lost, failures have names, and it goes on.
import asyncio
import gc
import json
import sys

import gateway
from fakeboard import FakeBoard
from fakeclock import FakeClock, Lines
from gateway import network, summary, uplink
from gateway.outbox import Outbox
from gateway.reading import Reading
from gateway.settings import Settings
from gateway.status import Status
from gateway.store import Store
from gateway.uplink import HttpError
from helpers import raises, run

T = 1_800_000_000
TOKEN = "token-of-this-test"


class Net:
    def __init__(self):
        self.up = True
        self.said = []

    async def wait_up(self, ms):
        return self.up

    def fine(self):
        self.said.append("fine")

    def trouble(self):
        self.said.append("trouble")

    def dns_failed(self, host):
        self.said.append("dns " + host)


class Rig:
    """`replies`: what the server does in turn; the last one stays. See `answer`."""

    def __init__(self, *replies, settings=None):
        self.replies = list(replies) or ["ok"]
        self.clock = FakeClock(T)
        self.board = FakeBoard(self.clock)
        self.board.cause = "soft"
        values = {"server.url": "http://192.0.2.1:8000", "server.token": TOKEN}
        values.update(settings or {})
        self.settings = Settings(self.board.nvs)
        self.settings.load(values)
        self.log = Lines()
        self.status = Status(self.board, self.clock, self.log)
        self.status.module = '\u81ea\u5b85 "x"'
        self.net = Net()
        self.air = asyncio.Lock()
        self.outbox = Outbox(self.clock, Store(self.board.nvs), 200)
        self.posts = []
        self.times = []
        self.collected = 0
        self.uplink = uplink.Uplink(
            self.settings,
            self.clock,
            self.outbox,
            self.status,
            self.net,
            self.air,
            self.log,
            self.board,
            post=self.post,
        )

    def fill(self, n=5):
        for i in range(n):
            self.outbox.append(Reading("instant", T + i, "ntp", i, None, None, None, None, "get"))

    async def post(self, url, headers, body, length, deadline_ms):
        assert self.air.locked(), "the post blocks, so the meter must know"
        assert url == "http://192.0.2.1:8000/api/v1/readings" and deadline_ms == 20_000
        assert headers["Authorization"] == "Bearer " + TOKEN
        assert headers["Content-Type"] == "application/json"
        text = b"".join(body)
        assert len(text) == length
        message = json.loads(text)
        self.posts.append(message)
        assert self.collected, "memory is tidied before each upload"
        self.collected = 0
        self.times.append(self.clock.ms())
        reply = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
        return self.answer(message, reply)

    def answer(self, message, reply):
        rows = message["readings"]
        if isinstance(reply, Exception):
            raise reply
        if callable(reply):
            reply = reply(rows)
        if isinstance(reply, tuple):
            return reply
        if reply == "ok":
            reply = {}
        if isinstance(reply, dict):
            whole = {"v": 1, "time": T + 7, "rejected": [], "want": [], "interval": None}
            whole["ack"] = [[rows[0][0], rows[-1][0]]] if rows else []
            whole.update(reply)
            reply = json.dumps(whole)
        return 200, {"content-type": "application/json"}, reply.encode()

    # A collection takes long on a PC with a whole test run in memory, so here it is only counted.
    def lean(self, coroutine):
        gateway.gc = network.gc = self
        try:
            return run(coroutine)
        finally:
            gateway.gc = network.gc = gc

    def collect(self):
        self.collected += 1

    def once(self):
        return self.lean(self.uplink.check())

    def run(self, seconds):
        end = self.clock.ms() + seconds * 1000
        promise = [1 << 60]

        def beat(ms):
            now = self.clock.ms()
            assert now <= promise[0]
            promise[0] = now + ms
            if now >= end:
                raise StopIteration_

        try:
            self.lean(self.uplink.run(beat))
        except StopIteration_:
            pass


class StopIteration_(Exception):
    pass


# -- memory


def test_what_an_upload_needs_is_gone_after_it():
    for reply in ("ok", (500, {}, b""), HttpError("closed", "x"), RuntimeError("x")):
        rig = Rig(reply)
        rig.fill()
        try:
            rig.once()
        except RuntimeError:
            assert isinstance(reply, RuntimeError)
        left = [name for name in sys.modules if name.startswith("gateway.")]
        for name in ("upload", "reply", "batch", "http", "names", "summary", "led"):
            assert "gateway." + name not in left, name


def test_the_client_is_chosen_by_the_url_unless_the_owner_says_otherwise():
    from gateway import upload

    for url, client, wanted in (
        ("http://192.0.2.1", "auto", "http"),
        ("http://192.0.2.1", "requests", "http"),
        ("http://192.0.2.1", "asyncio", "https"),
        ("https://home.example", "auto", "https"),
        ("https://home.example", "asyncio", "https"),
    ):
        rig = Rig(settings={"server.url": url, "server.client": client, "server.ca": "ca.der"})
        rig.uplink.post = None
        # MicroPython's classes know their module's name only by what is loaded.
        gateway.drop("http", "https")
        upload.pick(rig.uplink, "192.0.2.1")
        loaded = [name for name in ("http", "https") if "gateway." + name in sys.modules]
        assert loaded == [wanted], (url, client)
    gateway.drop("http", "https", "upload")


# -- when all is well


def test_readings_and_status_are_sent_and_forgotten():
    rig = Rig()
    rig.fill()
    rig.status.count("joined")
    rig.board.nvs.set("resets", b"7 watchdog; 6 power-on")
    status = dict(summary.snapshot(rig.status), resets="7 watchdog; 6 power-on")
    status = json.dumps(status)
    assert rig.once() is None
    message = rig.posts[0]
    assert message["v"] == 1 and message["stream"] == rig.outbox.stream
    assert message["status"] == json.loads(status)
    assert [row[0] for row in message["readings"]] == [1, 2, 3, 4, 5]
    assert message["readings"][1] == [2, "instant", T + 1, "ntp", 1, None, None, None, None, "get"]
    assert len(rig.outbox) == 0 and rig.status.counters["uploaded"] == 5
    assert rig.status.problems == {} and rig.net.said == ["fine"] and not rig.air.locked()


def test_an_empty_queue_still_tells_the_status():
    rig = Rig()
    assert rig.once() is None
    assert rig.posts[0]["readings"] == [] and rig.posts[0]["status"]["fw"] == "0.1.0"


def test_every_interval_and_the_servers_wish_counts():
    rig = Rig("ok", {"interval": 300}, {"interval": None}, {"interval": 1}, {"interval": 10**6})
    rig.run(4000)
    gaps = [b - a for a, b in zip(rig.times, rig.times[1:])]
    assert gaps[0] == 60_000 and gaps[1] == 300_000 and gaps[2] == 300_000 and gaps[3] == 10_000
    assert rig.uplink.interval == 3600


# 200 readings fit: more than 100 wait, and the server would be content with an upload an hour.
def test_a_full_queue_does_not_wait_for_its_hour():
    rig = Rig({"interval": 3600})
    rig.run(5)
    step = rig.clock.sleep_ms
    made = [0]

    async def sleep_ms(n):
        await step(n)
        while made[0] < (rig.clock.ms() - 5000) // 10_000:
            made[0] += 1
            rig.fill(1)

    rig.clock.sleep_ms = sleep_ms
    rig.run(7200)
    assert rig.status.counters.get("dropped.instant") is None
    gaps = [b - a for a, b in zip(rig.times[1:], rig.times[2:])]
    assert 5 <= len(rig.times) <= 30 and max(gaps) >= 600_000, gaps


def test_readings_that_wait_for_the_clock_cause_no_rush():
    rig = Rig({"interval": 300})
    for i in range(150):
        rig.outbox.append(Reading("instant", i, None, i, None, None, None, None, "get"))
    rig.run(600)
    assert 50 <= len(rig.posts) <= 61, "every ten seconds"


def test_a_backlog_goes_in_batches_at_once():
    rig = Rig()
    rig.fill(150)
    rig.run(10)
    assert [len(m["readings"]) for m in rig.posts] == [64, 64, 22]
    assert 2000 <= rig.times[-1] - rig.times[0] <= 2500 and len(rig.outbox) == 0
    # The newest first, for who looks at the page; then what is oldest.
    assert [m["readings"][0][0] for m in rig.posts] == [87, 1, 65]


def test_while_a_backlog_goes_the_newest_go_first_once_an_interval():
    rig = Rig()
    rig.uplink.outbox = rig.outbox = Outbox(rig.clock, Store(rig.board.nvs), 1200)
    rig.fill(1150)
    ends = []
    made = [0]
    answer = rig.answer
    step = rig.clock.sleep_ms

    def slow(message, reply):
        rig.clock.t += 1000  # so there is one in 9 to 11 s
        reply = answer(message, reply)
        rows = message["readings"]
        ends.append((rows[0][0], rows[-1][0]))
        rig.posts.clear()
        return reply

    async def sleep_ms(n):
        await step(n)
        while made[0] < (rig.clock.ms() - 5000) // 30_000:
            made[0] += 1
            rig.fill(1)

    rig.answer = slow
    rig.clock.sleep_ms = sleep_ms
    rig.run(150)
    fresh = [i for i, (_, last) in enumerate(ends) if last >= 1150]
    gaps = [rig.times[j] - rig.times[i] for i, j in zip(fresh, fresh[1:])]
    assert len(gaps) == 2 and min(gaps) >= 60_000 and max(gaps) <= 72_600, gaps
    old = [first for i, (first, _) in enumerate(ends) if i not in fresh]
    assert len(old) >= 7 and old == list(range(1, 1 + 64 * len(old), 64)), "in order, once"


def test_a_slow_server_is_asked_less():
    rig = Rig()
    answer = rig.answer

    def slow(message, reply):
        rig.clock.t += 1500
        return answer(message, reply)

    rig.answer = slow
    rig.fill(190)
    rig.run(60)
    found = [b - a for a, b in zip(rig.times, rig.times[1:])]
    assert len(found) == 2 and all(13_500 <= gap <= 16_600 for gap in found), found


def test_the_first_upload_after_the_power_came_waits_some_time_within_a_minute():
    begun = []
    for _ in range(20):
        rig = Rig()
        rig.board.cause = "power-on"
        rig.run(61)
        begun.append(rig.times[0] - 5000)
    assert 0 <= min(begun) < 30_000 < max(begun) <= 60_000
    rig = Rig()
    rig.run(1)
    assert rig.times == [5000], "whoever started it by hand wants to see it"


def test_wishes_for_history_are_handed_on():
    rig = Rig({"want": ["2026-11-20", "2026-11-21"]})
    days = []
    rig.uplink.on_want = days.extend
    assert rig.once() is None
    assert days == ["2026-11-20", "2026-11-21"]


def test_the_servers_time_is_offered_to_the_clock():
    rig = Rig()
    told = []
    rig.clock.set = lambda utc, quality, at_ms=None: told.append((utc, quality, at_ms))
    rig.once()
    assert told == [(T + 7, "server", rig.clock.ms())]


# -- what is not acknowledged stays


def test_parts_acknowledged_and_rejected():
    rig = Rig({"ack": [[1, 2], [4, 4]], "rejected": [[3, "t: lies in the future"]]}, "ok")
    rig.fill()
    assert rig.once() is None
    assert len(rig.outbox) == 1 and rig.outbox.rejects == [(3, "t: lies in the future")]
    assert rig.status.counters == {"uploaded": 3, "rejected": 1}
    assert "in the future" in rig.log.lines[-1]
    assert rig.once() is None
    assert [row[0] for row in rig.posts[1]["readings"]] == [5]


def test_rejected_ones_do_not_block_the_rest():
    rig = Rig({"ack": [], "rejected": [[n, "no"] for n in range(1, 6)]})
    rig.fill()
    assert rig.once() is None and len(rig.outbox) == 0


def test_a_reply_that_acknowledges_nothing_is_a_bad_reply():
    for reply in (
        {"ack": []},
        {"ack": [[100, 200]]},
        {"ack": [], "rejected": [[77, "never sent"]]},
        {"ack": [[5, 1]]},
    ):
        rig = Rig(reply)
        rig.fill()
        assert "none of 5 readings" in rig.once()
        assert rig.status.code("server") == "bad-reply" and len(rig.outbox) == 5


def test_foreign_replies_are_bad_replies():
    for status, kind, body in (
        (200, "text/html", b"<html><body>Please log in</body></html>"),
        (200, "application/json", b""),
        (200, "application/json", b"null"),
        (200, "application/json", b"[]"),
        (200, "application/json", b'"ok"'),
        (200, "application/json", b"{}"),
        (200, "application/json", b'{"v":2,"ack":[[1,5]],"rejected":[]}'),
        (200, "application/json", b'{"v":1,"ack":[[1,5]]}'),
        (200, "application/json", b'{"v":1,"ack":[1,5],"rejected":[]}'),
        (200, "application/json", b'{"v":1,"ack":[[1,5,9]],"rejected":[]}'),
        (200, "application/json", b'{"v":1,"ack":[[1,"x"]],"rejected":[]}'),
        (200, "application/json", b'{"v":1,"ack":[[1,null]],"rejected":[]}'),
        (200, "application/json", b'{"v":1,"ack":{"a":1},"rejected":[]}'),
        (200, "application/json", b'{"v":1,"ack":[],"rejected":[[1]]}'),
        (200, "application/json", b'{"v":1,"ack":[[1,1e999]],"rejected":[]}'),
        (200, "application/json", b'{"v":1,"ack":[[1,5]],"rejected":[],'),
        (200, None, b"\xff\xfe\x00"),
        (204, None, b""),
        (101, None, b""),
    ):
        rig = Rig((status, {"content-type": kind} if kind else {}, body))
        rig.fill()
        assert rig.once(), body
        assert rig.status.code("server") == "bad-reply", body
        assert len(rig.outbox) == 5, body
        assert not rig.air.locked()
        rig.replies = ["ok"]
        assert rig.once() is None and len(rig.outbox) == 0
        assert rig.status.problems == {}


def test_strange_extras_do_no_harm():
    rig = Rig({"time": "soon", "x": 1})
    rig.fill()
    rig.once()
    assert len(rig.outbox) == 0, "what was acknowledged is done"
    rig = Rig({"interval": "often", "want": 5})
    rig.uplink.on_want = lambda days: None
    rig.fill()
    rig.once()
    assert len(rig.outbox) == 0


# -- each failure by its name


def test_failures_are_told_apart():
    for reply, code, words, said in (
        ((401, {}, b""), "refused", "401", "fine"),
        ((403, {}, b""), "refused", "403", "fine"),
        ((400, {}, b""), "rejected", "400", "fine"),
        ((404, {}, b"<html>"), "rejected", "404", "fine"),
        ((422, {}, b""), "rejected", "422", "fine"),
        ((429, {}, b""), "broken", "429", "fine"),
        ((500, {}, b""), "broken", "500", "fine"),
        ((503, {"retry-after": "7"}, b""), "broken", "503", "fine"),
        ((304, {}, b""), "bad-reply", "304", "fine"),
        (HttpError("refused", "nobody answers"), "unreachable", "nobody answers", "fine"),
        (HttpError("unreachable", "no way there"), "unreachable", "no way there", "trouble"),
        (HttpError("timeout", "no answer in 20 s"), "timeout", "no answer", "trouble"),
        (HttpError("slow", "no answer in 20 s"), "timeout", "no answer", "fine"),
        (HttpError("certificate", "not signed"), "certificate", "not signed", "fine"),
        (HttpError("tls", "does not speak"), "tls", "does not speak", "fine"),
        (HttpError("redirect", "to http://x"), "redirect", "to http://x", "fine"),
        (HttpError("closed", "broke off"), "bad-reply", "broke off", "fine"),
        (HttpError("reply", "not HTTP"), "bad-reply", "not HTTP", "fine"),
    ):
        # Of several readings one could be the reason.
        n = 1 if words in ("400", "422") else 5
        rig = Rig(reply)
        rig.fill(n)
        assert words in rig.once()
        assert rig.status.code("server") == code, reply
        assert words in rig.status.detail("server")
        assert rig.status.counters == {"upload." + code: 1}
        assert rig.net.said[-1] == said, reply
        assert len(rig.outbox) == n and not rig.air.locked()
        rig.replies = ["ok"]
        assert rig.once() is None and rig.status.problems == {}
        assert [row[0] for row in rig.posts[1]["readings"]] == [1, 2, 3, 4, 5][:n]


def test_a_problem_that_explains_itself_is_quoted():
    kind = {"content-type": "application/problem+json"}
    body = b'{"title":"Unauthorized","detail":"This token was withdrawn."}'
    rig = Rig((401, kind, body))
    assert rig.once() == "status 401: This token was withdrawn."
    rig = Rig((401, kind, b'{"detail":"' + b"x" * 500 + b'"}'))
    assert len(rig.once()) < 120
    for body in (b"", b"[]", b"oops"):
        rig = Rig((503, kind, body))
        assert "503" in rig.once()


def test_a_name_without_address_is_not_the_servers_fault():
    rig = Rig(HttpError("dns", "a.example"))
    rig.fill()
    assert rig.once() == "a.example"
    assert rig.status.problems == {} and rig.net.said == ["trouble", "dns a.example"]
    assert rig.uplink.pause_ms and len(rig.outbox) == 5
    rig = Rig(HttpError("no-name", "a.example: there is no such name"))
    rig.once()
    assert rig.net.said[-2:] == ["fine", "dns a.example: there is no such name"]


def test_a_fault_of_our_own_is_not_hidden():
    rig = Rig(RuntimeError("body: 5 bytes instead of 6"))
    rig.fill()
    raises(RuntimeError, rig.once)
    assert not rig.air.locked() and len(rig.outbox) == 5


def test_the_token_is_in_no_text():
    rig = Rig((401, {}, b"no"), HttpError("closed", "x"), (500, {}, b""))
    for _ in range(3):
        rig.once()
        for text in rig.log.lines + [rig.status.detail("server")]:
            assert TOKEN not in text


# -- patience


def gaps(rig, seconds):
    rig.fill()
    rig.run(seconds)
    return [b - a for a, b in zip(rig.times, rig.times[1:])]


def test_pauses_grow_to_ten_minutes_with_jitter():
    found = gaps(Rig((500, {}, b"")), 6 * 3600)
    pause = 5000
    for gap in found:
        assert pause // 2 <= gap <= pause + 10, (gap, pause)
        pause = min(pause * 2, 600_000)
    assert max(found) <= 600_000
    # not all alike: a street's gateways must not come back in step
    assert len(set(found[8:])) > 1


def test_a_wrong_token_is_tried_more_patiently():
    found = gaps(Rig((401, {}, b"")), 3600)
    assert found[0] >= 30_000


def test_success_ends_the_pauses():
    rig = Rig((500, {}, b""), (500, {}, b""), (500, {}, b""), "ok", (500, {}, b""), "ok")
    found = gaps(rig, 400)
    assert found[2] >= 10_000 and found[3] == 60_000 and 2500 <= found[4] <= 5010


def test_retry_after_is_obeyed():
    for code in (429, 503):
        for wait, least, most in (
            ("90", 90_000, 117_510),
            ("1", 2500, 6260),
            ("999999", 3_600_000, 4_505_010),
            ("Fri, 15 Jan 2027 08:01:30 GMT", 90_000, 117_510),
            ("Fri, 15 Jan 2027 07:59:00 GMT", 2500, 5010),  # past
            ("soon", 2500, 5010),
        ):
            found = gaps(Rig((code, {"retry-after": wait}, b""), "ok"), 5000)
            assert least <= found[0] <= most, (code, wait, found[0])
    # They come back spread, not all in the same second.
    found = set()
    for _ in range(5):
        found.add(gaps(Rig((503, {"retry-after": "90"}, b""), "ok"), 500)[0])
    assert len(found) > 1


def test_too_many_at_once_halves_the_batch():
    def small(rows):
        return (413, {}, b"") if len(rows) > 10 else {}

    rig = Rig(small)
    rig.fill(100)
    rig.run(60)
    sizes = [len(m["readings"]) for m in rig.posts]
    assert sizes[:4] == [64, 32, 16, 8]
    assert len(rig.outbox) == 0 and rig.status.problems == {}
    assert rig.status.counters["uploaded"] == 100


def test_too_large_even_alone_is_a_rejection_not_a_loss():
    rig = Rig((413, {}, b""))
    rig.fill(3)
    rig.run(3600)
    assert rig.status.code("server") == "rejected" and len(rig.outbox) == 3
    assert len(rig.posts) < 20


# Takes no batch that holds one of these powers, and says so in a problem document.
def fussy(bad, code=400):
    def answer(rows):
        if bad is None or any(row[4] in bad for row in rows):
            body = b'{"detail": "readings: one is odd"}'
            return code, {"content-type": "application/problem+json"}, body
        return {}

    return answer


def test_a_reading_for_which_all_is_refused_is_found_and_set_aside():
    rig = Rig(fussy((30, 31, 60)))
    rig.fill(70)
    assert rig.once() == "status 400 for 64 readings"
    rig.run(600)
    assert len(rig.outbox) == 0 and rig.status.problems == {}
    assert rig.status.counters["uploaded"] == 67 and rig.status.counters["rejected"] == 3
    assert [seq for seq, _ in rig.outbox.rejects] == [31, 32, 61]
    assert "one is odd" in rig.outbox.rejects[0][1]
    assert len(rig.posts) < 100


def test_nothing_is_set_aside_while_all_is_refused():
    for bad in (None, range(1000)):  # also the status alone, or all readings
        rig = Rig(fussy(bad))
        rig.fill(100)
        rig.run(3600)
        assert len(rig.outbox) == 100 and "rejected" not in rig.status.counters
        assert rig.status.code("server") == "rejected"
        assert len(rig.posts) < 30
        # and when that is over all of it goes
        rig.replies = ["ok"]
        rig.run(1800)
        assert len(rig.outbox) == 0 and rig.status.counters["uploaded"] == 100


def test_a_reading_is_refused_three_times_and_others_are_taken_before_it_is_set_aside():
    rig = Rig(fussy((0,), 422))
    rig.fill(1)
    for others in range(2):
        rig.run(1800)
        assert len(rig.outbox) == 1 and rig.status.code("server") == "rejected"
        assert rig.status.counters.get("uploaded", 0) == others
        r = Reading("instant", T + 9 + others, "ntp", 9, None, None, None, None, "get")
        rig.outbox.append(r)
    rig.run(1800)
    assert len(rig.outbox) == 0 and rig.status.problems == {}
    assert rig.status.counters["uploaded"] == 2 and rig.status.counters["rejected"] == 1


def test_no_network_no_post():
    rig = Rig()
    rig.net.up = False

    async def wait_up(ms):
        await rig.clock.sleep_ms(ms)
        return False

    rig.net.wait_up = wait_up
    rig.run(600)
    assert rig.posts == []


def test_without_a_server_or_a_token_it_rests():
    for values in ({"server.url": None}, {"server.token": None}):
        rig = Rig(settings=values)

        async def go(rig=rig):
            promises = []
            task = asyncio.create_task(rig.uplink.run(promises.append))
            for _ in range(20):
                await asyncio.sleep(0)
            assert promises == [None] and not task.done() and rig.posts == []
            task.cancel()

        run(go())


# -- the meter comes first


def test_waits_for_the_meter_but_not_for_ever():
    rig = Rig()

    async def go():
        await rig.air.acquire()
        began = rig.clock.ms()
        text = await rig.uplink.check()
        assert "meter" in text and rig.posts == []
        assert rig.clock.ms() - began <= 71_000
        assert rig.status.problems == {} and rig.uplink.pause_ms == 0
        rig.air.release()
        assert await rig.uplink.check() is None

    rig.lean(go())


def test_what_was_dropped_is_counted():
    rig = Rig()
    rig.fill(300)
    assert rig.status.counters["dropped.instant"] + len(rig.outbox) == 300
