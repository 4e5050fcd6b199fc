# Each failure of an upload has its name, and its patience; see test_uplink.
import asyncio

from gateway.reading import Reading
from gateway.uplink import HttpError
from helpers import raises, run
from uplinkrig import TOKEN, Rig, T

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
    rig = Rig()
    done = 0
    for bad in (None, range(1000)):  # also the status alone, or all readings
        rig.replies = [fussy(bad)]
        rig.posts = []
        rig.fill(100)
        rig.run(3600)
        assert len(rig.outbox) == 100 and "rejected" not in rig.status.counters
        assert rig.status.code("server") == "rejected"
        assert len(rig.posts) < 30
        # and when that is over all of it goes
        rig.replies = ["ok"]
        rig.run(1800)
        done += 100
        assert len(rig.outbox) == 0 and rig.status.counters["uploaded"] == done


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
