# Whatever a server says or does not say: nothing is lost, failures have names, and it goes on.
import json
import sys

import gateway
from gateway import summary
from gateway.outbox import Outbox
from gateway.reading import Reading
from gateway.store import Store
from gateway.uplink import HttpError
from uplinkrig import Rig, T

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
